"""CardDAV (RFC 6352) with any server: Nextcloud, Radicale, Xandikos, Baïkal, iCloud, Fastmail, ..."""

from contactsync.connectors.carddav.connector import CardDavConnector, factory

__all__ = ["CardDavConnector", "factory"]
