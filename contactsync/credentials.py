"""Secrets of accounts: read from where the person keeps them, stored where this machine is safest.

A secret is never in the configuration, in the database, in a log or in a message. An account whose
configuration names a place is read from there and nowhere else. Without one, these are asked in order:
a systemd credential (``$CREDENTIALS_DIRECTORY/contactsync-NAME``), the vault, the system's keyring.

The vault is the file ``vault.json`` in the data directory with mode 0600. It is not encrypted: it keeps
secrets from the other users of this machine, and not from someone who has the disk or this login.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Protocol

from contactsync.config import CALENDAR_LOGIN, AccountConfig, PasswordSource, make_private_dir, write_private
from contactsync.errors import AuthError, StoreError
from contactsync.frozen import frozen

SERVICE = "contactsync"
VAULT_PROTECTS = (
    "The vault keeps it from other users of this machine, not from someone who has the disk or this login."
)
COMMAND_TIMEOUT = 60.0

log = logging.getLogger(__name__)


class Keyring(Protocol):
    """What we use of a backend of the keyring package."""

    def get_password(self, service: str, username: str) -> str | None: ...

    def set_password(self, service: str, username: str, password: str) -> None: ...

    def delete_password(self, service: str, username: str) -> None: ...


def usable_keyring() -> Keyring | None:
    """The system's keyring, or None where there is none that keeps a secret."""
    import keyring

    chosen = keyring.get_keyring()
    for backend in getattr(chosen, "backends", (chosen,)):
        if _keeps_secrets(type(backend)):
            kept: Keyring = backend
            return kept
    return None


def _keeps_secrets(backend: type) -> bool:
    """No stand-ins, and no files: keyring picks those of keyrings.alt as soon as it is installed."""
    if backend.__module__.startswith(("keyring.backends.fail", "keyring.backends.null", "keyrings.alt")):
        return False
    return not any(word in backend.__name__ for word in ("Plaintext", "Encrypted"))


@frozen
class Secrets:
    """The secrets of the accounts of one data directory."""

    data_dir: Path
    env: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    timeout: float = COMMAND_TIMEOUT

    def get(self, account: AccountConfig) -> str:
        """The password of an account. Raises `AuthError` when there is none or it cannot be read."""
        source = account.password
        if source is None:
            return self._search(account.name)
        match source.kind:
            case "command":
                return _from_command(source, account.name, self.timeout)
            case "file":
                return _from_file(Path(source.place), account.name)
            case "env":
                return self._from_env(source.place, account.name)
            case "keyring":
                return self._from_keyring(account.name) or _missing(account.name, "in the keyring")
            case _:
                return self._vault().get(account.name) or _missing(account.name, "in the vault")

    def store(self, account_name: str, secret: str) -> str:
        """Keep a secret, and say where it went: ``keyring``, or ``vault`` where there is no keyring
        or it refuses (a locked one without a desktop, say)."""
        if self._into_keyring(account_name, secret):
            self._change_vault(account_name, None)
            return "keyring"
        self._change_vault(account_name, secret)
        return "vault"

    def forget(self, name: str) -> None:
        """Remove what `store` kept; an account without a secret is fine."""
        from keyring.errors import KeyringError

        backend = usable_keyring()
        if backend is not None:
            try:
                if backend.get_password(SERVICE, self._keyring_user(name)) is not None:
                    backend.delete_password(SERVICE, self._keyring_user(name))
            except KeyringError as error:
                raise StoreError(
                    f"The keyring did not remove the password of {name!r} ({type(error).__name__}).",
                    hint="Unlock the keyring and try again.",
                ) from error
        self._change_vault(name, None)

    @property
    def vault_path(self) -> Path:
        return self.data_dir / "vault.json"

    def _search(self, name: str) -> str:
        directory = self.env.get("CREDENTIALS_DIRECTORY", "")
        credential = Path(directory) / f"{SERVICE}-{name}"
        if directory and credential.exists():
            return _from_file(credential, name)
        if kept := self._vault().get(name):
            # Asked before the keyring although it ranks after it: it is there only when `store`
            # could not use the keyring, and a keyring may ask the person to unlock it.
            return kept
        return self._from_keyring(name) or _missing(name, "in the keyring or the vault")

    def _from_env(self, variable: str, name: str) -> str:
        return self.env.get(variable) or _missing(name, f"in the environment variable {variable}")

    def _keyring_user(self, name: str) -> str:
        """Two data directories may have accounts of one name."""
        return f"{name} in {self.data_dir.absolute()}"

    def _from_keyring(self, name: str) -> str | None:
        from keyring.errors import KeyringError

        backend = usable_keyring()
        try:
            return backend.get_password(SERVICE, self._keyring_user(name)) if backend else None
        except KeyringError as error:
            raise AuthError(
                f"The keyring did not give the password of {name!r} ({type(error).__name__}).",
                hint="Unlock the keyring and try again.",
            ) from error

    def _into_keyring(self, name: str, secret: str) -> bool:
        from keyring.errors import KeyringError

        backend = usable_keyring()
        if backend is None:
            return False
        try:
            backend.set_password(SERVICE, self._keyring_user(name), secret)
        except KeyringError:
            return False
        return True

    def _vault(self) -> dict[str, str]:
        try:
            _refuse_readable_by_others(self.vault_path)
            document = json.loads(self.vault_path.read_text(encoding="utf-8"))
            return dict(document["secrets"])
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise AuthError(f"The vault {self.vault_path} cannot be read: {error.strerror}.") from error
        except (ValueError, KeyError, TypeError):
            # Without its cause: that would show a part of the file.
            raise AuthError(
                f"The vault {self.vault_path} is damaged.",
                hint="Remove it and log in to the accounts again: contactsync account login NAME",
            ) from None

    def _change_vault(self, name: str, secret: str | None) -> None:
        if secret is None and not self.vault_path.exists():
            return
        from filelock import FileLock

        make_private_dir(self.data_dir)
        # Two logins at the same time must not lose one of the two.
        with FileLock(self.data_dir / "vault.lock", mode=0o600):
            secrets = self._vault()
            secrets.pop(name, None)
            if secret is not None:
                secrets[name] = secret
            write_private(self.vault_path, json.dumps({"version": 1, "secrets": secrets}, indent=1))


def _missing(name: str, where: str) -> str:
    calendar = name.removeprefix(CALENDAR_LOGIN)
    kind = "account" if calendar == name else "calendar"
    raise AuthError(
        f"There is no password for the {kind} {calendar!r} {where}.",
        hint=f"Run: contactsync {kind} login {calendar}",
    )


def _from_file(path: Path, name: str) -> str:
    """The first line of a file. A person's own file is read as it is, with a warning where others can
    read it too: secrets that a container mounts often are so."""
    try:
        if _readable_by_others(path):
            log.warning("Other users of this machine can read %s. To change that: chmod 600 %s", path, path)
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise AuthError(f"The password file {path} of the account {name!r} does not exist.") from None
    except UnicodeDecodeError:
        raise AuthError(f"The password file {path} of the account {name!r} is not UTF-8 text.") from None
    except OSError as error:
        raise AuthError(f"The password file {path} cannot be read: {error.strerror}.") from error
    return _first_line(text) or _missing(name, f"in the first line of {path}")


def _readable_by_others(path: Path) -> bool:
    # The mode says nothing on Windows.
    return os.name == "posix" and bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def _refuse_readable_by_others(path: Path) -> None:
    if _readable_by_others(path):
        raise AuthError(f"Other users of this machine can read {path}.", hint=f"Run: chmod 600 {path}")


def _from_command(source: PasswordSource, name: str, timeout: float) -> str:
    """The first line of what a program prints. Its output is never shown, also not in an error."""
    program = _program(source.argv[0], name)
    what = f"The password command {source.argv[0]!r} of the account {name!r}"
    hint = "Run it yourself to see what it says."
    try:
        done = subprocess.run(
            [program, *source.argv[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        # Without its cause: that holds what was printed so far.
        raise AuthError(f"{what} was still running after {timeout:g} seconds.", hint=hint) from None
    except OSError as error:
        raise AuthError(f"{what} cannot be started: {error.strerror}.") from error
    if done.returncode != 0:
        raise AuthError(f"{what} failed with exit code {done.returncode}.", hint=hint)
    try:
        secret = _first_line(done.stdout.decode("utf-8"))
    except UnicodeDecodeError:
        raise AuthError(f"{what} printed something that is not UTF-8 text.", hint=hint) from None
    if not secret:
        raise AuthError(f"{what} printed an empty first line.", hint=hint)
    return secret


def _program(word: str, name: str) -> str:
    """The full path of a program that others cannot replace."""
    found = shutil.which(Path(word).expanduser() if word.startswith("~") else word)
    if found is None:
        raise AuthError(f"The password command {word!r} of the account {name!r} was not found.")
    path = Path(found).resolve()
    if _writable_by_others(path.stat()):
        raise AuthError(
            f"Other users of this machine can change the password command {path}.",
            hint=f"Run: chmod go-w {path}",
        )
    return found


def _writable_by_others(status: os.stat_result) -> bool:
    if os.name != "posix":
        return False
    # A group with the number of the owner is the owner's private group, as most Linux systems make it.
    group = status.st_mode & stat.S_IWGRP and status.st_gid != status.st_uid
    return bool(group or status.st_mode & stat.S_IWOTH)


def _first_line(text: str) -> str:
    """Password managers print the password first, and notes after it."""
    return text.split("\n", 1)[0].rstrip("\r")
