"""What other programs embed, and what the command line itself uses.

``Engine`` opens a device database and the accounts of a configuration; contacts, groups, conflicts
and runs are plain frozen values. All errors are `contactsync.errors.ContactSyncError`. The names of
``__all__`` are stable: what they take and give changes with the major version only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

from contactsync import log
from contactsync.config import (
    AccountConfig,
    BookConfig,
    CalendarConfig,
    Config,
    PasswordSource,
    Settings,
    database_url,
    make_data_dir,
)
from contactsync.connectors.base import AccountSettings, Codec, Connector, Exchange, Local, Place
from contactsync.engine import merging
from contactsync.engine.connect import connect, settings_of, stored_password, stored_renewal
from contactsync.engine.context import Round, new_id, no_step, utc_now
from contactsync.engine.duplicates import Candidate, candidates, not_the_same, release, still_there
from contactsync.engine.events import Event, Events, Listener, Progress, RoundEnded, RoundStarted
from contactsync.engine.hub import HubEdits
from contactsync.engine.idle import idle_round
from contactsync.engine.lock import sync_lock
from contactsync.engine.report import AccountReport, CalendarReport, RunReport
from contactsync.engine.resolving import Answered, one_of, present, resolve, resolve_all
from contactsync.engine.selecting import pending
from contactsync.engine.undo import Undone, restore, take_sent, undo
from contactsync.engine.upkeep import tidy
from contactsync.engine.where import Where, where
from contactsync.engine.where import losses as losses_of
from contactsync.errors import ContactSyncError, Stopped, UsageError
from contactsync.model.contact import Contact
from contactsync.store.files import file_of
from contactsync.store.store import Store
from contactsync.store.values import (
    Book,
    JournalRow,
    StepSum,
    StoredConflict,
    StoredContact,
    StoredGroup,
    StoredRun,
)
from contactsync.sync.brakes import Limits
from contactsync.sync.merge import merge
from contactsync.sync.types import Base, Hub, Live, Policy

__all__ = [
    "AccountConfig",
    "AccountReport",
    "BookConfig",
    "CalendarConfig",
    "CalendarReport",
    "Config",
    "Engine",
    "Event",
    "Hooks",
    "Limits",
    "PasswordSource",
    "Progress",
    "RoundEnded",
    "RoundStarted",
    "RunReport",
    "Settings",
]

#: Boundaries of a round (`Hooks.step`) at which nothing is under way.
BETWEEN_STEPS = frozenset({"page-staged", "committed"})


@dataclass(slots=True)
class Hooks:
    """What a program that embeds the engine can put in: time, names, secrets, and where to look.

    ``password`` gives the secret of an account, and ``renew`` keeps it anew where logging in changes it, as
    with OAuth; without them secrets come from where the account says. ``connect`` makes a connector (the
    entry points by default); ``step`` is called at every boundary where the process may die; ``witness`` sees
    every exchange with a remote. Once ``stopping`` is true, a round begins nothing new: the writes that are
    out get their answers, and what was not done is done by the next one. It may be asked in any thread.
    """

    now: Callable[[], datetime] = utc_now
    new_id: Callable[[], str] = new_id
    password: Callable[[AccountConfig], str] | None = None
    renew: Callable[[AccountConfig, str], None] | None = None
    connect: Callable[[AccountSettings], Connector] | None = None
    step: Callable[[str], None] = no_step
    witness: Callable[[Exchange], None] | None = None
    stopping: Callable[[], bool] = lambda: False


class Engine:
    """The device and its accounts. Use it as a context manager, in the thread that made it: another thread
    or process opens one of its own on the same data.

    ``data_dir`` holds the database, backups, vault and lock, and is made where it is missing; ``database`` is
    an SQLAlchemy URL that overrides the file in it. Raises `StoreError` where they cannot be used.
    """

    def __init__(
        self, config: Config, data_dir: Path, *, database: str = "", hooks: Hooks | None = None
    ) -> None:
        self.config = config
        self.data_dir = data_dir
        self.hooks = hooks or Hooks()
        self.events = Events()
        make_data_dir(data_dir)
        self.store = Store(database_url(data_dir, database))
        self.hub = HubEdits(self.store, self.hooks.now, self.hooks.new_id)

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the database; anything that is asked after it raises `UsageError`."""
        self.store.close()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """From now on ``listener`` gets each `Event`; what is returned ends that.

        It is called in the thread that works; it may look, and should not edit."""
        return self.events.subscribe(listener)

    def tell(self, event: Event) -> None:
        """An event of the program itself, for its own listeners."""
        self.events.tell(event)

    # --- rounds ---------------------------------------------------------------------------------

    def sync(
        self,
        names: Sequence[str] = (),
        *,
        dry_run: bool = False,
        limits: Limits | None = None,
        wait_seconds: float = 60.0,
    ) -> RunReport:
        """One full round over these accounts (default: all that are not paused). Those that had their turn
        before another one brought news for them have a second one at the end.

        What goes wrong with one account is in its report and never stops another one. ``stopped`` in the
        report says that the round was asked to end (`Hooks.stopping`) before it was through. Raises
        `LockedError` when another round is under way for longer than ``wait_seconds``.
        """
        accounts = self._wanted(names)
        report = RunReport()
        with sync_lock(self.data_dir, wait_seconds):
            with self.store.transaction():
                report.run = self.store.journal.start_run(
                    "sync", self.hooks.now(), " ".join(a.name for a in accounts)
                )
            log.set_run(report.run)
            turns, newest = [], self.store.journal.newest_here
            try:
                for account in accounts:
                    self._leave_if_asked()
                    part = AccountReport(account.name, account.connector)
                    self._told_round(account, part, report.run, dry_run, limits)
                    report.accounts.append(part)
                    turns.append((account, part, newest()))
                for account, part, step in turns:
                    if not dry_run and part.state == "ok" and newest() > step and self.pending(account.name):
                        self._leave_if_asked()
                        self._told_round(account, part, report.run, dry_run, limits)
            except Stopped:
                self._break_off(report.run)
                report.stopped = True
                return report
            except BaseException:
                self._break_off(report.run)
                raise
            finally:
                log.set_run(None)
            report.stopped = self.hooks.stopping()
            report.open_conflicts = self.store.journal.open_conflicts()
            self._end(report, dry_run)
            if not dry_run:
                settings = self.config.settings
                keep = timedelta(days=settings.trash_days), timedelta(days=settings.journal_days)
                tidy(self.store, self.hooks.now(), *keep)
        return report

    def idle_round(self, names: Sequence[str] = (), *, wait_seconds: float = 0.0) -> RunReport | None:
        """The report of a round without news, at the cost of one request for each book.

        None where there is news, here or there, or any doubt: then `sync` has to look. Raises
        `LockedError`."""
        path = file_of(self.store.db.url)
        if path is None:
            return None
        with sync_lock(self.data_dir, wait_seconds):
            return idle_round(path, self._wanted(names), self.connect)

    def pending(self, name: str) -> int:
        """How many contacts and groups wait on the device for a round of this account."""
        return pending(self.store, self.config.account(name))

    def _wanted(self, names: Sequence[str]) -> list[AccountConfig]:
        if names:
            return [self.config.account(name) for name in names]
        return [account for account in self.config.accounts if not account.paused]

    def _leave_if_asked(self) -> None:
        if self.hooks.stopping():
            raise Stopped

    def _step(self, name: str) -> None:
        self.hooks.step(name)
        if name in BETWEEN_STEPS:
            self._leave_if_asked()

    def _tell_progress(self, what: str, done: int, of: int) -> None:
        self.events.tell(Progress(what, done, of))

    def _told_round(
        self, account: AccountConfig, report: AccountReport, run: int, dry_run: bool, limits: Limits | None
    ) -> None:
        self.events.tell(RoundStarted(account.name, run))
        self._round(account, report, run, dry_run, limits)
        self.events.tell(RoundEnded(run, report))

    def _round(
        self, account: AccountConfig, report: AccountReport, run: int, dry_run: bool, limits: Limits | None
    ) -> None:
        try:
            round_ = self._open_round(account, run, report, dry_run=dry_run, limits=limits)
        except Exception as error:
            if not hasattr(error, "recovery"):
                raise
            report.fail(error)
            self._note_trouble(report, dry_run)
            return
        from contactsync.engine.run import run_account

        try:
            run_account(round_)
        finally:
            round_.connector.close()

    def _note_trouble(self, report: AccountReport, dry_run: bool) -> None:
        """What kept a round from beginning is in `status` too."""
        if dry_run:
            return
        trouble = {
            "state": report.state,
            "message": report.message,
            "ran_at": self.hooks.now(),
            "quiet_run": None,
        }
        with suppress(ContactSyncError), self.store.transaction():
            self.store.books.note_account(report.name, **trouble)

    def _open_round(
        self,
        account: AccountConfig,
        run: int,
        report: AccountReport,
        *,
        dry_run: bool = False,
        limits: Limits | None = None,
    ) -> Round:
        """Everything that one round of one account works with."""
        with self.store.transaction():
            account_id = self.store.books.ensure_account(account.name, account.connector)
        settings = self.config.settings
        return Round(
            store=self.store,
            connector=self.connect(account),
            account=account,
            account_id=account_id,
            run_id=run,
            report=report,
            backups=self.data_dir / "backups",
            limits=limits or Limits(settings.max_delete_count, settings.max_delete_share),
            now=self.hooks.now,
            new_id=self.hooks.new_id,
            step=self._step,
            progress=self._tell_progress,
            stopping=self.hooks.stopping,
            dry_run=dry_run,
        )

    def connect(self, account: AccountConfig) -> Connector:
        """The connector of an account; nothing is sent yet."""
        renew = self.hooks.renew
        if renew is None and self.hooks.password is None:
            renew = stored_renewal(self.data_dir)
        if self.hooks.connect is not None:
            return self.hooks.connect(settings_of(account, self.password, self.hooks.witness, renew))
        return connect(account, self.password, self.hooks.witness, renew)

    def password(self, account: AccountConfig) -> str:
        """The secret of an account. Raises `AuthError` where there is none."""
        return (self.hooks.password or stored_password(self.data_dir))(account)

    def _break_off(self, run: int) -> None:
        """A round that somebody stopped, or that failed, is over too."""
        with suppress(ContactSyncError), self.store.transaction():
            if not self.store.journal.drop_run(run):
                self.store.journal.end_run(run, self.hooks.now(), "interrupted", {})

    def _end(self, report: RunReport, dry_run: bool) -> None:
        idle = not any(account.worked or account.state != "ok" for account in report.accounts)
        with self.store.transaction():
            if (dry_run or idle) and self.store.journal.drop_run(report.run):
                return
            outcome = "interrupted" if report.stopped else "ok" if report.ok else "failed"
            self.store.journal.end_run(report.run, self.hooks.now(), outcome, report.to_json())

    # --- accounts -------------------------------------------------------------------------------

    def books(self, name: str, *, refresh: bool = True) -> list[Book]:
        """The address books of an account, read anew from the remote unless ``refresh`` is off."""
        account = self.config.account(name)
        if refresh:
            from contactsync.engine.run import refresh_books

            round_ = self._open_round(account, 0, AccountReport(account.name, account.connector))
            try:
                refresh_books(round_, force=True)
            finally:
                round_.connector.close()
        return self.store.books.of_account(name, selected_only=False)

    def first_sync(self, name: str) -> tuple[int, int]:
        """(contacts that the first round would send, cards that it would fetch)."""
        account = self.config.account(name)
        report = AccountReport(name, account.connector)
        with self.store.transaction():
            run = self.store.journal.start_run("preview", self.hooks.now(), name)
        try:
            self._round(account, report, run, True, Limits(enabled=False))
        finally:
            with self.store.transaction():
                self.store.journal.drop_run(run)
        if report.state != "ok":
            raise UsageError(report.message)
        created = [line for line in report.plan if line.action == "create"]
        return sum(line.side == "remote" for line in created), sum(
            b.pulled.created + b.pulled.updated for b in report.books
        )

    def forgive(self, name: str) -> None:
        """Continuous sync forgets how often this account failed: its next round is due at once."""
        with self.store.transaction():
            self.store.books.note_account(name, next_due=None, failures=0)

    def places(self, name: str) -> Sequence[Place] | None:
        """Where on this machine the books of an account are that take part; None where they are not on it."""
        try:
            connector = self.connect(self.config.account(name))
        except ContactSyncError:
            return None
        try:
            if not isinstance(connector, Local):
                return None
            return connector.places([book.href for book in self.store.books.of_account(name)])
        finally:
            connector.close()

    def reset(self, name: str) -> None:
        """Forget cursors and bases of an account; nothing is deleted, the next round links again."""
        self.config.account(name)
        with self.store.transaction():
            for book in self.store.books.of_account(name, selected_only=False):
                self.store.books.remove(book.id)
            self.store.books.note_account(name, books_read_at=None, state="new")

    def forget_account(self, name: str, *, delete_contacts: bool = False) -> int:
        """Forget an account, and delete nothing at the remote.

        Contacts stay on the device, unless ``delete_contacts``: then those that no other account holds go to
        the trash. Returns how many."""
        held = self.store.links.accounts_of()
        only_here = [i for i, accounts in held.items() if accounts == [name]]
        deleted = 0
        with self.store.transaction():
            self.store.books.remove_account(name)
            if delete_contacts:
                at = self.hooks.now()
                run = self.store.journal.start_run("remove-account", at, name)
                for stored in self.store.contacts.many(only_here).values():
                    if not stored.deleted:
                        self.hub.drop(run, at, stored, note=f"account {name} removed")
                        deleted += 1
                self.store.journal.end_run(run, at, "ok", {"contacts": deleted})
        return deleted

    # --- calendars ------------------------------------------------------------------------------

    def sync_calendars(
        self,
        names: Sequence[str] = (),
        *,
        dry_run: bool = False,
        limits: Limits | None = None,
        restore: bool = False,
        wait_seconds: float = 60.0,
    ) -> list[CalendarReport]:
        """Bring these calendars (default: all) to what the contacts say. What goes wrong with one is in its
        report. With ``restore`` events come back that somebody deleted there. A calendar on the server of a
        paused account takes part only where it is named. Raises `LockedError`."""
        paused = {account.name for account in self.config.accounts if account.paused}
        wanted = [self.config.calendar(name) for name in names]
        wanted = wanted or [one for one in self.config.calendars if one.account not in paused]
        if not wanted:
            return []
        with sync_lock(self.data_dir, wait_seconds):
            return [self._calendar(one, dry_run, limits, restore) for one in wanted]

    def empty_calendar(self, name: str) -> CalendarReport:
        """Take all events of ours out of a calendar; those of others stay."""
        calendar = replace(self.config.calendar(name), kinds=())
        with sync_lock(self.data_dir, 60.0):
            return self._calendar(calendar, False, Limits(enabled=False), False)

    def calendars(self) -> list[dict[str, Any]]:
        """Each calendar with how its last run went, as far as this device knows; nothing is asked."""
        from contactsync.calendar.places import place_of
        from contactsync.calendar.state import load

        found = []
        for one in self.config.calendars:
            place = place_of(one, self.config.account(one.account).url if one.account else one.url)
            memory = load(self.data_dir, one.name, place)
            found.append(
                {
                    "name": one.name,
                    "place": place,
                    "state": memory.state,
                    "message": memory.message,
                    "events": memory.events_there,
                    "declined": memory.events_away,
                }
            )
        return found

    def calendar_settings(self, calendar: CalendarConfig) -> AccountSettings:
        """The login at the server of a calendar."""
        account = self.config.account(calendar.account) if calendar.account else calendar.login
        return settings_of(account, self.password, self.hooks.witness)

    def _calendar(
        self, calendar: CalendarConfig, dry_run: bool, limits: Limits | None, restore: bool
    ) -> CalendarReport:
        from contactsync.calendar.places import open_target, place_of
        from contactsync.calendar.run import Run, run_calendar

        settings = self.calendar_settings(calendar)
        brake = self.config.settings
        return run_calendar(
            Run(
                calendar=calendar,
                place=place_of(calendar, settings.url),
                data_dir=self.data_dir,
                open=lambda: open_target(calendar, settings),
                contacts=lambda: [stored.contact for stored in self.contacts(group=calendar.group)],
                limits=limits or Limits(brake.max_delete_count, brake.max_delete_share),
                now=self.hooks.now,
                dry_run=dry_run,
                restore=restore,
                step=self.hooks.step,
                progress=self._tell_progress,
                stopping=self.hooks.stopping,
            )
        )

    # --- contacts -------------------------------------------------------------------------------

    def contacts(self, query: str = "", group: str = "") -> list[StoredContact]:
        """Live contacts in the order of their names; ``group`` is a group's name."""
        return self.store.contacts.live(query, self.hub.group(group).id if group else "")

    def contact(self, name: str) -> StoredContact:
        """One live contact by its UID, the beginning of it, or its exact name. Raises `UsageError` where
        there is none, or more than one."""
        return self.hub.find(name)

    def accounts_of(self, contact_ids: Iterable[int] | None = None) -> dict[int, list[str]]:
        """Contact id -> names of the accounts that hold it, of these contacts or of all."""
        return self.store.links.accounts_of(contact_ids)

    def export_form(self, contact: Contact) -> Contact:
        """The contact with group names and photo bytes, ready for a codec."""
        return self.store.contacts.with_media(self.hub.with_names(contact))

    def put(self, contacts: Sequence[Contact]) -> list[str]:
        """Create or replace by UID; ``groups`` are names. Returns the UIDs."""
        return self.hub.put(contacts)

    def edit(self, opened: StoredContact, before: Contact, after: Contact) -> bool:
        """Carry over what a person changed in a view of a contact: from ``before`` to ``after``.

        Both are views of ``opened`` with group names. What the view cannot show and what changed meanwhile
        stays. False when nothing was changed.
        """
        now = self.hub.with_names(self.contact(opened.uid).contact)
        edited = merge(
            base=Base(self.hub.with_names(opened.contact), before),
            hub=Hub(now),
            remote=Live(after),
            project=lambda contact: contact,
            policy=Policy.REMOTE,
        ).local
        if edited == now:
            return False
        self.put([replace(edited, uid=opened.uid)])
        return True

    def change(self, name: str, how: Callable[[Contact], Contact]) -> bool:
        """Edit one contact: ``how`` gets it with group names, and gives it as it should be.

        What changed meanwhile stays. False when nothing was changed."""
        opened = self.contact(name)
        before = self.hub.with_names(opened.contact)
        return self.edit(opened, before, how(before))

    def changed_since(self, step: int = 0) -> tuple[int, list[str]]:
        """(a number for the next question, UIDs of the contacts that changed here after ``step``).

        By a round, an edit, an import or an undo, of this process or any other; some may be deleted by
        now."""
        return self.store.journal.changed_since(step)

    def delete(self, names: Sequence[str], *, here_only: bool = False) -> list[StoredContact]:
        """Into the trash, and deleted at the remotes by the next round unless ``here_only``."""
        return self.hub.delete(names, here_only=here_only)

    def restore(self, names: Sequence[str]) -> list[StoredContact]:
        """Bring deleted contacts back, also at the remotes, and part those that were merged away."""
        return restore(self.hub, names)

    def trash(self) -> list[StoredContact]:
        """Deleted contacts, as long as they are kept."""
        return self.store.contacts.deleted()

    def purge(self, names: Sequence[str]) -> list[StoredContact]:
        """Forget deleted contacts for good (L41). Raises `UsageError` while a remote may still have one."""
        return self.hub.purge(names)

    def merge(self, survivor: str, other: str) -> StoredContact:
        """Make two contacts one, with all values and both histories (L40)."""
        return merging.merge(self.hub, survivor, other)

    def merge_all(self, pairs: Iterable[tuple[str, str]]) -> int | None:
        """Merge the second of each pair of UIDs into the first; the run, None where there was nothing."""
        return merging.merge_all(self.hub, pairs)

    def duplicates(self) -> list[Candidate]:
        """Pairs that may be the same person, and all that is held back; what waits comes first."""
        return candidates(self.store, self.region)

    def still_a_candidate(self, candidate: Candidate) -> Candidate | None:
        """The pair as it is now; None where it was decided meanwhile."""
        return still_there(self.store, candidate)

    @property
    def region(self) -> str:
        """The country whose phone numbers are written without a country code, if all accounts agree."""
        regions = {account.region.upper() for account in self.config.accounts if account.region}
        return regions.pop() if len(regions) == 1 else ""

    def not_the_same(self, one: str, other: str) -> int:
        """These are two people: it is remembered, and lets go of the one held back. Returns the run."""
        return not_the_same(self.hub, one, other)

    def release(self, name: str) -> int:
        """A contact that is held back is a person of its own. Returns the run."""
        return release(self.hub, name)

    def history(self, name: str) -> list[JournalRow]:
        """All steps of one contact, live or deleted, and of those that were merged into it, oldest first."""
        return self.store.journal.of_contact(self.known(name).id)

    def known(self, name: str) -> StoredContact:
        """A contact, live or in the trash. Raises `UsageError` where nobody of that name is known."""
        found = self.store.contacts.find(name)
        if not found:
            raise UsageError(f"No contact {name!r}.", hint="contactsync contact list shows all.")
        return found[0]

    def where(self, name: str) -> list[Where]:
        """Which account shows which value of a contact, and why another does not."""
        return where(self.store, self.config.accounts, self._codec, self.contact(name))

    def _codec(self, account: AccountConfig) -> Codec | None:
        try:
            connector = self.connect(account)
        except ContactSyncError:
            return None
        connector.close()
        return connector.codec

    # --- groups, runs, conflicts ----------------------------------------------------------------

    def groups(self) -> list[StoredGroup]:
        """Labels, categories and groups of all remotes, as entities (L39)."""
        return self.hub.groups()

    def rename_group(self, old: str, new: str) -> StoredGroup:
        """Give a group another name, on this device and with the next round everywhere."""
        return self.hub.rename_group(old, new)

    def delete_group(self, name: str) -> StoredGroup:
        """Delete a group, and none of its members."""
        return self.hub.delete_group(name)

    def runs(self, limit: int = 50) -> list[StoredRun]:
        """Rounds, edits, imports and undos, the newest first."""
        return self.store.journal.runs(limit)

    def sums(self, runs: Iterable[StoredRun]) -> dict[int, list[StepSum]]:
        """What each of these runs did, by side and action."""
        return self.store.journal.sums([run.id for run in runs])

    def run(self, run_id: int) -> tuple[StoredRun, list[JournalRow]]:
        """A run and its steps. Raises `UsageError` where there is none of that number."""
        run = self.store.journal.run(run_id)
        if run is None:
            raise UsageError(f"No run {run_id}.", hint="contactsync run list")
        return run, self.store.journal.of_run(run_id)

    def undo(self, run_id: int) -> Undone:
        """Take back what a run changed here and nobody changed since (P7)."""
        return undo(self.hub, run_id)

    def newest(self) -> list[JournalRow]:
        """The steps of the last run: within `trying`, of what was just tried."""
        return self.store.journal.of_run(self.store.journal.newest_run())

    def kind_of(self, run_id: int) -> str:
        """What a run was: sync, edit, import, undo, ...; empty where that is forgotten."""
        run = self.store.journal.run(run_id)
        return run.kind if run is not None else ""

    def take_sent(self, step_id: int, *, run: int) -> Undone:
        """Take back one edit that a run sent: the remote's former values become an edit here (P7)."""
        return take_sent(self.hub, step_id, run)

    def trying(self, dry_run: bool = True) -> AbstractContextManager[None]:
        """With ``dry_run`` all edits inside are taken back at the end, so that they can be shown (L36)."""
        return self.store.trial() if dry_run else nullcontext()

    def conflicts(self, *, only_open: bool = False) -> list[StoredConflict]:
        """Open ones, and those that a policy or a person decided, with the losing value."""
        return [c for c in self.store.journal.conflicts() if not only_open or c.status == "open"]

    def conflict(self, conflict_id: int) -> StoredConflict:
        """One record of two values. Raises `UsageError` where there is none of that number."""
        return one_of(self.store, conflict_id)

    def present(self, conflict: StoredConflict) -> Any:
        """The value that the contact has now, in the JSON form of the conflict's; None where it has none."""
        return present(self.store, conflict)

    def resolve(self, conflict_id: int, take: str, *, shown: StoredConflict | None = None) -> Answered:
        """Take the value of ``device``, ``remote``, ``both`` or the ``newest``.

        ``shown`` is the conflict as the person saw it: one that moved on meanwhile raises `UsageError`."""
        return resolve(self.hub, conflict_id, take, shown=shown)

    def resolve_all(self, conflicts: Iterable[StoredConflict], take: str) -> Answered:
        """Settle many conflicts by one rule, as one run."""
        return resolve_all(self.hub, conflicts, take)

    def status(self) -> dict[str, Any]:
        """One screen: accounts with their last state, and what is pending, in doubt, set aside."""
        rows = {row.name: row for row in self.store.books.accounts()}
        accounts = []
        for account in self.config.accounts:
            row = rows.get(account.name)
            books = self.store.books.of_account(account.name)
            accounts.append(
                {
                    "name": account.name,
                    "type": account.connector,
                    "state": "paused" if account.paused else row.state if row else "new",
                    "message": row.message if row else "",
                    "last_run": row.ran_at.isoformat() if row and row.ran_at else None,
                    "books": [book.name for book in books],
                    "pending": self.pending(account.name),
                    "next_due": row.next_due.isoformat() if row and row.next_due else None,
                }
            )
        losses = losses_of(self.store)
        return {
            "contacts": self.store.contacts.count(),
            "accounts": accounts,
            "calendars": self.calendars(),
            "conflicts": self.store.journal.open_conflicts(),
            "in_doubt": self.store.journal.in_doubt(),
            "held": self.store.contacts.count_held(),
            "set_aside": len(self.store.keepsakes.quarantined()),
            "lost_at_remotes": len(losses),
            "losses": losses,
        }
