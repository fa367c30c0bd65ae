"""The command line: everything a person or a script does with `contactsync`.

Nothing here decides anything about contacts; it reads words, calls `contactsync.api` and prints.
Modules of this package are imported for every ``--help``, so they import what is heavy inside functions.
"""
