"""What is known of providers beforehand: where their CardDAV is, and what the person must do there.

Only what has a source is here: other clients' own tables, as named in each row. A provider that is not
here is found by its SRV records or its well-known path (RFC 6764) like any other server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from contactsync.frozen import frozen

APP_PASSWORD = "Make an app password for contactsync, and give that instead of your own password."


@frozen
class Preset:
    """``domains`` are of mail addresses, where ``*`` is one top-level domain; ``url`` may have
    ``{local}``, the part of the address before the @. ``hosts``: the login may go to all hosts below
    these domains, over https. ``known`` are limits that other clients report."""

    name: str
    url: str
    domains: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    advice: str = ""
    known: str = ""
    source: str = ""

    def is_for(self, domain: str) -> bool:
        return any(_matches(pattern, domain) for pattern in self.domains)


PRESETS = (
    Preset(
        "iCloud",
        "https://contacts.icloud.com/",
        ("icloud.com", "me.com", "mac.com"),
        ("icloud.com",),
        f"{APP_PASSWORD} They are made at account.apple.com under app-specific passwords.",
        source="vdirsyncer, Outlook CalDav Synchronizer",
    ),
    Preset(
        "Fastmail",
        "https://carddav.fastmail.com/.well-known/carddav",
        ("fastmail.*",),
        ("fastmail.com",),
        APP_PASSWORD,
        source="KDE, GNOME Online Accounts, vdirsyncer",
    ),
    Preset(
        "mailbox.org",
        "https://dav.mailbox.org/carddav",
        ("mailbox.org",),
        ("mailbox.org",),
        "The login is the whole mail address.",
        source="KDE, GNOME Online Accounts",
    ),
    Preset(
        "Yahoo and AOL",
        "https://carddav.address.yahoo.com/principals/users/{local}",
        ("yahoo.*", "aol.com"),
        ("yahoo.com",),
        APP_PASSWORD,
        "At most 5,000 contacts, 48 fields of a contact and 4,095 characters of a field.",
        source="KDE; limits by Yahoo's own help pages",
    ),
    Preset(
        "Zoho",
        "https://contacts.zoho.com/carddav/",
        ("zoho.com", "zohomail.com"),
        ("zoho.com",),
        f"With two-factor login: {APP_PASSWORD}",
        "The data centre of the account matters: another one is contacts.zoho.eu or contacts.zoho.in.",
        source="KDE",
    ),
    Preset(
        "Zoho (EU)",
        "https://contacts.zoho.eu/carddav/",
        ("zoho.eu", "zohomail.eu"),
        ("zoho.eu",),
        f"With two-factor login: {APP_PASSWORD}",
        source="KDE",
    ),
    Preset(
        "Zoho (India)",
        "https://contacts.zoho.in/carddav/",
        ("zoho.in", "zohomail.in"),
        ("zoho.in",),
        f"With two-factor login: {APP_PASSWORD}",
        source="KDE",
    ),
    Preset(
        "Posteo",
        "https://posteo.de:8443/",
        ("posteo.*",),
        ("posteo.de",),
        source="Outlook CalDav Synchronizer, TbSync",
    ),
    Preset(
        "GMX (.com)",
        "https://carddav.gmx.com/.well-known/carddav",
        ("gmx.com",),
        ("gmx.com",),
        f"With two-factor login: {APP_PASSWORD}",
        source="Outlook CalDav Synchronizer",
    ),
    Preset(
        "GMX",
        "https://carddav.gmx.net/.well-known/carddav",
        ("gmx.*",),
        ("gmx.net",),
        f"With two-factor login: {APP_PASSWORD}",
        source="Outlook CalDav Synchronizer",
    ),
    Preset(
        "WEB.DE",
        "https://carddav.web.de/",
        ("web.de",),
        ("web.de",),
        f"With two-factor login: {APP_PASSWORD}",
        source="TbSync",
    ),
    Preset(
        "Aruba.it",
        "https://syncdav.aruba.it/",
        ("aruba.it",),
        ("aruba.it",),
        source="Outlook CalDav Synchronizer",
    ),
    Preset("fruux", "https://dav.fruux.com/", (), ("fruux.com",), source="Outlook CalDav Synchronizer"),
)

ELSEWHERE = (
    (("gmail.com", "googlemail.com"), "Gmail", "gmail"),
    (("outlook.*", "hotmail.*", "live.*", "msn.com"), "Outlook.com", "outlook"),
)
"""Mail domains whose contacts are reached by another type of account: Google's CardDAV loses labels
and ignores conditions, and Microsoft has none."""

PATHS = (
    ("Nextcloud", "/remote.php/dav"),
    ("ownCloud", "/remote.php/dav or, before version 9, /remote.php/carddav"),
    ("Baikal", "/dav.php"),
    ("SOGo", "/SOGo/dav/USER/Contacts/"),
    ("Kolab", "/iRony/"),
    ("Zimbra", "/principals/users/USER"),
    ("eGroupware", "/groupdav.php"),
    ("DAViCal", "/caldav.php"),
    ("SmarterMail", "/WebDAV/"),
)
"""Where servers keep CardDAV when they do not answer at ``/`` or ``/.well-known/carddav``."""


def preset_for(domain: str) -> Preset | None:
    return next((preset for preset in PRESETS if preset.is_for(domain.lower())), None)


def other_type(domain: str) -> tuple[str, str] | None:
    """Name of the provider and type of account, for mail domains without a usable CardDAV."""
    for patterns, name, kind in ELSEWHERE:
        if any(_matches(pattern, domain.lower()) for pattern in patterns):
            return name, kind
    return None


def trusted_hosts(host: str) -> tuple[str, ...]:
    """Domains to whose hosts a login at ``host`` may also go."""
    return next((preset.hosts for preset in _at(host)), ())


def advice_at(host: str) -> str:
    """What a person has to do whose login a known provider refuses at ``host``."""
    return next((f"{preset.name}: {preset.advice}" for preset in _at(host) if preset.advice), "")


def _at(host: str) -> Iterator[Preset]:
    return (p for p in PRESETS if any(is_below(host, domain) for domain in p.hosts))


def is_below(host: str, domain: str) -> bool:
    return host == domain or host.endswith("." + domain)


def _matches(pattern: str, domain: str) -> bool:
    if not pattern.endswith(".*"):
        return domain == pattern
    return re.fullmatch(re.escape(pattern[:-1]) + r"[a-z]{2,}", domain) is not None
