"""Files in and out of the device, and one-shot reading of an account."""
