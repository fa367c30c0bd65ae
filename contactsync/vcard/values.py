"""Values: escapes, lists, quoted-printable, dates, timestamps and binary, for one vCard version.

RFC 6350 sections 3.4 and 4, RFC 2426 section 5; vCard 2.1 knows no escapes but those of separators.
"""

from __future__ import annotations

import binascii
import quopri
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

from contactsync.model.contact import PartialDate
from contactsync.vcard.lines import Line

_ESCAPE = re.compile(r"\\([\\;,:nN\"])")
_ESCAPE_21 = re.compile(r"\\([;,])")
_CONTROLS = {code: None for code in (*range(32), 127) if code not in (9, 10)}
_SURROGATE = re.compile(f"[{chr(0xD800)}-{chr(0xDFFF)}]")
_NOT_PRINTABLE = re.compile(rb"[^\x21-\x3c\x3e-\x7e ]")
_DATE = re.compile(
    r"(?:(?P<year>\d{4})|--)"
    r"(?:-?(?P<month>\d\d)(?:-?(?P<day>\d\d))?)?"
    r"(?:[T ]\d.*)?\Z"
)
_WHOLE_DATE = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)\Z")
_DAY_ONLY = re.compile(r"---(?P<day>\d\d)\Z")
_STAMP = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ](\d\d)(?::?(\d\d))?(?::?(\d\d))?(?:[.,](\d+))?)?"
    r"\s*(Z|[+-]\d\d(?::?\d\d)?)?\Z",
    re.IGNORECASE,
)
_USUAL_STAMP = re.compile(r"\d{4}-?\d\d-?\d\dT\d\d:?\d\d:?\d\dZ\Z", re.ASCII)
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_OMITTED_YEARS = (0, 1604)


def tidy(text: str) -> str:
    """Text as a card can hold it: no control characters, LF line ends, no blanks around it."""
    if text.isprintable():
        return text.strip()
    return loose(text).strip()


def loose(text: str) -> str:
    """Like `tidy`, but blanks around the text stay (notes, labels of addresses)."""
    if text.replace("\n", "").isprintable():
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _SURROGATE.sub("\ufffd", text.translate(_CONTROLS))


def one_line(text: str) -> str:
    """Like `tidy`, and without line ends: for URIs and what goes where no escape exists."""
    if text.isprintable():
        return text.strip()
    return tidy(tidy(text).replace("\n", ""))


def unescape(text: str, version: str) -> str:
    if "\\" not in text:
        return text
    escapes = _ESCAPE_21 if version == "2.1" else _ESCAPE
    return escapes.sub(lambda match: "\n" if match[1] in "nN" else match[1], text)


def escape(text: str, version: str) -> str:
    """A text value or one component. Line ends stay LF in 2.1: quoted-printable takes care of them."""
    if version == "2.1":
        return text.replace(";", "\\;")
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace(",", "\\,").replace(";", "\\;")


def escape_plain(text: str, version: str) -> str:
    """A URI, or a text in which comma and semicolon separate nothing."""
    return text if version == "2.1" else text.replace("\\", "\\\\").replace("\n", "\\n")


def split_raw(value: str, separator: str) -> list[str]:
    """Parts between separators that are not escaped; escapes stay."""
    if "\\" not in value:
        return value.split(separator)
    parts: list[str] = []
    waiting: list[str] = []
    for piece in value.split(separator):
        waiting.append(piece)
        if (len(piece) - len(piece.rstrip("\\"))) % 2 == 0:
            parts.append(separator.join(waiting))
            waiting = []
    return [*parts, separator.join(waiting)] if waiting else parts


def text_of(line: Line, version: str) -> str:
    """The whole value as text."""
    text = transfer_decoded(line.value, line) if line.head.transfer else line.value
    return unescape(text, version) if "\\" in text else text


def plain_text(line: Line, version: str) -> str:
    """The whole value as text, `tidy`."""
    text = line.value
    if "\\" in text or line.head.transfer:
        text = text_of(line, version)
    return text.strip() if text.isprintable() else tidy(text)


def parts_of(line: Line, version: str) -> list[str]:
    """Components between semicolons, as text; quoted-printable is taken off after the split."""
    parts = raw_parts_of(line)
    return [unescape(part, version) for part in parts] if "\\" in line.value else parts


def raw_parts_of(line: Line) -> list[str]:
    """Like `parts_of`, still escaped, for components that are lists (N)."""
    parts = split_raw(line.value, ";")
    return [transfer_decoded(part, line) for part in parts] if line.head.transfer else parts


def list_of(line: Line, version: str) -> list[str]:
    """The elements of a comma list as text (`NICKNAME`, `CATEGORIES`)."""
    raw = transfer_decoded(line.value, line)
    return [unescape(part, version) for part in split_raw(raw, ",")]


def transfer_decoded(raw: str, line: Line) -> str:
    if line.head.transfer != "quoted-printable":
        return raw
    data = quopri.decodestring(raw.encode("utf-8", "replace"))
    for charset in ("utf-8", line.param("CHARSET"), "cp1252"):
        try:
            return data.decode(charset) if charset else data.decode()
        except (LookupError, ValueError):
            continue
    return data.decode("latin-1")


def quoted_printable(text: str) -> str:
    """RFC 2045 section 6.7, UTF-8, on one line; line ends become =0D=0A."""
    data = text.replace("\n", "\r\n").encode("utf-8", "replace")
    encoded = _NOT_PRINTABLE.sub(lambda match: b"=%02X" % match[0][0], data).decode()
    return encoded[:-1] + "=20" if encoded.endswith(" ") else encoded


def parse_date(text: str) -> PartialDate:
    """RFC 6350 section 4.3.1 and RFC 2426, with every way to leave the year out; else as text."""
    text = tidy(text)
    if whole := _WHOLE_DATE.match(text):
        date = PartialDate(int(whole[1]), int(whole[2]), int(whole[3]))
        if clean_date(date) is date:
            return date
    match = _DAY_ONLY.match(text) or _DATE.match(text)
    if not match:
        return PartialDate(text=text)
    number = {key: int(value) for key, value in match.groupdict().items() if value}
    month, day, year = number.get("month"), number.get("day"), number.get("year")
    if (month is not None and not 1 <= month <= 12) or not _is_day(month, day):
        return PartialDate(text=text)
    if year in _OMITTED_YEARS:
        year = None
    if year is month is day is None:
        return PartialDate(text=text)
    return PartialDate(year, month, day)


def _is_day(month: int | None, day: int | None) -> bool:
    return day is None or 1 <= day <= (_DAYS[month - 1] if month else 31)


def basic_date(date: PartialDate) -> str:
    """RFC 6350 section 4.3.1: 19850412, 1985-04, 1985, --0412, --04, ---12."""
    if date.text:
        return date.text
    month = f"{date.month:02}" if date.month else ""
    day = f"{date.day:02}" if date.day else ""
    if date.year is None:
        return f"--{month}{day}" if month else f"---{day}"
    if not month:
        return f"{date.year:04}"
    return f"{date.year:04}{month}{day}" if day else f"{date.year:04}-{month}"


def extended_date(date: PartialDate) -> str:
    """RFC 2426 section 3.1.5: 1985-04-12; the incomplete ones as in RFC 6350."""
    if date.year is not None and date.month and date.day and not date.text:
        return f"{date.year:04}-{date.month:02}-{date.day:02}"
    return basic_date(date)


def clean_date(date: PartialDate) -> PartialDate:
    """The date as a card can hold it: no impossible days, no day without its month in a year."""
    year, month, day = date.year, date.month, date.day
    if year is month is day is None:
        return parse_date(date.text)
    if year is not None and (year in _OMITTED_YEARS or not 0 < year <= 9999):
        year = None
    if month is not None and not 1 <= month <= 12:
        month = None
    if not _is_day(month, day) or (year is not None and month is None):
        day = None
    same = not date.text and (year, month, day) == (date.year, date.month, date.day)
    return date if same else PartialDate(year, month, day)


def parse_stamp(text: str) -> datetime | None:
    """A REV timestamp in UTC (RFC 6350 section 4.3.5); a time without zone is taken as UTC."""
    text = text.strip()
    if _USUAL_STAMP.match(text):
        with suppress(ValueError):
            return datetime.fromisoformat(text)
    match = _STAMP.match(text)
    if not match:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    micro = int(((match[7] or "") + "000000")[:6])
    try:
        stamp = datetime(year, month, day, hour, minute, min(second, 59), micro, _zone(match[8]))
        return stamp.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone(text: str | None) -> timezone:
    if not text or text in "Zz":
        return UTC
    digits = text[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return timezone(-offset if text[0] == "-" else offset)


def stamp(moment: datetime, version: str) -> str:
    """A REV value; fractions only where there are any."""
    moment = moment.astimezone(UTC) if moment.tzinfo else moment
    text = moment.replace(tzinfo=None).isoformat()
    return (text.replace("-", "").replace(":", "") if version == "4.0" else text) + "Z"


def from_base64(text: str) -> bytes:
    """Decoded bytes, missing padding forgiven. Raises ValueError for anything that is no base64."""
    data = "".join(text.split()).encode("ascii").rstrip(b"=")
    return binascii.a2b_base64(data + b"=" * (-len(data) % 4), strict_mode=True)


def to_base64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode()
