"""Devices round one Outlook mailbox: the simulator over real HTTP, Microsoft's login library, real SQLite.

Each scenario ends with `rest`: nobody edits any more, and a second round writes nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contactsync.api import Hooks
from contactsync.config import AccountConfig
from contactsync.connectors.outlook.connector import OutlookConnector
from contactsync.connectors.outlook.person import EXTENDED_IDS
from contactsync.model.contact import (
    Address,
    AddressComponent,
    Anniversary,
    Contact,
    Email,
    Link,
    Media,
    Note,
    PartialDate,
    Phone,
    Title,
)
from tests.connectors.test_outlook import secret
from tests.e2e.devices import Device, calm, dies_at
from tests.e2e.devices import person as anybody
from tests.simulators.graph import Fault, Graph, graph
from tests.simulators.mailbox import Item

JPEG = b"\xff\xd8\xff" + bytes(range(200))
PHOTO = Media(media_type="image/jpeg", sha256=hashlib.sha256(JPEG).hexdigest(), data=JPEG)
BOX = "String {00062004-0000-0000-C000-000000000046} Id 0x804A"
DAY = 86400


@pytest.fixture
def server() -> Iterator[Graph]:
    with graph() as found:
        yield found
        assert not found.troubles


def open_device(folder: Path, server: Graph, **account: Any) -> Device:
    config = AccountConfig("outlook", "outlook", url=server.root, **account)
    kept = secret(server)
    hooks = Hooks(
        now=lambda: datetime.fromtimestamp(server.now, UTC),
        password=lambda _: kept,
        connect=lambda settings: OutlookConnector(
            settings, server.pass_time, lambda: datetime.fromtimestamp(server.now, UTC)
        ),
    )
    return Device(folder, server, config, hooks)  # type: ignore[arg-type]


@pytest.fixture
def devices(tmp_path: Path, server: Graph) -> Iterator[tuple[Device, Device]]:
    pair = (open_device(tmp_path / "phone", server), open_device(tmp_path / "laptop", server))
    yield pair
    for device in pair:
        device.close()


@pytest.fixture
def phone(devices: tuple[Device, Device]) -> Device:
    return devices[0]


def person(number: int, **more: Any) -> Contact:
    """Somebody of whom Outlook can hold all: an address has no kind there, and a mobile phone no context."""
    found = anybody(number, **more)
    return replace(
        found,
        emails=tuple(replace(e, contexts=frozenset()) for e in found.emails),
        phones=tuple(replace(p, contexts=frozenset()) for p in found.phones),
    )


def changes(server: Graph) -> int:
    inner = sum(asked.method != "GET" for asked in server.inner)
    return inner + sum(a.method != "GET" and not a.path.endswith("/$batch") for a in server.requests)


def rest(server: Graph, *devices: Device) -> None:
    """Nobody edits any more: what is left to do is done, and then nothing is written. What a list of changes
    does not tell is seen by the next sweep."""
    for _ in range(2):
        server.pass_time(DAY)
        for device in devices:
            device.sync()
    server.pass_time(DAY)
    before = changes(server)
    calm(*devices)
    assert changes(server) == before, "a round without news wrote something"


def there(server: Graph, given: str) -> Item:
    """The only contact of this given name."""
    (found,) = [one for one in server.mailbox.items.values() if one.values.get("givenName") == given]
    return found


def only(server: Graph) -> Item:
    (found,) = server.mailbox.items.values()
    return found


def start(server: Graph, *devices: Device, count: int = 1) -> str:
    """Contacts that all have; the uid of the first."""
    devices[0].engine.put([person(n) for n in range(count)])
    rest(server, *devices)
    return "uid-000"


def mails(*addresses: str, preferred: str = "") -> tuple[Email, ...]:
    return tuple(Email(a, pref=1 if a == preferred else None) for a in addresses)


def addresses(item: Item) -> list[str]:
    return [one["address"] for one in item.values["emailAddresses"]]


def edit_there(server: Graph, item: Item, **values: Any) -> None:
    server.mailbox.update(item, values)


# ---- edits -----------------------------------------------------------------------------------------------


@pytest.mark.law("P1", "P3", "P4", "L14")
def test_edits_of_different_fields_cross(server: Graph, devices: tuple[Device, Device]) -> None:
    phone, laptop = devices
    uid = start(server, phone, laptop)
    phone.edit(uid, lambda c: replace(c, titles=(Title("Captain"),)))
    laptop.edit(uid, lambda c: replace(c, links=(Link("https://ada.example"),)))
    edit_there(server, only(server), nickName="Ada")
    rest(server, phone, laptop)
    for device in devices:
        found = device.contact(uid)
        assert (found.titles[0].name, found.nicknames[0].name) == ("Captain", "Ada")
        assert found.links[0].uri == "https://ada.example"
    assert only(server).values["jobTitle"] == "Captain"


@pytest.mark.law("P2", "L16")
def test_the_same_field_has_one_winner_and_the_loser_is_kept(server: Graph, phone: Device) -> None:
    uid = start(server, phone)
    phone.edit(uid, lambda c: replace(c, notes=(Note("ours"),)))
    server.pass_time(5)
    edit_there(server, only(server), personalNotes="theirs")
    rest(server, phone)
    assert phone.contact(uid).notes[0].text == "theirs"
    (clash,) = phone.engine.conflicts()
    assert "ours" in repr(clash)


@pytest.mark.law("L23")
def test_an_edit_goes_before_a_deletion_on_either_side(server: Graph, phone: Device) -> None:
    start(server, phone, count=2)
    phone.engine.delete(["uid-000"])
    edit_there(server, there(server, "Person000"), nickName="Zero")
    server.mailbox.delete(there(server, "Person001"))
    phone.edit("uid-001", lambda c: replace(c, titles=(Title("Still here"),)))
    rest(server, phone)
    assert phone.contact("uid-000").nicknames[0].name == "Zero"
    assert there(server, "Person001").values["jobTitle"] == "Still here"


FIVE = ("one@x.example", "two@x.example", "three@x.example", "four@x.example", "five@x.example")


@pytest.mark.law("L10", "L11", "L13", "P5")
@pytest.mark.parametrize("crash", ["", "sent", "answered", "recorded", "read-back"])
def test_five_emails_and_three_slots(
    server: Graph, devices: tuple[Device, Device], tmp_path: Path, crash: str
) -> None:
    """What has no room is never deleted because Outlook does not show it, and moves up when there is some;
    wherever the process dies right after a write."""
    phone, laptop = devices
    phone.engine.put([person(0, emails=mails(*FIVE))])
    go(server, phone, crash)
    assert addresses(only(server)) == list(FIVE[:3])
    assert [e.address for e in phone.contact("uid-000").emails] == list(FIVE)

    rows = only(server).values["emailAddresses"]
    edit_there(server, only(server), emailAddresses=[rows[0], {**rows[1], "address": "2@x.example"}, rows[2]])
    go(server, phone, crash)
    now = [e.address for e in phone.contact("uid-000").emails]
    assert now == ["one@x.example", "2@x.example", *FIVE[2:]]

    rows = only(server).values["emailAddresses"]
    edit_there(server, only(server), emailAddresses=[rows[0], rows[2]])
    go(server, phone, crash)
    now = [e.address for e in phone.contact("uid-000").emails]
    assert now == ["one@x.example", *FIVE[2:]]
    assert addresses(only(server)) == ["one@x.example", "three@x.example", "four@x.example"]

    def with_new(c: Contact) -> Contact:
        return replace(c, emails=(*c.emails, Email("new@x.example", pref=1)))

    phone.edit("uid-000", with_new)
    go(server, phone, crash)
    assert "new@x.example" in addresses(only(server)) and len(addresses(only(server))) == 3
    assert len(phone.contact("uid-000").emails) == 5
    assert not phone.engine.conflicts()
    rest(server, phone, laptop)
    assert laptop.contact("uid-000").emails
    assert len(server.mailbox.items) == 1


def go(server: Graph, phone: Device, crash: str) -> None:
    """Rounds until all is done; the first that writes dies at this boundary."""
    if crash:
        phone.engine.hooks.step = dies_at(crash)
        with contextlib.suppress(KeyboardInterrupt):
            phone.run()
        phone.engine.hooks.step = lambda name: None
    for _ in range(2):
        server.pass_time(60)
        phone.sync()


# ---- what Outlook makes of values ------------------------------------------------------------------------


def born(*date: int | None) -> tuple[Anniversary, ...]:
    return (Anniversary("birth", PartialDate(*date)),)


@pytest.mark.law("L11", "L12")
def test_a_birthday_without_a_year(server: Graph, devices: tuple[Device, Device]) -> None:
    phone, laptop = devices
    phone.engine.put(
        [person(0, anniversaries=born(None, 12, 10)), person(1, anniversaries=born(1815, 12, 10))]
    )
    rest(server, phone, laptop)
    assert there(server, "Person000").values["birthday"] == "1604-12-10T11:59:00Z"
    assert there(server, "Person001").values["birthday"] == "1815-12-10T11:59:00Z"
    assert laptop.contact("uid-000").anniversaries == born(None, 12, 10)
    assert laptop.contact("uid-001").anniversaries == born(1815, 12, 10)


def test_a_birthday_that_was_midnight_somewhere(server: Graph, devices: tuple[Device, Device]) -> None:
    """Other programs write the midnight of their zone: the day is the one that is known, if it can be."""
    phone, laptop = devices
    phone.engine.put([person(0, anniversaries=born(1990, 5, 2))])
    rest(server, phone, laptop)
    only(server).values["birthday"] = "1990-05-01T22:00:00Z"
    edit_there(server, only(server), nickName="Zero")
    rest(server, phone, laptop)
    for device in devices:
        assert device.contact("uid-000").anniversaries == born(1990, 5, 2)
    only(server).values["birthday"] = "1991-07-01T11:59:00Z"
    server.mailbox.touch(only(server))
    rest(server, phone, laptop)
    assert laptop.contact("uid-000").anniversaries == born(1991, 7, 1)


@pytest.mark.law("L11")
@pytest.mark.parametrize("text", ["x" * 5000, "\nfirst line\nsecond line", "\n" + "line\n" * 900 + "end"])
def test_a_note_that_lists_would_damage(
    server: Graph, devices: tuple[Device, Device], tmp_path: Path, text: str
) -> None:
    phone, laptop = devices
    phone.engine.put([person(0, notes=(Note(text),))])
    rest(server, phone, laptop)
    assert only(server).values["personalNotes"] == text
    assert laptop.contact("uid-000").notes[0].text == text
    edit_there(server, only(server), nickName="Zero")
    rest(server, phone, laptop)
    third = open_device(tmp_path / "third", server)
    third.sync()
    (found,) = third.everyone().values()
    assert found.notes[0].text == text
    third.close()


def test_properties_beyond_graph_v1_are_kept_as_extended_ones(
    server: Graph, devices: tuple[Device, Device]
) -> None:
    """Faxes, a pager, a wedding day, a post office box: MAPI has them, so they cross."""
    phone, laptop = devices
    address = Address(
        (
            AddressComponent("postOfficeBox", "PO 7"),
            AddressComponent("name", "High Street 1"),
            AddressComponent("locality", "London"),
        ),
        contexts=frozenset({"work"}),
    )
    fax = Phone("+49 30 1", frozenset({"work"}), frozenset({"fax"}))
    pager = Phone("+49 30 2", frozenset(), frozenset({"pager"}))
    wedding = (Anniversary("wedding", PartialDate(1835, 7, 8)),)
    one = replace(person(0, addresses=(address,), anniversaries=wedding), phones=(fax, pager))
    phone.engine.put([one])
    rest(server, phone, laptop)
    found = laptop.contact("uid-000")
    assert found.addresses[0].components == address.components and found.anniversaries == wedding
    assert {p.number for p in found.phones} == {"+49 30 1", "+49 30 2"}
    assert only(server).extended[BOX] == "PO 7"
    phone.edit("uid-000", lambda c: replace(c, phones=(fax,)))
    rest(server, phone, laptop)
    assert [p.number for p in laptop.contact("uid-000").phones] == ["+49 30 1"]
    assert len(set(only(server).extended) - set(EXTENDED_IDS)) == 0


@pytest.mark.law("L36")
def test_an_extended_property_that_somebody_edits_is_seen_by_the_sweep(server: Graph, phone: Device) -> None:
    """No list of changes tells of it; once a day all versions are looked through."""
    uid = start(server, phone)
    server.mailbox.extend(only(server), **{"String 0x3A21": "+49 30 99"})
    phone.sync()
    server.requests.clear()
    server.pass_time(3600)
    phone.sync()
    assert len(server.requests) == 1 and len(phone.contact(uid).phones) == 1
    server.pass_time(DAY)
    phone.sync()
    assert {p.number for p in phone.contact(uid).phones} >= {"+49 30 99"}
    rest(server, phone)


@pytest.mark.law("L10", "P7")
def test_what_we_do_not_know_stays_as_it_was(server: Graph, phone: Device) -> None:
    uid = start(server, phone)
    strange = {"Integer 0x0036": "2", "String {11111111-0000-0000-0000-000000000000} Name theirs": "x"}
    item = only(server)
    server.mailbox.extend(item, **strange)
    item.values |= {"fileAs": "Lovelace, Ada", "manager": "Charles", "initials": "AL", "officeLocation": "B2"}
    server.mailbox.touch(item)
    rest(server, phone)
    before = dict(item.values)
    phone.edit(uid, lambda c: replace(c, titles=(Title("Captain"),), notes=(Note("new"),)))
    rest(server, phone)
    assert item.extended.items() >= strange.items()
    changed = {name for name in item.values if item.values[name] != before.get(name)}
    assert changed == {"jobTitle", "personalNotes"}


def test_a_contact_made_by_hand_is_the_same_with_empty_texts(server: Graph, phone: Device) -> None:
    body = {"givenName": "Hand", "surname": "Made", "nickName": "", "emailAddresses": []}
    server.mailbox.create("contacts", body, by_hand=True)
    rest(server, phone)
    (uid,) = phone.everyone()
    assert phone.contact(uid).name.full == "Hand Made" and not phone.contact(uid).nicknames
    phone.edit(uid, lambda c: replace(c, titles=(Title("Captain"),)))
    rest(server, phone)
    assert only(server).values["jobTitle"] == "Captain" and only(server).values["displayName"] == "Hand Made"


def test_an_address_with_a_comma_and_a_nameless_contact(server: Graph, phone: Device) -> None:
    phone.engine.put([person(0, emails=mails("odd@x.example,", "good@x.example"))])
    rest(server, phone)
    assert addresses(only(server)) == ["good@x.example"]
    assert len(phone.contact("uid-000").emails) == 2


# ---- folders and categories ------------------------------------------------------------------------------


@pytest.mark.law("L24")
def test_a_move_between_folders_is_a_move(server: Graph, devices: tuple[Device, Device]) -> None:
    phone, laptop = devices
    friends = server.mailbox.make_folder("Friends")
    phone.engine.put([person(0, emails=mails(*FIVE))])
    rest(server, phone, laptop)
    server.mailbox.move(only(server), friends.id)
    edit_there(server, only(server), nickName="Moved")
    rest(server, phone, laptop)
    for device in devices:
        assert device.contact("uid-000").nicknames[0].name == "Moved"
        assert len(device.links("uid-000")) == 1
    assert len(phone.contact("uid-000").emails) == 5
    phone.edit("uid-000", lambda c: replace(c, titles=(Title("There"),)))
    rest(server, phone, laptop)
    assert only(server).values["jobTitle"] == "There" and only(server).folder == friends.id
    server.mailbox.move(only(server), "contacts")
    rest(server, phone, laptop)
    assert phone.everyone().keys() == {"uid-000"} == laptop.everyone().keys()


@pytest.mark.law("L24")
def test_a_move_is_known_before_the_former_folder_tells_of_it(server: Graph, phone: Device) -> None:
    """The list of the new folder is read for the first time, that of the former one lags."""
    start(server, phone)
    server.mailbox.lag = 60
    server.mailbox.move(only(server), server.mailbox.make_folder("Friends").id)
    phone.engine.books("outlook")
    phone.sync()
    (link,) = phone.links("uid-000")
    assert link.href == only(server).id
    phone.edit("uid-000", lambda c: replace(c, titles=(Title("Captain"),)))
    rest(server, phone)
    assert len(phone.links("uid-000")) == 1 and only(server).values["jobTitle"] == "Captain"


@pytest.mark.law("L21", "L24")
def test_a_contact_that_goes_to_a_folder_that_is_not_read_stays(server: Graph, tmp_path: Path) -> None:
    away = server.mailbox.make_folder("Away")
    phone = open_device(tmp_path, server, books=("Contacts",))
    phone.engine.put([person(n) for n in range(3)])
    rest(server, phone)
    item = there(server, "Person001")
    server.mailbox.move(item, away.id)
    rest(server, phone)
    assert len(phone.everyone()) == 3 and not phone.links("uid-001")
    phone.edit("uid-001", lambda c: replace(c, titles=(Title("Meanwhile"),)))
    rest(server, phone)
    assert item.values["jobTitle"] == "Title 1" and len(server.mailbox.items) == 3
    edit_there(server, item, nickName="One")
    server.mailbox.move(item, "contacts")
    rest(server, phone)
    assert item.values["jobTitle"] == "Meanwhile" and phone.contact("uid-001").nicknames[0].name == "One"
    assert len(phone.everyone()) == 3 == len(server.mailbox.items)
    phone.close()


@pytest.mark.law("L37")
def test_new_contacts_go_to_the_default_folder_and_child_folders_are_books(
    server: Graph, phone: Device
) -> None:
    top = server.mailbox.make_folder("Work")
    below = server.mailbox.make_folder("Team", top.id)
    server.mailbox.create(below.id, {"givenName": "Below"})
    uid = start(server, phone)
    books = {book.name for book in phone.engine.store.books.of_account("outlook")}
    assert books == {"Contacts", "Work", "Work/Team"}
    assert there(server, "Person000").folder == server.mailbox.default
    assert len(phone.everyone()) == 2 and uid in phone.everyone()


@pytest.mark.law("P8", "L39")
def test_a_category_is_a_group_and_is_renamed_on_either_side(
    server: Graph, devices: tuple[Device, Device]
) -> None:
    phone, laptop = devices
    phone.engine.put([person(n, groups=frozenset({"Chess"})) for n in range(3)])
    rest(server, phone, laptop)
    assert all(item.values["categories"] == ["Chess"] for item in server.mailbox.items.values())
    phone.engine.rename_group("Chess", "Go")
    rest(server, phone, laptop)
    assert all(item.values["categories"] == ["Go"] for item in server.mailbox.items.values())
    assert [g.name for g in laptop.engine.groups()] == ["Go"]
    for item in server.mailbox.items.values():
        edit_there(server, item, categories=["Shogi"])
    rest(server, phone, laptop)
    assert [g.name for g in phone.engine.groups()] == ["Shogi"] == [g.name for g in laptop.engine.groups()]


# ---- delta rounds ----------------------------------------------------------------------------------------

DEAD = [
    (410, "resyncRequired", "Resync required."),
    (410, "syncStateNotFound", "The sync state is not found."),
    (410, "syncStateInvalid", "no"),
    (410, "resyncChangesApplyDifferences", "no"),
    (410, "resyncChangesUploadDifferences", "no"),
    (404, "SyncStateNotFound", "The sync state generation is not found; generation=605;[highest=841]"),
    (400, "SyncStateNotFound", "The sync state generation is not found"),
    (400, "BadRequest", "Badly formed token."),
    (400, "ErrorInvalidIdMalformed", "Id is malformed."),
]


@pytest.mark.law("L20", "L21")
@pytest.mark.parametrize("death", DEAD, ids=lambda death: f"{death[0]}-{death[1]}")
def test_a_token_that_died_costs_a_fresh_round_and_nothing_else(
    server: Graph, phone: Device, death: tuple[int, str, str]
) -> None:
    start(server, phone, count=6)
    server.mailbox.delete(there(server, "Person003"))
    edit_there(server, there(server, "Person004"), nickName="Four")
    server.dead_token = death
    server.requests.clear()
    phone.sync()
    assert len(phone.everyone()) == 5 and phone.contact("uid-004").nicknames[0].name == "Four"
    assert server.count("GET", "/delta") == 2
    server.dead_token = None
    rest(server, phone)


@pytest.mark.law("L20")
def test_repeats_and_removals_of_strangers_change_nothing(
    server: Graph, devices: tuple[Device, Device]
) -> None:
    phone, laptop = devices
    server.repeats, server.ghosts, server.page_cap = True, 3, 2
    start(server, phone, laptop, count=7)
    server.mailbox.delete(there(server, "Person003"))
    edit_there(server, there(server, "Person004"), nickName="Four")
    rest(server, phone, laptop)
    assert phone.everyone() == laptop.everyone() and len(phone.everyone()) == 6


@pytest.mark.law("L34")
def test_a_list_that_lags_undoes_nothing(server: Graph, devices: tuple[Device, Device]) -> None:
    phone, laptop = devices
    server.mailbox.lag = 20
    uid = start(server, phone, laptop, count=3)
    for n in range(6):
        phone.edit(uid, lambda c, n=n: replace(c, titles=(Title(f"Title {n}"),)))  # type: ignore[misc]
        phone.sync()
        server.pass_time(7)
        phone.sync()
        assert phone.contact(uid).titles == (Title(f"Title {n}"),)
    phone.engine.delete(["uid-001"])
    phone.sync()
    for _ in range(5):
        server.pass_time(7)
        phone.sync()
        assert "uid-001" not in phone.everyone()
    rest(server, phone, laptop)
    assert phone.everyone() == laptop.everyone() and len(server.mailbox.items) == 2


# ---- trouble ---------------------------------------------------------------------------------------------


@pytest.mark.law("L33")
@pytest.mark.parametrize("count", [1, 5, 30])
@pytest.mark.parametrize("happened", [True, False])
def test_a_create_of_which_the_answer_is_lost_is_made_once(
    server: Graph, phone: Device, count: int, happened: bool
) -> None:
    start(server, phone)
    server.mailbox.lag = 20
    phone.engine.put([person(n) for n in range(1, count + 1)])
    (server.lose_reply if happened else server.drop_request)("POST", at="/$batch")
    phone.report()
    rest(server, phone)
    assert len(server.mailbox.items) == count + 1 == len(phone.everyone())


@pytest.mark.law("L33")
def test_a_create_in_doubt_is_looked_up_by_its_mark(server: Graph, phone: Device) -> None:
    start(server, phone)
    phone.engine.put([person(1)])
    server.mailbox.lag = 20
    server.fail(503, "ErrorInternalServerError", at="/contacts", inside=True, done=True)
    assert phone.report().in_doubt == 0, "the list does not have it yet, but the folder has"
    assert any("$filter" in asked.query for asked in server.inner)
    assert len(server.mailbox.items) == 2
    rest(server, phone)


def _edit(phone: Device) -> None:
    phone.edit("uid-000", lambda c: replace(c, titles=(Title("Captain"),)))


def _delete(phone: Device) -> None:
    phone.engine.delete(["uid-000"])


def _photo(phone: Device) -> None:
    phone.edit("uid-000", lambda c: replace(c, media=(PHOTO,)))


@pytest.mark.law("L12", "L13")
@pytest.mark.parametrize("loses", ["lose_reply", "drop_request"])
@pytest.mark.parametrize(
    ("deed", "method", "at"),
    [(_edit, "POST", "/$batch"), (_delete, "POST", "/$batch"), (_photo, "PUT", "/photo/")],
)
def test_whatever_answer_is_lost_it_is_done_once(
    server: Graph,
    devices: tuple[Device, Device],
    deed: Callable[[Device], None],
    method: str,
    at: str,
    loses: str,
) -> None:
    phone, laptop = devices
    start(server, phone, laptop)
    deed(phone)
    # the first batch looks at the contact, the second writes
    getattr(server, loses)(method, at=at, skip=1 if method == "POST" else 0)
    phone.report()
    assert server.faults[-1].times < 1, "it was met"
    rest(server, phone, laptop)
    if deed is _edit:
        assert only(server).values["jobTitle"] == "Captain"
    elif deed is _delete:
        assert not server.mailbox.items and not laptop.everyone()
    else:
        assert only(server).photo == JPEG and laptop.contact("uid-000").media
    assert phone.everyone() == laptop.everyone()
    assert not phone.engine.conflicts()


@pytest.mark.parametrize("status", [429, 503])
def test_a_storm_of_refusals_ends_and_nothing_is_lost(
    server: Graph, devices: tuple[Device, Device], status: int
) -> None:
    phone, laptop = devices
    start(server, phone, laptop)
    phone.engine.put([person(n) for n in range(1, 30)])
    server.fail(status, "TooManyRequests", wait="7", times=5 if status == 429 else 3)
    assert phone.report().state == "temporary"
    assert not any(fault.times for fault in server.faults)
    server.pass_time(20)
    server.fail(status, "ApplicationThrottled", wait="11", times=9, inside=True)
    phone.run()
    assert server.faults[-1].times == 0
    rest(server, phone, laptop)
    assert len(server.mailbox.items) == 30 == len(laptop.everyone())


@pytest.mark.law("L32")
@pytest.mark.parametrize("honoured", [True, False])
def test_somebody_is_faster_between_our_look_and_our_write(
    server: Graph, phone: Device, honoured: bool
) -> None:
    uid = start(server, phone)
    server.mailbox.honours_etags = honoured
    phone.edit(uid, lambda c: replace(c, titles=(Title("Captain"),)))
    item = only(server)
    server.before("PATCH", "/contacts/", lambda: edit_there(server, item, nickName="Fast"), inside=True)
    phone.run()
    rest(server, phone)
    assert (item.values["jobTitle"], item.values["nickName"]) == ("Captain", "Fast")
    assert phone.contact(uid).nicknames[0].name == "Fast"


@pytest.mark.law("L35")
def test_a_contact_that_is_refused_is_set_aside_and_the_others_go_on(server: Graph, phone: Device) -> None:
    start(server, phone)
    phone.engine.put([person(n) for n in range(1, 4)])
    server.fail(
        400, "ErrorPropertyValidationFailure", "A property is not valid: Title", at="/contacts", inside=True
    )
    report = phone.report()
    assert len(server.mailbox.items) == 3 and report.state == "ok"
    (error,) = report.books[0].errors
    assert "Person00" in str(error) and "A property is not valid: Title" in str(error)
    name = next(c for c in phone.everyone() if not phone.links(c))
    phone.edit(name, lambda c: replace(c, titles=(Title("Other"),)))
    rest(server, phone)
    assert len(server.mailbox.items) == 4


# ---- photos ----------------------------------------------------------------------------------------------


@pytest.mark.law("L11")
def test_a_photo_goes_there_and_comes_back_once(server: Graph, devices: tuple[Device, Device]) -> None:
    phone, laptop = devices
    start(server, phone, laptop)
    phone.edit("uid-000", lambda c: replace(c, media=(PHOTO,)))
    rest(server, phone, laptop)
    assert only(server).photo == JPEG
    assert laptop.engine.store.contacts.with_media(laptop.contact("uid-000")).media[0].data == JPEG
    assert server.count("PUT") == 1
    phone.edit("uid-000", lambda c: replace(c, titles=(Title("Captain"),)))
    rest(server, phone, laptop)
    assert server.count("PUT") == 1 and only(server).photo == JPEG
    server.mailbox.set_photo(only(server), JPEG + b"other")
    rest(server, phone, laptop)
    for device in devices:
        found = device.engine.store.contacts.with_media(device.contact("uid-000"))
        assert found.media[0].data == JPEG + b"other"
    laptop.edit("uid-000", lambda c: replace(c, media=()))
    rest(server, phone, laptop)
    assert only(server).photo is None and not phone.contact("uid-000").media


@pytest.mark.law("L12", "L13")
@pytest.mark.parametrize("how", ["drop", "lose", "die"])
def test_a_first_photo_that_does_not_arrive_with_the_rest_is_sent_again(
    server: Graph, devices: tuple[Device, Device], how: str
) -> None:
    """It goes in a request of its own: that it is missing does not say that Outlook holds no photos."""
    phone, laptop = devices
    start(server, phone, laptop)
    phone.edit("uid-000", lambda c: replace(c, media=(PHOTO,), titles=(Title("Captain"),)))
    if how == "die":
        server.before("PUT", "/photo/", _interrupt, drop=True)
        with contextlib.suppress(KeyboardInterrupt):
            phone.engine.hooks.step = dies_at("answered")
            phone.run()
        phone.engine.hooks.step = lambda name: None
    else:
        server.faults.append(
            Fault(lambda asked: "/photo/" in asked.path, drop=how == "drop", lose=how == "lose")
        )
        phone.run()
    assert only(server).values["jobTitle"] == "Captain"
    rest(server, phone, laptop)
    assert only(server).photo == JPEG and laptop.contact("uid-000").media
    assert not phone.engine.conflicts()


def _interrupt() -> None:
    """Nothing of the request arrives; the process is about to die."""


def test_a_photo_in_a_new_contact(server: Graph, devices: tuple[Device, Device]) -> None:
    phone, laptop = devices
    phone.engine.put([person(n, media=(PHOTO,)) for n in range(3)])
    server.lose_reply("PUT", at="/photo/")
    phone.run()
    rest(server, phone, laptop)
    assert all(item.photo == JPEG for item in server.mailbox.items.values())
    assert len(server.mailbox.items) == 3 and all(c.media for c in laptop.everyone().values())
