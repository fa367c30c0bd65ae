"""Talks to remotes: one package per kind of provider, all behind the protocol of `base`."""
