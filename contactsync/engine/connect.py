"""From an account of the configuration to its connector; light, for the round that finds nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from contactsync.config import AccountConfig
from contactsync.connectors.base import AccountSettings, Connector, Exchange

Password = Callable[[AccountConfig], str]
Witness = Callable[[Exchange], None]


def connect(account: AccountConfig, password: Password, witness: Witness | None = None) -> Connector:
    """The connector of an account by its entry point; nothing is sent yet."""
    from contactsync.connectors import registry

    return registry.create(settings_of(account, password, witness))


def settings_of(
    account: AccountConfig, password: Password, witness: Witness | None = None
) -> AccountSettings:
    return AccountSettings(
        name=account.name,
        connector=account.connector,
        url=account.url,
        username=account.username,
        password=lambda: password(account),
        ca_file=account.ca_file,
        client_cert=account.client_cert,
        proxy=account.proxy,
        insecure_http=account.insecure_http,
        witness=witness,
    )


def stored_password(data_dir: Path) -> Password:
    """Secrets from where the account says they are (`contactsync.credentials`)."""

    def password(account: AccountConfig) -> str:
        from contactsync.credentials import Secrets

        return Secrets(data_dir).get(account)

    return password
