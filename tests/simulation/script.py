"""The language of worlds that are written out: exact people, acts, moments and expectations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from contactsync.engine.report import AccountReport
from contactsync.model.contact import Contact, Email, Note, Title
from contactsync.store.values import StoredContact
from tests.simulation import facts, people
from tests.simulation.facts import Facts
from tests.simulation.oracle import NOTHING, Violation
from tests.simulation.stage import Stage
from tests.simulation.world import Act, Plan, Shape

Change = Callable[[Contact], Contact]


@dataclass(frozen=True)
class Deed(Act):
    """Anything at all, at the moment of an act."""

    do: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class World:
    """A world by hand. ``judged`` is False where the oracle's rules cannot hold at the end, as with a
    mode that carries edits one way only; with ``under_way``, several writes are under way at once."""

    name: str
    law: str
    remotes: tuple[tuple[str, int], ...]
    play: Callable[[Script], None] = field(repr=False)
    policy: str = "newest"
    mode: str = "two-way"
    judged: bool = True
    under_way: bool = False
    devices: str = "a"

    @property
    def plan(self) -> Plan:
        shape = Shape(0, self.devices, self.remotes, self.policy, mode=self.mode, under_way=self.under_way)
        return Plan(shape)


class Script(Stage):
    """Plays one `World` on device a, beside others where it has them. A place is a device or a remote, by its
    name; people go by their given names. ``guard`` is what stopped the last round, if anything did."""

    def __init__(self, world: World) -> None:
        super().__init__(world.plan)
        self._world = world
        self.guard = ""

    def run(self) -> None:
        with self._opened():
            self._world.play(self)
            if self._world.judged:
                self.rest()

    def play(self, act: Act) -> None:
        if isinstance(act, Deed):
            act.do()
        else:
            super().play(act)

    # ---- rounds ----------------------------------------------------------------------------------

    def sync(
        self,
        *,
        minutes: float = 10,
        fault: str = "",
        number: int = 1,
        at: str = "",
        meanwhile: Callable[[], object] | None = None,
        backwards: bool = False,
    ) -> None:
        """One round, so many ``minutes`` later; ``meanwhile`` happens at the boundary ``at``, where a
        process also dies (at the first time it is there) that has the ``fault`` die."""
        self.now += timedelta(minutes=minutes)
        number = 0 if fault == "die" else number
        deeds = (Deed("do", "x", do=meanwhile),) if meanwhile else ()
        self.round(
            Act("sync", "a", pick=float(backwards), fault=fault, number=number, at=at, meanwhile=deeds)
        )

    def _tell(self, act: Act, account: AccountReport) -> None:
        self.guard = account.guard.kind if account.guard else ""
        super()._tell(act, account)

    def sync_only(self, device: str, at: str) -> None:
        """A round of a device with one of its remotes."""
        self.devices[device].sync([at], limits=self.limits, wait_seconds=0)
        self.say(f"{device} syncs with {at} only")

    def passes(self, days: float) -> None:
        self.now += timedelta(days=days)

    # ---- on the device ---------------------------------------------------------------------------

    def person(self, given: str, change: Change = lambda contact: contact) -> Contact:
        """Somebody with a surname, an address and a number of their own; nowhere yet."""
        return change(people.newcomer(self.words, self.new_id("a"), given))

    def put(self, contact: Contact) -> Contact:
        self.devices["a"].put([contact])
        self.ledger.saw(NOTHING, self.facts("a", contact))
        self.say(f"a creates {contact.name.part('given')}")
        return contact

    def stored(self, given: str) -> StoredContact:
        """The one contact of that name on the device."""
        found = [s for s in self.devices["a"].contacts() if s.contact.name.part("given") == given]
        self.equal("P2", f"contacts called {given} on a", len(found), 1)
        return found[0]

    def edit(self, given: str, change: Change) -> None:
        stored, engine = self.stored(given), self.devices["a"]
        before = self.facts("a", stored.contact)
        engine.put([change(engine.export_form(stored.contact))])
        after = self.facts("a", engine.contact(stored.uid).contact)
        self.ledger.saw(before, after)
        self.say(f"a edits {given}: {facts.difference(before, after)}")

    def delete(self, given: str) -> None:
        stored = self.stored(given)
        self.devices["a"].delete([stored.uid])
        self.ledger.forgot(self.facts("a", stored.contact))
        self.say(f"a deletes {given}")

    def restore(self, given: str) -> None:
        trash = [s for s in self.devices["a"].trash() if s.contact.name.part("given") == given]
        self.equal("L22", f"tombstones of {given}", len(trash), 1)
        self.devices["a"].restore([trash[0].uid])
        self.ledger.brought_back(self.facts("a", self.stored(given).contact))
        self.say(f"a restores {given}")

    def merge(self, survivor: str, other: str) -> None:
        one, two = self.stored(survivor), self.stored(other)
        both = self.facts("a", one.contact), self.facts("a", two.contact)
        merged = self.devices["a"].merge(one.uid, two.uid)
        self.ledger.united(*both, self.facts("a", merged.contact))
        self.say(f"a merges {other} into {survivor}")

    # ---- at a remote -----------------------------------------------------------------------------

    def client_puts(self, contact: Contact, at: str = "r0", *, book: int = 0) -> str:
        """Somebody else's client stores a new card; its href."""
        remote = self.remotes[at]
        href = f"{remote.books[book]}{self.words.new('x')}.vcf"
        remote.server.put(href, remote.codec.write(replace(contact, updated=self.now), None))
        self.ledger.saw(NOTHING, facts.of_card(remote.server.get(href) or b""))
        self.say(f"x at {at} creates {contact.name.part('given')}")
        return href

    def card(self, given: str, at: str = "r0", *, book: int = 0) -> tuple[str, bytes]:
        """Href and bytes of the one card of that name in a book."""
        remote = self.remotes[at]
        here = [(h, p) for h, p in remote.cards() if h.startswith(remote.books[book])]
        found = [(href, payload) for href, payload in here if facts.key(facts.of_card(payload)) == given]
        self.equal("P2", f"cards of {given} at {at}", len(found), 1)
        return found[0]

    def client_edits(self, given: str, change: Change, at: str = "r0", *, book: int = 0) -> None:
        remote, (href, payload) = self.remotes[at], self.card(given, at, book=book)
        opened = remote.codec.read(payload)
        stamped = replace(change(opened), updated=self.now if opened.updated else None)
        remote.server.put(href, remote.codec.write(stamped, payload))
        before, after = facts.of_card(payload), facts.of_card(remote.server.get(href) or b"")
        self.ledger.saw(before, after)
        self.say(f"x at {at} edits {given}: {facts.difference(before, after)}")

    def client_touches(self, given: str, at: str = "r0") -> None:
        self.remotes[at].server.put(*self.card(given, at))
        self.say(f"x at {at} touches {given}")

    def client_deletes(self, given: str, at: str = "r0") -> bytes:
        """Its bytes, for who wants to bring it back."""
        href, payload = self.card(given, at)
        self.remotes[at].server.delete(href)
        self.ledger.forgot(facts.of_card(payload))
        self.say(f"x at {at} deletes {given}")
        return payload

    # ---- expectations ----------------------------------------------------------------------------

    def equal(self, law: str, what: str, seen: object, wanted: object) -> None:
        if seen != wanted:
            raise Violation(law, f"{what}: {seen}, not {wanted}")

    def people_at(self, law: str, place: str, *wanted: str) -> None:
        """Exactly these are there, each as often as named."""
        seen = sorted(facts.key(one) for one in self._all(place))
        self.equal(law, f"people at {place}", seen, sorted(wanted))

    def shows(self, law: str, place: str, given: str, **units: str | tuple[str, ...]) -> None:
        """Exactly these values of units stand at a place."""
        found = [one for one in self._all(place) if facts.key(one) == given]
        self.equal(law, f"{given} at {place}", len(found), 1)
        for unit, wanted in units.items():
            values = (wanted,) if isinstance(wanted, str) else wanted
            self.equal(law, f"{unit} of {given} at {place}", sorted(found[0][unit]), sorted(values))

    def everywhere(self, law: str, given: str, **units: str | tuple[str, ...]) -> None:
        for place in ("a", *self.remotes):
            self.shows(law, place, given, **units)

    def conflicts(self, law: str, number: int) -> None:
        self.equal(law, "conflicts on record", len(self.devices["a"].conflicts()), number)

    def writes(self, at: str = "r0") -> int:
        return self.remotes[at].writes

    def _all(self, place: str) -> list[Facts]:
        if place in self.devices:
            return [self.facts(place, s.contact) for s in self.devices[place].contacts()]
        return [facts.of_card(payload) for _, payload in self.remotes[place].cards()]


# ---- edits ---------------------------------------------------------------------------------------


def title(word: str) -> Change:
    return lambda contact: replace(contact, titles=(Title(word),))


def note(text: str) -> Change:
    return lambda contact: replace(contact, notes=(Note(text),))


def group(name: str) -> Change:
    return lambda contact: replace(contact, groups=frozenset({name}))


def addresses(*some: str, preferred: str = "") -> Change:
    """Exactly these, in this order."""

    def change(contact: Contact) -> Contact:
        old = {e.address: e for e in contact.emails}
        new = [replace(old.get(a, Email(a)), pref=1 if a == preferred else None) for a in some]
        return replace(contact, emails=tuple(new))

    return change


def photo(script: Script, word: str) -> Change:
    return lambda contact: replace(contact, media=(people.photo(script.words.album, word),))
