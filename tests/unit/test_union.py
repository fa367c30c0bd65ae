"""Two contacts that are one (L40)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contactsync.model.contact import Anniversary, Contact, Email, Name, Note, PartialDate, Phone, Title
from contactsync.sync.union import left_behind, strong_values, taken_over, unite

ADA = Contact(
    uid="ada",
    name=Name(full="Ada"),
    emails=(Email("a@x.example"), Email("b@x.example")),
    phones=(Phone("+49 1"),),
    notes=(Note("met in Turin\nlikes tea"),),
)
COUNTESS = Contact(
    uid="countess",
    name=Name(full="Countess"),
    emails=(Email("B@x.example"), Email("c@x.example")),
    titles=(Title("Countess"),),
    notes=(Note("likes tea\nplays whist"),),
    anniversaries=(Anniversary("birth", PartialDate(1815, 12, 10)),),
)


@pytest.mark.law("L40")
def test_the_one_that_remains_has_all_of_both() -> None:
    both, clashes = unite(ADA, COUNTESS)
    assert both.uid == "ada"
    assert {email.address for email in both.emails} == {"a@x.example", "b@x.example", "c@x.example"}
    assert both.titles == COUNTESS.titles and both.anniversaries == COUNTESS.anniversaries
    assert [note.text for note in both.notes] == ["met in Turin\nlikes tea\nplays whist"]
    assert [clash.path for clash in clashes] == [("name",)], "two names cannot be one"


@pytest.mark.law("L40")
def test_only_what_a_remote_has_no_place_for_is_left_behind() -> None:
    def one_address_and_no_title(contact: Contact) -> Contact:
        return replace(contact, emails=contact.emails[:1], titles=(), notes=())

    rest = left_behind(COUNTESS, one_address_and_no_title)
    assert rest.emails == (Email("c@x.example"),) and rest.titles == COUNTESS.titles
    assert rest.notes == COUNTESS.notes and rest.name == Name() and not rest.anniversaries
    assert left_behind(COUNTESS, lambda contact: contact) == Contact(uid="countess")


@pytest.mark.law("L40")
def test_to_take_over_is_to_have_what_one_had_not() -> None:
    after = replace(ADA, emails=(*ADA.emails, Email("C@X.example")))
    assert taken_over(COUNTESS, ADA, after) == strong_values(Contact(emails=(Email("c@x.example"),)))
    assert not taken_over(COUNTESS, ADA, ADA), "an address that both had before says nothing"
    assert not taken_over(COUNTESS, ADA, replace(ADA, titles=COUNTESS.titles)), "nor does a title"
