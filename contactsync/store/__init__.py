"""Remembers: the device database. Rows never leave this package; it speaks model values."""
