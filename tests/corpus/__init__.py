"""Every real card that there is: in, through, and out again."""
