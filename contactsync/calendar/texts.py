"""What a person writes into the configuration about an event: its words, and when its alarm goes off.

A text has fields in braces, ``{name}``; a part in square brackets is left out where a field in it is empty:
``{name}[ (*{year})]``. Doubled, ``{{ }} [[ ]]`` stand for themselves. `str.format` is not used: it would let
a text look into the program.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

FIELDS = ("name", "given", "surname", "nickname", "organization", "label", "year")
KINDS = ("birth", "wedding", "death", "other")

_TOKEN = re.compile(r"\{\{|\}\}|\[\[|\]\]|\{(?P<field>\w*)\}|(?P<stray>[\[\]{}])|[^\[\]{}]+")
_CONTROLS = dict.fromkeys((*range(0x20), 0x7F))
_DOUBLED = ("{{", "}}", "[[", "]]")
_ALARM = re.compile(r"(?:(?P<days>[0-9]{1,3})d)?\s*(?:(?P<hour>[0-2]?[0-9]):(?P<minute>[0-5][0-9]))?")


def problem_of(text: str) -> str:
    """What is wrong with a text, in words; empty where nothing is."""
    inside = False
    for token in _TOKEN.finditer(text):
        field, stray = token["field"], token["stray"]
        if field is not None and field not in FIELDS:
            return f"{{{field}}} is no field. There are: {', '.join(f'{{{name}}}' for name in FIELDS)}."
        if stray in ("{", "}"):
            return f"a single {stray} has no meaning; write {stray * 2} for the character."
        if stray is not None:
            if (stray == "]") != inside:
                return f"the {stray} has no partner, or stands within another pair; write {stray * 2} for it."
            inside = not inside
    return "the [ has no partner; write [[ for the character." if inside else ""


def fill(text: str, values: Mapping[str, str]) -> str:
    """A text that `problem_of` finds sound, with its fields filled in, as one line without controls, which
    iCalendar has no place for (RFC 5545 section 3.1)."""
    done, part, optional, whole = "", "", False, True
    for token in _TOKEN.finditer(text):
        if token["stray"] is not None:
            done += part if whole else ""
            part, optional, whole = "", not optional, True
        elif token["field"] is not None:
            value = values.get(token["field"], "")
            part += value
            whole = whole and bool(value or not optional)
        else:
            part += token[0][0] if token[0] in _DOUBLED else token[0]
    return " ".join((done + part).split()).translate(_CONTROLS)


def alarm_of(text: str) -> timedelta | None:
    """``9:00`` on the day, ``1d`` a day before at midnight, ``1d 18:00`` on the evening before: the time from
    the beginning of the day to the alarm, negative before it. None for anything else."""
    found = _ALARM.fullmatch(text.strip())
    if found is None or not found[0] or int(found["hour"] or 0) > 23:
        return None
    time = timedelta(hours=int(found["hour"] or 0), minutes=int(found["minute"] or 0))
    return time - timedelta(days=int(found["days"] or 0))
