"""``account book``: settings of one address book on the command line."""

from __future__ import annotations

from tests.cli.conftest import Cli, Home, card

FAMILY = card("ada", "Ada", "CATEGORIES:Family")


def test_a_filter_is_tried_set_shown_and_taken_away(cli: Cli, home: Home) -> None:
    cli.ok("contact", "put", stdin=FAMILY + card("bob", "Bob"))
    cli.ok("sync")
    cli.ok("sync")
    before = cli.config.read_text()
    planned = cli("account", "book", "home", home.name, "--only-group", "Family", "--dry-run")
    assert planned.code == 0
    assert "would let go of 1" in planned.out
    assert f"let go of Bob in {home.name}: the filter leaves it out, and the card stays there" in planned.out
    assert cli.config.read_text() == before
    cli.ok("account", "book", "home", home.name, "--only-group", "Family", "--conflicts", "ask")
    assert 'only_groups = ["Family"]' in cli.config.read_text()
    assert cli.json("account", "book", "home", home.name)["book"]["only_groups"] == ["Family"]
    assert "let go of 1" in cli.ok("sync")
    assert len(home.server.etags(home.book)) == 2
    cli.ok("account", "book", "home", home.name, "--everybody")
    text = cli.config.read_text()
    assert "only_groups" not in text and 'conflicts = "ask"' in text
    cli.ok("contact", "put", stdin=card("bob", "Bob", "NOTE:again"))
    cli.ok("sync")
    assert any(b"NOTE:again" in (home.server.get(h) or b"") for h in home.server.etags(home.book))


def test_a_book_stands_for_a_group(cli: Cli, home: Home) -> None:
    cli.ok("account", "set", "home", "--default-book", home.name)
    cli.ok("account", "book", "home", home.name, "--group", "Choir")
    home.server.put(home.book + "x.vcf", card("x", "Xenia"))
    cli.ok("sync")
    assert "Xenia" in cli.ok("contact", "list", "--group", "Choir")


def test_slips_are_named(cli: Cli, home: Home) -> None:
    unknown = cli("account", "book", "home", "nowhere", "--mode", "pull")
    assert unknown.code == 2 and home.name in unknown.err
    wrong = cli("account", "book", "home", home.name, "--only-with", "phone", "--dry-run")
    assert wrong.code == 2 and "phones" in wrong.err
