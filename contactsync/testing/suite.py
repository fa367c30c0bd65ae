"""The contract of `Connector` as tests: subclass it, give a `Rig`, and pytest does the rest.

It holds no pytest, so that any runner that calls ``test_*`` methods will do::

    class TestMine(ConnectorSuite):
        def make(self):
            connector = held_to_contract(factory(AccountSettings("mine", "mine", url=...)))
            return Rig(connector, "/a/fresh/empty/book/", other_client)

What each test wants is what the engine relies on, and its docstring says why. The rules of
`contactsync.connectors.contract` are checked of every answer besides, in rounds too.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import Protocol, TypeVar

from contactsync.connectors.base import (
    Change,
    Connector,
    Create,
    Delete,
    Outcome,
    Page,
    Payload,
    Refused,
    Removed,
    Step,
    Stored,
    Update,
)
from contactsync.connectors.guard import Origin, guard
from contactsync.errors import (
    AuthError,
    BookGone,
    CodecError,
    PreconditionFailed,
    RemoteError,
    SyncTokenExpired,
)
from contactsync.model.contact import (
    Contact,
    Email,
    Name,
    NameComponent,
    Nickname,
    Note,
    Organization,
    Phone,
    Title,
)

T = TypeVar("T")
E = TypeVar("E", bound=BaseException)
#: More than most remotes hold.
RICH = Contact(
    uid="uid-rich",
    name=Name((NameComponent("given", "Ada"), NameComponent("surname", "Lovelace")), "Ada Lovelace"),
    nicknames=(Nickname("Countess"),),
    emails=(Email("ada@x.example", frozenset({"work"})), Email("ada@y.example", label="old")),
    phones=(Phone("+49 30 5550001", frozenset({"private"}), frozenset({"cell"})),),
    organizations=(Organization("Analytical Engines", ("Programs",)),),
    titles=(Title("Analyst"), Title("Poet", "role")),
    notes=(Note("first line\nsecond line"),),
)
UNICODE = "Zoë 李小龍 🦊 \u0627\u0644\u0639"


def held_to_contract(connector: Connector) -> Connector:
    """The connector as the engine calls one by others: every answer is checked, and every call limited."""
    return guard(lambda: connector, Origin(type(connector).__name__))


class OtherClient(Protocol):
    """Someone else at the same remote, by the paths that hrefs are."""

    def put(self, path: str, payload: Payload) -> object: ...

    def get(self, path: str) -> Payload | None: ...

    def delete(self, path: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Rig:
    """A connector, the href of a book that is empty and ours alone, and another client."""

    connector: Connector
    book: str
    other: OtherClient

    def list(self, cursor: str | None = None) -> Listing:
        pages = [*self.connector.changes(self.book, cursor)]
        return Listing(tuple(pages))

    def write(self, *steps: Step) -> dict[int, Outcome]:
        outcomes = [*self.connector.write(self.book, steps)]
        assert sorted(o.key for o in outcomes) == sorted(s.key for s in steps), "one outcome for each step"
        return {outcome.key: outcome for outcome in outcomes}

    def create(self, payload: Payload, hint: str, key: int = 1) -> Stored:
        outcome = self.write(Create(key, hint, f"uid-{hint}", payload))[key]
        assert isinstance(outcome, Stored), outcome
        return outcome

    def read(self, href: str) -> Change:
        (change,) = self.connector.fetch(self.book, [href])
        return change


@dataclass(frozen=True, slots=True)
class Listing:
    """All pages of one listing."""

    pages: tuple[Page, ...]

    @property
    def cursor(self) -> str | None:
        return self.pages[-1].cursor

    @property
    def there(self) -> dict[str, str | None]:
        return {c.href: c.etag for page in self.pages for c in page.changes if not c.gone}

    @property
    def gone(self) -> set[str]:
        return {c.href for page in self.pages for c in page.changes if c.gone}


class ConnectorSuite:
    """What the engine relies on. Override ``card`` where payloads are no vCards."""

    #: a cursor that the remote cannot know, of the kind that this connector makes
    unknown_cursor = "sync:http://contactsync.invalid/no-such-token"

    @abstractmethod
    def make(self) -> Rig: ...

    def card(self, name: str, hint: str, *lines: str) -> Payload:
        """A payload for a person of this name, with the uid ``uid-{hint}``."""
        body = ["BEGIN:VCARD", "VERSION:3.0", f"UID:uid-{hint}", f"FN:{name}", f"N:{name};;;;", *lines]
        return "\r\n".join([*body, "END:VCARD", ""]).encode()

    def shown_name(self, rig: Rig, payload: Payload) -> str:
        """As the connector's codec reads it."""
        return rig.connector.codec.read(payload).name.full

    def href(self, rig: Rig, hint: str) -> str:
        """Where the other client puts a card of this name; nothing is there by itself."""
        return f"{rig.book}{hint}.vcf"

    def put_other(self, rig: Rig, hint: str, name: str = "Other") -> str:
        """A card by the other client; its href."""
        href = self.href(rig, hint)
        rig.other.put(href, self.card(name, hint))
        return href

    # ---- listings --------------------------------------------------------------------------------

    def test_check_names_the_login(self) -> None:
        """A person sees who logged in, before anything is saved."""
        assert self.make().connector.check()

    def test_collections_name_the_book(self) -> None:
        """Each round begins with the address books of the login."""
        rig = self.make()
        assert rig.book in [c.href for c in rig.connector.collections() if c.writable]

    def test_an_empty_book_is_a_full_listing_of_nothing(self) -> None:
        """A full listing with its last page is the only proof that a card is not there (L20)."""
        listing = self.make().list()
        assert not listing.there
        assert not listing.gone
        assert all(page.full for page in listing.pages)
        assert [page.last for page in listing.pages] == [False] * (len(listing.pages) - 1) + [True]

    def test_a_full_listing_names_every_card_and_no_deleted_one(self) -> None:
        """A card that a full listing does not name counts as missing (L20)."""
        rig = self.make()
        hrefs = {self.put_other(rig, f"all-{n}") for n in range(7)}
        rig.other.delete(self.put_other(rig, "dead"))
        listing = rig.list()
        assert set(listing.there) == hrefs
        assert not listing.gone

    def test_an_unknown_book_is_gone(self) -> None:
        """A book that vanished is an error, never a deletion of its contacts (L21)."""
        rig = self.make()
        missing = f"{rig.book.rstrip('/')}-missing/"
        error = _raises(BookGone, lambda: list(rig.connector.changes(missing, None)))
        assert error.href == missing, "the href of a BookGone is that of the book that was asked for"

    def test_no_change_is_an_empty_listing_with_a_usable_cursor(self) -> None:
        """A round without news costs one request for each book."""
        rig = self.make()
        self.put_other(rig, "still")
        if not rig.connector.capabilities.incremental:
            return
        first = rig.list()
        second = rig.list(first.cursor)
        assert not second.there
        assert not second.gone
        assert not rig.list(second.cursor).there

    def test_a_cursor_brings_exactly_what_changed_since(self) -> None:
        """`incremental`: what a listing since a cursor leaves out did not change."""
        rig = self.make()
        if not rig.connector.capabilities.incremental:
            return
        kept, edited, dead = (self.put_other(rig, hint) for hint in ("kept", "edited", "dead"))
        cursor = rig.list().cursor
        new = self.put_other(rig, "new")
        self.put_other(rig, "edited", "Edited")
        rig.other.delete(dead)
        listing = rig.list(cursor)
        if any(page.full for page in listing.pages):
            # allowed for a book that this server cannot list by changes
            assert set(listing.there) == {new, edited, kept}
        else:
            assert set(listing.there) == {new, edited}
            assert listing.gone == {dead}
        assert not rig.list(listing.cursor).there

    def test_our_own_writes_are_seen_after_the_cursor(self) -> None:
        """What was written is read back (L11)."""
        rig = self.make()
        cursor = rig.list().cursor
        stored = rig.create(self.card("Own", "own"), "own")
        assert stored.href in rig.list(cursor).there

    def test_an_unknown_cursor_has_expired(self) -> None:
        """A cursor that is not valid any more leads to a full listing, never to a guess (L21)."""
        rig = self.make()
        self.put_other(rig, "any")
        if rig.connector.capabilities.incremental:
            _raises(SyncTokenExpired, lambda: rig.list(self.unknown_cursor))

    def test_traffic_is_counted(self) -> None:
        """The report of a round says what it cost."""
        rig = self.make()
        before = rig.connector.traffic().requests
        rig.list()
        assert rig.connector.traffic().requests > before

    # ---- reading ---------------------------------------------------------------------------------

    def test_fetch_reads_what_is_listed(self) -> None:
        """Listing and direct reads agree on etags, or every card would be read in every round (L1)."""
        rig = self.make()
        for n in range(3):
            self.put_other(rig, f"read-{n}", f"Reader {n}")
        listed = rig.list().there
        fetched = {c.href: c for c in rig.connector.fetch(rig.book, [*listed])}
        assert {href: c.etag for href, c in fetched.items()} == listed
        assert all(c.payload and b"Reader" in c.payload for c in fetched.values())

    def test_a_missing_card_comes_back_gone_beside_the_others(self) -> None:
        """The direct read is the second proof that a card is missing (L20)."""
        rig = self.make()
        there = self.put_other(rig, "there")
        missing = self.href(rig, "missing")
        changes = {c.href: c for c in rig.connector.fetch(rig.book, [missing, there])}
        assert changes[missing].gone
        assert changes[missing].payload is None
        assert changes[there].payload
        assert rig.read(missing).gone

    def test_fetch_of_nothing_is_nothing(self) -> None:
        """Nothing to read costs nothing, and is no error."""
        rig = self.make()
        assert not [*rig.connector.fetch(rig.book, [])]

    def test_many_cards_are_fetched_each_once(self) -> None:
        """However many are asked for in one go, each is answered once, in order."""
        rig = self.make()
        steps = [
            Create(n, f"many-{n}", f"uid-many-{n}", self.card(f"M {n}", f"many-{n}")) for n in range(130)
        ]
        hrefs = [o.href for o in rig.write(*steps).values() if isinstance(o, Stored)]
        fetched = [c.href for c in rig.connector.fetch(rig.book, hrefs)]
        assert len(hrefs) == 130
        assert fetched == hrefs

    # ---- writing ---------------------------------------------------------------------------------

    def test_a_card_makes_the_round_trip(self) -> None:
        """What was written is there, under the etag that the write named (`etag_on_write`)."""
        rig = self.make()
        stored = rig.create(self.card("Ada", "ada", "NOTE:x"), "ada")
        change = rig.read(stored.href)
        assert change.payload is not None
        assert self.shown_name(rig, change.payload) == "Ada"
        assert change.etag == (stored.etag or change.etag)
        assert rig.connector.capabilities.etag_on_write == (stored.etag is not None)
        assert stored.href in rig.list().there

    def test_what_a_write_shows_is_what_a_read_shows(self) -> None:
        """`payload_on_write`: what the answer shows is believed without a further read."""
        rig = self.make()
        made = rig.create(self.card("Echo", "echo", "NOTE:x"), "echo")
        change = rig.read(made.href)
        assert rig.connector.capabilities.payload_on_write == (made.payload is not None)
        assert made.payload in (None, change.payload)
        edited = rig.write(Update(2, made.href, change.etag, self.card("Edited", "echo", "NOTE:y")))[2]
        assert isinstance(edited, Stored)
        after = rig.read(made.href)
        assert edited.payload in (None, after.payload)
        assert edited.payload is None or edited.etag == after.etag

    def test_the_uid_survives(self) -> None:
        """`carries_uid`: a card in doubt is found again by its uid (L33)."""
        rig = self.make()
        stored = rig.create(self.card("Uma", "Case-Of-Uid"), "Case-Of-Uid")
        payload = rig.read(stored.href).payload or b""
        assert (b"uid-Case-Of-Uid" in payload) == rig.connector.capabilities.carries_uid

    def test_unicode_long_lines_and_unknown_properties_survive(self) -> None:
        """What we do not understand belongs to somebody."""
        rig = self.make()
        note = "Æ" * 700
        own = "X-CONTACTSYNC-TEST:kept as it is"
        payload = self.card(UNICODE, "uni", f"NOTE:{note}", own)
        self.assert_kept(rig, rig.read(rig.create(payload, "uni").href).payload or b"", note, own)

    def assert_kept(self, rig: Rig, payload: Payload, note: str, own: str) -> None:
        """The name, the note and the line of our own are in the payload."""
        text = unfolded(payload)
        assert f"FN:{UNICODE}" in text
        assert note in text
        assert own in text

    def test_a_long_name_can_be_created(self) -> None:
        """A name of our choosing may be long."""
        rig = self.make()
        hint = "n" * 100
        stored = rig.create(self.card("Long", hint), hint)
        assert rig.read(stored.href).payload

    def test_creating_twice_makes_no_double(self) -> None:
        """`names_href`: a create that is repeated after a crash makes no double (L33)."""
        rig = self.make()
        if not rig.connector.capabilities.names_href:
            return
        stored = rig.create(self.card("Once", "once"), "once")
        again = rig.write(Create(2, "once", "uid-once", self.card("Twice", "once")))[2]
        assert isinstance(again, Refused)
        assert isinstance(again.error, PreconditionFailed)
        assert [*rig.list().there] == [stored.href]
        assert b"Once" in (rig.read(stored.href).payload or b"")

    def test_an_update_needs_the_etag_of_now(self) -> None:
        """`conditional_update`: an edit that was made meanwhile is not overwritten (L32)."""
        rig = self.make()
        href = self.put_other(rig, "edit")
        old = rig.read(href).etag
        self.put_other(rig, "edit", "Newer")
        wrong = rig.write(Update(1, href, old, self.card("Ours", "edit")))[1]
        assert isinstance(wrong, Refused)
        assert isinstance(wrong.error, PreconditionFailed)
        assert b"Newer" in (rig.other.get(href) or b"")
        now = rig.read(href).etag
        right = rig.write(Update(2, href, now, self.card("Ours", "edit")))[2]
        assert isinstance(right, Stored)
        assert right.href == href
        assert b"Ours" in (rig.other.get(href) or b"")

    def test_an_update_of_a_missing_card_is_refused(self) -> None:
        """An update revives nobody: whether an edit beats the deletion is decided by the engine (L23)."""
        rig = self.make()
        outcome = rig.write(Update(1, self.href(rig, "missing"), '"1"', self.card("No", "missing")))[1]
        assert isinstance(outcome, Refused)
        assert isinstance(outcome.error, PreconditionFailed)
        assert not rig.list().there

    def test_a_deletion_needs_the_etag_of_now(self) -> None:
        """`conditional_delete`: what was edited meanwhile is not deleted (L32)."""
        rig = self.make()
        href = self.put_other(rig, "gone")
        old = rig.read(href).etag
        self.put_other(rig, "gone", "Newer")
        wrong = rig.write(Delete(1, href, old))[1]
        assert isinstance(wrong, Refused)
        assert isinstance(wrong.error, PreconditionFailed)
        assert rig.other.get(href)
        right = rig.write(Delete(2, href, rig.read(href).etag))[2]
        assert right == Removed(2, href)
        assert rig.other.get(href) is None
        assert href not in rig.list().there

    def test_deleting_a_missing_card_is_done_already(self) -> None:
        """A deletion that is repeated after a crash is done."""
        rig = self.make()
        href = self.href(rig, "missing")
        assert rig.write(Delete(1, href, '"1"'))[1] == Removed(1, href)

    def test_one_refused_step_stops_no_other(self) -> None:
        """One bad card never stops the others (L35)."""
        rig = self.make()
        href = self.put_other(rig, "bad")
        steps: list[Step] = [Update(0, href, '"wrong"', self.card("Bad", "bad"))]
        steps += [Create(n, f"ok-{n}", f"uid-ok-{n}", self.card(f"Ok {n}", f"ok-{n}")) for n in range(1, 12)]
        outcomes = rig.write(*steps)
        assert isinstance(outcomes[0], Refused)
        assert all(isinstance(outcomes[n], Stored) for n in range(1, 12))
        assert len(rig.list().there) == 12

    def test_writing_nothing_is_nothing(self) -> None:
        """Nothing to write costs nothing, and is no error."""
        assert not self.make().write()

    def test_a_step_is_pulled_only_when_it_is_sent_next(self) -> None:
        """A step is in the journal right before it is sent, and not long before (L31)."""
        rig = self.make()
        limit = rig.connector.capabilities.parallel_writes * rig.connector.capabilities.batch_size
        total = max(20, 2 * limit + 1)
        pulled, done, most = count(), 0, 0

        def steps() -> Iterator[Step]:
            nonlocal most
            for n in range(total):
                most = max(most, next(pulled) + 1 - done)
                yield Create(n, f"lazy-{n}", f"uid-lazy-{n}", self.card(f"Lazy {n}", f"lazy-{n}"))

        for outcome in rig.connector.write(rig.book, steps()):
            assert isinstance(outcome, Stored)
            done += 1
        assert done == total
        # as many as are under way, and as many that were answered and are seen next
        assert most <= min(2 * limit, total - 1)
        assert most > min(2, limit - 1), "it can have several steps under way, and never has"

    def test_forty_mixed_steps_have_an_outcome_each_in_whatever_order_they_come(self) -> None:
        """Which step an outcome is about is said by its key, and by nothing else: others are under way with
        it, and one of them is refused in their midst."""
        rig = self.make()
        hints = [f"old-{n}" for n in range(27)]
        old = rig.write(*(Create(n, h, f"uid-{h}", self.card(f"Old {n}", h)) for n, h in enumerate(hints)))
        made = [outcome.href for _, outcome in sorted(old.items()) if isinstance(outcome, Stored)]
        etags = {change.href: change.etag for change in rig.connector.fetch(rig.book, made)}
        steps: list[Step] = []
        for n in range(13):
            updated, deleted = made[n], made[13 + n]
            steps.append(Create(3 * n, f"new-{n}", f"uid-new-{n}", self.card(f"New {n}", f"new-{n}")))
            steps.append(Update(3 * n + 1, updated, etags[updated], self.card(f"Edited {n}", hints[n])))
            steps.append(Delete(3 * n + 2, deleted, etags[deleted]))
        steps.insert(20, Update(39, made[26], '"wrong"', self.card("Refused", hints[26])))
        outcomes = rig.write(*steps)
        refused = outcomes.pop(39)
        assert isinstance(refused, Refused) and isinstance(refused.error, PreconditionFailed), refused
        there = {change.href: change for change in rig.connector.fetch(rig.book, made)}
        for n in range(13):
            created, edited, removed = (outcomes[3 * n + kind] for kind in range(3))
            assert isinstance(created, Stored), created
            assert self._name_at(rig, rig.read(created.href)) == f"New {n}"
            assert isinstance(edited, Stored) and edited.href == made[n], edited
            assert self._name_at(rig, there[made[n]]) == f"Edited {n}"
            assert removed == Removed(3 * n + 2, made[13 + n])
            assert there[made[13 + n]].gone
        assert self._name_at(rig, there[made[26]]) == "Old 26"

    def _name_at(self, rig: Rig, change: Change) -> str:
        assert change.payload is not None, change
        return self.shown_name(rig, change.payload)

    # ---- cards -----------------------------------------------------------------------------------

    def test_what_was_read_is_written_back_byte_for_byte(self) -> None:
        """GetPut (L8): nobody's card changes because we looked at it."""
        rig = self.make()
        codec = rig.connector.codec
        payload = rig.read(self.put_other(rig, "same", UNICODE)).payload
        assert payload is not None
        assert codec.write(codec.read(payload), payload) == payload

    def test_what_is_written_reads_as_what_it_shows(self) -> None:
        """PutGet (L9): what `project` leaves out stays on the device, and counts as no edit of the remote."""
        codec = self.make().connector.codec
        for contact in (RICH, Contact(uid="poor", name=Name(full="Poor"))):
            shown = codec.project(contact)
            assert codec.read(codec.write(contact, None)) == shown
            assert codec.project(shown) == shown

    def test_an_edit_changes_what_it_says_and_no_more(self) -> None:
        """Of a card, what nobody edited stays as it is, also what we do not understand."""
        rig = self.make()
        codec = rig.connector.codec
        own = "X-CONTACTSYNC-TEST:kept as it is"
        payload = rig.read(rig.create(self.card(UNICODE, "edit", "NOTE:old", own), "edit").href).payload
        assert payload is not None
        edited = replace(codec.read(payload), notes=(Note("new"),))
        written = codec.write(edited, payload)
        assert codec.read(written) == edited
        self.assert_kept(rig, written, "new", own)

    def test_a_card_that_cannot_be_read_is_a_trouble_of_its_own(self) -> None:
        """A `CodecError` sets the card aside, and the others go on (L35); `glimpse` never fails."""
        codec = self.make().connector.codec
        _raises(CodecError, lambda: codec.read(b"\x00 no card"))
        assert isinstance(codec.glimpse(b"\x00 no card"), str)

    # ---- login -----------------------------------------------------------------------------------

    def test_a_wrong_login_stops_the_writing(self) -> None:
        """Nothing is sent after it. Only where a login can be wrong: override ``locked_out``."""
        rig = self.locked_out()
        if rig is None:
            return
        connector, book = rig.connector, rig.book
        _raises(AuthError, connector.check)
        _raises(AuthError, lambda: list(connector.changes(book, None)))
        pulled: list[Step] = []
        steps = (Create(n, f"no-{n}", f"uid-no-{n}", self.card("No", f"no-{n}")) for n in range(50))
        outcomes = [*connector.write(book, _noting(steps, pulled))]
        assert all(isinstance(o, Refused) and isinstance(o.error, AuthError) for o in outcomes)
        limit = connector.capabilities.parallel_writes * connector.capabilities.batch_size
        assert len(outcomes) == len(pulled) <= limit

    def test_a_login_that_ends_in_the_middle_leaves_no_step_without_an_outcome(self) -> None:
        """What was under way is accounted for: what is said to be stored is there, and what is said to be
        refused is not. Only where a login can end: override ``login_that_ends``."""
        found = self.login_that_ends()
        if found is None:
            return
        rig, end = found
        limit = rig.connector.capabilities.parallel_writes * rig.connector.capabilities.batch_size
        pulled: list[Step] = []

        def steps() -> Iterator[Step]:
            for n in range(limit + 60):
                if n == limit + 10:
                    end()
                yield Create(n, f"mid-{n}", f"uid-mid-{n}", self.card(f"Mid {n}", f"mid-{n}"))

        outcomes = [*rig.connector.write(rig.book, _noting(steps(), pulled))]
        assert sorted(outcome.key for outcome in outcomes) == [step.key for step in pulled]
        assert len(pulled) <= limit + 10 + 2 * limit
        stored = [outcome for outcome in outcomes if isinstance(outcome, Stored)]
        refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
        assert refused and len(stored) + len(refused) == len(outcomes)
        assert all(isinstance(outcome.error, AuthError) for outcome in refused)
        assert stored and all(rig.other.get(outcome.href) for outcome in stored)
        if rig.connector.capabilities.names_href:
            assert not any(rig.other.get(self.href(rig, f"mid-{outcome.key}")) for outcome in refused)

    def login_that_ends(self) -> tuple[Rig, Callable[[], object]] | None:
        """A rig, and what makes its login invalid; None where there is no such thing."""
        return None

    def locked_out(self) -> Rig | None:
        """The same book with a wrong password; None where there is no such thing."""
        return None


def unfolded(payload: Payload) -> str:
    """A vCard's text with its long lines joined (RFC 6350 section 3.2)."""
    return payload.replace(b"\r\n", b"\n").replace(b"\n ", b"").replace(b"\n\t", b"").decode()


def _noting(source: Iterable[T], into: list[T]) -> Iterator[T]:
    for one in source:
        into.append(one)
        yield one


def _raises(kind: type[E], call: Callable[[], object]) -> E:
    try:
        call()
    except kind as error:
        assert isinstance(error, RemoteError | CodecError)
        return error
    raise AssertionError(f"{kind.__name__} was expected")
