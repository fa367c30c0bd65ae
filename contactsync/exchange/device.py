"""What importing and exporting need of an open device; `contactsync.api.Engine` is one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from contactsync.engine.hub import HubEdits
from contactsync.store.store import Store
from contactsync.store.values import StoredContact


class Clockwork(Protocol):
    """Time and new names, as the program that embeds the engine gives them."""

    @property
    def now(self) -> Callable[[], datetime]: ...

    @property
    def new_id(self) -> Callable[[], str]: ...


class Device(Protocol):
    """A device database with the person's edits."""

    @property
    def store(self) -> Store: ...

    @property
    def hub(self) -> HubEdits: ...

    @property
    def hooks(self) -> Clockwork: ...

    def contacts(self, query: str = "", group: str = "") -> list[StoredContact]: ...
