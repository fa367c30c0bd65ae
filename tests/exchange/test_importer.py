"""Importing files into a real device database."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from contactsync.api import Engine
from contactsync.connectors.base import Connector
from contactsync.connectors.memory import MemoryConnector, MemoryServer
from contactsync.errors import UsageError
from contactsync.exchange.importer import BATCH_SIZE, ImportReport, import_sources
from contactsync.model.contact import Contact, Email, Note, Phone
from contactsync.vcard.codec import VCardCodec
from tests.exchange.cards import card, write
from tests.exchange.conftest import MakeDevice, dump

ADA = card("Ada Lovelace", "EMAIL:ada@x.example", "CATEGORIES:Friends", uid="ada")
BOB = card("Bob Stone", "TEL:+15550100100", uid="bob")
NOBODY = card("Cleo Without", "EMAIL:cleo@x.example")


def load(device: Engine, *sources: str, **options: object) -> ImportReport:
    return import_sources(device, sources, **{"match": "auto", "dry_run": False, **options})  # type: ignore[arg-type]


def counts(report: ImportReport) -> tuple[int, int, int, int, int]:
    return report.new, report.merged, report.equal, report.held, report.set_aside


def names(device: Engine) -> list[str]:
    return sorted(stored.contact.display for stored in device.contacts())


def edit(device: Engine, name: str, **values: object) -> None:
    contact = device.hub.with_names(device.contact(name).contact)
    device.put([replace(contact, **values)])  # type: ignore[arg-type]


class TestTheSameSourceAgain:
    @pytest.mark.law("L30", "L36")
    def test_the_same_file_twice_changes_no_row_at_all(self, device: Engine, tmp_path: Path) -> None:
        source = write(tmp_path / "a.vcf", ADA, BOB, NOBODY)
        assert counts(load(device, source)) == (3, 0, 0, 0, 0)
        before = dump(device)
        again = load(device, source)
        assert counts(again) == (0, 0, 3, 0, 0)
        assert again.run is None
        assert dump(device) == before

    @pytest.mark.law("L30")
    def test_edits_and_deletions_in_between_stay(self, device: Engine, tmp_path: Path) -> None:
        source = write(tmp_path / "a.vcf", ADA, BOB, NOBODY)
        load(device, source)
        edit(device, "ada", emails=(Email("ada@new.example"),))
        device.delete(["bob", "Cleo Without"])
        before = dump(device)
        assert counts(load(device, source)) == (0, 0, 3, 0, 0)
        assert dump(device) == before
        assert names(device) == ["Ada Lovelace"]

    @pytest.mark.law("L30", "L14")
    def test_a_changed_card_is_merged_with_what_it_said_before(self, device: Engine, tmp_path: Path) -> None:
        source = write(tmp_path / "a.vcf", ADA, BOB)
        load(device, source)
        edit(device, "ada", phones=(Phone("+15550100111"),), emails=())
        write(tmp_path / "a.vcf", ADA.replace(b"END:", b"NOTE:met in May\r\nEND:"), BOB)
        assert counts(load(device, source)) == (0, 1, 1, 0, 0)
        ada = device.contact("ada").contact
        assert [n.text for n in ada.notes] == ["met in May"]
        assert [p.number for p in ada.phones] == ["+15550100111"]
        assert ada.emails == (), "the file did not change the address that was removed here"

    @pytest.mark.law("L30", "L1")
    def test_new_marks_on_a_card_are_no_edit_of_a_deleted_contact(
        self, device: Engine, tmp_path: Path
    ) -> None:
        source = write(tmp_path / "a.vcf", ADA)
        load(device, source)
        device.delete(["ada"])
        write(tmp_path / "a.vcf", ADA.replace(b"END:", b"REV:2026-05-01T00:00:00Z\r\nEND:"))
        assert counts(load(device, source)) == (0, 0, 1, 0, 0)
        assert names(device) == []

    @pytest.mark.law("L23", "L30")
    def test_a_real_edit_of_a_card_brings_a_deleted_contact_back(
        self, device: Engine, tmp_path: Path
    ) -> None:
        source = write(tmp_path / "a.vcf", ADA)
        load(device, source)
        edit(device, "ada", phones=(Phone("+15550100111"),))
        device.delete(["ada"])
        write(tmp_path / "a.vcf", ADA.replace(b"END:", b"NOTE:new\r\nEND:"))
        assert counts(load(device, source)) == (0, 1, 0, 0, 0)
        ada = device.contact("ada").contact
        assert [p.number for p in ada.phones] == ["+15550100111"], "its last content"
        assert [n.text for n in ada.notes] == ["new"], "and the edit"

    @pytest.mark.law("L30", "L16")
    def test_two_edits_of_one_value_leave_a_conflict_record(self, device: Engine, tmp_path: Path) -> None:
        source = write(tmp_path / "a.vcf", card("Ada Lovelace", "TEL:+15550100100", uid="ada"))
        load(device, source)
        edit(device, "ada", phones=(Phone("+15550100111"),))
        write(tmp_path / "a.vcf", card("Ada Lovelace", "TEL:+15550100122", uid="ada"))
        load(device, source)
        (conflict,) = device.conflicts()
        assert conflict.status == "decided"
        assert conflict.winner == "device"
        assert device.resolve(conflict.id, "remote")
        assert [p.number for p in device.contact("ada").contact.phones] == ["+15550100122"]

    @pytest.mark.law("L30")
    def test_cards_without_uid_stay_known_when_others_are_put_before_them(
        self, device: Engine, tmp_path: Path
    ) -> None:
        one, two = card("Eva Berg", "EMAIL:eva@x.example"), card("Finn Dahl", "EMAIL:finn@x.example")
        source = write(tmp_path / "a.vcf", one, two)
        load(device, source)
        device.delete(["Finn Dahl"])
        write(tmp_path / "a.vcf", NOBODY, one, two)
        assert counts(load(device, source)) == (1, 0, 2, 0, 0)
        assert names(device) == ["Cleo Without", "Eva Berg"]
        before = dump(device)
        assert counts(load(device, source)) == (0, 0, 3, 0, 0)
        assert dump(device) == before

    @pytest.mark.law("L30")
    def test_a_changed_card_without_uid_is_known_by_its_place(self, device: Engine, tmp_path: Path) -> None:
        source = write(tmp_path / "a.vcf", NOBODY)
        load(device, source)
        write(tmp_path / "a.vcf", card("Cleo Without", "EMAIL:cleo@new.example"))
        assert counts(load(device, source)) == (0, 1, 0, 0, 0)
        assert [e.address for e in device.contact("Cleo Without").contact.emails] == ["cleo@new.example"]

    @pytest.mark.law("L30", "L39")
    def test_a_group_renamed_here_keeps_its_name_and_members(self, device: Engine, tmp_path: Path) -> None:
        source = write(tmp_path / "a.vcf", ADA)
        load(device, source)
        device.rename_group("Friends", "Inner circle")
        write(tmp_path / "a.vcf", ADA.replace(b"END:", b"NOTE:new\r\nEND:"))
        load(device, source)
        assert [(g.name, g.members) for g in device.groups()] == [("Inner circle", 1)]

    @pytest.mark.law("L30", "P5")
    def test_an_interrupted_import_goes_on_where_it_was(
        self, device: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cards = [card(f"Person {n:03d}", f"EMAIL:p{n}@x.example", uid=f"p{n}") for n in range(450)]
        source = write(tmp_path / "a.vcf", *cards)
        add, done = device.hub.add, [0]

        def dies(*args: object, **kwargs: object) -> int:
            done[0] += 1
            if done[0] > 300:
                raise KeyboardInterrupt
            return add(*args, **kwargs)  # type: ignore[arg-type]

        with monkeypatch.context() as patch:
            patch.setattr(device.hub, "add", dies)
            with pytest.raises(KeyboardInterrupt):
                load(device, source)
        assert len(device.contacts()) == 200
        assert counts(load(device, source)) == (250, 0, 200, 0, 0)


class TestMeetingContacts:
    @pytest.mark.law("L28")
    def test_the_same_uid_is_united(self, device: Engine, tmp_path: Path) -> None:
        device.put([Contact(uid="ada", emails=(Email("countess@x.example"),))])
        assert counts(load(device, write(tmp_path / "a.vcf", ADA))) == (0, 1, 0, 0, 0)
        assert {e.address for e in device.contact("ada").contact.emails} == {
            "countess@x.example",
            "ada@x.example",
        }

    @pytest.mark.law("L27")
    def test_the_same_uid_of_another_person_makes_a_new_contact(self, device: Engine, tmp_path: Path) -> None:
        load(device, write(tmp_path / "a.vcf", card("Ada Lovelace", "EMAIL:ada@x.example", uid="1")))
        other = write(tmp_path / "b.vcf", card("Bob Stone", "EMAIL:bob@x.example", uid="1"))
        assert counts(load(device, other)) == (1, 0, 0, 0, 0)
        assert names(device) == ["Ada Lovelace", "Bob Stone"]
        assert counts(load(device, other)) == (0, 0, 1, 0, 0)

    @pytest.mark.law("L27")
    def test_the_same_content_under_another_uid_is_equal(self, device: Engine, tmp_path: Path) -> None:
        load(device, write(tmp_path / "a.vcf", ADA))
        again = write(tmp_path / "b.vcf", ADA.replace(b"UID:ada", b"UID:x-17"))
        assert counts(load(device, again)) == (0, 0, 1, 0, 0)
        assert counts(load(device, again, match="review")) == (0, 0, 1, 0, 0)

    @pytest.mark.law("L27")
    def test_a_sure_pair_is_merged_and_an_unsure_one_is_held(self, device: Engine, tmp_path: Path) -> None:
        load(device, write(tmp_path / "a.vcf", ADA, BOB))
        sure = card("Ada Lovelace", "EMAIL:ada@x.example", "TEL:+15550100177", uid="ada-2")
        unsure = card("Robert Stone", "TEL:+15550100100", uid="bob-2")
        report = load(device, write(tmp_path / "b.vcf", sure, unsure))
        assert counts(report) == (0, 1, 0, 1, 0)
        held = device.contact("bob-2")
        assert held.held == "may be the same as Bob Stone"
        (review,) = report.reviews
        assert (review.uid, review.reason) == ("bob-2", held.held)
        assert len(device.contacts()) == 3

    @pytest.mark.law("L27")
    def test_review_holds_what_auto_would_merge(self, device: Engine, tmp_path: Path) -> None:
        load(device, write(tmp_path / "a.vcf", ADA))
        sure = write(
            tmp_path / "b.vcf", card("Ada Lovelace", "EMAIL:ada@x.example", "NOTE:more", uid="ada-2")
        )
        assert counts(load(device, sure, match="review")) == (0, 0, 0, 1, 0)

    @pytest.mark.law("L27")
    def test_never_looks_at_uids_only(self, device: Engine, tmp_path: Path) -> None:
        load(device, write(tmp_path / "a.vcf", ADA))
        twin = write(tmp_path / "b.vcf", ADA.replace(b"UID:ada", b"UID:x-17"), BOB)
        assert counts(load(device, twin, match="never")) == (2, 0, 0, 0, 0)
        same = write(tmp_path / "c.vcf", ADA)
        assert counts(load(device, same, match="never")) == (0, 0, 1, 0, 0)

    @pytest.mark.law("L29")
    def test_two_like_cards_of_one_file_do_not_become_one_person(
        self, device: Engine, tmp_path: Path
    ) -> None:
        cards = (
            card("Eva Berg", "EMAIL:eva@x.example", uid="e1"),
            card("Eva Berg", "EMAIL:eva@x.example", "TEL:+15550100100", uid="e2"),
        )
        assert counts(load(device, write(tmp_path / "a.vcf", *cards))) == (2, 0, 0, 0, 0)

    def test_a_file_that_holds_everything_twice_makes_each_contact_once(
        self, device: Engine, tmp_path: Path
    ) -> None:
        other_uid = NOBODY.replace(b"VERSION:3.0", b"VERSION:3.0\r\nUID:c2")
        source = write(tmp_path / "a.vcf", ADA, NOBODY, ADA, NOBODY, other_uid)
        assert counts(load(device, source)) == (2, 0, 3, 0, 0)

    @pytest.mark.law("L22", "L23")
    def test_a_card_of_another_file_with_the_uid_of_a_tombstone_brings_it_back(
        self, device: Engine, tmp_path: Path
    ) -> None:
        load(device, write(tmp_path / "a.vcf", ADA))
        device.delete(["ada"])
        assert counts(load(device, write(tmp_path / "b.vcf", ADA))) == (0, 1, 0, 0, 0)
        assert names(device) == ["Ada Lovelace"]

    def test_an_import_is_one_run_that_can_be_undone(self, device: Engine, tmp_path: Path) -> None:
        report = load(device, write(tmp_path / "a.vcf", ADA, BOB))
        assert report.run is not None
        run, rows = device.run(report.run)
        assert (run.kind, run.outcome) == ("import", "ok")
        assert [row.action for row in rows] == ["create", "create", "create-group"]
        device.undo(report.run)
        assert names(device) == [] and device.groups() == []


class TestDryRun:
    @pytest.mark.law("L36")
    def test_it_writes_nothing_and_shows_each_field(self, device: Engine, tmp_path: Path) -> None:
        load(device, write(tmp_path / "a.vcf", ADA))
        before = dump(device)
        changed = ADA.replace(b"END:", b"NOTE:new\r\nEND:")
        broken = b"BEGIN:VCARD\r\nFN:cut off\r\n"
        write(tmp_path / "a.vcf", changed, BOB, card("Eva", "CATEGORIES:Choir"), broken)
        report = load(device, str(tmp_path / "a.vcf"), dry_run=True)
        assert counts(report) == (2, 1, 0, 0, 1)
        assert report.run is None
        assert [(line.name, line.action) for line in report.plan] == [
            ("Ada Lovelace", "update"),
            ("Bob Stone", "create"),
            ("Eva", "create"),
        ]
        assert report.plan[0].changes == (("notes/note", "", "new"),)
        assert ("groups/Choir", "", "Choir") in report.plan[2].changes
        assert dump(device) == before

    @pytest.mark.law("L36")
    def test_it_foretells_the_import(self, device: Engine, tmp_path: Path) -> None:
        source = write(tmp_path / "a.vcf", ADA, BOB, NOBODY)
        assert counts(load(device, source, dry_run=True)) == counts(load(device, source))


class TestBadInput:
    @pytest.mark.law("L35")
    def test_a_broken_card_is_set_aside_once_and_the_rest_goes_on(
        self, device: Engine, tmp_path: Path
    ) -> None:
        broken = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Cut Off\r\n"
        source = write(tmp_path / "a.vcf", ADA, broken, BOB)
        report = load(device, source)
        assert counts(report) == (2, 0, 0, 0, 1)
        assert report.exit_code() == 3
        assert report.errors[0].name == "Cut Off"
        assert "line 9" in report.errors[0].remote_ref
        (kept,) = device.store.keepsakes.quarantined()
        assert kept.payload == broken
        before = dump(device)
        load(device, source)
        assert dump(device) == before

    @pytest.mark.law("L35")
    def test_a_repaired_card_is_not_set_aside_any_more(self, device: Engine, tmp_path: Path) -> None:
        source = write(tmp_path / "a.vcf", ADA, b"BEGIN:VCARD\r\nFN:Bob Stone\r\n")
        load(device, source)
        write(tmp_path / "a.vcf", ADA, BOB)
        assert load(device, source).exit_code() == 0
        assert device.store.keepsakes.quarantined() == []

    @pytest.mark.law("L39")
    def test_a_group_card_is_never_taken_for_a_person(self, device: Engine, tmp_path: Path) -> None:
        group = b"BEGIN:VCARD\r\nVERSION:4.0\r\nKIND:group\r\nFN:Choir\r\nMEMBER:urn:uuid:1\r\nEND:VCARD\r\n"
        report = load(device, write(tmp_path / "a.vcf", group, ADA))
        assert counts(report) == (1, 0, 0, 0, 1)
        assert "group" in report.errors[0].reason

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "is empty"),
            (b" \r\n\r\n", "is empty"),
            (b"PK\x03\x04\x14\0", "ZIP archive"),
            (b"<!DOCTYPE html><html>", "web page"),
            (b"Name,Given Name\nAda,Ada\n", "CSV"),
            (b'{"@type": "Card"', "JSON"),
            (b'[{"@type": "Card", "version": "1.0"} {', "breaks off in line 1"),
            (b"[" * 100_000, "too deep"),
            (b"\0" * 5000, "something else"),
        ],
    )
    def test_another_file_named_vcf_is_refused_by_what_it_is(
        self, device: Engine, tmp_path: Path, content: bytes, words: str
    ) -> None:
        with pytest.raises(UsageError, match=words):
            load(device, write(tmp_path / "a.vcf", content))

    def test_a_bad_card_of_a_json_file_is_set_aside_with_its_line_and_the_others_go_on(
        self, device: Engine, tmp_path: Path
    ) -> None:
        good = b'{"@type": "Card", "version": "1.0", "uid": "json", "name": {"full": "Jason"}}'
        content = b"[\n" + good + b',\n{"@type": "Event", "uid": "bad"}\n]'
        report = load(device, write(tmp_path / "a.json", content))
        assert counts(report) == (1, 0, 0, 0, 1)
        assert report.errors[0].remote_ref.endswith("a.json, line 3") and "Card" in report.errors[0].reason
        again = load(device, write(tmp_path / "a.json", content))
        assert counts(again) == (0, 0, 1, 0, 1)

    def test_a_missing_file_is_named_before_anything_is_read(self, device: Engine, tmp_path: Path) -> None:
        good = write(tmp_path / "a.vcf", ADA)
        with pytest.raises(UsageError, match="There is no file"):
            load(device, good, str(tmp_path / "b.vcf"))
        assert names(device) == []

    def test_a_name_that_is_nothing_says_so(self, device: Engine) -> None:
        with pytest.raises(UsageError, match="neither a file nor an account 'hmoe'"):
            load(device, "hmoe", open_account=lambda name: _refuse(name))

    def test_a_folder_without_cards_is_refused(self, device: Engine, tmp_path: Path) -> None:
        write(tmp_path / "d" / "readme.txt", b"hello")
        with pytest.raises(UsageError, match=r"no \.vcf file"):
            load(device, str(tmp_path / "d"))

    def test_an_endless_card_is_refused(self, device: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("contactsync.exchange.streaming.MAX_CARD_BYTES", 1_000_000)
        with pytest.raises(UsageError, match="no end of a card"):
            load(device, "-", stdin=_Endless(b"BEGIN:VCARD\r\n", b"NOTE:more and more\r\n"))

    def test_endless_cards_are_refused(self, device: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("contactsync.exchange.streaming.MAX_CARDS", 500)
        with pytest.raises(UsageError, match="more than 500 cards"):
            load(device, "-", stdin=_Endless(b"", BOB))


class TestSources:
    def test_a_folder_is_read_to_its_depth_and_a_bad_file_does_not_stop_it(
        self, device: Engine, tmp_path: Path
    ) -> None:
        write(tmp_path / "d" / "b.vcf", ADA)
        write(tmp_path / "d" / "deep" / "a.VCF", BOB)
        write(tmp_path / "d" / "page.vcf", b"<html>")
        write(tmp_path / "d" / "._b.vcf", b"\0\5\x16\7")
        report = load(device, str(tmp_path / "d"))
        assert counts(report) == (2, 0, 0, 0, 1)
        assert "web page" in report.errors[0].reason
        assert counts(load(device, str(tmp_path / "d" / "b.vcf"))) == (0, 0, 1, 0, 0)

    def test_standard_input_has_a_memory_too(self, device: Engine) -> None:
        assert counts(load(device, "-", stdin=io.BytesIO(ADA + NOBODY))) == (2, 0, 0, 0, 0)
        assert counts(load(device, "-", stdin=io.BytesIO(ADA + NOBODY))) == (0, 0, 2, 0, 0)

    def test_utf16_files_are_read(self, device: Engine, tmp_path: Path) -> None:
        source = write(tmp_path / "a.vcf", (ADA + BOB).decode().encode("utf-16"))
        assert counts(load(device, source)) == (2, 0, 0, 0, 0)

    def test_an_account_is_read_once_and_keeps_no_link(self, device: Engine) -> None:
        server = MemoryServer()
        for name, payload in (("a", ADA), ("b", BOB)):
            server.put(f"/contacts/{name}.vcf", payload)
        load_it: dict[str, object] = {"open_account": lambda name: MemoryConnector(server, VCardCodec())}
        assert counts(load(device, "work", **load_it)) == (2, 0, 0, 0, 0)
        assert device.accounts_of() == {}
        assert counts(load(device, "work", **load_it)) == (0, 0, 2, 0, 0)
        assert counts(load(device, "work", **load_it, dry_run=True)) == (0, 0, 2, 0, 0)

    def test_photos_arrive_with_their_bytes(self, device: Engine, tmp_path: Path) -> None:
        photo = card("Ada Lovelace", "PHOTO;ENCODING=b;TYPE=PNG:iVBORw0KGgo=", uid="ada")
        load(device, write(tmp_path / "a.vcf", photo))
        (media,) = device.export_form(device.contact("ada").contact).media
        assert media.data is not None
        assert media.data.startswith(b"\x89PNG")

    def test_a_card_without_uid_gets_one(self, device: Engine, tmp_path: Path) -> None:
        load(device, write(tmp_path / "a.vcf", NOBODY))
        assert len(device.contacts()[0].uid) == 32


def test_a_thousand_cards_come_in_once(device: Engine, tmp_path: Path) -> None:
    cards = [
        card(
            f"Person{n} Name{n}", f"EMAIL:p{n}@x.example", f"TEL:+1555{n:07d}", "CATEGORIES:All", uid=f"p{n}"
        )
        for n in range(1000)
    ]
    source = write(tmp_path / "a.vcf", *cards)
    assert load(device, source).new == 1000
    assert load(device, source).equal == 1000
    assert device.store.contacts.count() == 1000


class _Endless(io.RawIOBase):
    """A stream that never ends."""

    def __init__(self, head: bytes, more: bytes) -> None:
        self._head, self._more = head, more

    def read(self, size: int = -1) -> bytes:
        head, self._head = self._head, b""
        return head + self._more * (max(size, 1) // len(self._more))


def _refuse(name: str) -> Connector:
    raise UsageError(f"There is no account {name!r}.", hint="Did you mean 'home'?")


def test_notes_of_a_person_are_never_lost_by_a_union(device: Engine, tmp_path: Path) -> None:
    device.put([Contact(uid="ada", notes=(Note("mine"),))])
    load(device, write(tmp_path / "a.vcf", card("Ada Lovelace", "NOTE:theirs", uid="ada")))
    kept = " ".join(n.text for n in device.contact("ada").contact.notes)
    recorded = " ".join(f"{c.local} {c.remote}" for c in device.conflicts())
    assert "mine" in kept + recorded
    assert "theirs" in kept + recorded


@pytest.mark.law("L29", "L30")
def test_an_import_that_was_interrupted_ends_as_if_it_had_not_been(
    make_device: MakeDevice, tmp_path: Path
) -> None:
    """Cards of one source that look alike are different people, also if some came in by the run before."""
    people = [(f"Given{n} Family{n}", f"TEL:+49 30 55{n:04}") for n in range(BATCH_SIZE)]
    first = [
        card(name, phone, f"EMAIL:a{n}@x.example", uid=f"a{n}") for n, (name, phone) in enumerate(people)
    ]
    again = [
        card(name, phone, f"EMAIL:b{n}@y.example", uid=f"b{n}") for n, (name, phone) in enumerate(people)
    ]
    alike = [*first, *again]
    path = write(tmp_path / "all.vcf", *alike)
    whole, broken = make_device("whole"), make_device("broken")
    expected = import_sources(whole, [path])

    def stop(what: str, done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_sources(broken, [path], progress=stop)
    assert 0 < len(broken.contacts()) < len(alike)
    report = import_sources(broken, [path])
    assert report.new + report.equal == expected.new == len(alike)
    assert [(c.uid, c.held, c.contact) for c in broken.contacts()] == [
        (c.uid, c.held, c.contact) for c in whole.contacts()
    ]
