"""Continuous sync: rounds by themselves, until the process is told to end."""
