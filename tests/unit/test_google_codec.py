"""The laws of the codec (L7, L8, L9) for Google's persons, and what each of their fields becomes."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contactsync.connectors.google.codec import GoogleCodec, dumps, loads
from contactsync.errors import CodecError
from contactsync.model.contact import (
    Address,
    AddressComponent,
    Anniversary,
    Contact,
    Email,
    Extra,
    Link,
    Media,
    Name,
    NameComponent,
    Note,
    OnlineService,
    Organization,
    PartialDate,
    Phone,
    Relation,
    Title,
)
from contactsync.model.group import GroupCard
from tests.contacts import CONTACTS, FIELDS, alike

CODEC = GoogleCodec()
SLOW = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
WORK, HOME = frozenset({"work"}), frozenset({"private"})
Json = dict[str, Any]


def read(**person: Any) -> Contact:
    return CODEC.read(dumps(person))


def edited(person: Json, **content: Any) -> Json:
    """The person after these fields of its contact were changed."""
    payload = dumps(person)
    return loads(CODEC.write(replace(CODEC.read(payload), **content), payload))


@pytest.mark.law("L9")
@given(CONTACTS)
@SLOW
def test_a_new_person_reads_as_its_projection(contact: Contact) -> None:
    view = CODEC.project(contact)
    assert CODEC.project(view) == view
    written = CODEC.write(contact, None)
    back = CODEC.read(written)
    assert [name for name in FIELDS if getattr(back, name) != getattr(view, name)] == []
    assert back.uid == view.uid
    assert CODEC.write(back, written) == written


@pytest.mark.law("L9")
@given(CONTACTS, CONTACTS)
@SLOW
def test_an_existing_person_takes_any_other_contact(before: Contact, after: Contact) -> None:
    original = CODEC.write(before, None)
    written = CODEC.write(after, original)
    # the code of a country goes when the country changes, and the code does not
    assert alike(_no_codes(CODEC.read(written)), _no_codes(CODEC.project(after))) == []
    assert CODEC.read(written).uid == CODEC.read(original).uid


def _no_codes(contact: Contact) -> Contact:
    return replace(contact, addresses=tuple(replace(a, country_code="") for a in contact.addresses))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.law("L8")
@given(st.dictionaries(st.sampled_from(["names", "metadata", "memberships", "photos", "birthdays"]), JSON))
@SLOW
def test_whatever_a_person_says_it_is_read_and_goes_back_as_it_was(person: Json) -> None:
    payload = dumps(person)
    try:
        contact = CODEC.read(payload)
    except CodecError:
        return
    assert CODEC.write(contact, payload) == payload
    assert CODEC.glimpse(payload) == contact.name.full


# ---- what each list becomes ------------------------------------------------------------------------------


def test_a_name_is_its_parts_and_shown_as_google_shows_it() -> None:
    item = {"givenName": "Ada", "middleName": "B.", "familyName": "Lovelace", "honorificPrefix": "Dr."}
    item |= {"honorificSuffix": "III", "phoneticGivenName": "Ah-da", "displayName": "Dr. Ada B. Lovelace III"}
    name = read(names=[item]).name
    assert [(c.kind, c.value, c.phonetic) for c in name.components] == [
        ("title", "Dr.", ""),
        ("given", "Ada", "Ah-da"),
        ("given2", "B.", ""),
        ("surname", "Lovelace", ""),
        ("credential", "III", ""),
    ]
    assert name.full == "Dr. Ada B. Lovelace III"
    after = edited({"names": [item]}, name=Name((NameComponent("given", "Augusta"),), "Augusta"))
    assert after["names"] == [{"givenName": "Augusta"}], "the server makes the rest anew"


def test_a_name_in_one_piece_is_read_by_google_and_a_company_has_none() -> None:
    whole = loads(CODEC.write(Contact(name=Name(full="Ada Lovelace")), None))
    assert whole["names"] == [{"unstructuredName": "Ada Lovelace"}]
    company = Contact(name=Name(full="ACME"), organizations=(Organization("Acme"),))
    assert "names" not in loads(CODEC.write(company, None))


@pytest.mark.parametrize(
    ("word", "phone"),
    [
        ("mobile", Phone("1", features=frozenset({"cell"}))),
        ("workMobile", Phone("1", WORK, frozenset({"cell"}))),
        ("homeFax", Phone("1", HOME, frozenset({"fax"}))),
        ("workFax", Phone("1", WORK, frozenset({"fax"}))),
        ("otherFax", Phone("1", features=frozenset({"fax"}))),
        ("pager", Phone("1", features=frozenset({"pager"}))),
        ("workPager", Phone("1", WORK, frozenset({"pager"}))),
        ("main", Phone("1", features=frozenset({"main-number"}))),
        ("home", Phone("1", HOME)),
        ("work", Phone("1", WORK)),
        ("other", Phone("1", frozenset({"other"}))),
        ("googleVoice", Phone("1", label="googleVoice")),
        ("Boat", Phone("1", label="Boat")),
        ("", Phone("1")),
    ],
)
def test_types_of_phones(word: str, phone: Phone) -> None:
    item = {"value": "1", "type": word} if word else {"value": "1"}
    assert read(phoneNumbers=[item]).phones == (phone,)
    assert loads(CODEC.write(Contact(phones=(phone,)), None))["phoneNumbers"] == [item]


def test_labels_of_the_persons_own_and_of_the_vocabulary() -> None:
    contact = Contact(
        emails=(Email("a@x.example", HOME), Email("b@x.example", label="Boat"), Email("c@x.example", WORK)),
        links=(Link("https://x.example", label="HomePage"),),
        related_to=(Relation("Mum", frozenset({"parent"}), "Mother"), Relation("Bo", frozenset({"spouse"}))),
    )
    person = loads(CODEC.write(contact, None))
    assert [item["type"] for item in person["emailAddresses"]] == ["home", "Boat", "work"]
    assert person["urls"][0]["type"] == "homePage"
    assert [item["type"] for item in person["relations"]] == ["mother", "spouse"]
    assert CODEC.read(dumps(person)).related_to == contact.related_to


def test_days_with_and_without_a_year_and_birthdays_that_are_texts() -> None:
    person = {
        "birthdays": [{"date": {"month": 2, "day": 29}}],
        "events": [
            {"date": {"year": 2001, "month": 5, "day": 1}, "type": "anniversary"},
            {"date": {"year": 2002, "month": 6, "day": 2}, "type": "Graduation"},
            {"date": {"year": 2003, "month": 7, "day": 3}, "type": "other"},
        ],
    }
    contact = CODEC.read(dumps(person))
    assert contact.anniversaries == (
        Anniversary("birth", PartialDate(None, 2, 29)),
        Anniversary("wedding", PartialDate(2001, 5, 1)),
        Anniversary("other", PartialDate(2002, 6, 2), "Graduation"),
        Anniversary("other", PartialDate(2003, 7, 3)),
    )
    assert loads(CODEC.write(contact, None)) == person
    text = {"birthdays": [{"text": "in spring"}]}
    assert CODEC.read(dumps(text)).anniversaries[0].date.text == "in spring"
    assert edited(text, notes=(Note("x"),))["birthdays"] == text["birthdays"]
    unknown = Contact(anniversaries=(Anniversary("birth", PartialDate(1980)),))
    assert CODEC.project(unknown).anniversaries == (), "a year alone stays at home"


def test_an_address_is_its_parts_and_the_rest_is_googles() -> None:
    item = {"streetAddress": "1 Way", "city": "Utrecht", "country": "Netherlands", "countryCode": "NL"}
    item |= {"type": "home", "formattedType": "Home", "formattedValue": "1 Way\nUtrecht\nNetherlands"}
    (address,) = read(addresses=[item]).addresses
    assert (address.part("name"), address.country_code, address.full) == ("1 Way", "NL", "")
    moved = replace(address, components=(*address.components[:1], AddressComponent("locality", "Ede")))
    (after,) = edited({"addresses": [item]}, addresses=(moved,))["addresses"]
    assert after == {"streetAddress": "1 Way", "city": "Ede", "type": "home"}
    label = Contact(addresses=(Address(full="1 Way\nUtrecht"),))
    (written,) = loads(CODEC.write(label, None))["addresses"]
    assert written == {"streetAddress": "1 Way\nUtrecht"}


def test_a_job_has_up_to_three_entries_and_each_stays_in_it() -> None:
    jobs = [
        {"name": "ACME", "department": "R&D", "title": "Chief", "domain": "acme.example", "current": True},
        {"name": "Club", "jobDescription": "Treasurer", "costCenter": "7"},
    ]
    contact = read(organizations=jobs)
    assert contact.organizations == (Organization("ACME", ("R&D",)), Organization("Club"))
    assert contact.titles == (Title("Chief"), Title("Treasurer", "role"))
    after = edited({"organizations": jobs}, titles=(Title("Boss"), Title("Treasurer", "role")))
    assert after["organizations"] == [{**jobs[0], "title": "Boss"}, jobs[1]]
    after = edited({"organizations": jobs}, organizations=(Organization("Club"),))["organizations"]
    assert after == [{"title": "Chief", "domain": "acme.example", "current": True}, jobs[1]]


def test_services_find_their_lists() -> None:
    contact = Contact(
        online_services=(
            OnlineService("jabber", "xmpp:ada@x.example", contexts=WORK),
            OnlineService("gtalk", "", "ada"),
            OnlineService("sip", "sip:ada@x.example"),
            OnlineService("mastodon", "https://x.example/@ada", "ada", "socialprofile"),
        )
    )
    person = loads(CODEC.write(contact, None))
    assert person["imClients"] == [
        {"username": "ada@x.example", "protocol": "jabber", "type": "work"},
        {"username": "ada", "protocol": "googleTalk"},
    ]
    assert person["sipAddresses"] == [{"value": "ada@x.example"}]
    assert [s.service for s in CODEC.project(contact).online_services] == ["jabber", "gtalk", "sip"]


def test_what_has_no_field_is_a_property_where_there_is_one() -> None:
    person = {
        "genders": [{"value": "female"}],
        "locales": [{"value": "en"}],
        "interests": [{"value": "Go, chess"}],
        "calendarUrls": [{"url": "https://x.example/c", "type": "home"}, {"url": "u", "type": "freeBusy"}],
        "userDefined": [{"key": "Shoe size", "value": "42"}],
    }
    contact = CODEC.read(dumps(person))
    assert {(extra.name, extra.value) for extra in contact.extra} == {
        ("GENDER", "F"),
        ("LANG", "en"),
        ("INTEREST", "Go\\, chess"),
        ("CALURI", "https://x.example/c"),
        ("FBURL", "u"),
        ("X-CUSTOM-FIELD", "42"),
    }
    written = loads(CODEC.write(contact, None))
    assert {**written, "calendarUrls": person["calendarUrls"]} == person
    foreign = Contact(extra=(Extra("X-FOO", "1"), Extra("GENDER", ";it depends")))
    assert loads(CODEC.write(foreign, None)) == {"genders": [{"value": "it depends"}]}


@pytest.mark.law("L8", "L9")
def test_what_we_have_no_place_for_stays_when_something_else_changes() -> None:
    person = {
        "emailAddresses": [
            {"value": "ada@x.example", "type": "work", "displayName": "Ada", "newKey": 1},
            {"type": "home"},
        ],
        "occupations": [{"value": "Countess"}],
        "externalIds": [{"value": "7", "type": "account"}],
        "miscKeywords": [{"value": "x", "type": "OUTLOOK_KEYWORD"}],
        "clientData": [{"key": "other-program", "value": "1"}],
        "unknownField": {"deep": [1]},
        "metadata": {"sources": [{"type": "CONTACT", "id": "1f", "etag": "#1"}]},
    }
    after = edited(person, emails=(Email("new@x.example", WORK),))
    assert after["emailAddresses"][0] == {**person["emailAddresses"][0], "value": "new@x.example"}
    assert {**after, "emailAddresses": person["emailAddresses"]} == person
    assert CODEC.read(dumps(person)).uid == "1f"


def test_what_the_profile_says_is_not_the_contacts() -> None:
    ours = {"metadata": {"source": {"type": "CONTACT", "id": "1"}}, "value": "ours@x.example"}
    theirs = {"metadata": {"source": {"type": "PROFILE", "id": "2"}}, "value": "theirs@x.example"}
    assert [e.address for e in read(emailAddresses=[theirs, ours]).emails] == ["ours@x.example"]


def test_labels_are_named_by_their_hrefs_and_those_of_the_system_stay() -> None:
    def member(name: str) -> Json:
        return {"contactGroupMembership": {"contactGroupResourceName": f"contactGroups/{name}"}}

    person = {"memberships": [member("myContacts"), member("starred"), member("abc")]}
    assert CODEC.read(dumps(person)).groups == {"contactGroups/abc"}
    after = edited(person, groups=frozenset({"contactGroups/def", "Chess"}))["memberships"]
    new = {"contactGroupMembership": {"name": "Chess"}}
    assert after == [member("myContacts"), member("starred"), new, member("def")]


def test_a_label_is_a_group_without_members() -> None:
    payload = CODEC.write_group(GroupCard("Chess", frozenset({"u"})), "uid", None)
    assert CODEC.read_group(payload) == GroupCard("Chess")
    assert CODEC.read(payload).kind == "group"
    assert CODEC.read_group(dumps({"names": []})) is None


def test_a_photo_is_its_bytes_and_a_monogram_is_none() -> None:
    data = b"\x89PNG picture"
    photo = {"url": "https://x.example/p=s100", "data": base64.b64encode(data).decode()}
    contact = read(photos=[photo])
    assert (contact.media[0].media_type, contact.media[0].data) == ("image/png", data)
    assert read(photos=[{"url": "u", "default": True}]).media == ()
    assert edited({"photos": [photo]}, notes=(Note("x"),))["photos"] == [photo]
    assert "photos" not in edited({"photos": [photo]}, media=())
    new = Media(media_type="image/jpeg", sha256="0" * 64, data=b"\xff\xd8")
    assert edited({"photos": [photo]}, media=(new,))["photos"] == [{"data": "/9g="}]
    with pytest.raises(CodecError):
        edited({"photos": [photo]}, media=(replace(new, data=None),))


@pytest.mark.parametrize("payload", [b"", b"BEGIN:VCARD", b"[]", b"\xff"])
def test_what_is_no_person_is_said(payload: bytes) -> None:
    with pytest.raises(CodecError, match="not a contact of Google"):
        CODEC.read(payload)
    assert CODEC.glimpse(payload) == ""
