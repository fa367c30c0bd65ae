"""The configuration file: what is read, what is refused, and how it is edited."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from contactsync import config
from contactsync.config import AccountConfig, BookConfig, CalendarConfig, Config, PasswordSource, Settings
from contactsync.errors import ConfigError, UsageError
from contactsync.store.files import file_of

FULL = """
# mine
[settings]
max_delete_count = 5
max_delete_share = 0.5
trash_days = 7
journal_days = 90

[account.work]
connector = "carddav"   # the office
url = "https://dav.example.org/"
username = "ada"
password = { command = ["pass", "dav/work"] }
ca_file = "ca.pem"
client_cert = "/etc/ada.pem"
proxy = "http://proxy.example:3128"
insecure_http = false
paused = true
default_book = "Contacts"
mode = "pull"
conflicts = "ask"
region = "de"
books = ["Contacts", "/dav/team/"]

[account.work.book."Contacts"]
mode = "mirror-push"

[account.home]
connector = "memory"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "conf" / "config.toml"


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def problems(path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config.load(written(path, text))
    return [problem.removeprefix(f"{path}: ") for problem in caught.value.problems]


def one_key(path: Path, line: str) -> list[str]:
    return problems(path, f'[account.a]\nconnector = "memory"\n{line}\n')


def test_no_file_is_an_empty_configuration(path: Path) -> None:
    assert config.load(path) == Config(path, Settings(10, 0.2, 30, 365), ())


def test_everything_is_read(path: Path) -> None:
    read = config.load(written(path, FULL))
    assert read.settings == Settings(5, 0.5, 7, 90)
    assert read.account("work") == AccountConfig(
        name="work",
        connector="carddav",
        url="https://dav.example.org/",
        username="ada",
        password=PasswordSource("command", argv=("pass", "dav/work")),
        ca_file=str(path.parent / "ca.pem"),
        client_cert="/etc/ada.pem",
        proxy="http://proxy.example:3128",
        paused=True,
        default_book="Contacts",
        mode="pull",
        conflicts="ask",
        region="DE",
        books=("Contacts", "/dav/team/"),
        book=(BookConfig("Contacts", mode="mirror-push"),),
    )
    assert read.account("home") == AccountConfig(name="home", connector="memory")


def test_a_book_takes_from_the_account_what_it_does_not_set(path: Path) -> None:
    work = config.load(written(path, FULL)).account("work")
    assert work.for_book("Contacts", "/x/") == BookConfig("Contacts", "mirror-push", "ask")
    assert work.for_book("Team", "/x/") == BookConfig("Team", "pull", "ask")
    assert work.selects("Other", "/dav/team/")
    assert not work.selects("Other", "/x/")
    assert AccountConfig(name="a", connector="memory").selects("Anything", "/x/")


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ('{ file = "/run/pw" }', PasswordSource("file", place="/run/pw")),
        ('{ env = "DAV_PASSWORD" }', PasswordSource("env", place="DAV_PASSWORD")),
        ("{ keyring = true }", PasswordSource("keyring")),
        ("{ vault = true }", PasswordSource("vault")),
    ],
)
def test_places_of_a_password(path: Path, place: str, source: PasswordSource) -> None:
    text = f'[account.a]\nconnector = "memory"\npassword = {place}\n'
    assert config.load(written(path, text)).account("a").password == source


def test_all_problems_are_named_at_once_with_their_keys(path: Path) -> None:
    text = """
    colour = 1
    [settings]
    trash_days = -1
    max_delete_share = 20
    [account.a]
    conector = "carddav"
    mode = "pul"
    paused = "yes"
    [account.a.book."B"]
    modes = "pull"
    [account."a b"]
    connector = 3
    """
    found = problems(path, text)
    keys = [problem.split(": ")[0] for problem in found]
    assert sorted(keys) == [
        "account.a",
        "account.a b",
        "account.a b.connector",
        "account.a.book.B.modes",
        "account.a.conector",
        "account.a.mode",
        "account.a.paused",
        "colour",
        "settings.max_delete_share",
        "settings.trash_days",
    ]
    assert "account.a.conector: unknown key. Did you mean 'connector'?" in found
    assert any(problem.endswith("Did you mean 'pull'?") for problem in found)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ('password = "hunter2"', "never kept here"),
        ('password = { file = "x", env = "Y" }', "exactly one"),
        ('password = { comand = ["x"] }', "exactly one"),
        ("password = { command = [] }", "program"),
        ('password = { command = "pass dav" }', "list"),
        ("password = { keyring = false }", "only be true"),
        ('password = { env = "" }', "variable"),
        ('password = { file = "" }', "must name a file"),
        ('url = "https://ada:hunter2@example.org/"', "never kept"),
        ('url = "https://[broken/"', "not a URL"),
        ('proxy = "http://ada:hunter2@proxy/"', "never kept"),
        ('username = "a\\nb"', "one line"),
        ('region = "Germany"', "two letters"),
        ('books = "Contacts"', "list of texts"),
        ("book = 3", "must be a table"),
    ],
)
def test_a_wrong_value_is_refused_and_a_secret_not_repeated(path: Path, line: str, word: str) -> None:
    (problem,) = one_key(path, line)
    assert word in problem
    assert "hunter2" not in problem


def test_a_file_that_is_no_toml_or_no_text_is_refused(path: Path) -> None:
    assert "not TOML" in problems(path, "[account")[0]
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        config.load(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load(path.parent)


def test_a_file_that_everybody_can_write_is_refused(path: Path) -> None:
    written(path, FULL).chmod(0o666)
    with pytest.raises(ConfigError, match="chmod 600"):
        config.load(path)


def test_an_unknown_account_is_answered_with_the_nearest_name(path: Path) -> None:
    with pytest.raises(UsageError, match="Did you mean 'work'"):
        config.load(written(path, FULL)).account("wrok")


def test_places_come_from_option_environment_and_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/xdg/conf")
    monkeypatch.setenv("XDG_DATA_HOME", "/xdg/data")
    named = {"CONTACTSYNC_CONFIG": "/e/c.toml", "CONTACTSYNC_DATA_DIR": "/e/data"}
    assert config.config_path(Path("/o.toml"), named) == Path("/o.toml")
    assert config.config_path(None, named) == Path("/e/c.toml")
    assert config.data_dir(Path("/o"), named) == Path("/o")
    assert config.data_dir(None, named) == Path("/e/data")
    assert config.database_url(Path("/d"), "sqlite://") == "sqlite://"
    assert config.database_url(Path("/d")) == "sqlite:////d/contacts.db"
    odd = Path("/50%20 off?/#1")
    assert file_of(config.database_url(odd)) == odd / "contacts.db"
    assert config.config_path(None, {}).name == "config.toml"
    assert config.data_dir(None, {}).name == "contactsync"


def test_an_account_written_is_the_account_read(path: Path) -> None:
    work = config.load(written(path, FULL)).account("work")
    path.unlink()
    config.add_account(path, work)
    assert config.load(path).accounts == (work,)
    plain = AccountConfig(name="plain.1", connector="memory", password=PasswordSource("keyring"))
    config.add_account(path, plain)
    assert config.load(path).accounts == (work, plain)


def test_the_file_is_private_and_its_folder_too(path: Path) -> None:
    config.add_account(path, AccountConfig(name="a", connector="memory"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_edits_keep_comments_and_everything_else(path: Path) -> None:
    written(path, FULL)
    config.set_account(path, "work", {"paused": None, "url": "https://new.example/", "conflicts": "newest"})
    config.add_account(path, AccountConfig(name="third", connector="memory"))
    config.remove_account(path, "home")
    text = path.read_text(encoding="utf-8")
    assert "# mine" in text
    assert "# the office" in text
    read = config.load(path)
    assert [account.name for account in read.accounts] == ["work", "third"]
    work = read.account("work")
    assert (work.paused, work.url, work.conflicts) == (False, "https://new.example/", "newest")
    assert work.book == (BookConfig("Contacts", mode="mirror-push"),)


def test_password_and_book_can_be_set(path: Path) -> None:
    written(path, FULL)
    source = PasswordSource("env", place="DAV")
    books = {"Contacts": {"mode": "pull"}, "Team": {"conflicts": "device"}}
    config.set_account(path, "work", {"password": config.password_table(source), "book": books})
    work = config.load(path).account("work")
    assert work.password == source
    assert work.book == (BookConfig("Contacts", mode="pull"), BookConfig("Team", conflicts="device"))


def test_accounts_between_other_tables_can_be_edited(path: Path) -> None:
    text = (
        '[account.a]\nconnector = "memory"\n[settings]\ntrash_days = 3\n[account.b]\nconnector = "memory"\n'
    )
    written(path, text)
    config.remove_account(path, "a")
    config.set_account(path, "b", {"paused": True})
    config.add_account(path, AccountConfig(name="c", connector="memory"))
    read = config.load(path)
    assert [account.name for account in read.accounts] == ["b", "c"]
    assert read.account("b").paused
    assert read.settings.trash_days == 3


def test_an_edit_that_would_break_the_file_leaves_it_alone(path: Path) -> None:
    written(path, FULL)
    with pytest.raises(ConfigError, match=r"account\.work\.mode"):
        config.set_account(path, "work", {"mode": "sideways"})
    with pytest.raises(UsageError, match="already"):
        config.add_account(path, AccountConfig(name="home", connector="memory"))
    with pytest.raises(UsageError, match="no account"):
        config.remove_account(path, "nobody")
    with pytest.raises(UsageError, match="no account"):
        config.set_account(path, "nobody", {})
    assert path.read_text(encoding="utf-8") == FULL


def test_a_linked_file_stays_a_link(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles.toml"
    path.parent.mkdir()
    path.symlink_to(target)
    config.add_account(path, AccountConfig(name="a", connector="memory"))
    assert path.is_symlink()
    assert config.load(target).account("a").connector == "memory"


def test_a_failed_write_leaves_the_old_file_and_no_rest(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    written(path, FULL)
    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        config.remove_account(path, "home")
    assert path.read_text(encoding="utf-8") == FULL
    assert list(path.parent.iterdir()) == [path]


def test_a_command_line_is_split_but_never_run_by_a_shell() -> None:
    assert PasswordSource.from_command_line("pass 'my dav'") == PasswordSource("command", ("pass", "my dav"))
    for broken in ("", "pass 'dav"):
        with pytest.raises(UsageError):
            PasswordSource.from_command_line(broken)


def test_a_password_file_is_kept_with_its_full_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert PasswordSource.from_file(Path("pw")).place == str(tmp_path / "pw")


# --- calendars ---

CALENDARS = """
[account.home]
connector = "carddav"
url = "https://dav.example.org/"

[account.gm]
connector = "gmail"

[calendar.all]
account = "home"
href = "/ada/days/"
kinds = ["birth", "death"]
group = "Family"
summary = "{name}"
description = "{label}[ since {year}]"
alarm = "1d 18:00"

[calendar.own]
url = "https://cal.example.org/ada/days/"
username = "ada"
password = { env = "PW" }
summary = { birth = "{name}!" }

[calendar.local]
file = "days.ics"
"""


def test_calendars_are_read(path: Path) -> None:
    everything, own, local = config.load(written(path, CALENDARS)).calendars
    assert everything == CalendarConfig(
        "all",
        account="home",
        href="/ada/days/",
        kinds=("birth", "death"),
        group="Family",
        summary=dict.fromkeys(("birth", "wedding", "death", "other"), "{name}"),
        description="{label}[ since {year}]",
        alarm="1d 18:00",
    )
    assert own.summary == {"birth": "{name}!"} and own.login.name == "calendar:own"
    assert (own.login.url, own.login.username, own.login.password) == (
        "https://cal.example.org/ada/days/",
        "ada",
        PasswordSource("env", place="PW"),
    )
    assert local.file == str(path.parent / "days.ics") and local.kinds == ("birth", "wedding", "other")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("", "calendar.a: must have exactly one of: file, account, url."),
        ('file = "a"\nurl = "https://x"', "calendar.a: must have exactly one of: file, account, url."),
        ('account = "hme"', "calendar.a.account: there is no account 'hme'. Did you mean 'home'?"),
        ('account = "home"', "calendar.a.account: needs the key href; contactsync calendar add finds"),
        ('account = "gm"\nhref = "/x/"', "calendar.a.account: must name a carddav account"),
        ('file = "a"\nkinds = ["birt"]', "calendar.a.kinds: 'birt' is no kind of day. There are: birth,"),
        ('file = "a"\nkinds = []', "calendar.a.kinds: must name at least one of: birth"),
        ('file = "a"\nsummary = "{age}"', "calendar.a.summary: {age} is no field. There are: {name},"),
        ('file = "a"\nsummary = { birth = "[" }', "calendar.a.summary.birth: the [ has no partner"),
        (
            'file = "a"\nsummary = { brith = "x" }',
            "calendar.a.summary.brith: unknown key. Did you mean 'birth'?",
        ),
        ('file = "a"\nsummary = 1', "calendar.a.summary: must be a text"),
        ('file = "a"\ndescription = "{"', "calendar.a.description: a single {"),
        ('file = "a"\nalarm = "noon"', 'calendar.a.alarm: must be like "9:00"'),
        ('file = "a"\nname = "x"', "calendar.a.name: unknown key."),
        ('url = "https://a:b@x"', "calendar.a.url: has a password in it"),
    ],
)
def test_a_mistake_in_a_calendar_is_named(path: Path, line: str, problem: str) -> None:
    accounts = CALENDARS.partition("[calendar.all]")[0]
    found = problems(path, f"{accounts}\n[calendar.a]\n{line}\n")
    assert any(one.startswith(problem) for one in found), found


def test_a_calendar_is_added_and_removed_and_comments_stay(path: Path) -> None:
    written(path, "# mine\n" + CALENDARS)
    before = config.load(path)
    added = CalendarConfig("more", file="/x/days.ics", summary={"birth": "{name}"}, alarm="9:00")
    config.add_calendar(path, added)
    assert config.load(path).calendars == (*before.calendars, added)
    with pytest.raises(UsageError, match="already"):
        config.add_calendar(path, added)
    config.remove_calendar(path, "all")
    assert path.read_text().startswith("# mine\n")
    assert [one.name for one in config.load(path).calendars] == ["own", "local", "more"]
    with pytest.raises(UsageError, match="no calendar 'all'"):
        config.remove_calendar(path, "all")


def test_a_calendar_stands_in_the_file_as_it_was_read(path: Path) -> None:
    for calendar in config.load(written(path, CALENDARS)).calendars:
        other = path.with_name(f"{calendar.name}.toml")
        config.add_account(other, AccountConfig("home", "carddav"))
        config.add_calendar(other, calendar)
        assert config.load(other).calendars == (calendar,)
