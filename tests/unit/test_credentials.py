"""Where secrets come from and go to, with real files, real programs, and a keyring of our own."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.chainer import ChainerBackend
from keyring.backends.fail import Keyring as FailKeyring
from keyring.backends.null import Keyring as NullKeyring
from keyring.errors import KeyringLocked, PasswordDeleteError

from contactsync.config import AccountConfig, PasswordSource
from contactsync.credentials import Secrets, usable_keyring
from contactsync.errors import AuthError, ContactSyncError, StoreError

SECRET = "hUnt3r zwei ü"


class DictKeyring(KeyringBackend):
    """A keyring in memory that can be locked."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def _check(self) -> None:
        if self.locked:
            raise KeyringLocked(f"locked, says {SECRET}")

    def get_password(self, service: str, username: str) -> str | None:
        self._check()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._check()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError("none")


class PlaintextKeyring(DictKeyring):
    """Named as those of keyrings.alt are."""


class TwoKeyrings(ChainerBackend):
    backends = (PlaintextKeyring(), DictKeyring())


@pytest.fixture(autouse=True)
def no_keyring() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(FailKeyring())
    yield
    keyring.set_keyring(before)


@pytest.fixture
def real_keyring() -> DictKeyring:
    backend = DictKeyring()
    keyring.set_keyring(backend)
    return backend


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    return Secrets(tmp_path / "data", env={}, timeout=10)


def account(kind: str = "", *argv: str, place: str = "") -> AccountConfig:
    source = PasswordSource(kind, argv=argv, place=place) if kind else None
    return AccountConfig(name="home", connector="carddav", password=source)


def private(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def refusal(secrets: Secrets, asked: AccountConfig) -> str:
    with pytest.raises(AuthError) as caught:
        secrets.get(asked)
    assert SECRET not in repr(caught.value)
    assert SECRET not in str(caught.value)
    return str(caught.value)


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_a_command_gives_the_first_line_and_no_shell_runs_it(secrets: Secrets) -> None:
    code = "import sys; print(sys.argv[1]); print('notes')"
    assert secrets.get(account("command", *python(code), "$HOME; `id`")) == "$HOME; `id`"
    printed = f"import sys; sys.stdout.buffer.write({SECRET!r}.encode() + b'\\r\\n')"
    assert secrets.get(account("command", *python(printed))) == SECRET


def test_a_command_is_found_in_the_home_directory(
    secrets: Secrets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    private(tmp_path / "pw", "#!/bin/sh\necho found\n").chmod(0o700)
    assert secrets.get(account("command", "~/pw")) == "found"


def test_a_failed_command_is_reported_by_exit_code_and_never_by_output(secrets: Secrets) -> None:
    code = f"import sys; print({SECRET!r}); print({SECRET!r}, file=sys.stderr); sys.exit(3)"
    assert "failed with exit code 3" in refusal(secrets, account("command", *python(code)))


def test_a_command_that_hangs_is_stopped(tmp_path: Path) -> None:
    code = f"import time; print({SECRET!r}, flush=True); time.sleep(60)"
    said = refusal(Secrets(tmp_path, env={}, timeout=0.5), account("command", *python(code)))
    assert "after 0.5 seconds" in said


@pytest.mark.parametrize(
    ("code", "word"),
    [("pass", "empty first line"), ("import sys; sys.stdout.buffer.write(b'\\xff')", "not UTF-8")],
)
def test_a_command_must_print_a_text(secrets: Secrets, code: str, word: str) -> None:
    assert word in refusal(secrets, account("command", *python(code)))


def test_a_command_that_is_not_there_or_cannot_run(secrets: Secrets, tmp_path: Path) -> None:
    assert "was not found" in refusal(secrets, account("command", "no-such-program-anywhere"))
    broken = private(tmp_path / "broken", "\x7fELF nonsense")
    broken.chmod(0o700)
    assert "cannot be started" in refusal(secrets, account("command", str(broken)))


def test_a_command_that_others_can_change_is_refused(secrets: Secrets, tmp_path: Path) -> None:
    script = private(tmp_path / "pw", "#!/bin/sh\necho x\n")
    script.chmod(0o777)
    link = tmp_path / "link"
    link.symlink_to(script)
    assert f"chmod go-w {script}" in refusal(secrets, account("command", str(link)))


def test_environment(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path, env={"DAV": SECRET})
    assert secrets.get(account("env", place="DAV")) == SECRET
    assert "variable OTHER" in refusal(secrets, account("env", place="OTHER"))


def test_a_file_is_read_and_an_open_one_warned_of(
    secrets: Secrets, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = private(tmp_path / "pw", f"{SECRET}\nsecond\n")
    assert secrets.get(account("file", place=str(path))) == SECRET
    assert not caplog.records
    path.chmod(0o640)
    assert secrets.get(account("file", place=str(path))) == SECRET
    assert f"chmod 600 {path}" in caplog.text and SECRET not in caplog.text


def test_files_without_a_password(secrets: Secrets, tmp_path: Path) -> None:
    def said(path: Path) -> str:
        return refusal(secrets, account("file", place=str(path)))

    assert "does not exist" in said(tmp_path / "none")
    assert "no password" in said(private(tmp_path / "empty", "\n"))
    (tmp_path / "dir").mkdir(mode=0o700)
    assert "cannot be read" in said(tmp_path / "dir")
    binary = private(tmp_path / "binary", "")
    binary.write_bytes(b"\xff")
    assert "not UTF-8" in said(binary)


def test_a_systemd_credential_comes_before_keyring_and_vault(
    secrets: Secrets, tmp_path: Path, real_keyring: DictKeyring
) -> None:
    secrets.store("home", "kept")
    private(tmp_path / "contactsync-home", SECRET)
    given = Secrets(secrets.data_dir, env={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert given.get(account()) == SECRET
    assert secrets.get(account()) == "kept"


def test_a_secret_goes_to_the_keyring_where_there_is_one(secrets: Secrets, real_keyring: DictKeyring) -> None:
    assert secrets.store("home", SECRET) == "keyring"
    assert not secrets.vault_path.exists()
    assert secrets.get(account()) == secrets.get(account("keyring")) == SECRET
    assert "in the vault" in refusal(secrets, account("vault"))
    secrets.forget("home")
    secrets.forget("home")
    assert real_keyring.kept == {}


def test_data_directories_do_not_share_secrets(secrets: Secrets, real_keyring: DictKeyring) -> None:
    secrets.store("home", SECRET)
    assert "no password" in refusal(Secrets(secrets.data_dir / "other", env={}), account())


def test_without_a_keyring_a_secret_goes_to_a_private_vault(secrets: Secrets) -> None:
    assert secrets.store("home", SECRET) == "vault"
    assert secrets.store("work", "other") == "vault"
    assert stat.S_IMODE(secrets.vault_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(secrets.data_dir.stat().st_mode) == 0o700
    assert secrets.get(account()) == secrets.get(account("vault")) == SECRET
    assert "in the keyring" in refusal(secrets, account("keyring"))
    secrets.forget("home")
    assert "account login home" in refusal(secrets, account())
    assert json.loads(secrets.vault_path.read_text(encoding="utf-8"))["secrets"] == {"work": "other"}


def test_a_secret_that_moves_to_the_keyring_leaves_the_vault(secrets: Secrets) -> None:
    secrets.store("home", "old")
    keyring.set_keyring(DictKeyring())
    assert secrets.store("home", SECRET) == "keyring"
    assert secrets.get(account()) == SECRET
    assert "old" not in secrets.vault_path.read_text(encoding="utf-8")


def test_a_locked_keyring_takes_and_gives_nothing(secrets: Secrets, real_keyring: DictKeyring) -> None:
    real_keyring.locked = True
    assert "KeyringLocked" in refusal(secrets, account())
    assert secrets.store("home", SECRET) == "vault"
    assert secrets.get(account()) == SECRET
    with pytest.raises(StoreError, match="Unlock"):
        secrets.forget("home")


@pytest.mark.parametrize("backend", [FailKeyring(), NullKeyring(), PlaintextKeyring()])
def test_stand_ins_and_files_are_no_keyring(backend: KeyringBackend) -> None:
    keyring.set_keyring(backend)
    assert usable_keyring() is None


def test_of_several_keyrings_the_first_good_one_is_used() -> None:
    keyring.set_keyring(TwoKeyrings())
    assert type(usable_keyring()) is DictKeyring


def test_a_vault_that_is_open_or_damaged_is_refused(secrets: Secrets) -> None:
    secrets.store("home", SECRET)
    secrets.vault_path.chmod(0o644)
    assert f"chmod 600 {secrets.vault_path}" in refusal(secrets, account())
    with pytest.raises(ContactSyncError):
        secrets.store("work", "x")
    private(secrets.vault_path, '{"secrets": {"home": "hUnt3r')
    assert "damaged" in refusal(secrets, account())
    secrets.vault_path.unlink()
    secrets.vault_path.mkdir(mode=0o700)
    assert "cannot be read" in refusal(secrets, account())


def test_secrets_are_in_no_repr(secrets: Secrets) -> None:
    with_env = Secrets(secrets.data_dir, env={"DAV": SECRET})
    with_env.store("home", SECRET)
    assert SECRET not in repr(with_env)
