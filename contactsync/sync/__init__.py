"""Decides. Pure: no I/O, clock, randomness, database or logging anywhere below this package."""
