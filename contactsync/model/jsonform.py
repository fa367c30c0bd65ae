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
REMOTE_ONLY = frozenset({"ref", "updated", "uid"})


def dumps(contact: Contact, *, remote: bool = False) -> str:
    """Canonical JSON. ``remote`` keeps what only a shadow of a remote needs: refs, uid, REV."""
    content = to_json(contact, remote=remote)
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def to_json(value: Any, *, remote: bool = False) -> Any:
    """Plain JSON values of any model value."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            name: to_json(part, remote=remote)
            for name, empty in _shape(type(value))
            if (part := getattr(value, name)) != empty and (remote or name not in REMOTE_ONLY)
        }
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [to_json(part, remote=remote) for part in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value


def loads(text: str) -> Contact:
    """The contact of `dumps`. Raises `CodecError` for anything else."""
    try:
        return typing.cast(Contact, from_json(Contact, json.loads(text)))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CodecError(f"This is not a contact document of version {VERSION}: {error}.") from error


def from_json(kind: type, content: dict[str, Any]) -> Any:
    """A model value of dataclass ``kind`` from its JSON form."""
    readers = _readers(kind)
    return kind(**{name: readers[name](value) for name, value in content.items()})


def content_hash(contact: Contact) -> str:
    """32 hex digits over the content, the same for equal documents."""
    return text_hash(dumps(contact))


def text_hash(document: str) -> str:
    return hashlib.sha256(document.encode()).hexdigest()[:32]


@functools.cache
def _shape(kind: type) -> tuple[tuple[str, Any], ...]:
    """Name and empty value of each field that belongs to the document; required ones are never empty."""
    return tuple((f.name, f.default) for f in dataclasses.fields(kind) if f.name != "data")


@functools.cache
def _readers(kind: type) -> dict[str, Callable[[Any], Any]]:
    return {name: _reader(hint) for name, hint in typing.get_type_hints(kind).items()}


def _reader(hint: Any) -> Callable[[Any], Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is frozenset:
        return frozenset
    if origin is tuple and arguments[-1] is Ellipsis:
        inner = _reader(arguments[0])
        return lambda content: tuple(inner(part) for part in content)
    if origin is tuple:
        return tuple
    if origin is types.UnionType:
        return _reader(arguments[0])
    if hint is datetime:
        return datetime.fromisoformat
    if dataclasses.is_dataclass(hint):
        return functools.partial(from_json, hint)  # type: ignore[arg-type]
    return lambda content: content
