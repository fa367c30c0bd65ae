"""Simulators to try things against by hand: ``make simulators``; they run until Ctrl-C."""

from __future__ import annotations

import json
import tempfile
import threading
from pathlib import Path

from tests.simulators.entra import CLIENT
from tests.simulators.google import Google, google
from tests.simulators.graph import graph


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
    people = (("Ada", "Lovelace"), ("Grace", "Hopper"), ("Emmy", "Noether"))
    with google() as server, graph() as outlook, tempfile.TemporaryDirectory() as folder:
        for given, family in people:
            address = f"{given.lower()}@example.org"
            name = {"givenName": given, "surname": family}
            outlook.mailbox.create("contacts", {**name, "emailAddresses": [{"address": address}]})
            names = [{"givenName": given, "familyName": family}]
            server.account.create({"names": names, "emailAddresses": [{"value": address, "type": "work"}]})
        words = f"--client-file {client_file(server, Path(folder))} --endpoint {server.root}"
        print(f"Google, with three contacts: contactsync account add gmail gm {words}")
        login = outlook.root.removesuffix("/v1.0")
        words = f"--client-id {CLIENT} --authority {login}/common --endpoint {outlook.root}"
        print(f"Outlook, with the same three: contactsync account add outlook ol {words}")
        print("End it with Ctrl-C.", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
