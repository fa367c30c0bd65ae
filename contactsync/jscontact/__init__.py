"""JSContact, the JSON form of contacts (RFC 9553), and what of a vCard has no home in it (RFC 9555)."""

from contactsync.jscontact.codec import from_card, to_card

__all__ = ["from_card", "to_card"]
