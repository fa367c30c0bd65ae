"""The laws of the codec (L7 to L10) for Outlook's contacts, and which slot each entry goes into."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from contactsync.connectors.outlook.codec import OutlookCodec, dumps, loads
from contactsync.connectors.outlook.person import EXTENDED, FIELDS, HAS_PICTURE, UID, canonical
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
from tests.contacts import CONTACTS, alike
from tests.contacts import FIELDS as CONTENT

CODEC = OutlookCodec()
SLOW = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
WORK, HOME = frozenset({"work"}), frozenset({"private"})
Json = dict[str, Any]


def read(**person: Any) -> Contact:
    return CODEC.read(dumps(person))


def written(contact: Contact) -> Json:
    return loads(CODEC.write(contact, None))


def edited(person: Json, **content: Any) -> Json:
    """The contact after these fields were changed."""
    payload = dumps(person)
    return loads(CODEC.write(replace(CODEC.read(payload), **content), payload))


@pytest.mark.law("L9")
@given(CONTACTS)
@SLOW
def test_a_new_contact_reads_as_its_projection(contact: Contact) -> None:
    view = CODEC.project(contact)
    assert CODEC.project(view) == view
    payload = CODEC.write(contact, None)
    back = CODEC.read(payload)
    assert [name for name in CONTENT if getattr(back, name) != getattr(view, name)] == []
    assert back.uid == view.uid
    assert CODEC.write(back, payload) == payload


@pytest.mark.law("L9")
@given(CONTACTS, CONTACTS)
@SLOW
def test_an_existing_contact_takes_any_other_one(before: Contact, after: Contact) -> None:
    original = CODEC.write(before, None)
    payload = CODEC.write(after, original)
    assert alike(CODEC.read(payload), CODEC.project(after)) == []
    assert CODEC.read(payload).uid == CODEC.read(original).uid


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.law("L8")
@example({"businessPhones": [None, None, "0"]})
@given(st.dictionaries(st.sampled_from([*FIELDS, EXTENDED, "photo", "id"]), JSON))
@SLOW
def test_whatever_a_contact_says_it_is_read_and_goes_back_as_it_was(person: Json) -> None:
    payload = dumps(person)
    try:
        contact = CODEC.read(payload)
    except CodecError:
        return
    assert CODEC.write(contact, payload) == payload
    assert CODEC.glimpse(payload) == contact.name.full


def test_nothing_is_nothing_in_all_its_spellings() -> None:
    ada = {"id": "1", "givenName": "Ada"}
    by_hand = {**ada, "surname": "", "homeAddress": {}, "children": [], "birthday": None}
    by_api = {**ada, "surname": None, "homeAddress": {"street": None}, "@odata.etag": "x"}
    assert canonical(by_hand, {}) == canonical(by_api, {}) == ada


# ---- what each property becomes --------------------------------------------------------------------------


def test_a_name_and_how_it_sounds() -> None:
    person = {
        "title": "Dr.",
        "givenName": "Ada",
        "middleName": "B.",
        "surname": "Lovelace",
        "generation": "III",
    }
    person |= {"yomiGivenName": "Ah-da", "displayName": "Countess", "initials": "A.L.", "fileAs": "L, A"}
    name = read(**person).name
    assert [(c.kind, c.value, c.phonetic) for c in name.components] == [
        ("title", "Dr.", ""),
        ("given", "Ada", "Ah-da"),
        ("given2", "B.", ""),
        ("surname", "Lovelace", ""),
        ("credential", "III", ""),
    ]
    assert name.full == "Countess"
    after = edited(person, name=Name((NameComponent("given", "Augusta"),), ""))
    assert after == {"givenName": "Augusta", "displayName": "Augusta", "initials": "A.L.", "fileAs": "L, A"}
    assert written(Contact(name=Name(full="ACME"))) == {"displayName": "ACME"}


@pytest.mark.parametrize(
    ("name", "phone"),
    [
        ("mobilePhone", Phone("1", features=frozenset({"cell"}))),
        ("String 0x3A24", Phone("1", WORK, frozenset({"fax"}))),
        ("String 0x3A25", Phone("1", HOME, frozenset({"fax"}))),
        ("String 0x3A21", Phone("1", features=frozenset({"pager"}))),
        ("String 0x3A1F", Phone("1")),
    ],
)
def test_a_phone_has_the_slot_of_its_kind(name: str, phone: Phone) -> None:
    person: Json = {EXTENDED: {name: "1"}} if " " in name else {name: "1"}
    assert read(**person).phones == (phone,)
    assert written(Contact(phones=(phone,))) == person


def test_what_there_is_no_slot_for_stays_at_home() -> None:
    contact = Contact(
        phones=(
            *(Phone(f"+49 30 {n}", WORK) for n in range(3)),
            Phone("+49 171 1", WORK, frozenset({"cell", "voice"})),
            Phone("+49 171 2", features=frozenset({"cell"})),
            Phone("+49 30 9", features=frozenset({"fax"})),
        ),
        titles=(Title("Chief"), Title("Second"), Title("Treasurer", "role")),
        organizations=(Organization("ACME", ("R&D", "Lab")), Organization("Club")),
        notes=(Note("one"), Note("two")),
        anniversaries=(
            Anniversary("death", PartialDate(1980, 1, 1)),
            Anniversary("birth", PartialDate(1980)),
        ),
        emails=(Email("a@x.example,"),),
    )
    view = CODEC.project(contact)
    assert [p.number for p in view.phones] == ["+49 30 0", "+49 30 1", "+49 171 1"]
    assert view.titles == (Title("Chief"), Title("Treasurer", "role"))
    assert view.organizations == (Organization("ACME", ("R&D",)),)
    assert (view.notes, view.anniversaries, view.emails) == ((Note("one"),), (), ())


@pytest.mark.law("L10")
def test_the_best_three_addresses_are_shown_and_keep_their_places() -> None:
    many = tuple(Email(f"{n}@x.example", label="L", pref=1 if n == 4 else None) for n in range(5))
    person = written(Contact(emails=many))
    assert [one["address"] for one in person["emailAddresses"]] == [
        "4@x.example",
        "0@x.example",
        "1@x.example",
    ]
    there = {"emailAddresses": [{"address": f"{n}@x.example", "name": f"N{n}"} for n in range(3)]}
    emails = read(**there).emails
    changed = edited(there, emails=(emails[0], Email("new@x.example"), emails[2]))["emailAddresses"]
    assert changed == [
        {"address": "0@x.example", "name": "N0"},
        {"address": "new@x.example", "name": "N1"},
        {"address": "2@x.example", "name": "N2"},
    ]
    fewer = edited(there, emails=(Email("first@x.example"), emails[2]))["emailAddresses"]
    assert [one["address"] for one in fewer] == ["first@x.example", "2@x.example"]


def test_an_address_that_outlook_does_not_show_is_not_taken_away() -> None:
    there = {"emailAddresses": [{"name": "Hidden"}, {"address": "a@x.example", "name": "A"}]}
    assert [e.address for e in read(**there).emails] == ["a@x.example"]
    after = edited(there, emails=tuple(Email(f"{n}@x.example") for n in range(3)))["emailAddresses"]
    assert after[0] == {"name": "Hidden"} or {"name": "Hidden"} in after
    assert len(after) == 3


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("1815-12-10T11:59:00Z", PartialDate(1815, 12, 10)),
        ("1815-12-10T00:00:00Z", PartialDate(1815, 12, 10)),
        ("1990-04-30T22:00:00Z", PartialDate(1990, 5, 1)),
        ("1990-05-01T05:00:00Z", PartialDate(1990, 5, 1)),
        ("1604-02-29T11:59:00Z", PartialDate(None, 2, 29)),
        ("1990-05-01", PartialDate(1990, 5, 1)),
    ],
)
def test_a_birthday_is_a_day(text: str, day: PartialDate) -> None:
    contact = read(birthday=text)
    assert contact.anniversaries == (Anniversary("birth", day),)
    assert edited({"birthday": text}, notes=(Note("x"),))["birthday"] == text
    moment = written(contact)["birthday"]
    assert moment == f"{day.year or 1604:04}-{day.month:02}-{day.day:02}T11:59:00Z"


def test_days_that_are_none_are_overwritten_but_not_by_nothing() -> None:
    assert edited({"birthday": "soon"}, notes=(Note("x"),))["birthday"] == "soon"
    born = (Anniversary("birth", PartialDate(1990, 5, 1)),)
    assert edited({"birthday": "soon"}, anniversaries=born)["birthday"] == "1990-05-01T11:59:00Z"


def test_addresses_have_three_places_and_a_box() -> None:
    box = "String {00062004-0000-0000-C000-000000000046} Id 0x804A"
    work = Address(
        (AddressComponent("postOfficeBox", "PO 7"), AddressComponent("name", "1 Way")), contexts=WORK
    )
    contact = Contact(addresses=(Address((AddressComponent("locality", "Ede"),)), work))
    person = written(contact)
    assert person == {
        "businessAddress": {"street": "1 Way"},
        "otherAddress": {"city": "Ede"},
        EXTENDED: {box: "PO 7"},
    }
    assert CODEC.read(dumps(person)).addresses == (work, contact.addresses[0])
    folded = Address(
        (AddressComponent("extended", "Flat 2"), AddressComponent("name", "1 Way")), contexts=HOME
    )
    assert written(Contact(addresses=(folded,)))["homeAddress"] == {"street": "Flat 2, 1 Way"}
    assert written(Contact(addresses=(Address(full="1 Way\nUtrecht"),)))["otherAddress"] == {
        "street": "1 Way\nUtrecht"
    }


def test_people_links_services_and_what_is_hidden_in_extended_properties() -> None:
    contact = Contact(
        related_to=(
            Relation("Bo", frozenset({"spouse"})),
            *(Relation(name, frozenset({"child"})) for name in ("Cy", "Di")),
            Relation("Ed", frozenset({"assistant"})),
            Relation("urn:uuid:1", frozenset({"spouse"})),
        ),
        links=(Link("https://a.example", WORK), Link("https://b.example", HOME)),
        online_services=(OnlineService("jabber", "xmpp:a@x.example"), OnlineService("aim", "", "ada")),
        anniversaries=(Anniversary("wedding", PartialDate(2001, 5, 6)),),
        extra=(Extra("GENDER", "F"), Extra("X-FOO", "1")),
    )
    assert written(contact) == {
        "spouseName": "Bo",
        "children": ["Cy", "Di"],
        "assistantName": "Ed",
        "businessHomePage": "https://a.example",
        "imAddresses": ["xmpp:a@x.example", "ada"],
        EXTENDED: {
            "String 0x3A50": "https://b.example",
            "SystemTime 0x3A41": "2001-05-06T11:59:00Z",
            "Short 0x3A4D": "1",
        },
    }
    view = CODEC.project(contact)
    assert view.online_services == (OnlineService(uri="xmpp:a@x.example"), OnlineService(user="ada"))
    assert {e.value for e in view.extra} == {"F"}


@pytest.mark.law("L8", "L9")
def test_what_we_have_no_place_for_stays_when_something_else_changes() -> None:
    person = {
        "id": "AAMk=",
        "initials": "A",
        "officeLocation": "B 12",
        EXTENDED: {UID: "u-1", HAS_PICTURE: "false"},
        "mobilePhone": "1",
    }
    after = edited(person, phones=(Phone("2", features=frozenset({"cell"})),), groups=frozenset({"Chess"}))
    assert after == {**person, "mobilePhone": "2", "categories": ["Chess"]}
    assert CODEC.read(dumps(person)).uid == "u-1" and read(id="AAMk=").uid == "AAMk="


def test_categories_are_groups_by_name() -> None:
    there = {"categories": ["Chess", "Go"]}
    assert read(**there).groups == {"Chess", "Go"}
    assert edited(there, groups=frozenset({"Go", "Bridge"}))["categories"] == ["Go", "Bridge"]


def test_a_photo_is_its_bytes() -> None:
    data = b"\xff\xd8 picture"
    photo = {"data": base64.b64encode(data).decode()}
    contact = read(photo=photo)
    assert (contact.media[0].media_type, contact.media[0].data) == ("image/jpeg", data)
    assert edited({"photo": photo}, notes=(Note("x"),))["photo"] == photo
    assert "photo" not in edited({"photo": photo}, media=())
    new = Media(media_type="image/jpeg", sha256="0" * 64, data=b"\xff\xd8")
    assert edited({"photo": photo}, media=(new,))["photo"] == {"data": "/9g="}
    with pytest.raises(CodecError):
        edited({"photo": photo}, media=(replace(new, data=None),))


@pytest.mark.parametrize("payload", [b"", b"BEGIN:VCARD", b"[]", b"\xff"])
def test_what_is_no_contact_is_said(payload: bytes) -> None:
    with pytest.raises(CodecError, match="not a contact of Outlook"):
        CODEC.read(payload)
    assert CODEC.glimpse(payload) == ""
