"""The rules that a connector by others is held to, and the checks of what it answers.

A `Breach` says which rule was broken and by what; `contactsync.connectors.guard` looks after the calls.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
import typing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from contactsync.connectors.base import (
    Capabilities,
    Change,
    Collection,
    Delete,
    Outcome,
    Page,
    Refused,
    Removed,
    Step,
    Stored,
    Unknown,
)
from contactsync.errors import ContactSyncError, Recovery
from contactsync.log import redact

T = TypeVar("T")


class Rule(enum.Enum):
    """Each rule in one sentence, for people."""

    FACTORY = (
        "A factory sends nothing, and gives a connector with all methods; what is wrong with an account is a "
        "`ConfigError`."
    )
    ERRORS = "A method raises `RemoteError` and its children, and nothing else."
    TIME = "Each call, and each next page, card or outcome, comes in time."
    TYPES = (
        "An answer is of the type that the contract names, to its last part; an href is never empty, and a "
        "time is aware and in UTC."
    )
    CAPABILITIES = "`capabilities` is a `Capabilities` with numbers from 1 and names of contact fields."
    COLLECTIONS = "`collections` names each address book once."
    PAGES = (
        "A listing has one last page, which ends it; its pages are all full or none is, and without a cursor "
        "they are full."
    )
    CHANGES = (
        "A card that is gone or has an error has no payload, and only a connector with `complete` leaves one "
        "partial."
    )
    FETCH = (
        "`fetch` answers each href once, in the spelling of the question: with a payload, `gone`, or an "
        "error."
    )
    OUTCOMES = (
        "`write` gives one outcome for each step that it took: `Stored` for a card written, `Removed` for "
        "one deleted, else `Refused` or `Unknown`."
    )
    STEPS = (
        "`write` takes a step only when it is sent next, in the thread that called it, and takes them all "
        "unless an outcome stops the account."
    )
    CODEC = "A codec raises `CodecError`, and nothing else, for a card that it cannot read or write."

    @property
    def title(self) -> str:
        """One word for it."""
        return self.name.lower()


class Breach(Exception):
    """``what`` happened against ``rule``, as a sentence."""

    def __init__(self, rule: Rule, what: str) -> None:
        super().__init__(what)
        self.rule = rule
        self.what = what


# --- types ---------------------------------------------------------------------------------------

_Misfit = Callable[[Any], str]
"""What does not fit: "" for nothing, else the place (``.phones[0].number``) and what is there."""


def require(kind: object, value: object, what: str, rule: Rule = Rule.TYPES) -> None:
    """Raises `Breach` where the value is not of this type, or anything in it is not as annotated."""
    if found := _misfit(kind)(value):
        raise Breach(rule, f"{what}{found}.")


@functools.cache
def _misfit(kind: Any) -> _Misfit:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return lambda value: ""
    if origin in (types.UnionType, typing.Union):
        return _one_of([_misfit(part) for part in arguments])
    if origin is tuple and arguments[-1] is not Ellipsis:
        return _pair(arguments)
    if origin is not None:
        return _many(origin, _misfit(arguments[0]))
    return {str: _text, datetime: _time}.get(kind) or _plain(kind)


def _plain(kind: Any) -> _Misfit:
    parts: dict[str, _Misfit] = {}
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        parts = {field.name: _misfit(hints[field.name]) for field in dataclasses.fields(kind)}

    def misfit(value: Any) -> str:
        if not isinstance(value, kind):
            return f" is {shown(value)}"
        for name, part in parts.items():
            if found := part(getattr(value, name)):
                return f".{name}{found}"
        return ""

    return misfit


def _one_of(parts: Sequence[_Misfit]) -> _Misfit:
    return lambda value: "" if any(not part(value) for part in parts) else parts[0](value)


def _pair(arguments: tuple[Any, ...]) -> _Misfit:
    parts = [_misfit(part) for part in arguments]

    def misfit(value: Any) -> str:
        if not isinstance(value, tuple) or len(value) != len(parts):
            return f" is {shown(value)}"
        return next((found for part, one in zip(parts, value, strict=True) if (found := part(one))), "")

    return misfit


def _many(kind: Any, part: _Misfit) -> _Misfit:
    def misfit(value: Any) -> str:
        if not isinstance(value, kind) or isinstance(value, str):
            return f" is {shown(value)}"
        for number, one in enumerate(value):
            if found := part(one):
                return f"[{number}]{found}"
        return ""

    return misfit


def _text(value: Any) -> str:
    if not isinstance(value, str):
        return f" is {shown(value)}"
    try:
        value.isascii() or value.encode()
    except UnicodeEncodeError:
        return " has letters that cannot be written"
    return ""


def _time(value: Any) -> str:
    if not isinstance(value, datetime):
        return f" is {shown(value)}"
    return "" if value.utcoffset() == timedelta(0) else " is not in UTC"


def shown(value: object) -> str:
    """What it is, never what it says: that may be somebody's data."""
    return "None" if value is None else f"of type {type(value).__name__}"


def described(error: BaseException) -> str:
    """An error of the code of others in one short line, without what looks like a secret."""
    try:
        text = redact(" ".join(str(error).split()))
    except Exception:
        text = ""
    return f"{type(error).__name__}{f': {text[:200]}' if text else ''}".rstrip(".")


def place_of(error: BaseException) -> str:
    """Where it was raised, for the author: ``contactsync_odd.py, line 62``."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is None:
        return "nobody knows where"
    return f"{Path(frame.tb_frame.f_code.co_filename).name}, line {frame.tb_lineno}"


# --- answers -------------------------------------------------------------------------------------


def check_error(error: ContactSyncError) -> None:
    """An error with a constructor of its own may lack what everybody reads of it."""
    parts = {"message": str, "hint": str, "href": str, "retry_after": timedelta | None}
    right = [isinstance(getattr(error, name), kind) for name, kind in parts.items() if hasattr(error, name)]
    if not (all(right) and hasattr(error, "message") and hasattr(error, "hint")):
        raise Breach(Rule.ERRORS, f"A {type(error).__name__} has no message or hint, or they are no text.")


def check_capabilities(found: object) -> None:
    from contactsync.model.fields import FIELD

    require(Capabilities, found, "capabilities", Rule.CAPABILITIES)
    assert isinstance(found, Capabilities)
    if min(found.parallel_writes, found.batch_size) < 1 or found.settles_after < timedelta(0):
        raise Breach(Rule.CAPABILITIES, "A number in capabilities is too small.")
    if unknown := sorted((found.fields | found.written_apart) - set(FIELD)):
        raise Breach(Rule.CAPABILITIES, f"capabilities name {unknown[0]!r}, which is no field of a contact.")


def check_collections(found: object) -> None:
    require(Sequence[Collection], found, "What collections gave")
    assert isinstance(found, Sequence)
    hrefs = [book.href for book in found]
    if "" in hrefs:
        raise Breach(Rule.TYPES, "An address book has an empty href.")
    if len(set(hrefs)) < len(hrefs):
        raise Breach(Rule.COLLECTIONS, "Two address books have the same href.")


def pages(found: Iterable[Any], *, full: bool, completes: bool) -> Iterator[Page]:
    """The pages of a listing as they come; ``full`` is what they have to be, where there is no cursor."""
    whole: bool | None = True if full else None
    ended = False
    for page in found:
        if ended:
            raise Breach(Rule.PAGES, "Another page came after the last one.")
        require(Page, page, "A page that changes gave")
        for change in page.changes:
            _check_change(change, completes)
        if whole is not None and page.full != whole:
            raise Breach(
                Rule.PAGES, f"A page is {'' if page.full else 'not '}full where it must be otherwise."
            )
        whole, ended = page.full, page.last
        yield page
    if not ended:
        raise Breach(Rule.PAGES, "A listing ended without a last page.")


def fetched(found: Iterable[Any], hrefs: Sequence[str], *, completes: bool) -> Iterator[Change]:
    """The cards that were asked for, as they come."""
    asked = Counter(hrefs)
    answered: set[str] = set()
    for change in found:
        require(Change, change, "A card that fetch gave")
        _check_change(change, completes)
        if asked[change.href] < 1:
            raise Breach(Rule.FETCH, "fetch gave a card that it was not asked for, or the same one twice.")
        if change.payload is None and not (change.gone or change.error or change.partial):
            raise Breach(Rule.FETCH, "fetch gave a card without its payload.")
        asked[change.href] -= 1
        answered.add(change.href)
        yield change
    if missing := len(asked.keys() - answered):
        raise Breach(Rule.FETCH, f"fetch gave no answer for {missing} of {len(asked)} cards.")


def completed(found: Iterable[Any], changes: Iterable[Change]) -> Iterator[Change]:
    """What was partial, whole."""
    for change in fetched(found, [change.href for change in changes], completes=True):
        if change.partial:
            raise Breach(Rule.CHANGES, "complete gave a card that is still partial.")
        yield change


def _check_change(change: Change, completes: bool) -> None:
    if not change.href:
        raise Breach(Rule.TYPES, "A card has an empty href.")
    if change.payload is not None and (change.gone or change.error is not None):
        raise Breach(Rule.CHANGES, "A card that is gone, or has an error, has a payload.")
    if change.error is not None:
        check_error(change.error)
    if change.partial and not completes:
        raise Breach(Rule.CHANGES, "A card is partial, and there is no `complete` to make it whole.")


def check_outcome(outcome: object, steps: Mapping[int, Step]) -> Outcome:
    """``steps`` are those that were taken and have no outcome yet, by key."""
    require(Outcome, outcome, "An outcome that write gave")
    found = typing.cast(Outcome, outcome)
    step = steps.get(found.key)
    if step is None:
        raise Breach(Rule.OUTCOMES, f"write gave an outcome for the key {found.key}, which waits for none.")
    if isinstance(found, Removed if not isinstance(step, Delete) else Stored):
        raise Breach(Rule.OUTCOMES, f"write answered a {type(step).__name__} with {type(found).__name__}.")
    if isinstance(found, Refused | Unknown):
        check_error(found.error)
    elif not found.href:
        raise Breach(Rule.OUTCOMES, "write stored or removed a card without naming its href.")
    return found


def stops(outcome: Outcome) -> bool:
    """Does the engine send nothing more after it?"""
    return isinstance(outcome, Refused) and outcome.error.recovery not in (
        Recovery.REPLAN,
        Recovery.SKIP_CARD,
    )
