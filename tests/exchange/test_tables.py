"""Tables (CSV): Google's and Outlook's columns in and out, on real devices."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from contactsync.api import Engine
from contactsync.csvfiles.outlook import COLUMNS
from contactsync.errors import StoreError, UsageError
from contactsync.exchange.exporter import export
from contactsync.exchange.importer import ImportReport, import_sources
from contactsync.model.contact import (
    Address,
    AddressComponent,
    Anniversary,
    Contact,
    Email,
    Name,
    Nickname,
    Note,
    PartialDate,
    Phone,
    Relation,
)
from tests.exchange.cards import write
from tests.exchange.conftest import MakeDevice, dump
from tests.exchange.test_exporter import DEMO, exported
from tests.simulators.google_account import Account
from tests.simulators.google_csv import take

TABLES = DEMO.parents[1] / "tables"
FILES = ("google.csv", "google-old.csv", "outlook.csv", "outlook-web.csv")


def taken(device: Engine, *sources: Path | str, **options: object) -> ImportReport:
    return import_sources(device, [str(source) for source in sources], **options)  # type: ignore[arg-type]


def named(device: Engine, name: str) -> Contact:
    (found,) = (c for c in device.contacts(name) if name in c.contact.display)
    return device.export_form(found.contact)


def rows(table: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table.decode("utf-8-sig"), newline="")))


# ---- in --------------------------------------------------------------------------------------------------


def test_googles_columns_come_in_whole(device: Engine) -> None:
    assert taken(device, TABLES / "google.csv").new == 3
    ada = named(device, "Ada")
    assert ada.name.full == "Lady Ada Byron Lovelace"
    assert ada.emails[0] == Email("ada@engines.example", frozenset({"work"}), pref=1)
    assert ada.emails[1:] == (
        Email("countess@engines.example", frozenset({"work"})),
        Email("ada@choir.example", label="Choir"),
    )
    assert [(p.number, p.features, p.contexts) for p in ada.phones] == [
        ("+44 7700 900123", {"cell"}, frozenset()),
        ("+44 20 7946 0001", {"fax"}, {"work"}),
    ]
    assert ada.organizations[0].units == ("Notes",) and ada.titles[0].name == "Programmer"
    assert ada.notes == (Note('First line\nsecond, with "quotes"'),)
    assert ada.groups == {"Friends", "Science"}
    assert ada.addresses[0].part("postcode") == "SW1Y 4JH" and ada.addresses[0].contexts == {"private"}
    assert ada.related_to == (Relation("Annabella", frozenset({"parent"}), "Mother"),)
    assert {(a.kind, a.date.year) for a in ada.anniversaries} == {("birth", 1815), ("wedding", 1835)}
    assert dict(ada.extra[0].params) == {"LABEL": "Locker"} and ada.extra[0].value == "42"
    taro = named(device, "太郎")
    assert taro.name.components[0].phonetic == "たろう"
    assert taro.anniversaries[0].date == PartialDate(None, 5, 17)
    assert named(device, "Bäckerei").name == Name()


def test_googles_older_columns_come_in_whole(device: Engine) -> None:
    assert taken(device, TABLES / "google-old.csv").new == 1
    grace = named(device, "Grace")
    assert [p.number for p in grace.phones] == ["+1 202 555 0101", "+1 202 555 0102"]
    assert (grace.online_services[0].service, grace.online_services[0].user) == (
        "jabber",
        "grace@jabber.example",
    )
    assert grace.addresses[0].full.startswith("1 Main Street\n")
    assert grace.groups == {"Navy", "starred"}
    assert {(dict(e.params)["LABEL"], e.value) for e in grace.extra} == {
        ("Maiden Name", "Murray"),
        ("Hobby", "Clocks"),
    }


def test_outlooks_columns_come_in_whole(device: Engine) -> None:
    assert taken(device, TABLES / "outlook.csv").new == 2
    juergen = named(device, "Müller")
    assert juergen.name.full == "Dr. Jürgen Karl Müller Jr."
    assert [e.address for e in juergen.emails] == ["jm@example.de", "jm@privat.example"]
    assert len(juergen.phones) == 6 and Phone("+49 170 0002", label="Car") in juergen.phones
    assert (
        juergen.addresses[0].part("extended") == "Haus B"
        and juergen.addresses[1].part("locality") == "Potsdam"
    )
    assert juergen.anniversaries == (Anniversary("birth", PartialDate(1970, 5, 17)),)
    assert {r.target for r in juergen.related_to} == {"Anna", "Kim", "Lou"}
    assert juergen.groups == {"Work", "Chess"}
    assert {(dict(e.params).get("LABEL", e.name), e.value) for e in juergen.extra} == {
        ("GENDER", "M"), ("Mileage", "12"), ("User 1", "A7"),
    }  # fmt: skip
    assert named(device, "Stadtwerke").phones[0].features == {"main-number"}


def test_the_columns_of_outlook_on_the_web_come_in_whole(device: Engine) -> None:
    assert taken(device, TABLES / "outlook-web.csv").new == 1
    emmy = named(device, "Emmy")
    assert emmy.nicknames == (Nickname("E."),)
    assert emmy.online_services[0].uri == "sip:emmy@example.org"
    assert Relation("David Hilbert", frozenset({"manager"})) in emmy.related_to
    assert dict(emmy.extra[0].params) == {"LABEL": "Schools"}


def test_columns_in_another_language_are_read_with_a_table_of_their_names(device: Engine) -> None:
    with pytest.raises(UsageError, match="Vorname, Nachname, Firma"):
        taken(device, TABLES / "german.csv")
    import tomllib

    columns = tomllib.loads((TABLES / "german.toml").read_text(encoding="utf-8"))
    assert taken(device, TABLES / "german.csv", columns=columns).new == 1
    lise = named(device, "Lise")
    assert lise.anniversaries[0].date == PartialDate(1878, 11, 7)
    assert lise.phones[0].features == {"cell"}


@pytest.mark.law("L30")
@pytest.mark.parametrize("name", FILES)
def test_a_table_that_is_imported_again_changes_nothing_whatever_was_edited(
    device: Engine, name: str
) -> None:
    first = taken(device, TABLES / name)
    assert first.new == len(device.contacts()) and not first.set_aside
    people = device.contacts()
    device.delete([people[0].uid])
    if len(people) > 1:
        one = people[1]
        device.edit(one, one.contact, replace(one.contact, emails=(Email("other@x.example"),)))
    before = dump(device)
    again = taken(device, TABLES / name)
    assert (again.equal, again.new, again.merged) == (len(people), 0, 0)
    assert dump(device) == before


@pytest.mark.law("L30")
def test_a_row_that_changed_is_merged_also_when_it_moved(device: Engine, tmp_path: Path) -> None:
    text = (TABLES / "google.csv").read_text(encoding="utf-8-sig")
    path = tmp_path / "g.csv"
    path.write_text(text, encoding="utf-8")
    taken(device, path)
    path.write_text(text.replace("ada@choir.example", "ada@new.example"), encoding="utf-8")
    report = taken(device, path)
    assert (report.equal, report.merged, report.new) == (2, 1, 0)
    assert [e.address for e in named(device, "Ada").emails][-1] == "ada@new.example"


def test_a_row_with_a_stray_comma_is_set_aside_and_the_others_go_on(device: Engine, tmp_path: Path) -> None:
    lines = ("First Name,Last Name,E-mail Address", "Ada,Lovelace,ada@x.example")
    table = "\n".join((*lines, "Jo,Doe, Jr,jo@x.example", "Eve,Moe,e@x.example"))
    report = taken(device, write(tmp_path / "a.csv", table.encode()))
    assert (report.new, report.set_aside) == (2, 1)
    assert (
        "4 cells, and there are 3 columns" in report.errors[0].reason
        and "line 3" in report.errors[0].remote_ref
    )
    assert taken(device, str(tmp_path / "a.csv")).set_aside == 1


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('First Name,E-mail Address\nAda,"ada@x.example\nEve,e@x.example\n', "quotation mark"),
        ("First Name,First Name,E-mail Address\nAda,B,c@x.example\n", "called 'First Name'"),
        ("a,b,c\n1,2,3\n", "columns that are not known: a, b, c"),
        ("First Name;Last Name\n", "not known"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_as_a_whole(
    device: Engine, tmp_path: Path, table: str, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        taken(device, write(tmp_path / "a.csv", table.encode()))
    assert not device.contacts()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_encodings_and_delimiters_are_found_out(
    device: Engine, tmp_path: Path, encoding: str, delimiter: str
) -> None:
    lines = ["First Name,Last Name,E-mail Address", "Åsa,Müller,asa@x.example"]
    text = "\r\n".join(line.replace(",", delimiter) for line in lines)
    assert taken(device, write(tmp_path / "a.csv", text.encode(encoding))).new == 1
    assert named(device, "Åsa").name.full == "Åsa Müller"


def test_a_table_also_comes_from_standard_input(device: Engine) -> None:
    data = (TABLES / "google.csv").read_bytes()
    assert import_sources(device, ["-"], stdin=io.BytesIO(data)).new == 3


# ---- out -------------------------------------------------------------------------------------------------


def test_outlooks_table_has_outlooks_columns_and_finds_the_place_of_each_value(device: Engine) -> None:
    places = {
        "cell": Phone("1", features=frozenset({"cell"})),
        "video": Phone("2", features=frozenset({"cell", "video"})),
    }
    device.put(
        [
            Contact(
                name=Name(full="Ada Lovelace"),
                phones=(*places.values(), Phone("3", frozenset({"work"})), Phone("4", label="Boat")),
                emails=tuple(Email(f"{n}@x.example", pref=1 if n == 3 else None) for n in range(5)),
                addresses=(
                    Address((AddressComponent("name", "1 Road"),), contexts=frozenset({"work"})),
                    Address((AddressComponent("name", "2 Road"),), contexts=frozenset({"work"})),
                ),
                anniversaries=(Anniversary("birth", PartialDate(None, 5, 17)),),
            )
        ]
    )
    out = io.BytesIO()
    report = export(device, to="-", fmt="outlook-csv", split=False, stdout=out)
    assert out.getvalue().decode("utf-8-sig").splitlines()[0] == ",".join(COLUMNS)
    (row,) = rows(out.getvalue())
    filled = {name: cell for name, cell in row.items() if cell}
    assert filled == {
        "First Name": "Ada Lovelace",
        "Mobile Phone": "1",
        "Business Phone": "3",
        "Other Phone": "4",
        "E-mail Address": "3@x.example", "E-mail Type": "SMTP", "E-mail Display Name": "3@x.example",
        "E-mail 2 Address": "0@x.example", "E-mail 2 Type": "SMTP", "E-mail 2 Display Name": "0@x.example",
        "E-mail 3 Address": "1@x.example", "E-mail 3 Type": "SMTP", "E-mail 3 Display Name": "1@x.example",
        "Business Street": "1 Road",
    }  # fmt: skip
    (left,) = report.left_out
    assert set(left.fields) >= {"addresses", "anniversaries", "emails", "phones"}


def test_what_a_format_cannot_hold_is_named(device: Engine) -> None:
    taken(device, DEMO)
    out = io.BytesIO()
    assert export(device, to="-", fmt="vcard4", split=False, stdout=out).left_out == []
    report = export(device, to="-", fmt="csv", split=False, stdout=out)
    assert report.contacts == 25
    assert any("media" in one.fields for one in report.left_out)
    assert not any("emails" in one.fields for one in report.left_out)


def test_the_order_of_a_table_does_not_depend_on_uids(make_device: MakeDevice) -> None:
    people = [Contact(name=Name(full="Ada"), emails=(Email(f"{n}@x.example"),)) for n in range(4)]
    one, other = make_device("one"), make_device("other")
    one.put([replace(p, uid=f"a{n}") for n, p in enumerate(people)])
    other.put([replace(p, uid=f"b{9 - n}") for n, p in enumerate(people)])
    assert exported(one, fmt="csv") == exported(other, fmt="csv")


def test_google_takes_its_table(device: Engine) -> None:
    taken(device, DEMO, TABLES / "google.csv")
    account = Account(lambda: 0.0)
    people = take(account, exported(device, fmt="csv"))
    ours = [device.export_form(c.contact) for c in device.contacts()]
    assert len(people) == len(ours) == 28
    there = {item["value"] for one in people for item in one.fields.get("emailAddresses", ())}
    assert there == {email.address for contact in ours for email in contact.emails}
    numbers = {item["value"] for one in people for item in one.fields.get("phoneNumbers", ())}
    assert numbers == {phone.number for contact in ours for phone in contact.phones}
    labels = {name.casefold() for contact in ours for name in contact.groups}
    assert labels and labels <= {group.name.casefold() for group in account.groups.values()}


@pytest.mark.skipif(
    shutil.which("soffice") is None, reason="LibreOffice (Debian: libreoffice-calc) is not here"
)
@pytest.mark.parametrize("fmt", ["csv", "outlook-csv"])
def test_libreoffice_opens_the_table_with_all_columns(device: Engine, tmp_path: Path, fmt: str) -> None:
    taken(device, DEMO, TABLES / "google.csv", TABLES / "outlook.csv")
    ours = rows(exported(device, fmt=fmt))
    source = write(tmp_path / "ours.csv", exported(device, fmt=fmt))
    home = f"-env:UserInstallation=file://{tmp_path}/profile"
    # 44: comma, 34: quotation mark, 76: UTF-8; the third from the end: quoted cells are text
    words = ["soffice", home, "--headless", "--infilter=CSV:44,34,76,1,,0,true", "--convert-to"]
    form = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false"
    words += [form, "--outdir", str(tmp_path / "out"), source]
    subprocess.run(words, check=True, capture_output=True, timeout=120)
    theirs = rows((tmp_path / "out" / "ours.csv").read_bytes())
    assert [list(row) for row in theirs][:1] == [list(row) for row in ours][:1]
    assert len(theirs) == len(ours)
    for column in ("First Name", "Last Name", "Notes"):
        assert [row[column] for row in theirs] == [row[column] for row in ours]


# ---- what is no table ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04" + b"\0" * 100, "a ZIP archive"),
        (b"<!DOCTYPE html><html><body>Please log in, now</body></html>", "a web page"),
        (b"\x1f\x8b\x08" + b"\0" * 50, "a gzip archive"),
        (b"", "is empty"),
        (b"just a line of words\nand another\n", "something else"),
    ],
)
@pytest.mark.parametrize("name", ["contacts.csv", "contacts.vcf"])
def test_a_file_of_another_kind_is_named_whatever_it_is_called(
    device: Engine, tmp_path: Path, content: bytes, said: str, name: str
) -> None:
    with pytest.raises(UsageError, match=said):
        taken(device, write(tmp_path / name, content))
    assert not device.contacts()


class Endless(io.RawIOBase):
    """A table of which more comes for ever."""

    def __init__(self) -> None:
        self.served = 0

    def read(self, size: int = -1) -> bytes:
        head = b"First Name,Last Name,E-mail Address\n" if not self.served else b""
        piece = head + b"Ada,Lovelace,ada@x.example\n" * 40_000
        self.served += len(piece[:size])
        return piece[:size]


def test_a_table_without_an_end_is_given_up(device: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contactsync.exchange.streaming.MAX_WHOLE_BYTES", 3_000_000)
    endless = Endless()
    with pytest.raises(UsageError, match="too large for a table"):
        import_sources(device, ["-"], stdin=endless)  # type: ignore[arg-type]
    assert endless.served < 10_000_000
    assert not device.contacts()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("fmt", ["vcard4", "csv", "outlook-csv", "jscontact"])
def test_a_disk_that_is_full_is_said(device: Engine, fmt: str) -> None:
    taken(device, DEMO)
    with pytest.raises(StoreError, match="No space left"):
        export(device, to="/dev/full", fmt=fmt, split=False, stdout=io.BytesIO())
    assert len(device.contacts()) == 25
