"""vCard files for the tests."""

from __future__ import annotations

from pathlib import Path


def card(name: str, *lines: str, uid: str = "") -> bytes:
    given, _, surname = name.partition(" ")
    head = ["BEGIN:VCARD", "VERSION:3.0", *([f"UID:{uid}"] if uid else [])]
    text = [*head, f"N:{surname};{given};;;", f"FN:{name}", *lines, "END:VCARD", ""]
    return "\r\n".join(text).encode()


def write(path: Path, *cards: bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(cards))
    return str(path)
