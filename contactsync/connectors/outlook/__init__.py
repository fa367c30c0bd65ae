"""Outlook: the contacts of a mailbox at Microsoft through Microsoft Graph."""
