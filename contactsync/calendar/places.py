"""From a calendar of the configuration to where its events go; light until it is opened."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from contactsync.calendar.target import Target
from contactsync.config import CalendarConfig
from contactsync.connectors.base import AccountSettings


def place_of(calendar: CalendarConfig, url: str) -> str:
    """The file, or the URL of the calendar on the server that is at ``url``."""
    if calendar.file:
        return calendar.file
    href = href_of(calendar)
    if "://" in href:
        return href
    parts = urlsplit(url if "://" in url else f"https://{url}")
    return f"{parts.scheme}://{parts.netloc}{href}"


def href_of(calendar: CalendarConfig) -> str:
    """The calendar's path on its server; a calendar with a URL of its own may be that URL itself."""
    return calendar.href or urlsplit(calendar.url).path


def open_target(calendar: CalendarConfig, settings: AccountSettings) -> Target:
    """Nothing is asked yet."""
    if calendar.file:
        from contactsync.calendar.icsfile import IcsFile

        return IcsFile(Path(calendar.file))
    from contactsync.calendar.server import ServerCalendar

    return ServerCalendar(settings, href_of(calendar), calendar.name)
