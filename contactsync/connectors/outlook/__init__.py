"""Outlook: the contacts of a mailbox at Microsoft through Microsoft Graph."""

from contactsync.connectors.outlook.connector import factory

__all__ = ["factory"]
