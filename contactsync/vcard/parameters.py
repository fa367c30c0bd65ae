"""The parameters of new lines, and of those that are there with what an edit changes."""

from __future__ import annotations

from contactsync.vcard.heads import Params, plain_param
from contactsync.vcard.lines import param_value
from contactsync.vcard.shapes import Draft


def params_of(draft: Draft, version: str) -> Params:
    """The parameters of a new line."""
    words = [*draft.words, "pref"] if draft.pref == 1 and version != "4.0" else list(draft.words)
    found = _with_words([], words, version) if words else []
    found += [(name, param_value(text)) for name, text in draft.params.items()]
    if draft.pref is not None and (version == "4.0" or draft.pref != 1):
        found.append(("PREF", str(draft.pref)))
    return tuple(found)


def edit_params(params: Params, old: Draft, new: Draft, version: str) -> Params:
    """The parameters of a line with what differs between two drafts; all others stay as spelled."""
    drop = {word.lower() for word in old.words if word not in new.words}
    add = [word for word in new.words if word not in old.words]
    gone = {name for name in {*old.params, *new.params} if old.params.get(name) != new.params.get(name)}
    if old.pref != new.pref:
        drop.add("pref")
        gone.add("PREF")
        add += ["pref"] if new.pref == 1 and version != "4.0" else []
    kept: list[tuple[str, str]] = []
    for key, value in params:
        if key.upper() not in gone:
            kept += _without_words(key, value, drop)
    if add:
        kept = _with_words(kept, add, version)
    fresh = {name: text for name, text in new.params.items() if name in gone}
    if old.pref != new.pref and new.pref is not None and (version == "4.0" or new.pref != 1):
        fresh["PREF"] = str(new.pref)
    return (*kept, *((name, param_value(text)) for name, text in fresh.items()))


def _without_words(key: str, value: str, drop: set[str]) -> list[tuple[str, str]]:
    if not key:
        return [] if value.lower() in drop else [(key, value)]
    if key.upper() != "TYPE" or not drop:
        return [(key, value)]
    words = plain_param(value).split(",")
    rest = [word for word in words if word.strip().lower() not in drop]
    if len(rest) == len(words):
        return [(key, value)]
    joined = ",".join(rest)
    return [(key, f'"{joined}"' if value.startswith('"') else joined)] if rest else []


def _with_words(params: list[tuple[str, str]], add: list[str], version: str) -> list[tuple[str, str]]:
    """New TYPE words in the spelling of the line: bare in 2.1, upper case where the others are."""
    types = [(key, value) for key, value in params if key.upper() == "TYPE"]
    if version == "2.1" and not types:
        return [*params, *(("", word.upper()) for word in add)]
    upper = bool(types) and types[-1][1].isupper()
    words = ",".join(word.upper() if upper else word for word in add)
    at = params.index(types[-1]) + 1 if types else len(params)
    return [*params[:at], (types[-1][0] if types else "TYPE", words), *params[at:]]


def with_param(params: Params, name: str, value: str) -> Params:
    if any(key.upper() == name for key, _ in params):
        return tuple((key, value if key.upper() == name else text) for key, text in params)
    return (*params, (name, value))
