"""Gmail: contacts and labels of a Google account through the People API."""

from contactsync.connectors.google.connector import factory

__all__ = ["factory"]
