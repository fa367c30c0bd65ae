"""Simulators to try things against by hand: ``make simulators``; they run until Ctrl-C."""

from __future__ import annotations

import json
import tempfile
import threading
from pathlib import Path

from tests.simulators.entra import CLIENT
from tests.simulators.google import Google, google
from tests.simulators.graph import Graph, graph

PEOPLE = (("Ada", "Lovelace"), ("Grace", "Hopper"), ("Emmy", "Noether"))


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


def people_at_google(server: Google) -> None:
    for given, family in PEOPLE:
        names = [{"givenName": given, "familyName": family}]
        address = {"value": f"{given.lower()}@example.org", "type": "work"}
        server.account.create({"names": names, "emailAddresses": [address]})


def people_at_outlook(server: Graph) -> None:
    for given, family in PEOPLE:
        address = {"address": f"{given.lower()}@example.org"}
        server.mailbox.create(
            "contacts", {"givenName": given, "surname": family, "emailAddresses": [address]}
        )


def main() -> None:
    with google() as server, graph() as outlook, tempfile.TemporaryDirectory() as folder:
        people_at_google(server)
        people_at_outlook(outlook)
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
