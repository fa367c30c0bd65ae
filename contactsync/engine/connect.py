"""From an account of the configuration to its connector; light, for the round that finds nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from contactsync.config import AccountConfig
from contactsync.connectors.base import AccountSettings, Connector, Exchange

Password = Callable[[AccountConfig], str]
Renew = Callable[[AccountConfig, str], None]
Witness = Callable[[Exchange], None]


def connect(
    account: AccountConfig,
    password: Password,
    witness: Witness | None = None,
    renew: Renew | None = None,
) -> Connector:
    """The connector of an account by its entry point; nothing is sent yet."""
    from contactsync.connectors import registry

    return registry.create(settings_of(account, password, witness, renew))


def settings_of(
    account: AccountConfig,
    password: Password,
    witness: Witness | None = None,
    renew: Renew | None = None,
) -> AccountSettings:
    return AccountSettings(
        name=account.name,
        connector=account.connector,
        url=account.url,
        username=account.username,
        password=lambda: password(account),
        renew=lambda secret: renew(account, secret) if renew else None,
        ca_file=account.ca_file,
        client_cert=account.client_cert,
        proxy=account.proxy,
        insecure_http=account.insecure_http,
        settles_after=_duration(account.settles_after),
        sweep_after=_duration(account.sweep_after),
        requests_per_minute=account.requests_per_minute,
        give_up_after=_duration(account.give_up_after),
        options=account.options,
        witness=witness,
    )


def _duration(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def stored_password(data_dir: Path) -> Password:
    """Secrets from where the account says they are (`contactsync.credentials`)."""

    def password(account: AccountConfig) -> str:
        from contactsync.credentials import Secrets

        return Secrets(data_dir).get(account)

    return password


def stored_renewal(data_dir: Path) -> Renew:
    """Keeps a secret anew that is ours to keep: not one that the account names a place for."""

    def renew(account: AccountConfig, secret: str) -> None:
        from contactsync.credentials import Secrets

        if account.password is None:
            Secrets(data_dir).store(account.name, secret)

    return renew
