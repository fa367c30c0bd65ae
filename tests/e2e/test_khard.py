"""khard itself, contactsync and Radicale: one folder that both programs edit, a phone at the server, and
another client there. They edit at the same time; in the end all agree, and nothing is lost."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from contactsync.api import Engine, Hooks
from contactsync.config import AccountConfig, Config
from contactsync.model.contact import Contact, Title
from contactsync.vcard.codec import VCardCodec
from tests import servers
from tests.e2e.conftest import NewBook, OpenDevice
from tests.e2e.devices import Device, account_for, card, fill, path_of, person, read_all
from tests.servers import Server

#: What khard has no field for. The numbers are a label in Apple's manner, and a plain one.
SUE = (
    "item1.TEL;TYPE=CELL:+4930111",
    "item1.X-ABLABEL:boat",
    "TEL;TYPE=HOME:+4930112",
    "X-ODD;X=1:kept",
    "GEO:52.5;13.4",
    "PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQSkZJRgABAQEAYABgAAD/",
)


class Khard:
    """khard with a configuration of its own. It is never started with an editor."""

    def __init__(self, home: Path, book: Path) -> None:
        self._home = home
        self._python = servers.prepare_khard()
        self._config = home / "khard.conf"
        self._config.write_text(
            f"[addressbooks]\n[[friends]]\npath = {book}\n[general]\neditor = false\nmerge_editor = false\n"
            "[vcard]\npreferred_version = 3.0\n",
            encoding="utf-8",
        )

    def __call__(self, *words: str) -> str:
        """What it prints; its question whether to go on is answered with yes."""
        start = "import sys; from khard.khard import main; sys.exit(main())"
        done = subprocess.run(
            [str(self._python), "-c", start, "-c", str(self._config), *words],
            input="yes\n" * 3,
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "HOME": str(self._home), "PYTHONPATH": ""},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def new(self, given: str, phone: str, **more: str) -> None:
        fields = {"Formatted name": f"{given} Khard", "First name": given, "Last name": "Khard", **more}
        text = "".join(f"{key}: {value}\n" for key, value in fields.items())
        self("new", "-a", "friends", "-i", self._file(f'{text}Phone:\n    cell: "{phone}"\n'))

    def edit(self, name: str, field: str, value: str) -> None:
        """What its form shows of a contact, with another value in one field, as a person would do it."""
        form = self("show", "--format", "yaml", name)
        edited, count = re.subn(rf"(?m)^(\s*{re.escape(field)}):.*$", rf"\1: {value}", form)
        assert count == 1, form
        self("edit", "-i", self._file(edited), name)

    def remove(self, name: str) -> None:
        self("remove", "--force", name)

    def names(self) -> list[str]:
        return sorted(line.split("\t")[1] for line in self("phone", "-p").splitlines() if "\t" in line)

    def _file(self, text: str) -> str:
        path = self._home / "form.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)


Shown = tuple[str, frozenset[str], frozenset[str], frozenset[str], frozenset[str]]


def shown(contact: Contact, groups: Iterable[str] = ()) -> Shown:
    return (
        contact.display,
        frozenset(re.sub(r"\D", "", phone.number) for phone in contact.phones),
        frozenset(title.name for title in contact.titles),
        frozenset(line for note in contact.notes for line in note.text.split("\n")),
        frozenset(contact.groups),
    )


class Together:
    """The folder with khard and contactsync, the server, and a phone there."""

    def __init__(self, home: Path, server: Server, book: str, phone: Device) -> None:
        self.server, self.book, self.phone = server, book, phone
        self.folder = home / "contacts" / "friends"
        self.folder.mkdir(parents=True)
        self.khard = Khard(home, self.folder)
        self.step: Callable[[str], None] = lambda name: None
        accounts = (
            replace(account_for(server, book), name="server"),
            AccountConfig("folder", "vdir", url=str(self.folder.parent)),
        )
        hooks = Hooks(password=lambda account: server.password, step=lambda name: self.step(name))
        self.engine = Engine(Config(home / "config.toml", accounts=accounts), home / "laptop", hooks=hooks)

    def rounds(self, count: int) -> None:
        """The laptop's accounts, then the phone's, again and again."""
        for _ in range(count):
            for part in (*self.engine.sync().accounts, *self.phone.run().accounts):
                assert part.state == "ok", part.message
                assert not any(found.errors for found in part.books), part.books

    def everybody(self) -> list[Shown]:
        """Once all places agree."""
        in_folder = [VCardCodec().read(path.read_bytes()) for path in self.folder.glob("*.vcf")]
        laptop = [self.engine.hub.with_names(stored.contact) for stored in self.engine.contacts()]
        at_server = [found for _, found in read_all(self.server, self.book)]
        places = [in_folder, at_server, laptop, [*self.phone.everyone().values()]]
        views = [sorted((shown(one) for one in place), key=str) for place in places]
        assert views[0] == views[1] == views[2] == views[3]
        assert self.khard.names() == sorted(name for name, phones, *_ in views[0] for _ in phones)
        return views[0]

    def at(self, name: str) -> Shown:
        (found,) = (one for one in self.everybody() if one[0] == name)
        return found

    def file(self, name: str) -> bytes:
        texts = (path.read_bytes() for path in self.folder.glob("*.vcf"))
        (found,) = (text for text in texts if f"FN:{name}".encode() in text)
        return found

    def add_line(self, name: str, line: str) -> None:
        """The other client, at the server."""
        (path,) = (path for path, found in read_all(self.server, self.book) if found.display == name)
        payload = self.server.get(path) or b""
        self.server.put(path, payload.replace(b"END:VCARD", f"{line}\r\nEND:VCARD".encode()))

    def on_phone(self, name: str, change: Callable[[Contact], Contact]) -> None:
        (uid,) = (uid for uid, found in self.phone.everyone().items() if found.display == name)
        self.phone.edit(uid, change)

    def records(self) -> str:
        """What lost a conflict, or is in the trash, on either device."""
        engines = (self.engine, self.phone.engine)
        return " ".join(repr((*engine.conflicts(), *engine.trash())) for engine in engines)


@pytest.fixture
def together(
    tmp_path: Path, radicale: Server, new_book: NewBook, open_device: OpenDevice
) -> Iterator[Together]:
    try:
        servers.prepare_khard()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"khard {servers.KHARD} cannot be had from the package index: {error}")
    book = new_book(radicale)
    made = Together(tmp_path, radicale, book, open_device("phone", radicale, book))
    yield made
    made.engine.close()


def titled(text: str) -> Callable[[Contact], Contact]:
    return lambda contact: replace(contact, titles=(Title(text),))


def test_khard_contactsync_a_phone_and_a_server_agree_and_nothing_is_lost(together: Together) -> None:
    khard, phone = together.khard, together.phone
    people = [card("s1", "Sue Server", *SUE), card("s2", "Sam Server", "TEL:+4930222")]
    fill(together.server, together.book, people)
    for given, number in (("Ada", "+49 40 1"), ("Tom", "+49 40 3")):
        khard.new(given, number)
    khard.new("Eve", "+49 40 2", Title="From the beginning")
    phone.engine.put([person(1)])
    together.rounds(3)
    assert len(together.everybody()) == 6

    # Different fields of one contact, by all three at the same time.
    khard.edit("Ada Khard", "cell", '"+49 40 999"')
    khard.edit("Ada Khard", "Categories", "family")
    together.on_phone("Ada Khard", titled("From the phone"))
    together.add_line("Ada Khard", "NOTE:From the server")
    together.rounds(3)
    everything = ({"4940999"}, {"From the phone"}, {"From the server"}, {"family"})
    assert together.at("Ada Khard") == ("Ada Khard", *map(frozenset, everything))

    # The same field, at the same time.
    khard.edit("Eve Khard", "Title", "From khard")
    together.on_phone("Eve Khard", titled("From the phone"))
    together.rounds(3)
    (title,) = together.at("Eve Khard")[2]
    assert title in ("From khard", "From the phone")
    (loser,) = {"From khard", "From the phone"} - {title}
    assert loser in together.records()

    # New ones everywhere; one removed by khard while the phone edits it, one on the phone while khard does.
    khard.new("New", "+49 40 777", Title="Also from khard")
    phone.engine.put([person(2)])
    fill(together.server, together.book, [card("s3", "Sid Server", "TEL:+4930333")])
    khard.remove("Tom Khard")
    together.on_phone("Tom Khard", titled("Not so fast"))
    khard.edit("Sam Server", "Note", "Still needed")
    phone.engine.delete(["Sam Server"])
    together.rounds(3)
    assert together.at("Tom Khard")[2] == {"Not so fast"}
    assert together.at("Sam Server")[3] == {"Still needed"}

    # What nobody edited is gone where one removed it.
    khard.remove("Person001 Tester")
    phone.engine.delete(["New Khard"])
    together.server.delete(path_of(together.server, together.book, "s3"))
    together.rounds(3)
    assert [name for name, *_ in together.everybody()] == [
        "Ada Khard", "Eve Khard", "Person002 Tester", "Sam Server", "Sue Server", "Tom Khard",
    ]  # fmt: skip

    # khard writes a contact anew between our read of its file and our write.
    def in_the_gap(name: str) -> None:
        if name == "before-sent":
            together.step = lambda name: None
            khard.edit("Sue Server", "Note", "In the gap")

    together.on_phone("Sue Server", titled("From the phone"))
    phone.sync()
    together.step = in_the_gap
    together.rounds(3)
    sue = together.at("Sue Server")
    assert sue[1:4] == ({"4930111", "4930112"}, {"From the phone"}, {"In the gap"})
    at_server = together.server.get(path_of(together.server, together.book, "s1")) or b""
    for payload in (together.file("Sue Server"), at_server):
        assert all(line.partition(":")[2].encode() in payload for line in SUE)

    # All have come to rest.
    files = {path: path.read_bytes() for path in together.folder.iterdir()}
    etags = together.server.etags(together.book)
    for part in (*together.engine.sync().accounts, *phone.run().accounts):
        assert not any(found.pulled or found.pushed for found in part.books)
    assert {path: path.read_bytes() for path in together.folder.iterdir()} == files
    assert together.server.etags(together.book) == etags
