"""What a contact is. No I/O anywhere below this package."""
