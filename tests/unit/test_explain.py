"""What a person is shown about two that may be one."""

from __future__ import annotations

import pytest

from contactsync.model.contact import (
    Address,
    AddressComponent,
    Anniversary,
    Contact,
    Email,
    Name,
    Note,
    Organization,
    PartialDate,
    Phone,
)
from contactsync.sync.explain import Explanation, explain

pytestmark = pytest.mark.law("L27")

ADA = Contact(
    name=Name(full="Ada King"),
    emails=(Email("ada@x.example"), Email("old@x.example")),
    phones=(Phone("030 901820"),),
    organizations=(Organization("Acme"),),
)


def test_values_agree_differ_or_stand_alone_in_the_order_of_the_fields() -> None:
    other = Contact(
        name=Name(full="King, Ada"),
        emails=(Email("ADA@x.example"), Email("new@x.example")),
        phones=(Phone("+49 30 901820"),),
        notes=(Note("met in Turin"),),
    )
    assert explain(ADA, other, "DE") == Explanation(
        agree=(("name", "Ada King"), ("e-mail", "ada@x.example"), ("phone", "030 901820")),
        differ=(("e-mail", "old@x.example", "new@x.example"),),
        only=(("organization", "Acme", ""), ("note", "", "met in Turin")),
    )
    there, back = explain(ADA, other), explain(other, ADA)
    assert there.differ[-1] == ("phone", "030 901820", "+49 30 901820")
    assert back.differ == tuple((title, theirs, mine) for title, mine, theirs in there.differ)


def test_other_names_differ_and_a_missing_one_is_no_difference() -> None:
    assert explain(ADA, Contact(name=Name(full="Bob"))).differ == (("name", "Ada King", "Bob"),)
    assert explain(Contact(), Contact(name=Name(full="Bob"))) == Explanation(only=(("name", "", "Bob"),))
    assert explain(Contact(), Contact()) == Explanation()
    firms = [Contact(organizations=(Organization("Acme"),), emails=(Email(f"{n}@x.example"),)) for n in "12"]
    assert explain(*firms).agree == (("organization", "Acme"),)


def test_dates_are_compared_by_what_they_are() -> None:
    born = Contact(anniversaries=(Anniversary("birth", PartialDate(1979, 4, 1)),))
    wed = Contact(
        anniversaries=(
            Anniversary("birth", PartialDate(1980, 4, 1)),
            Anniversary("wedding", PartialDate(2001, 4, 1)),
        )
    )
    assert explain(born, wed) == Explanation(
        differ=(("date (birth)", "1979-04-01", "1980-04-01"),),
        only=(("date (wedding)", "", "2001-04-01"),),
    )


def test_an_address_agrees_however_it_is_cut() -> None:
    parts = (AddressComponent("name", "Lindenstr. 12"), AddressComponent("locality", "Berlin"))
    one = Contact(addresses=(Address((*parts, AddressComponent("country", "Germany"))),))
    for address in (
        Address(full="Lindenstr. 12\nBerlin"),
        Address((*parts, AddressComponent("country", "DE"))),
    ):
        found = explain(one, Contact(addresses=(address,)))
        assert found == Explanation(agree=(("address", "Lindenstr. 12, Berlin, Germany"),))
