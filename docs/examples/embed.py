"""The address book of a mail program, kept the same as one on a CardDAV server.

python embed.py URL USER PASSWORD FOLDER
"""

import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

from contactsync.api import AccountConfig, Config, Engine, Event, Hooks, Progress, RoundEnded, RoundStarted
from contactsync.model.contact import Contact, Email, Name, Title

cancelled = threading.Event()


def show(event: Event) -> None:
    match event:
        case RoundStarted(name, _):
            print(f"{name}: looking")
        case Progress(what, done, of):
            print(f"{what}: {done} of {of or 'many'}")
        case RoundEnded(_, report):
            print(f"{report.name}: {report.state} {report.message}")


def main(url: str, user: str, password: str, folder: str) -> int:
    account = AccountConfig("home", "carddav", url=url, username=user)
    # Ask your own keychain here; nothing of it is stored.
    hooks = Hooks(password=lambda account: password, stopping=cancelled.is_set)
    database = f"sqlite:///{Path(folder).absolute() / 'mail-contacts.db'}"
    with Engine(Config(accounts=(account,)), Path(folder), database=database, hooks=hooks) as engine:
        engine.subscribe(show)
        ada = Contact(uid="ada-1815", name=Name(full="Ada Lovelace"), emails=(Email("ada@x.example"),))
        engine.put([ada])
        if not engine.sync(["home"]).ok:
            return 1
        engine.change("ada-1815", lambda contact: replace(contact, titles=(Title("Countess"),)))
        if not engine.sync(["home"]).ok:
            return 1
        for stored in engine.contacts():
            print(stored.contact.name.full, [email.address for email in stored.contact.emails])
        for conflict in engine.conflicts(only_open=True):
            print(f"{conflict.name}: {conflict.path} waits for an answer")
        return 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, lambda *_: cancelled.set())
    sys.exit(main(*sys.argv[1:]))
