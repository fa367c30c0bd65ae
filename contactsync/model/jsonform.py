"""The canonical JSON form of a contact: what the store keeps, hashes and compares.

Empty values are left out, keys are sorted, sets are sorted lists, so equal contacts give equal
text. Photo bytes are never part of it (L19 table: documents refer by hash).
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import operator
import types
import typing
from collections.abc import Callable
from datetime import datetime
from typing import Any

from contactsync.errors import CodecError
from contactsync.model.contact import Contact

VERSION = 1
MOST_KEPT = 1024
REMOTE_ONLY = frozenset({"ref", "updated", "uid"})


def dumps(contact: Contact, *, remote: bool = False) -> str:
    """Canonical JSON. ``remote`` keeps what only a shadow of a remote needs: refs, uid, REV."""
    if remote:
        return encode(to_json(contact, remote=True))
    known = _written.get(id(contact))
    if known is not None and known[0] is contact:
        return known[1]
    text = encode(to_json(contact))
    if any(media.data is not None for media in contact.media):
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
    if kind is tuple:
        return [part if type(part) is str else to_json(part, remote=remote) for part in value]
    if kind is frozenset:
        return sorted(value)
    shape = _shape(kind, remote)
    if shape is None:
        return value.isoformat() if kind is datetime else value
    names, empty, parts = shape
    return {
        name: part if type(part) is str else to_json(part, remote=remote)
        for name, nothing, part in zip(names, empty, parts(value), strict=False)
        if part != nothing
    }


@functools.lru_cache(maxsize=MOST_KEPT)
def loads(text: str, **known: str) -> Contact:
    """The contact of `dumps`, with the ``uid`` where that is known. Raises `CodecError` for anything else.

    Those read last are kept: a contact, its shadow, and both once more in the same round, are one text.
    """
    try:
        return typing.cast(Contact, from_json(Contact, {**json.loads(text), **known}))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CodecError(f"This is not a contact document of version {VERSION}: {error}.") from error


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
def _shape(kind: type, remote: bool) -> tuple[tuple[str, ...], tuple[Any, ...], Callable[[Any], Any]] | None:
    """The fields that belong to the document: their names in order, their empty values (required ones are
    never empty), and how to get them all. None for what is no dataclass."""
    if not dataclasses.is_dataclass(kind):
        return None
    fields = [(f.name, f.default) for f in dataclasses.fields(kind)]
    kept = [(name, empty) for name, empty in fields if name != "data" and (remote or name not in REMOTE_ONLY)]
    names, empty = zip(*kept, strict=True)
    if len(names) == 1:
        return names, empty, lambda value: (getattr(value, names[0]),)
    return names, empty, operator.attrgetter(*names)


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
