"""``make bench``: contactsync beside the raw floor and vdirsyncer, on the same work (docs/performance.md)."""
