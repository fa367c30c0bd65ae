"""contactsync: keeps the contacts of a device and of any number of remotes the same."""

__version__ = "0.1.0"
