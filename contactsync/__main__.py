"""``python -m contactsync``."""

from contactsync.cli.app import main

if __name__ == "__main__":
    main()
