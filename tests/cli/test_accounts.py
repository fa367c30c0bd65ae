"""Adding, changing and letting go of accounts, against a real server."""

from __future__ import annotations

import getpass
from urllib.parse import quote, unquote, urlsplit

import pytest

from contactsync.cli import login as login_module
from contactsync.config import load
from contactsync.connectors.carddav.dns_lookup import NAME_SERVER
from tests.cli.conftest import ADA, Cli, Home, card, login
from tests.dns_server import name_server
from tests.servers import Server


def test_an_account_is_tried_saved_and_told_what_comes(cli: Cli, radicale: Server) -> None:
    book = radicale.make_book("Bücher")
    radicale.put(f"{book}one.vcf", card("one", "One"))
    cli.ok("contact", "put", stdin=ADA)
    found = cli.json(*login(cli, radicale), "--book", "Bücher")
    radicale.delete_book(book)
    assert found["account"]["name"] == "home" and found["account"]["connector"] == "carddav"
    assert found["account"]["password"] == {"file": str(cli.folder / "password-home")}
    assert found["first_sync"] == {"send": 1, "fetch": 1}
    mine = next(row for row in found["books"] if row["selected"])
    assert set(mine) == {"name", "href", "writable", "shared", "default", "selected", "gone"}
    assert unquote(mine["href"]) == unquote(book)
    assert radicale.password not in cli.config.read_text()


def test_a_mail_address_is_enough(cli: Cli, radicale: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = cli.file("secret", radicale.password.encode())
    with name_server() as names:
        monkeypatch.setenv(NAME_SERVER, names.address)
        port = urlsplit(radicale.base_url).port
        names.records["_carddav._tcp.localhost", "SRV"] = [f"0 1 {port} localhost."]
        words = ("account", "add", "carddav", "home", "--url", "alice@localhost", "--username", "alice")
        out = cli.ok(*words, "--password-file", secret)
    assert "Found by the record _carddav._tcp.localhost" in out
    (account,) = load(cli.config).accounts
    assert account.url == f"http://localhost:{port}/alice/"
    cli.ok("sync")


def test_a_mail_address_is_its_own_user_name(
    cli: Cli, radicale: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = cli.file("secret", b"x")
    with name_server() as names:
        monkeypatch.setenv(NAME_SERVER, names.address)
        port = urlsplit(radicale.base_url).port
        names.records["_carddav._tcp.localhost", "SRV"] = [f"0 1 {port} localhost."]
        words = ("account", "add", "carddav", "home", "--url", "alice@localhost")
        assert cli(*words, "--password-file", secret).code == 6
    result = cli("account", "add", "carddav", "home", "--url", "a@gmail.com", "--password-file", secret)
    assert result.code == 2 and "account of type gmail" in result.err


def test_people_are_told_what_the_first_sync_will_do(cli: Cli, home: Home) -> None:
    cli.ok("account", "remove", "home")
    out = cli.ok(*login(cli, home.server), "--book", home.name)
    assert "logged in as" in out and home.book in out and "selected" in out
    assert (
        f"The first sync will send 0 contacts and fetch 0. Start it with: contactsync --config {cli.config}"
        in out
    )


@pytest.mark.parametrize(
    "spell", [lambda b: b, quote, unquote, lambda b: b.strip("/"), lambda b: f"http://x{b}"]
)
def test_a_book_is_found_in_every_spelling_of_its_href(cli: Cli, radicale: Server, spell: object) -> None:
    assert callable(spell)
    book = radicale.make_book("Ä b")
    result = cli(*login(cli, radicale), "--book", spell(book), "--default-book", "Ä b")
    radicale.delete_book(book)
    assert result.code == 0, result
    account = load(cli.config).accounts[0]
    assert [unquote(href) for href in account.books] == [unquote(book)]
    assert account.default_book == account.books[0]


def test_an_unknown_book_names_those_that_are_there(cli: Cli, home: Home) -> None:
    result = cli(*login(cli, home.server, "other"), "--book", "nope")
    assert result.code == 2
    assert "There is no address book 'nope'." in result.err and f"{home.name} ({home.book})" in result.err
    assert [a.name for a in load(cli.config).accounts] == ["home"]


def test_the_default_book_must_be_one_of_the_books(cli: Cli, home: Home) -> None:
    words = login(cli, home.server, "other")
    result = cli(*words, "--book", home.name, "--default-book", "contacts")
    assert result.code == 2 and "not one of the books" in result.err


def test_a_wrong_password_saves_nothing(cli: Cli, radicale: Server) -> None:
    result = cli(*login(cli, radicale, password="wrong"))
    assert result.code == 6 and "refuses the login" in result.err
    assert not cli.config.exists()


def test_a_login_page_and_a_server_without_dav_are_told_apart_from_address_books(
    cli: Cli, login_page: str, not_dav: str
) -> None:
    secret = cli.file("secret", b"x")
    for url in (login_page, not_dav):
        words = (
            "account",
            "add",
            "carddav",
            "home",
            "--url",
            url,
            "--username",
            "u",
            "--password-file",
            secret,
        )
        error = cli("--json", *words)
        assert error.code == 1 and error.error["kind"] == "remote" and error.error["hint"]
    assert not cli.config.exists()


def test_a_wrong_path_is_named(cli: Cli, radicale: Server) -> None:
    words = login(cli, radicale)
    words[words.index("--url") + 1] += "/alice/nothing/here/"
    result = cli(*words)
    assert result.code == 1 and "/alice/nothing/here/" in result.err


def test_plain_http_beyond_this_machine_needs_a_word(cli: Cli) -> None:
    secret = cli.file("secret", b"x")
    words = ("account", "add", "carddav", "home", "--username", "u", "--password-file", secret, "--url")
    for url in ("http://dav.example.org/", "http://[bad/"):
        result = cli(*words, url)
        assert result.code == 2, result


@pytest.mark.parametrize("name", ["with blank", "../x", "-x", ""])
def test_names_that_cannot_be_written_are_refused(cli: Cli, name: str) -> None:
    result = cli("account", "add", "carddav", "--url", "https://x.example", "--", name)
    assert result.code == 2


def test_a_name_is_given_once(cli: Cli, home: Home) -> None:
    result = cli(*login(cli, home.server))
    assert result.code == 2 and "account set home" in result.err


def test_without_a_person_the_options_for_the_password_are_named(cli: Cli) -> None:
    result = cli("account", "add", "carddav", "home", "--url", "https://x.example", "--username", "u")
    assert result.code == 2
    assert all(o in result.err for o in ("--password-stdin", "--password-file", "--password-command"))


def test_two_places_for_one_password_are_one_too_many(cli: Cli) -> None:
    words = (
        "--url",
        "https://x.example",
        "--username",
        "u",
        "--password-stdin",
        "--password-command",
        "pass x",
    )
    assert cli("account", "add", "carddav", "home", *words, stdin=b"x\n").code == 2


def test_a_password_from_stdin_is_kept_and_it_is_said_where(cli: Cli, radicale: Server) -> None:
    words = login(cli, radicale)[:-2]
    assert cli(*words, "--password-stdin").code == 2  # an empty one
    result = cli(*words, "--password-stdin", "--book", "contacts", stdin=b"s3cret\n")
    assert result.code == 0
    assert "vault.json" in result.err and "other users of this machine" in result.err
    assert "s3cret" not in cli.config.read_text() + result.out + result.err
    cli.ok("sync", "home")
    cli.ok("account", "remove", "home")
    assert "s3cret" not in (cli.data / "vault.json").read_text()


def test_a_password_command_is_written_down_as_words(cli: Cli, radicale: Server) -> None:
    words = login(cli, radicale)[:-2]
    cli.ok(*words, "--password-command", "/bin/echo s3cret", "--book", "contacts")
    password = load(cli.config).accounts[0].password
    assert password is not None and password.argv == ("/bin/echo", "s3cret")


def test_a_person_is_asked_for_the_password(
    cli: Cli, radicale: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_module, "is_a_person_there", lambda: True)
    answers = iter(["", radicale.password])
    monkeypatch.setattr(getpass, "getpass", lambda prompt: next(answers))
    words = login(cli, radicale)[:-2]
    assert cli(*words).code == 2
    assert cli(*words, "--book", "contacts").code == 0


def test_accounts_are_listed_and_shown(cli: Cli, home: Home) -> None:
    (row,) = cli.json("account", "list")["accounts"]
    assert (row["name"], row["type"], row["state"]) == ("home", "carddav", "new")
    assert row["url"] == home.server.base_url
    shown = cli.json("account", "show", "home")
    assert shown["username"] == "alice" and [b["name"] for b in shown["books"] if b["selected"]] == [
        home.name
    ]
    assert home.server.base_url in cli.ok("account", "list")
    assert "never" in cli.ok("account", "show", "home")
    assert "Did you mean 'home'?" in cli("account", "show", "hom").err
    assert "no account yet" in Cli.__call__(_other(cli), "account", "list").err


def _other(cli: Cli) -> Cli:
    """The same hands on a device without accounts."""
    other = Cli(cli.folder, cli._capsys, cli._monkeypatch)
    other.config, other.data = cli.folder / "other.toml", cli.folder / "other"
    return other


def test_books_reads_the_list_anew(cli: Cli, home: Home) -> None:
    new = home.server.make_book(f"{home.name}-new")
    found = cli.json("account", "books", "home")["books"]
    home.server.delete_book(new)
    assert (new, False) in [(b["href"], b["selected"]) for b in found]
    gone = {b["href"]: b["gone"] for b in cli.json("account", "books", "home")["books"]}
    assert gone.get(new, True)


def test_settings_are_changed_and_the_server_is_asked_where_it_must_agree(cli: Cli, home: Home) -> None:
    cli.ok("account", "set", "home", "--mode", "pull", "--conflicts", "ask")
    account = load(cli.config).accounts[0]
    assert (account.mode, account.conflicts) == ("pull", "ask")
    wrong = cli.file("wrong", b"wrong")
    assert cli("account", "set", "home", "--password-file", wrong).code == 6
    assert cli("account", "set", "home", "--book", "nope").code == 2
    assert cli("account", "set", "home").code == 2
    cli.ok("account", "set", "home", "--mode", "two-way", "--book", "contacts")
    assert load(cli.config).accounts[0].books == ("/alice/contacts/",)
    cli.ok("account", "set", "home", "--all-books")
    assert load(cli.config).accounts[0].books == ()
    books = cli.json("account", "show", "home")["books"]
    assert all(book["selected"] for book in books)
    assert (
        cli.json("account", "set", "home", "--password-stdin", stdin=b"s3cret")["account"]["name"] == "home"
    )
    assert load(cli.config).accounts[0].password is None


def test_a_new_password_is_tried_before_it_is_kept(cli: Cli, home: Home) -> None:
    assert cli("account", "login", "home", "--password-stdin", stdin=b"wrong").code == 6
    assert load(cli.config).accounts[0].password is not None
    cli.ok("account", "login", "home", "--password-stdin", stdin=b"s3cret")
    assert load(cli.config).accounts[0].password is None
    cli.ok("sync")


def test_a_paused_account_is_left_out_until_it_is_resumed(cli: Cli, home: Home) -> None:
    cli.ok("account", "pause", "home")
    result = cli("sync")
    assert result.code == 0 and "account resume" in result.err
    assert cli.json("sync")["accounts"] == []
    cli.ok("account", "resume", "home")
    assert [a["name"] for a in cli.json("sync")["accounts"]] == ["home"]
    assert cli("account", "pause", "nobody").code == 2


def test_a_reset_deletes_nothing_and_links_again(cli: Cli, home: Home) -> None:
    cli.ok("contact", "put", stdin=ADA)
    cli.ok("sync")
    cli.ok("account", "reset", "home")
    cli.ok("sync")
    assert len(home.server.etags(home.book)) == 1
    assert [c["accounts"] for c in cli.json("contact", "list")["contacts"]] == [["home"]]


def test_a_removed_account_leaves_its_contacts_on_both_sides(cli: Cli, home: Home) -> None:
    cli.ok("contact", "put", stdin=ADA)
    cli.ok("sync")
    assert cli.json("account", "remove", "home") == {"name": "home", "removed": True, "trashed": 0}
    assert len(home.server.etags(home.book)) == 1
    assert len(cli.json("contact", "list")["contacts"]) == 1
    assert load(cli.config).accounts == ()


def test_a_removed_account_can_take_its_contacts_along_to_the_trash(cli: Cli, home: Home) -> None:
    cli.ok("contact", "put", stdin=ADA)
    cli.ok("sync")
    out = cli.ok("account", "remove", "home", "--delete-contacts")
    assert "1 contact of this device went to the trash" in out
    assert len(home.server.etags(home.book)) == 1
    assert [c["uid"] for c in cli.json("contact", "trash")["contacts"]] == ["ada"]
