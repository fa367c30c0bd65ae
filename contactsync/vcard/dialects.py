"""Which property names mean what: one row for each, standard names and the X- families.

``writer`` names the programs that write it; ``new`` the versions in which a new entry may be written
like that, best first. A row without ``new`` is read, and edited where it stands, but never made.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    name: str
    field: str
    kind: str = ""
    service: str = ""
    relation: str = ""
    label: str = ""
    new: tuple[str, ...] = ()
    writer: str = "RFC"


_ANY = ("3.0", "4.0")
_OLD = ("3.0",)
_NEW = ("4.0",)

_STANDARD = (
    Row("NICKNAME", "nicknames", new=_ANY),
    Row("EMAIL", "emails", new=_ANY),
    Row("TEL", "phones", new=_ANY),
    Row("ADR", "addresses", new=_ANY),
    Row("LABEL", "addresses", kind="label"),
    Row("ORG", "organizations", new=_ANY),
    Row("TITLE", "titles", kind="title", new=_ANY),
    Row("ROLE", "titles", kind="role", new=_ANY),
    Row("BDAY", "anniversaries", kind="birth", new=_ANY),
    Row("DEATHDATE", "anniversaries", kind="death", new=_ANY),
    Row("ANNIVERSARY", "anniversaries", kind="wedding", new=_NEW),
    Row("NOTE", "notes", new=_ANY),
    Row("URL", "links", new=_ANY),
    Row("PHOTO", "media", kind="photo", new=_ANY),
    Row("LOGO", "media", kind="logo", new=_ANY),
    Row("SOUND", "media", kind="sound", new=_ANY),
)

_APPLE = (
    Row("X-ABDATE", "anniversaries", kind="other", new=_ANY, writer="Apple"),
    Row("X-ABRELATEDNAMES", "related_to", new=_OLD, writer="Apple"),
    Row("X-SOCIALPROFILE", "online_services", kind="socialprofile", new=_OLD, writer="Apple"),
)

_LATE = (
    # After the X- forms, which more programs know: a new entry takes the first that can hold it.
    Row("IMPP", "online_services", kind="impp", new=_ANY),
    Row("SOCIALPROFILE", "online_services", kind="socialprofile", new=_ANY),
    Row("RELATED", "related_to", new=_ANY),
)


_DATES = (
    Row("X-ANNIVERSARY", "anniversaries", kind="wedding", new=_OLD, writer="many"),
    Row("X-EVOLUTION-ANNIVERSARY", "anniversaries", kind="wedding", writer="Evolution"),
    Row("X-KADDRESSBOOK-X-ANNIVERSARY", "anniversaries", kind="wedding", writer="KAddressBook"),
    Row("X-MS-ANNIVERSARY", "anniversaries", kind="wedding", writer="Outlook"),
)

_RELATIONS = tuple(
    Row(f"{prefix}{word}", "related_to", relation=relation, writer=writer)
    for prefix, writer, words in (
        ("X-", "many", "SPOUSE MANAGER ASSISTANT"),
        ("X-EVOLUTION-", "Evolution", "SPOUSE MANAGER ASSISTANT"),
        ("X-MS-", "Outlook", "SPOUSE MANAGER ASSISTANT CHILD"),
        ("X-KADDRESSBOOK-X-", "KAddressBook", "SPOUSESNAME MANAGERSNAME ASSISTANTSNAME"),
    )
    for word in words.split()
    for relation in [word.removesuffix("SNAME").lower()]
)

_LINKS = (
    Row("X-EVOLUTION-BLOG-URL", "links", label="Blog", writer="Evolution"),
    Row("X-EVOLUTION-VIDEO-URL", "links", label="Video", writer="Evolution"),
    Row("X-KADDRESSBOOK-BLOGFEED", "links", label="Blog", writer="KAddressBook"),
)

_HANDLES = (
    *(
        Row(f"X-{service.upper()}", "online_services", "impp", service, new=_OLD, writer="Evolution")
        for service in [
            "aim",
            "icq",
            "jabber",
            "yahoo",
            "msn",
            "skype",
            "groupwise",
            "gadugadu",
            "qq",
            "sip",
            "twitter",
        ]
    ),
    *(
        Row(name, "online_services", kind="impp", service=service, writer=writer)
        for name, service, writer in (
            ("X-SKYPE-USERNAME", "skype", "many"),
            ("X-GTALK", "gtalk", "many"),
            ("X-GOOGLE-TALK", "gtalk", "Android"),
            ("X-GOOGLE TALK", "gtalk", "Nokia"),
            ("X-MS-IMADDRESS", "", "Outlook"),
            ("X-KADDRESSBOOK-X-IMADDRESS", "", "KAddressBook"),
            ("X-MESSAGING/AIM-ALL", "aim", "KAddressBook"),
            ("X-MESSAGING/ICQ-ALL", "icq", "KAddressBook"),
            ("X-MESSAGING/MSN-ALL", "msn", "KAddressBook"),
            ("X-MESSAGING/SKYPE-ALL", "skype", "KAddressBook"),
            ("X-MESSAGING/XMPP-ALL", "jabber", "KAddressBook"),
            ("X-MESSAGING/YAHOO-ALL", "yahoo", "KAddressBook"),
        )
    ),
)

_OTHER = (Row("X-NICKNAME", "nicknames", writer="many"),)

TABLE = (*_STANDARD, *_APPLE, *_DATES, *_RELATIONS, *_LINKS, *_HANDLES, *_OTHER, *_LATE)

ROWS = {row.name: row for row in reversed(TABLE)}

PHONETIC = {
    "X-PHONETIC-FIRST-NAME": "given",
    "X-PHONETIC-MIDDLE-NAME": "given2",
    "X-PHONETIC-LAST-NAME": "surname",
}

#: A field of the person's own, or one that another program has and we have not; its name is the LABEL.
CUSTOM_FIELD = "X-CUSTOM-FIELD"

# Properties that are one unit of the contact, or no content at all.
KIND_NAMES = ("KIND", "X-ADDRESSBOOKSERVER-KIND")
NO_CONTENT = frozenset({"BEGIN", "END", "VERSION", "PRODID", "UID", "REV"})

SCHEMES = {
    "aim": "aim",
    "gg": "gadugadu",
    "gtalk": "gtalk",
    "icq": "icq",
    "msnim": "msn",
    "sip": "sip",
    "skype": "skype",
    "xmpp": "jabber",
    "ymsgr": "yahoo",
}

FEATURES = frozenset(["voice", "fax", "cell", "pager", "text", "video", "main-number", "textphone"])

BUILT_IN_LABELS = frozenset(
    [
        "Anniversary",
        "Assistant",
        "Brother",
        "Child",
        "Father",
        "Friend",
        "Home",
        "HomePage",
        "Main",
        "Manager",
        "Mobile",
        "Mother",
        "Other",
        "Pager",
        "Parent",
        "Partner",
        "School",
        "Sister",
        "Spouse",
        "Work",
    ]
)

# Apple's labels of related people that are a relation of RFC 6350 section 6.6.6 and a finer word.
FINER_RELATIONS = {"Father": "parent", "Mother": "parent", "Brother": "sibling", "Sister": "sibling"}
PLAIN_RELATIONS = {
    word: word.lower() for word in ("Spouse", "Child", "Parent", "Friend", "Partner", "Manager", "Assistant")
}


def rows_for_new(field: str, version: str) -> list[Row]:
    """The ways in which a new entry of ``field`` may be written, best first."""
    return [row for row in TABLE if row.field == field and version in row.new]
