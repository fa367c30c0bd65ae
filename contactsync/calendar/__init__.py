"""Birthdays and anniversaries of the device's contacts, as events of a calendar."""
