"""Contacts as tables (CSV): the columns that Google Contacts and Outlook export and import."""
