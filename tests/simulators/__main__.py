"""Simulators to try things against by hand: ``make simulators``; they run until Ctrl-C."""

from __future__ import annotations

import json
import tempfile
import threading
from pathlib import Path

from tests.simulators.google import Google, google


def client_file(server: Google, folder: Path) -> Path:
    """What Google gives to the owner of a client of type "Desktop app", for the login of this server."""
    identity, secret = server.client
    content = {
        "client_id": identity,
        "client_secret": secret,
        "auth_uri": f"{server.root}/o/oauth2/v2/auth",
        "token_uri": f"{server.root}/token",
        "redirect_uris": ["http://localhost"],
    }
    path = folder / "client_secret.json"
    path.write_text(json.dumps({"installed": content}, indent=2), encoding="utf-8")
    return path


def main() -> None:
    with google() as server, tempfile.TemporaryDirectory() as folder:
        for given, family in (("Ada", "Lovelace"), ("Grace", "Hopper"), ("Emmy", "Noether")):
            address = f"{given.lower()}@example.org"
            names = [{"givenName": given, "familyName": family}]
            server.account.create({"names": names, "emailAddresses": [{"value": address, "type": "work"}]})
        words = f"--client-file {client_file(server, Path(folder))} --endpoint {server.root}"
        print(f"Google, with three contacts: contactsync account add gmail gm {words}")
        print("End it with Ctrl-C.", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
