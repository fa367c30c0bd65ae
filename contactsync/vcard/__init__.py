"""vCard 2.1, 3.0 and 4.0: a lossless wire layer, and the codec of CardDAV books and files."""

from contactsync.vcard.codec import VCardCodec, convert
from contactsync.vcard.lines import RawCard, split_cards

__all__ = ["RawCard", "VCardCodec", "convert", "split_cards"]
