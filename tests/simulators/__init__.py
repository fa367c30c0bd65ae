"""Small stateful servers that behave as the real ones are known to, over real HTTP on loopback."""
