"""The log: run id in every line, the two formats, and no secret in any of them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from contactsync import log
from contactsync.api import Engine, Hooks
from contactsync.config import AccountConfig, Config
from contactsync.connectors.memory import MemoryConnector, MemoryServer
from contactsync.vcard.codec import VCardCodec
from tests.e2e.devices import card

SECRET = "hUnt3r.2-x_y"


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("", "contactsync", "urllib3")]
    handlers, levels = list(loggers[0].handlers), [logger.level for logger in loggers]
    loggers[2].setLevel(logging.NOTSET)  # the command line sets it, also in this process
    yield
    loggers[0].handlers[:] = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    log.set_run(None)


def lines(verbosity: int = 0, *, json_lines: bool = False) -> io.StringIO:
    stream = io.StringIO()
    log.setup(verbosity, json_lines=json_lines, stream=stream)
    return stream


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Basic {SECRET}",
        f"authorization: Digest username=ada, response={SECRET}",
        f"{{'Authorization': 'Bearer {SECRET}', 'Accept': 'x'}}",
        f"{{'Authorization': b'Basic {SECRET}', 'Accept': 'x'}}",
        f"send: b'GET / HTTP/1.1\\r\\nAuthorization: Basic {SECRET}\\r\\n'",
        f"Proxy-Authorization: {SECRET}",
        f"Cookie: a=1; session={SECRET}",
        f"Set-Cookie: session={SECRET}; Path=/",
        f"https://ada:{SECRET}@dav.example.org/books/",
        f"https://{SECRET}@dav.example.org/books/",
        f"password={SECRET}",
        f"password = '{SECRET}'",
        f'{{"client_secret": "a\\"{SECRET}", "x": 1}}',
        f'{{"access_token": "{SECRET}", "expires_in": 3600}}',
        f"grant_type=refresh_token&refresh_token={SECRET}&client_id=7",
        f"GET /callback?code={SECRET}&state={SECRET} HTTP/1.1",
        f"sent Bearer {SECRET}",
        f"got ya29.{SECRET}",
        f"id eyJ{SECRET}.{SECRET}.sig",
        f"X-Api-Key: {SECRET}",
        f"passphrase: two words {SECRET}",
    ],
)
def test_secrets_are_masked(text: str) -> None:
    assert SECRET not in log.redact(text)
    assert log.MASK in log.redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "PROPFIND https://dav.example.org/books/ 207 in 12 ms",
        "mail ada@example.org changed",
        "sync-token: https://example.org/ns/sync/17",
        "pageToken=abc syncToken=def",
        "The password command 'pass' of the account 'work' failed with exit code 2.",
        "server offers Basic authentication",
    ],
)
def test_what_is_no_secret_stays_readable(text: str) -> None:
    assert log.redact(text) == text


def test_the_rest_of_a_masked_line_stays() -> None:
    assert log.redact("{'Cookie': 'a=1', 'Accept': 'x'}") == "{'Cookie': ***, 'Accept': 'x'}"
    assert log.redact("a=1&token=t&b=2") == "a=1&token=***&b=2"


def test_every_line_has_the_run() -> None:
    stream = lines()
    logger = logging.getLogger("contactsync.engine.run")
    logger.warning("one")
    log.set_run(17)
    logger.warning("two")
    first, second = stream.getvalue().splitlines()
    assert first.endswith("run - WARNING contactsync.engine.run: one")
    assert second.endswith("run 17 WARNING contactsync.engine.run: two")


def test_what_a_round_logs_names_the_round(tmp_path: Path) -> None:
    stream = lines()
    server = MemoryServer()
    server.put("/contacts/ada.vcf", card("ada"))
    hooks = Hooks(
        connect=lambda settings: MemoryConnector(server, VCardCodec()),
        step=lambda name: logging.getLogger("contactsync.engine").warning(name),
    )
    config = Config(tmp_path / "config.toml", accounts=(AccountConfig("home", "memory"),))
    with Engine(config, tmp_path, hooks=hooks) as engine:
        run = engine.sync().run
        assert f"run {run} WARNING contactsync.engine: committed" in stream.getvalue()
        logging.getLogger("contactsync").warning("over")
    assert stream.getvalue().splitlines()[-1].endswith("run - WARNING contactsync: over")


def test_arguments_and_tracebacks_are_masked_too() -> None:
    for json_lines in (False, True):
        stream = lines(json_lines=json_lines)
        try:
            raise ValueError(f"password={SECRET}")
        except ValueError:
            logging.getLogger("contactsync").exception("asked %s", f"https://u:{SECRET}@h/")
        assert SECRET not in stream.getvalue()
        assert "ValueError" in stream.getvalue()


def test_json_lines_are_objects() -> None:
    stream = lines(json_lines=True)
    log.set_run("abc")
    logging.getLogger("contactsync.sync").error('said "no" to Zoë')
    line = json.loads(stream.getvalue())
    assert line.pop("at").endswith("+00:00")
    assert line == {
        "run": "abc",
        "level": "error",
        "logger": "contactsync.sync",
        "message": 'said "no" to Zoë',
    }


@pytest.mark.parametrize(
    ("verbosity", "ours", "theirs"),
    [
        (-1, "E", "E"),
        (-2, "E", "E"),
        (0, "WE", "WE"),
        (1, "IWE", "WE"),
        (2, "DIWE", "WE"),
        (3, "DIWE", "DIWE"),
    ],
)
def test_verbosity(verbosity: int, ours: str, theirs: str) -> None:
    stream = lines(verbosity)
    for name in ("contactsync.x", "urllib3.x"):
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            logging.getLogger(name).log(level, "m")
    seen = [line.split()[3][0] + line.split()[4][0] for line in stream.getvalue().splitlines()]
    assert "".join(word[0] for word in seen if word[1] == "c") == ours
    assert "".join(word[0] for word in seen if word[1] == "u") == theirs


def test_a_second_set_up_replaces_the_first() -> None:
    first, second = lines(), lines()
    logging.getLogger("contactsync").error("once")
    assert first.getvalue() == ""
    assert second.getvalue().count("once") == 1
