"""A folder with one vCard in each file, as khard, vdirsyncer and pimsync keep it."""

from contactsync.connectors.vdir.connector import VdirConnector, factory

__all__ = ["VdirConnector", "factory"]
