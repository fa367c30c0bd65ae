"""Google's own import of a table, as the page of Google Contacts does it: strict about columns.

Written from the columns that Google exports, and shares no code with the product.
"""

from __future__ import annotations

import csv
import io
import re
from typing import Any

from tests.simulators.google_account import Account, Contact

_PLAIN = {
    "First Name": ("names", "givenName"),
    "Middle Name": ("names", "middleName"),
    "Last Name": ("names", "familyName"),
    "Phonetic First Name": ("names", "phoneticGivenName"),
    "Phonetic Middle Name": ("names", "phoneticMiddleName"),
    "Phonetic Last Name": ("names", "phoneticFamilyName"),
    "Name Prefix": ("names", "honorificPrefix"),
    "Name Suffix": ("names", "honorificSuffix"),
    "Nickname": ("nicknames", "value"),
    "Organization Name": ("organizations", "name"),
    "Organization Title": ("organizations", "title"),
    "Organization Department": ("organizations", "department"),
    "Notes": ("biographies", "value"),
}
_IGNORED = {"File As", "Photo"}
_LISTS = {
    "E-mail": ("emailAddresses", {"Value": "value"}),
    "Phone": ("phoneNumbers", {"Value": "value"}),
    "Website": ("urls", {"Value": "value"}),
    "Relation": ("relations", {"Value": "person"}),
    "Custom Field": ("userDefined", {"Value": "value"}),
    "Address": (
        "addresses",
        {
            "Formatted": "formattedValue",
            "Street": "streetAddress",
            "City": "city",
            "PO Box": "poBox",
            "Region": "region",
            "Postal Code": "postalCode",
            "Country": "country",
            "Extended Address": "extendedAddress",
        },
    ),
}
_DAY = re.compile(r"(?:(\d{4})|-)-(\d{2})-(\d{2})")


def take(account: Account, data: bytes) -> list[Contact]:
    """Make a contact of each row. Raises `ValueError` for a column or a day that Google does not know."""
    reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
    return [account.create(_person(account, row)) for row in reader]


def _person(account: Account, row: dict[str, str]) -> dict[str, Any]:
    person: dict[str, list[dict[str, Any]]] = {}
    entries: dict[tuple[str, int], dict[str, str]] = {}
    for column, cell in row.items():
        found = re.fullmatch(r"(.+) (\d+) - (.+)", column)
        if found:
            entries.setdefault((found[1], int(found[2])), {})[found[3]] = cell
        elif column in _PLAIN and cell:
            field, key = _PLAIN[column]
            person.setdefault(field, [{}])[0][key] = cell
        elif column == "Birthday" and cell:
            person["birthdays"] = [{"date": _day(cell)}]
        elif column == "Labels":
            person["memberships"] = [_membership(account, name) for name in cell.split(" ::: ")]
        elif column not in (*_PLAIN, *_IGNORED, "Birthday"):
            raise ValueError(f"Google does not know the column {column!r}")
    for (name, _), parts in sorted(entries.items()):
        label = parts.pop("Label").removeprefix("* ")
        if not any(parts.values()):
            continue
        if name == "Event":
            person.setdefault("events", []).append({"date": _day(parts["Value"]), "type": label})
            continue
        field, keys = _LISTS[name]
        item: dict[str, Any] = {keys[part]: cell for part, cell in parts.items() if cell}
        item["key" if name == "Custom Field" else "type"] = label
        item.pop("formattedValue", None)
        person.setdefault(field, []).append(item)
    return person


def _day(text: str) -> dict[str, int]:
    found = _DAY.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no day to Google")
    year, month, day = (int(part) if part else 0 for part in found.groups())
    return {name: number for name, number in (("year", year), ("month", month), ("day", day)) if number}


def _membership(account: Account, name: str) -> dict[str, Any]:
    if name == "* myContacts":
        resource = "contactGroups/myContacts"
    else:
        known = {group.name.casefold(): group for group in account.groups.values()}
        resource = (known.get(name.casefold()) or account.create_group(name)).resource_name
    return {"contactGroupMembership": {"contactGroupResourceName": resource}}
