"""A connector by others, held to its contract: what breaks a rule is named, and harms no other account.

Every call is made in a thread of the connector's own, with a limit of time (`waiting`), and every answer is
checked before it is believed (`contract`). Of a step that was handed over and got no answer nobody knows
whether it was done: it is `Unknown` (L33).
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any, cast

from contactsync.connectors import contract
from contactsync.connectors.base import (
    Capabilities,
    Change,
    Codec,
    Collection,
    Connector,
    Fact,
    GroupCodec,
    Outcome,
    Page,
    Payload,
    Place,
    Step,
    Traffic,
    Unknown,
)
from contactsync.connectors.contract import Breach, Rule, described, place_of, require, shown
from contactsync.connectors.waiting import NoAnswer, Raised, Worker, WrongThread
from contactsync.errors import (
    CodecError,
    ConfigError,
    ContactSyncError,
    ContractBroken,
    RemoteError,
    TransientError,
)
from contactsync.frozen import frozen
from contactsync.model.contact import Contact
from contactsync.model.group import GroupCard

#: Twice that, for the look whether there is news and the round after it, is less than what a service manager
#: allows (`contactsync.daemon.service`).
GIVE_UP_AFTER = timedelta(minutes=4)
#: A codec is asked inside a transaction, for which other programs wait no longer than half a minute.
CODEC_SECONDS = 20.0
METHODS = ("check", "collections", "changes", "fetch", "write", "traffic", "close")
CODEC_METHODS = ("read", "write", "project", "glimpse")

log = logging.getLogger(__name__)
_END = object()


@frozen
class Origin:
    """Which connector it is, and whose."""

    name: str
    distribution: str = ""
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name!r} ({self.package})" if self.distribution else repr(self.name)

    @property
    def package(self) -> str:
        return f"{self.distribution} {self.version}".strip()

    @property
    def author(self) -> str:
        return f"the author of {self.distribution or 'it'}"


def guard(make: Callable[[], object], origin: Origin, give_up_after: timedelta | None = None) -> Connector:
    """The connector that ``make`` gives, held to the contract. Raises `ConfigError` and `RemoteError`."""
    seconds = (give_up_after or GIVE_UP_AFTER).total_seconds()
    calls = _Calls(Worker(f"connector {origin.name}"), origin, seconds)
    with calls.naming():
        inner = calls.make("Its factory", make, ConfigError, RemoteError, rule=Rule.FACTORY)
        missing = calls.make("Its connector", lambda: _missing(inner, METHODS), rule=Rule.FACTORY)
        if missing:
            raise Breach(Rule.FACTORY, f"What its factory gave, {shown(inner)}, has no {missing[0]}.")
    more = [kind for kind, names in _MORE.items() if all(_has(inner, name) for name in names)]
    kind = type("Guarded", tuple(more), {}) if more else Guarded
    guarded = kind(inner, calls)
    _ = guarded.capabilities
    return cast(Connector, guarded)


def _missing(inner: object, methods: Sequence[str]) -> list[str]:
    return [name for name in methods if not callable(getattr(inner, name, None))]


def _has(inner: object, name: str) -> bool:
    """Without running any code of it."""
    return inspect.getattr_static(inner, name, _END) is not _END


@dataclass(slots=True)
class _Calls:
    """Calls into the code of others, and what their trouble is called."""

    worker: Worker
    origin: Origin
    seconds: float
    _gave_up_after: float = 0.0

    def make(
        self,
        what: str,
        work: Callable[[], Any],
        *allowed: type[ContactSyncError],
        rule: Rule = Rule.ERRORS,
        seconds: float | None = None,
    ) -> Any:
        """What the work gives. Raises what it is ``allowed`` to raise, `Breach` for all else, and
        `TransientError` where no answer comes."""
        seconds = self.seconds if seconds is None else min(seconds, self.seconds)
        try:
            found = self.worker.call(work, seconds)
        except NoAnswer:
            self._gave_up_after = self._gave_up_after or seconds
            raise self._no_answer() from None
        if not isinstance(found, Raised):
            return found.value
        match found.error:
            case WrongThread():
                raise Breach(Rule.STEPS, "write took a step in another thread.") from found.error
            case ContactSyncError() as error if isinstance(error, allowed):
                contract.check_error(error)
                raise error
            # a plug-in that calls sys.exit() must not end a round of others
            case Exception() | SystemExit() as error:
                raise Breach(rule, f"{what} raised {described(error)} ({place_of(error)}).") from error
            case error:
                raise error

    @contextmanager
    def naming(self) -> Iterator[None]:
        """What breaks a rule inside is told with the name of the connector."""
        try:
            yield
        except Breach as breach:
            raise self.broken(breach) from breach.__cause__

    def broken(self, breach: Breach) -> ContractBroken:
        hint = f"Report this to {self.origin.author}; nothing of this answer was believed."
        return ContractBroken(str(self.origin), breach.rule.value, breach.what, hint=hint)

    def card_trouble(self, breach: Breach) -> CodecError:
        """Of a codec, it is the trouble of one card, and the others go on (L35)."""
        return CodecError(
            f"The connector {self.origin} broke its contract. {breach.what} The rule: {breach.rule.value}",
            hint=f"Report this to {self.origin.author}.",
        )

    def _no_answer(self) -> TransientError:
        return TransientError(
            f"The connector {self.origin} gave no answer for {_spoken(self._gave_up_after)}.",
            hint=f"If its remote is well, report this to {self.origin.author}; the setting give_up_after "
            "is how long an answer may take.",
        )


class Guarded:
    """What `guard` gives; methods as in `Connector`."""

    def __init__(self, inner: Any, calls: _Calls) -> None:
        self._inner = inner
        self._calls = calls
        self._traffic = Traffic()

    @property
    def capabilities(self) -> Capabilities:
        with self._calls.naming():
            found = self._calls.make("capabilities", lambda: self._inner.capabilities, RemoteError)
            contract.check_capabilities(found)
        return cast(Capabilities, found)

    @cached_property
    def codec(self) -> Codec:
        with self._calls.naming():
            inner = self._calls.make("codec", lambda: self._inner.codec, RemoteError)
            if missing := self._calls.make("codec", lambda: _missing(inner, CODEC_METHODS)):
                raise Breach(Rule.TYPES, f"Its codec, {shown(inner)}, has no {missing[0]}.")
        return (_GroupCodec if isinstance(inner, GroupCodec) else _Codec)(inner, self._calls)

    def check(self) -> str:
        with self._calls.naming():
            found = self._call("check")
            require(str, found, "What check gave")
        return cast(str, found)

    def collections(self) -> Sequence[Collection]:
        with self._calls.naming():
            found = self._call("collections")
            contract.check_collections(found)
        return cast(Sequence[Collection], found)

    def changes(self, collection: str, cursor: str | None) -> Iterator[Page]:
        found = self._each("changes", collection, cursor)
        with self._calls.naming():
            yield from contract.pages(found, full=cursor is None, completes=self._completes)

    def fetch(self, collection: str, hrefs: Sequence[str]) -> Iterator[Change]:
        found = self._each("fetch", collection, hrefs)
        with self._calls.naming():
            yield from contract.fetched(found, hrefs, completes=self._completes)

    def write(self, collection: str, steps: Iterable[Step]) -> Iterator[Outcome]:
        can = self.capabilities
        taken = _Steps(self._calls.worker, iter(steps), 2 * can.parallel_writes * can.batch_size)
        stopped = False
        try:
            with self._calls.naming():
                for found in self._each("write", collection, taken):
                    outcome = contract.check_outcome(found, taken.open)
                    del taken.open[outcome.key]
                    stopped = stopped or contract.stops(outcome)
                    yield outcome
                if taken.open:
                    raise Breach(Rule.OUTCOMES, f"write gave no outcome for {len(taken.open)} steps.")
                if not (stopped or taken.ended):
                    raise Breach(Rule.STEPS, "write ended before it had taken all steps.")
        except RemoteError as error:
            yield from [Unknown(key, error) for key in taken.open]
            raise

    def traffic(self) -> Traffic:
        """As it was last, where the connector is not to be called any more."""
        if self._calls.worker.usable:
            with self._calls.naming():
                found = self._call("traffic")
                require(Traffic, found, "What traffic gave")
                self._traffic = found
        return self._traffic

    def close(self) -> None:
        """Nothing depends on how it ends, so trouble is only told."""
        if self._calls.worker.usable:
            try:
                with self._calls.naming():
                    self._call("close")
            except RemoteError as error:
                log.warning("%s", error)
        self._calls.worker.end()

    _completes = False

    def _call(self, method: str, *given: Any) -> Any:
        return self._calls.make(method, lambda: getattr(self._inner, method)(*given), RemoteError)

    def _each(self, method: str, *given: Any) -> Iterator[Any]:
        """The items that a method gives, each asked for by itself."""
        found = self._call(method, *given)
        require(Iterable, found, f"What {method} gave")
        items = self._calls.make(method, lambda: iter(found), RemoteError)
        try:
            while (item := self._calls.make(method, lambda: next(items, _END), RemoteError)) is not _END:
                yield item
        finally:
            if close := getattr(items, "close", None):
                self._calls.worker.post(close)


class _Steps:
    """What a connector takes its steps from: each is made by the caller of `Guarded.write`, right before it
    is handed over. ``open`` are those without an outcome, no more than the ``limit``."""

    def __init__(self, worker: Worker, source: Iterator[Step], limit: int) -> None:
        self.open: dict[int, Step] = {}
        self.ended = False
        self._worker = worker
        self._source = source
        self._limit = limit

    def __iter__(self) -> _Steps:
        return self

    def __next__(self) -> Step:
        step = self._worker.ask(self._take)
        if step is None:
            raise StopIteration
        return cast(Step, step)

    def _take(self) -> Step | None:
        if len(self.open) >= self._limit:
            raise Breach(Rule.STEPS, f"write took a step while {self._limit} others had no outcome.")
        step = next(self._source, None)
        if step is None:
            self.ended = True
        else:
            self.open[step.key] = step
        return step


class _Codec:
    """A codec that blames a card for what goes wrong with it, and the connector for the rest."""

    def __init__(self, inner: Any, calls: _Calls) -> None:
        self._inner = inner
        self._calls = calls

    def read(self, payload: Payload) -> Contact:
        return cast(Contact, self._of_card("read", Contact, payload))

    def write(self, contact: Contact, original: Payload | None) -> Payload:
        return cast(Payload, self._of_card("write", bytes, contact, original))

    def project(self, contact: Contact) -> Contact:
        with self._calls.naming():
            return cast(Contact, self._checked("project", Contact, contact))

    def glimpse(self, payload: Payload) -> str:
        """A name is a help only."""
        try:
            return cast(str, self._checked("glimpse", str, payload))
        except Breach as breach:
            log.warning("%s", self._calls.broken(breach))
            return ""

    def _of_card(self, method: str, kind: object, *given: Any) -> Any:
        try:
            return self._checked(method, kind, *given)
        except Breach as breach:
            raise self._calls.card_trouble(breach) from breach.__cause__

    def _checked(self, method: str, kind: object, *given: Any) -> Any:
        what = f"codec.{method}"

        def work() -> Any:
            return getattr(self._inner, method)(*given)

        found = self._calls.make(what, work, CodecError, rule=Rule.CODEC, seconds=CODEC_SECONDS)
        require(kind, found, f"What {what} gave")
        return found


class _GroupCodec(_Codec):
    def read_group(self, payload: Payload) -> GroupCard | None:
        return cast("GroupCard | None", self._of_card("read_group", GroupCard | None, payload))

    def write_group(self, group: GroupCard, uid: str, original: Payload | None) -> Payload:
        return cast(Payload, self._of_card("write_group", bytes, group, uid, original))


class _Completing(Guarded):
    _completes = True

    def complete(self, changes: Iterable[tuple[Change, Payload | None]]) -> Iterator[Change]:
        given = list(changes)
        found = self._each("complete", given)
        with self._calls.naming():
            yield from contract.completed(found, [change for change, _ in given])


class _Describing(Guarded):
    def about(self, collection: str) -> Iterator[Fact]:
        with self._calls.naming():
            for fact in self._each("about", collection):
                require(Fact, fact, "A fact")
                yield fact


class _Local(Guarded):
    def places(self, collections: Sequence[str]) -> Sequence[Place]:
        with self._calls.naming():
            found = self._call("places", collections)
            require(Sequence, found, "What places gave")
            for place in found:
                require(Place, place, "A place")
        return cast(Sequence[Place], found)


class _Locating(Guarded):
    @property
    def found_at(self) -> str:
        return cast(str, self._found("found_at", str))

    @property
    def found_as(self) -> str:
        return cast(str, self._found("found_as", str))

    @property
    def notes(self) -> Sequence[str]:
        return cast(Sequence[str], self._found("notes", Sequence[str]))

    def _found(self, name: str, kind: object) -> Any:
        with self._calls.naming():
            found = self._calls.make(name, lambda: getattr(self._inner, name), RemoteError)
            require(kind, found, name)
        return found


#: What a connector can do besides, by the names that show it.
_MORE: dict[type[Guarded], tuple[str, ...]] = {
    _Completing: ("complete",),
    _Describing: ("about",),
    _Local: ("places",),
    _Locating: ("found_at", "found_as", "notes"),
}


def _spoken(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    number, unit = (minutes, "minute") if minutes and not rest else (f"{seconds:g}", "second")
    return f"{number} {unit}{'' if number in (1, '1') else 's'}"
