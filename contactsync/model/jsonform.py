"""The canonical JSON form of a contact: what the store keeps, hashes and compares.

Empty values are left out, keys are sorted, sets are sorted lists, so equal contacts give equal
text. Photo bytes are never part of it (L19 table: documents refer by hash).
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import types
import typing
from collections.abc import Callable
from datetime import datetime
from typing import Any

from contactsync.errors import CodecError
from contactsync.model.contact import Contact

VERSION = 1
MOST_KEPT = 1024
LONGEST_KEPT = 2**15
REMOTE_ONLY = frozenset({"ref", "updated", "uid"})


def dumps(contact: Contact, *, remote: bool = False) -> str:
    """Canonical JSON. ``remote`` keeps what only a shadow of a remote needs: refs, uid, REV."""
    if remote:
        return encode(to_json(contact, remote=True))
    known = _written.get(id(contact))
    if known is not None and known[0] is contact:
        return known[1]
    text = encode(to_json(contact))
    if len(text) > LONGEST_KEPT or any(media.data is not None for media in contact.media):
        return text  # photos are not kept in memory for the sake of a few microseconds
    if len(_written) >= MOST_KEPT:
        _written.clear()
    _written[id(contact)] = contact, text
    return text


#: What was written last, by identity: a new contact is a document, a step, and a shadow at once.
_written: dict[int, tuple[Contact, str]] = {}


#: The text of plain JSON values: equal ones have the same, in whatever order their names come.
encode = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False
).encode


def to_json(value: Any, *, remote: bool = False) -> Any:
    """Plain JSON values of any model value."""
    kind: type = type(value)
    if dataclasses.is_dataclass(kind):
        return _writer(kind, remote)(value)
    if kind is tuple:
        return [to_json(part, remote=remote) for part in value]
    if kind is frozenset:
        return sorted(value)
    return value.isoformat() if kind is datetime else value


def loads(text: str, **known: str) -> Contact:
    """The contact of `dumps`, with the ``uid`` where that is known. Raises `CodecError` for anything else.

    Those read last are kept: a contact, its shadow, and both once more in the same round, are one text.
    """
    return (_read if len(text) > LONGEST_KEPT else kept)(text, **known)


def _read(text: str, **known: str) -> Contact:
    try:
        return typing.cast(Contact, from_json(Contact, {**json.loads(text), **known}))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CodecError(f"This is not a contact document of version {VERSION}: {error}.") from error


kept = functools.lru_cache(maxsize=MOST_KEPT)(_read)


def from_json(kind: type, content: dict[str, Any]) -> Any:
    """A model value of dataclass ``kind`` from its JSON form."""
    readers = _readers(kind)
    return kind(
        **{name: value if (read := readers[name]) is None else read(value) for name, value in content.items()}
    )


def content_hash(contact: Contact) -> str:
    """32 hex digits over the content, the same for equal documents."""
    return text_hash(dumps(contact))


def text_hash(document: str) -> str:
    return hashlib.sha256(document.encode()).hexdigest()[:32]


@functools.cache
def _writer(kind: type, remote: bool) -> Callable[[Any], dict[str, Any]]:
    """How dataclass ``kind`` is written: what belongs to the document and is not empty (what is required
    never is)."""
    hints = typing.get_type_hints(kind)
    fields = [
        (field.name, field.default, _part_writer(hints[field.name], remote))
        for field in dataclasses.fields(kind)
        if field.name != "data" and (remote or field.name not in REMOTE_ONLY)
    ]
    return lambda value: {
        name: part if write is None else write(part)
        for name, empty, write in fields
        if (part := getattr(value, name)) != empty
    }


def _part_writer(hint: Any, remote: bool) -> Callable[[Any], Any] | None:
    """How a value of this type is written; None for what is the same here and there."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is frozenset:
        return sorted
    if origin is tuple:
        inner = _part_writer(arguments[0], remote)
        return list if inner is None else lambda parts: [inner(part) for part in parts]
    if origin is types.UnionType:
        return _part_writer(arguments[0], remote)
    if hint is datetime:
        return datetime.isoformat
    kind: type = hint
    return _writer(kind, remote) if dataclasses.is_dataclass(kind) else None


@functools.cache
def _readers(kind: type) -> dict[str, Callable[[Any], Any] | None]:
    """How the JSON of each field is read; None for what is the same here and there."""
    return {name: _reader(hint) for name, hint in typing.get_type_hints(kind).items()}


def _reader(hint: Any) -> Callable[[Any], Any] | None:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is frozenset:
        return frozenset
    if origin is tuple and arguments[-1] is Ellipsis:
        inner = _reader(arguments[0])
        return tuple if inner is None else lambda content: tuple([inner(part) for part in content])
    if origin is tuple:
        return tuple
    if origin is types.UnionType:
        return _reader(arguments[0])
    if hint is datetime:
        return datetime.fromisoformat
    if dataclasses.is_dataclass(hint):
        return functools.partial(from_json, hint)  # type: ignore[arg-type]
    return None
