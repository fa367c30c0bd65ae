"""A device and a Google account: every story that goes wrong elsewhere, through the real client library.

A second device is somebody who sees only what Google holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contactsync.api import Engine, Hooks
from contactsync.config import AccountConfig, BookConfig, Config
from contactsync.connectors.base import AccountSettings, Connector
from contactsync.connectors.google.connector import GoogleConnector
from contactsync.connectors.memory import MemoryConnector, MemoryServer
from contactsync.model.contact import Anniversary, Contact, Email, Media, Note, PartialDate, Title
from contactsync.vcard.codec import VCardCodec
from tests.connectors.test_google import PNG, secret
from tests.e2e.devices import Device, calm, dies_at
from tests.e2e.devices import person as anybody
from tests.simulators.google import Google, google
from tests.simulators.google_account import Contact as Person

PHOTO = Media(media_type="image/png", sha256=hashlib.sha256(PNG).hexdigest(), data=PNG)


@pytest.fixture
def server() -> Iterator[Google]:
    with google() as found:
        yield found
        assert not [asked for asked in found.requests if asked.overlapped], "changes overlapped"


def open_device(folder: Path, server: Google, **account: Any) -> Device:
    config = AccountConfig("gmail", "gmail", url=server.root, **account)
    hooks = Hooks(
        now=lambda: datetime.fromtimestamp(server.now, UTC),
        password=lambda _: secret(server),
        connect=lambda settings: GoogleConnector(settings, server.pass_time),
    )
    return Device(folder, server, config, hooks)  # type: ignore[arg-type]


@pytest.fixture
def devices(tmp_path: Path, server: Google) -> Iterator[tuple[Device, Device]]:
    pair = (open_device(tmp_path / "phone", server), open_device(tmp_path / "laptop", server))
    yield pair
    for device in pair:
        device.close()


@pytest.fixture
def phone(devices: tuple[Device, Device]) -> Device:
    return devices[0]


def person(number: int, **more: Any) -> Contact:
    """Somebody of whom Google can hold all: it has one word for what a number is for."""
    found = anybody(number, **more)
    return replace(found, phones=tuple(replace(p, contexts=frozenset()) for p in found.phones))


def changes(server: Google) -> int:
    return sum(asked.method != "GET" and asked.path.startswith("/v1/") for asked in server.requests)


def rest(server: Google, *devices: Device) -> None:
    """Nobody edits any more: what is left to do is done, and then nothing is written."""
    for _ in range(2):
        server.pass_time(400)
        for device in devices:
            device.sync()
    server.pass_time(400)
    before = changes(server)
    calm(*devices)
    assert changes(server) == before, "a round without news wrote something"


def at_google(server: Google, given: str) -> Person:
    """The only contact of this given name."""
    (found,) = [
        one for one in server.account.alive() if one.fields.get("names", [{}])[0].get("givenName") == given
    ]
    return found


def only(server: Google) -> Person:
    (found,) = server.account.alive()
    return found


def start(server: Google, *devices: Device, count: int = 1) -> str:
    """Contacts that all have; the uid of the first."""
    devices[0].engine.put([person(n) for n in range(count)])
    rest(server, *devices)
    return "uid-000"


# ---- edits -----------------------------------------------------------------------------------------------


@pytest.mark.law("P1", "P3", "P4", "L14")
def test_edits_of_different_fields_cross(server: Google, devices: tuple[Device, Device]) -> None:
    phone, laptop = devices
    uid = start(server, phone, laptop)
    there = only(server)
    phone.edit(uid, lambda c: replace(c, titles=(Title("Captain"),)))
    server.account.edit(there.resource_name, phoneNumbers=[{"value": "+49 1", "type": "work"}])
    laptop.edit(uid, lambda c: replace(c, notes=(Note("met at sea"),)))
    rest(server, phone, laptop)
    assert phone.everyone() == laptop.everyone()
    contact = phone.contact(uid)
    assert contact.titles == (Title("Captain"),) and contact.notes[0].text == "met at sea"
    assert [p.number for p in contact.phones] == ["+49 1"]
    assert there.fields["organizations"] == [{"title": "Captain"}]
    assert not phone.engine.conflicts()


@pytest.mark.law("P2", "L16")
def test_the_same_field_has_one_winner_and_the_loser_is_kept(server: Google, phone: Device) -> None:
    uid = start(server, phone)
    there = only(server)
    phone.edit(uid, lambda c: replace(c, titles=(Title("From here"),)))
    server.pass_time(60)
    server.account.edit(there.resource_name, organizations=[{"title": "From there"}])
    phone.sync()
    (conflict,) = phone.engine.conflicts()
    assert {conflict.local["name"], conflict.remote["name"]} == {"From here", "From there"}  # type: ignore[index]
    rest(server, phone)
    assert phone.contact(uid).titles == (Title("From there"),), "the newer one"


@pytest.mark.law("L23")
def test_an_edit_goes_before_a_deletion_on_either_side(server: Google, phone: Device) -> None:
    start(server, phone, count=4)
    phone.engine.delete(["uid-000", "uid-002"])
    server.account.edit(at_google(server, "Person000").resource_name, nicknames=[{"value": "Zero"}])
    phone.edit("uid-001", lambda c: replace(c, notes=(Note("still here"),)))
    for name in ("Person001", "Person003"):
        server.account.delete(at_google(server, name).resource_name)
    rest(server, phone)
    assert set(phone.everyone()) == {"uid-000", "uid-001"}
    assert phone.contact("uid-000").nicknames[0].name == "Zero"
    assert at_google(server, "Person001").fields["biographies"] == [
        {"value": "still here", "contentType": "TEXT_PLAIN"}
    ]
    assert len(server.account.alive()) == 2


def test_what_google_cannot_hold_stays_here(server: Google, devices: tuple[Device, Device]) -> None:
    phone, laptop = devices
    everything = replace(
        person(0),
        notes=(Note("one"), Note("two")),
        emails=(
            Email("a@x.example", frozenset({"work", "private"}), pref=1),
            Email("b@x.example", label="Boat"),
        ),
        anniversaries=(
            Anniversary("birth", PartialDate(None, 2, 29)),
            Anniversary("death", PartialDate(1980)),
        ),
    )
    phone.engine.put([everything])
    rest(server, phone, laptop)
    assert phone.contact("uid-000") == replace(everything, uid="uid-000")
    laptop.edit("uid-000", lambda c: replace(c, titles=(Title("Captain"),)))
    rest(server, phone, laptop)
    assert phone.contact("uid-000") == replace(everything, titles=(Title("Captain"),))
    assert [e.address for e in laptop.contact("uid-000").emails] == ["a@x.example", "b@x.example"]


@pytest.mark.law("L38")
def test_a_backup_is_vcards_that_can_be_imported_and_what_was_read(server: Google, phone: Device) -> None:
    made = server.account.create(
        {
            "names": [{"givenName": "Grace"}],
            "occupations": [{"value": "Admiral"}],
            "genders": [{"value": "female"}],
        }
    )
    label = server.account.create_group("Navy")
    server.account.modify_members(label.resource_name, [made.resource_name], [])
    server.account.set_photo(made.resource_name, PNG)
    phone.sync()
    assert not list(phone.folder.glob("backups/*"))
    phone.engine.rename_group("Navy", "Fleet")
    phone.sync()
    (card,) = (phone.folder / "backups").glob("*.vcf")
    text = card.read_text()
    assert "CATEGORIES:Navy" in text and "GENDER:F" in text and "PHOTO" in text
    assert "Admiral" in card.with_name(card.name + ".jsonl").read_text()


# ---- labels ----------------------------------------------------------------------------------------------


def labelled(phone: Device, count: int = 3) -> None:
    phone.engine.put([person(n, groups=frozenset({"Chess"})) for n in range(count)])


@pytest.mark.law("P8", "L39")
def test_a_label_is_renamed_on_either_side_by_one_request(
    server: Google, devices: tuple[Device, Device]
) -> None:
    phone, laptop = devices
    labelled(phone)
    rest(server, phone, laptop)
    (label,) = [group for group in server.account.groups.values() if not group.is_system]
    assert len(server.account.members(label)) == 3
    server.requests.clear()
    phone.engine.rename_group("Chess", "Chess club")
    phone.sync()
    assert changes(server) == 1 and label.name == "Chess club"
    server.account.update_group(label.resource_name, {"name": "Grandmasters"}, {"name"})
    rest(server, phone, laptop)
    for device in devices:
        assert {name for c in device.everyone().values() for name in c.groups} == {"Grandmasters"}
    assert sum(asked.path.endswith("updateContact") for asked in server.requests) == 0


@pytest.mark.law("L39")
def test_a_new_label_by_a_name_that_became_free_is_a_label_of_its_own(
    server: Google, devices: tuple[Device, Device]
) -> None:
    """Seed google 400159: it was reported as a second one of that name."""
    phone, laptop = devices
    phone.engine.put([person(0, groups=frozenset({"Chess"}))])
    rest(server, phone, laptop)
    (label,) = [group for group in server.account.groups.values() if not group.is_system]
    server.account.update_group(label.resource_name, {"name": "Chess club"}, {"name"})
    another = server.account.create_group("Chess")
    server.account.modify_members(another.resource_name, [only(server).resource_name], [])
    server.pass_time(400)
    assert not phone.report().books[0].errors
    rest(server, phone, laptop)
    for device in devices:
        assert device.contact("uid-000").groups == {"Chess club", "Chess"}


@pytest.mark.law("L25", "L39")
def test_a_label_that_is_deleted_takes_nothing_else_with_it(
    server: Google, devices: tuple[Device, Device]
) -> None:
    phone, laptop = devices
    labelled(phone, 12)
    rest(server, phone, laptop)
    (label,) = [group for group in server.account.groups.values() if not group.is_system]
    server.account.delete_group(label.resource_name)
    rest(server, phone, laptop)
    assert not phone.engine.groups() and len(phone.everyone()) == 12
    phone.engine.put([person(0, groups=frozenset({"Go"})), person(1, groups=frozenset({"Go"}))])
    rest(server, phone, laptop)
    server.requests.clear()
    laptop.engine.delete_group("Go")
    laptop.sync()
    assert [asked.method for asked in server.requests if asked.method != "GET"] == ["DELETE"]
    rest(server, phone, laptop)
    assert not phone.engine.groups() and len(server.account.alive()) == 12


@pytest.mark.law("L23", "L39")
def test_a_label_that_was_renamed_here_and_deleted_there_lives(server: Google, phone: Device) -> None:
    labelled(phone)
    rest(server, phone)
    (label,) = [group for group in server.account.groups.values() if not group.is_system]
    phone.engine.rename_group("Chess", "Chess club")
    phone.edit("uid-000", lambda c: replace(c, titles=(Title("Knight"),)))
    server.account.delete_group(label.resource_name)
    rest(server, phone)
    (label,) = [group for group in server.account.groups.values() if not group.is_system]
    assert label.name == "Chess club" and len(server.account.members(label)) == 3
    phone.engine.delete_group("Chess club")
    server.account.update_group(label.resource_name, {"name": "Chess forever"}, {"name"})
    rest(server, phone)
    assert [c.groups for c in phone.everyone().values()] == [frozenset({"Chess forever"})] * 3


@pytest.mark.law("L23", "L39")
def test_a_label_that_somebody_was_put_into_lives_though_it_was_deleted_here(
    server: Google, devices: tuple[Device, Device]
) -> None:
    """The list lags: who deleted the label here had not seen it."""
    phone, laptop = devices
    labelled(phone, 2)
    phone.engine.put([person(2)])
    rest(server, phone, laptop)
    server.account.lag = 60
    (label,) = [group for group in server.account.groups.values() if not group.is_system]
    phone.engine.delete_group("Chess")
    server.account.modify_members(label.resource_name, [at_google(server, "Person002").resource_name], [])
    server.pass_time(61)
    rest(server, phone, laptop)
    for device in devices:
        assert {uid for uid, c in device.everyone().items() if c.groups} == {"uid-002"}
    assert server.account.members(label) == [at_google(server, "Person002").resource_name]


def put_in(phone: Device, server: Google) -> None:
    phone.edit("uid-002", lambda c: replace(c, groups=frozenset({"Chess"})))


def put_in_with_a_title(phone: Device, server: Google) -> None:
    phone.edit("uid-002", lambda c: replace(c, groups=frozenset({"Chess"}), titles=(Title("Knight"),)))


def made_in_it(phone: Device, server: Google) -> None:
    phone.engine.put([person(3, groups=frozenset({"Chess"}))])


def put_in_and_deleted_there(phone: Device, server: Google) -> None:
    put_in(phone, server)
    server.account.delete(at_google(server, "Person002").resource_name)


@pytest.mark.law("P1", "L23", "L39")
@pytest.mark.parametrize("edit", [put_in, put_in_with_a_title, made_in_it, put_in_and_deleted_there])
def test_a_label_that_somebody_was_put_into_here_lives_though_it_was_deleted_there(
    server: Google, devices: tuple[Device, Device], edit: Callable[[Device, Google], None]
) -> None:
    phone, laptop = devices
    labelled(phone, 2)
    phone.engine.put([person(2)])
    rest(server, phone, laptop)
    (label,) = [group for group in server.account.groups.values() if not group.is_system]
    edit(phone, server)
    server.account.delete_group(label.resource_name)
    wanted = {uid for uid, c in phone.everyone().items() if c.groups}
    rest(server, phone, laptop)
    for device in devices:
        assert {uid for uid, c in device.everyone().items() if c.groups} == wanted
    (label,) = [group for group in server.account.groups.values() if not group.is_system]
    assert label.name == "Chess" and len(server.account.members(label)) == 3


@pytest.mark.law("P1", "L39")
def test_a_label_that_is_made_while_we_look_is_not_overlooked(server: Google, phone: Device) -> None:
    """Between our write and reading it back somebody puts the contact into a label that nobody listed."""
    phone.engine.put([person(0)])

    def somebody() -> None:
        label = server.account.create_group("New")
        server.account.modify_members(label.resource_name, [only(server).resource_name], [])

    server.before("batchGet", somebody)
    phone.sync()
    rest(server, phone)
    assert phone.contact("uid-000").groups == {"New"}


def test_memberships_cross_and_empty_labels_live(server: Google, devices: tuple[Device, Device]) -> None:
    phone, laptop = devices
    labelled(phone, 4)
    server.account.create_group("Empty")
    rest(server, phone, laptop)
    assert {g.name for g in laptop.engine.groups()} == {"Chess", "Empty"}
    (chess,) = [g for g in server.account.groups.values() if g.name == "Chess"]
    phone.edit("uid-000", lambda c: replace(c, groups=c.groups | {"Empty"}))
    laptop.edit("uid-001", lambda c: replace(c, groups=frozenset()))
    server.account.modify_members(chess.resource_name, [], [at_google(server, "Person002").resource_name])
    rest(server, phone, laptop)
    groups = {uid: set(c.groups) for uid, c in phone.everyone().items()}
    assert groups == {"uid-000": {"Chess", "Empty"}, "uid-001": set(), "uid-002": set(), "uid-003": {"Chess"}}
    assert phone.everyone() == laptop.everyone()
    for name in ("Person000", "Person001"):
        assert "contactGroups/myContacts" in at_google(server, name).groups


# ---- the web page ----------------------------------------------------------------------------------------


@pytest.mark.law("L40")
def test_a_merge_in_the_web_page_is_a_merge_here(server: Google, phone: Device) -> None:
    two = replace(person(1), notes=(Note("first"), Note("only here")))
    phone.engine.put([person(0), two])
    rest(server, phone)
    survivor, other = at_google(server, "Person000"), at_google(server, "Person001")
    server.account.merge(survivor.resource_name, other.resource_name)
    rest(server, phone)
    (contact,) = phone.everyone().values()
    assert {e.address for e in contact.emails} == {"person000@example.org", "person001@example.org"}
    assert {"first", "only here"} <= set("\n".join(n.text for n in contact.notes).split("\n"))


@pytest.mark.law("L40", "P3", "P4")
def test_a_merge_in_the_web_page_reaches_the_other_account(server: Google, tmp_path: Path) -> None:
    books = MemoryServer(clock=lambda: datetime.fromtimestamp(server.now, UTC))

    def connect(settings: AccountSettings) -> Connector:
        if settings.connector == "gmail":
            return GoogleConnector(settings, server.pass_time)
        return MemoryConnector(books, VCardCodec())

    accounts = (AccountConfig("gmail", "gmail", url=server.root), AccountConfig("home", "memory"))
    hooks = Hooks(
        now=lambda: datetime.fromtimestamp(server.now, UTC),
        password=lambda _: secret(server),
        connect=connect,
    )
    with Engine(Config(tmp_path / "config.toml", accounts=accounts), tmp_path, hooks=hooks) as engine:
        engine.put([person(0), person(1, titles=(Title("Countess"), Title("Analyst")))])
        assert engine.sync().ok and len(books.etags("/contacts/")) == 2
        survivor, other = (at_google(server, f"Person00{n}").resource_name for n in (0, 1))
        server.account.merge(survivor, other)
        for _ in range(3):
            server.pass_time(400)
            assert engine.sync().ok
        (contact,) = engine.contacts()
        (card,) = (VCardCodec().read(books.get(href) or b"") for href in books.etags("/contacts/"))
        for one in (contact.contact, card):
            assert len(one.emails) == 2 and len(one.phones) == 2
            assert {"Countess", "Analyst"} <= {title.name for title in one.titles}
        assert contact.uid == card.uid == "uid-000" and engine.contact("uid-001").uid == "uid-000"
        before, commits = changes(server), len(books.book("/contacts/").log)
        assert engine.sync().ok
        assert (changes(server), len(books.book("/contacts/").log)) == (before, commits)


def test_a_duplicate_made_in_the_web_page_is_another_contact(server: Google, phone: Device) -> None:
    """It bears our mark as well."""
    uid = start(server, phone)
    there = only(server)
    server.account.create({name: list(items) for name, items in there.fields.items()})
    phone.sync()
    assert len(phone.everyone()) == 2 and uid in phone.everyone()
    rest(server, phone)
    assert len(server.account.alive()) == 2 and len(phone.links(uid)) == 1


@pytest.mark.law("L29")
def test_a_contact_that_is_restored_in_the_web_page_comes_back(server: Google, phone: Device) -> None:
    uid = start(server, phone)
    there = only(server)
    server.account.delete(there.resource_name)
    phone.sync()
    assert not phone.everyone()
    server.pass_time(400)
    server.account.restore(there.id)
    rest(server, phone)
    assert [*phone.everyone()] == [uid] and len(server.account.alive()) == 1


def test_a_new_resource_name_changes_nothing(server: Google, phone: Device) -> None:
    uid = start(server, phone)
    there = server.account.link_profile(only(server).resource_name)
    phone.edit(uid, lambda c: replace(c, titles=(Title("Captain"),)))
    rest(server, phone)
    there.previous.clear()
    phone.edit(uid, lambda c: replace(c, titles=(Title("Admiral"),)))
    rest(server, phone)
    assert only(server).fields["organizations"] == [{"title": "Admiral"}] and len(phone.everyone()) == 1


# ---- tokens, lag, quotas ---------------------------------------------------------------------------------


@pytest.mark.law("L20", "L21")
def test_what_was_deleted_while_the_token_expired_is_found(server: Google, phone: Device) -> None:
    start(server, phone, count=6)
    server.account.delete(at_google(server, "Person003").resource_name)
    server.account.edit(at_google(server, "Person004").resource_name, nicknames=[{"value": "Four"}])
    server.pass_time(8 * 86400)
    phone.sync()
    assert len(phone.everyone()) == 5 and phone.contact("uid-004").nicknames[0].name == "Four"
    rest(server, phone)


@pytest.mark.law("L34")
def test_a_list_that_lags_undoes_nothing(server: Google, devices: tuple[Device, Device]) -> None:
    phone, laptop = devices
    server.account.lag = 60
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
        server.pass_time(13)
        phone.sync()
        assert "uid-001" not in phone.everyone()
    rest(server, phone, laptop)
    assert phone.everyone() == laptop.everyone() and len(server.account.alive()) == 2


def test_a_storm_of_refusals_ends_and_nothing_is_lost(server: Google, devices: tuple[Device, Device]) -> None:
    phone, laptop = devices
    start(server, phone, laptop)
    phone.engine.put([person(n) for n in range(1, 30)])
    server.exhaust(times=6)
    assert phone.report().state == "temporary"
    rest(server, phone, laptop)
    assert len(server.account.alive()) == 30 == len(laptop.everyone())


# ---- lost answers ----------------------------------------------------------------------------------------


@pytest.mark.law("L33")
@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("happened", [True, False])
def test_a_create_of_which_the_answer_is_lost_is_made_once(
    server: Google, phone: Device, count: int, happened: bool
) -> None:
    server.account.lag = 60
    phone.engine.put([person(n) for n in range(count)])
    (server.lose_reply if happened else server.drop_request)("reateContact")
    phone.report()
    for _ in range(4):
        server.pass_time(30)
        phone.report()
        assert len(server.account.alive()) == (count if happened else 0), "sent again too early"
    rest(server, phone)
    assert len(server.account.alive()) == count == len(phone.everyone())


@pytest.mark.law("L33", "L31")
@pytest.mark.parametrize("ends", ["killed", "lost"])
def test_a_create_that_took_long_is_not_repeated_before_the_list_can_know_it(
    server: Google, phone: Device, ends: str
) -> None:
    """Google makes the contact long after it was asked to, and nobody hears of that."""
    start(server, phone)
    server.account.lag = 20
    phone.engine.put([person(1)])
    server.before("createContact", lambda: server.pass_time(300))
    if ends == "lost":
        server.faults[-1].lose = True
        phone.run()
    else:
        phone.engine.hooks.step = dies_at("answered")
        with pytest.raises(KeyboardInterrupt):
            phone.run()
        phone.engine.hooks.step = lambda name: None
    for _ in range(30):
        server.pass_time(5)
        phone.run()
    assert len(server.account.alive()) == 2
    rest(server, phone)


def _edit(phone: Device) -> None:
    phone.edit("uid-000", lambda c: replace(c, titles=(Title("Captain"),)))


def _delete(phone: Device) -> None:
    phone.engine.delete(["uid-000"])


def _photo(phone: Device) -> None:
    phone.edit("uid-000", lambda c: replace(c, media=(PHOTO,)))


def _label(phone: Device) -> None:
    phone.edit("uid-000", lambda c: replace(c, groups=frozenset({"Chess"})))


@pytest.mark.law("L12", "L13", "L33")
@pytest.mark.parametrize("loses", ["lose_reply", "drop_request"])
@pytest.mark.parametrize(
    ("deed", "at"),
    [
        (_edit, "updateContact"),
        (_delete, "deleteContact"),
        (_photo, "updateContactPhoto"),
        (_label, "contactGroups"),
        (_label, "modify"),
    ],
)
def test_whatever_answer_is_lost_it_is_done_once(
    server: Google, devices: tuple[Device, Device], deed: Callable[[Device], None], at: str, loses: str
) -> None:
    phone, laptop = devices
    start(server, phone, laptop)
    deed(phone)
    getattr(server, loses)(at, changes_only=True)
    phone.report()
    assert server.faults[-1].times < 1, "it was met"
    rest(server, phone, laptop)
    assert deed is _photo or phone.everyone() == laptop.everyone()
    if deed is _edit:
        assert only(server).fields["organizations"] == [{"title": "Captain"}]
    elif deed is _delete:
        assert not server.account.alive() and not laptop.everyone()
    elif deed is _photo:
        assert only(server).photo is not None and server.count("updateContactPhoto") <= 2
        assert laptop.contact("uid-000").media
    else:
        assert [c.groups for c in laptop.everyone().values()] == [frozenset({"Chess"})]
        assert len([g for g in server.account.groups.values() if not g.is_system]) == 1
    # L12: what Google made of a photo is on record beside ours, as nothing proves that it is ours
    assert not phone.engine.conflicts() or (deed is _photo and loses == "lose_reply")


@pytest.mark.law("L12", "L13")
def test_a_first_photo_that_does_not_arrive_with_the_rest_is_sent_again(
    server: Google, devices: tuple[Device, Device]
) -> None:
    phone, laptop = devices
    start(server, phone, laptop)
    phone.edit("uid-000", lambda c: replace(c, media=(PHOTO,), titles=(Title("Captain"),)))
    server.drop_request("updateContactPhoto")
    phone.report()
    assert only(server).fields["organizations"] == [{"title": "Captain"}] and only(server).photo is None
    rest(server, phone, laptop)
    assert only(server).photo is not None and laptop.contact("uid-000").media


# ---- photos ----------------------------------------------------------------------------------------------


@pytest.mark.law("L11")
def test_a_photo_is_sent_once_though_google_makes_another_picture_of_it(
    server: Google, devices: tuple[Device, Device]
) -> None:
    phone, laptop = devices
    start(server, phone, laptop)
    _photo(phone)
    rest(server, phone, laptop)
    original = phone.contact("uid-000").media[0].sha256
    server.requests.clear()
    for n in range(5):
        phone.edit("uid-000", lambda c, n=n: replace(c, notes=(Note(f"round {n}"),)))  # type: ignore[misc]
        server.pass_time(400)
        phone.sync()
        laptop.sync()
    assert server.count("Photo") == 0 and server.count("/photo/") == 0
    assert phone.contact("uid-000").media[0].sha256 == original, "the device keeps its own"
    assert laptop.contact("uid-000").media[0].sha256 != original
    server.account.set_photo(only(server).resource_name, b"\x89PNG another" + b"q" * 50)
    rest(server, phone, laptop)
    assert phone.contact("uid-000").media == laptop.contact("uid-000").media
    assert phone.contact("uid-000").media[0].sha256 != original
    laptop.edit("uid-000", lambda c: replace(c, media=()))
    rest(server, phone, laptop)
    assert only(server).photo is None and not phone.contact("uid-000").media


# ---- bad contacts ----------------------------------------------------------------------------------------


@pytest.mark.law("L35")
def test_a_contact_above_a_limit_waits_and_the_rest_goes_on(server: Google, phone: Device) -> None:
    phone.engine.put([person(0, notes=(Note("x" * 3000),)), person(1), person(2)])
    report = phone.report()
    (error,) = report.books[0].errors
    assert report.state == "ok" and error.name == "Person000 Tester" and "too long" in error.reason
    assert len(server.account.alive()) == 2
    server.requests.clear()
    phone.report()
    assert changes(server) == 0, "it is not sent again before it changes"
    phone.edit("uid-000", lambda c: replace(c, notes=(Note("short"),)))
    rest(server, phone)
    assert len(server.account.alive()) == 3


# ---- a part of the contacts (L26) ------------------------------------------------------------------------


@pytest.mark.law("L26", "P4")
def test_only_who_has_the_label_is_taken_and_coming_back_doubles_nobody(
    tmp_path: Path, server: Google
) -> None:
    label = server.account.create_group("Choir").resource_name
    inside = {"contactGroupMembership": {"contactGroupResourceName": label}}
    everybody = {"contactGroupMembership": {"contactGroupResourceName": "contactGroups/myContacts"}}
    server.account.create({"names": [{"givenName": "Ada"}], "memberships": [inside, everybody]})
    server.account.create({"names": [{"givenName": "Bob"}], "memberships": [everybody]})
    phone = open_device(tmp_path / "phone", server, book=(BookConfig("Contacts", only_groups=("Choir",)),))
    phone.engine.put([person(1, groups=frozenset({"Choir"})), person(2)])
    rest(server, phone)
    assert sorted(c.display for c in phone.everyone().values()) == [
        "Ada",
        "Person001 Tester",
        "Person002 Tester",
    ]
    assert len(server.account.alive()) == 3
    phone.edit("uid-001", lambda c: replace(c, groups=frozenset(), titles=(Title("Last word"),)))
    rest(server, phone)
    assert at_google(server, "Person001").fields["organizations"][0]["title"] == "Last word"
    phone.edit("uid-001", lambda c: replace(c, groups=frozenset({"Choir"}), titles=(Title("Again"),)))
    rest(server, phone)
    assert at_google(server, "Person001").fields["organizations"][0]["title"] == "Again"
    assert len(server.account.alive()) == 3
    phone.close()
