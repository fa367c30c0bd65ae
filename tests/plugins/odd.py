"""A connector by others that goes wrong where its options say so: ``place`` and ``kind`` of the trouble.

It is copied into a distribution of its own by the tests, and imports nothing from here.
"""

from __future__ import annotations

import threading
from typing import Any

from contactsync.connectors.base import Capabilities
from contactsync.connectors.memory import Habits, MemoryConnector, MemoryServer
from contactsync.errors import RemoteError
from contactsync.vcard.codec import VCardCodec

CONTRACT = 1


class Trouble:
    def __init__(self, options: Any) -> None:
        self.place = options.get("place", "")
        self.kind = options.get("kind", "")

    def at(self, place: str, right: Any) -> Any:
        """``right`` where all is well, else what the kind of trouble makes of it."""
        if self.place != place:
            return right
        if self.kind == "raise":
            raise KeyError("boom")
        if self.kind == "exit":
            raise SystemExit(0)
        if self.kind == "remote":
            raise RemoteError("The remote is on fire.")
        if self.kind == "hang":
            threading.Event().wait()
        return 42

    def after_first(self, place: str, items: Any) -> Any:
        for item in items:
            yield item
            if self.place == place:
                yield self.at(place, None)

    def before_first(self, place: str, items: Any) -> Any:
        """The first item is made, and does not come out."""
        for item in items:
            yield self.at(place, item)


class Codec(VCardCodec):
    def __init__(self, trouble: Trouble) -> None:
        super().__init__()
        self.trouble = trouble

    def read(self, payload: bytes) -> Any:
        return self.trouble.at("codec.read", super().read(payload))

    def read_group(self, payload: bytes) -> Any:
        return self.trouble.at("codec.read_group", super().read_group(payload))

    def write(self, contact: Any, original: bytes | None) -> Any:
        return self.trouble.at("codec.write", super().write(contact, original))

    def project(self, contact: Any) -> Any:
        return self.trouble.at("codec.project", super().project(contact))


class OddConnector(MemoryConnector):
    def __init__(self, settings: Any) -> None:
        self.trouble = Trouble(settings.options)
        server = MemoryServer.named(settings.url)
        server.habits = Habits(page_size=1)
        can = Capabilities(group_cards=bool(settings.options.get("groups")))
        super().__init__(server, Codec(self.trouble), can)

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name in ("capabilities", "codec") and "trouble" in super().__getattribute__("__dict__"):
            return super().__getattribute__("trouble").at(name, found)
        return found

    def check(self) -> Any:
        return self.trouble.at("check", super().check())

    def collections(self) -> Any:
        return self.trouble.at("collections", super().collections())

    def changes(self, collection: str, cursor: str | None) -> Any:
        pages = self.trouble.at("changes", super().changes(collection, cursor))
        return pages if pages == 42 else self.trouble.after_first("pages", pages)

    def fetch(self, collection: str, hrefs: Any) -> Any:
        cards = self.trouble.at("fetch", super().fetch(collection, hrefs))
        return cards if cards == 42 else self.trouble.before_first("cards", cards)

    def write(self, collection: str, steps: Any) -> Any:
        outcomes = self.trouble.at("write", super().write(collection, steps))
        return outcomes if outcomes == 42 else self.trouble.before_first("outcomes", outcomes)

    def traffic(self) -> Any:
        return self.trouble.at("traffic", super().traffic())

    def close(self) -> None:
        self.trouble.at("close", super().close())


def factory(settings: Any) -> OddConnector:
    return OddConnector(settings)
