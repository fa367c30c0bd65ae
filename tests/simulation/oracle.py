"""The oracle: what each person set and saw, and what must therefore be where (P1 to P4, P8).

It shares no code with the engine. It keeps a ledger of values; a value stands until somebody who saw
it took it away or put another in its place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from tests.simulation.facts import Facts, key, shown, values
from tests.simulation.remotes import Kind

NOTHING: Facts = {}


class Violation(AssertionError):
    """A property does not hold; ``law`` is its number."""

    def __init__(self, law: str, text: str) -> None:
        super().__init__(f"{law}: {text}")
        self.law = law


class Classes:
    """Names that stand for the same thing: contacts that were merged, groups that were renamed."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def of(self, name: str) -> str:
        while (parent := self._parent.get(name, name)) != name:
            name = parent
        return name

    def unite(self, one: str, other: str) -> None:
        if self.of(one) != self.of(other):
            self._parent[self.of(other)] = self.of(one)


@dataclass
class Ledger:
    """Who set what. A value is (person, unit, text); persons and groups by their class.

    ``several`` are persons of whom somebody put up more than one card; ``deleted`` those whom somebody
    deleted at any time; ``absorbed`` those who were made part of another: an edit that did not know of it
    brings them back; ``merged`` those and the ones that a device merged into another; ``apart`` those who
    came to several places on different ways, and meet only later (L28); ``taken`` are (place, value) that
    an edit took away there, ``twice`` values that two set who did not know of each other: whoever takes one
    away again need not have seen the other. ``unsure`` are units (of persons) that somebody emptied before
    our write of them was read back: that may look as if the remote could not hold them (L12); ``maybe`` are
    values that a merge kept, which is an edit that need not have seen all others; ``labels`` are (person,
    address, label); ``ended`` are memberships that went with their group, ``anew`` groups that somebody got
    into since, and ``known`` the names by which a device ever knew groups; ``preferred`` are persons of whom
    a device was told which address they prefer, which is an edit that no fact shows; ``again`` are (device,
    value) that a file gave a device after somebody else had taken it away, ``brought`` those of them that a
    round of the device told, ``lately`` are (place, value) that were taken away there since its last round;
    ``bound`` are the addresses and numbers by which whom somebody merged can be known to be part of another.
    """

    standing: set[tuple[str, str, str]] = field(default_factory=set)
    ever: set[tuple[str, str, str]] = field(default_factory=set)
    people: Classes = field(default_factory=Classes)
    groups: Classes = field(default_factory=Classes)
    several: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    absorbed: set[str] = field(default_factory=set)
    apart: set[str] = field(default_factory=set)
    taken: set[tuple[str, tuple[str, str, str]]] = field(default_factory=set)
    twice: set[tuple[str, str, str]] = field(default_factory=set)
    merged: set[str] = field(default_factory=set)
    maybe: set[tuple[str, str, str]] = field(default_factory=set)
    unsure: set[tuple[str, str]] = field(default_factory=set)
    labels: set[tuple[str, ...]] = field(default_factory=set)
    ended: set[tuple[str, str, str]] = field(default_factory=set)
    anew: set[str] = field(default_factory=set)
    known: dict[str, set[str]] = field(default_factory=dict)
    preferred: set[str] = field(default_factory=set)
    again: set[tuple[str, tuple[str, str, str]]] = field(default_factory=set)
    brought: set[tuple[str, str, str]] = field(default_factory=set)
    lately: set[tuple[str, tuple[str, str, str]]] = field(default_factory=set)
    bound: dict[str, set[tuple[str, str]]] = field(default_factory=dict)

    def saw(self, before: Facts, after: Facts, *, kept: Facts | None = None, place: str = "") -> None:
        """Somebody who saw ``before`` made it ``after``; of this ``kept`` is what the remote took."""
        self._join(after.get("group", frozenset()) - before.get("group", frozenset()))
        came = {self.classed((key(after), *value)) for value in values(after) - values(before)}
        self.twice |= came & {self.classed(value) for value in self.standing}
        gone = self._set(before, after, after if kept is None else kept)
        self.maybe |= {value for value in self.twice if self.classed(value) in gone}
        self._part(gone)
        self.ended = {value for value in self.ended if self.classed(value) not in came}
        self.taken -= {(place, value) for value in came}
        self._may_be_renamed(self.people.of(key(after or before)), gone, place)
        self.taken |= {(place, value) for value in gone}
        self.lately |= {(place, value) for value in gone}

    def _part(self, gone: Set[tuple[str, str, str]]) -> None:
        """Once these (by class) are neither with the one who remains nor on the card of the other, edits of
        that card by somebody who did not know of the merge are another person's (L40)."""
        for who, strong in self.bound.items():
            left = {value for value in strong if self.classed((who, *value)) not in gone}
            if strong and not left:
                self.several.add(who)
            self.bound[who] = left

    def _set(self, before: Facts, after: Facts, kept: Facts) -> set[tuple[str, str, str]]:
        """What went, by class."""
        who = key(after or before)
        if who in self.absorbed:
            self.several.add(who)
        gone = self._take_away(before, after)
        self._cut_off(before, after, kept)
        added = {(who, *value) for value in (values(after) - values(before)) & values(kept)}
        self.standing |= added
        self.ever |= {(who, unit, value) for unit, value in values(after)}
        self.labels |= {(who, *pair.split(" ", 1)) for pair in after["labelled"]}
        return gone

    def _cut_off(self, before: Facts, after: Facts, kept: Facts) -> None:
        """Something new left no room at the remote for what had been there: on the card it looks as if
        somebody had put the one in the place of the other. What is left of a word is one as well."""
        pushed = {(key(after), *value) for value in values(before) & values(after) - values(kept)}
        left = {(key(after), *value) for value in values(kept) - values(after)}
        gone = set(map(self.classed, pushed))
        self.standing = {value for value in self.standing if self.classed(value) not in gone}
        self.maybe |= pushed | left
        self.ever |= left

    def without_label(self, before: Facts, after: Facts) -> None:
        """Somebody took addresses away where labels are not seen: the labels went with them."""
        who = key(before)
        gone = {
            (who, "label", label)
            for w, address, label in self.labels
            if w == who and address in before["email"] - after["email"] and label not in after["label"]
        }
        self.standing -= gone

    def labelled_unseen(self, after: Facts) -> None:
        """Somebody edited labels where they are not seen: one of an address that somebody else had taken away
        goes with it when that is told, as no card can say that it was set after that."""
        who = key(after)
        taken = {value for _, value in self.taken}
        late = {
            (who, "label", label)
            for w, address, label in self.labels
            if w == who and self.classed((who, "email", address)) in taken
        }
        self._leave_open(late)

    def renamed(self, before: Facts, after: Facts, old: str) -> None:
        """Somebody gave a group another name on this card; whoever was out of it meanwhile stays out, but not
        where the group itself was deleted: a rename beats a deletion that had not seen it (L39). Where
        somebody got into it after that, it lives in any case, and its deletion was an edit of memberships."""
        mine = self.classed((key(before), "group", old))
        ended = {self.classed(value) for value in self.ended}
        if mine in {self.classed(value) for value in self.standing} | ended - self._doubted():
            self._set(before, after, after)
        else:
            self.ever |= {(key(after), unit, value) for unit, value in values(after)}
            self.maybe |= {(key(after), "group", text) for text in after["group"] if mine in ended}

    def _doubted(self) -> set[tuple[str, str, str]]:
        """Memberships that went with a group that somebody got into since."""
        return {one for one in map(self.classed, self.ended) if one[2] in self.anew}

    def _join(self, groups: Iterable[str]) -> None:
        """Somebody got into groups."""
        fresh = {self.groups.of(text) for text in groups} & {self.groups.of(v[2]) for v in self.ended}
        if not fresh:
            return
        self.anew |= fresh
        self._depends(self._doubted())

    def renamed_here(self, old: str, new: str) -> None:
        """A device gave a group another name. Was it deleted by somebody else, it depends on who is first at
        the remote: a card that lost the old name has no group that could get the new one. One that still
        has the old name may be fetched by that device only after this (L39)."""
        ended = {who for who, _, text in self.ended if self.groups.of(text) == self.groups.of(old)}
        self.maybe |= {(who, "group", new) for who in ended}

    def ungrouped(
        self, before: Facts, name: str, device: str, cards: Iterable[Facts], others: Iterable[Facts]
    ) -> None:
        """A device deleted a group. By a new name that it did not know, whoever has it on a card is in it
        (L39); who has it on another device may be."""
        mine = self.classed((key(before), "group", name))
        self.saw(before, {**before, "group": before["group"] - {name}})
        self.ended.add((key(before), "group", name))
        for seen, places in ((self.standing, cards), (self.maybe, others)):
            texts = {text for one in places for text in one["group"] - self.known[device]}
            seen |= {v for text in texts if self.classed(v := (key(before), "group", text)) == mine}

    def late_members(self, cards: Iterable[Facts], name: str = "") -> None:
        """Of a group that a device deleted, or any such: where a remote's lists show late who was put into
        it there, they may go with its label (docs/guarantees.md), or bring it back."""
        gone = {self.groups.of(name)} if name else {self.groups.of(text) for _, _, text in self.ended}
        late = {self.classed((key(one), "group", text)) for one in cards for text in one["group"]}
        late = {value for value in late if value[2] in gone}
        self.anew |= {group for _, _, group in late}
        self._depends(late | self._doubted())

    def is_unsure(self, who: str, unit: str) -> bool:
        return any((self.people.of(name), what) == (who, unit) for name, what in self.unsure)

    def brought_back(self, after: Facts, *, anew: bool = False) -> None:
        """Somebody put back what was deleted, as it was; what others took away since stays away. It may be
        united with what is there when a device meets the card ``anew``, since it had let go of it (L28)."""
        who = key(after)
        if who in self.merged:
            self.several.add(who)
        self._join(after["group"])
        added = {(who, unit, value) for unit, value in values(after)}
        taken = {value for _, value in self.taken}
        self.standing |= {value for value in added if self.classed(value) not in taken}
        self.maybe |= added if anew else set()
        self.ever |= added

    def took_back(self, before: Facts, after: Facts, seen: set[tuple[str, str]], *, place: str) -> None:
        """A run was undone. Values that others took away come back where the run was how that was ``seen``.
        Where it was an edit of the device's own, it depends: if nobody has seen it yet, all is as before it,
        and who took them away meanwhile has his way."""
        elsewhere = {value for there, value in self.taken if there not in ("", place)}
        self.saw(before, after, place=place)
        added = {(key(after), unit, value) for unit, value in values(after) - values(before) - seen}
        self._leave_open({value for value in added if self.classed(value) in elsewhere})

    def imported(self, before: Facts, after: Facts, *, device: str) -> None:
        """A file gave a device values, maybe some that somebody elsewhere took away, who had them too. If the
        device itself took one away, and has not told, nothing was edited there after all (L7)."""
        elsewhere = {value for there, value in self.taken if there not in ("", device)}
        self.saw(before, after)
        added = {(key(after), *value) for value in values(after) - values(before)}
        added = {value for value in added if self.classed(value) in elsewhere}
        self.again |= {(device, value) for value in added}
        self._depends({v for v in map(self.classed, added) if (device, v) in self.lately})

    def meets(self, device: str, cards: Iterable[Facts], *, midway: bool = False) -> None:
        """A round of a device begins, or a file comes ``midway``, before it decides or after that. Where a
        card still shows what a file gave it, the two agree (L15), and whoever took that away before has his
        way when it is told; so he has where the file made the very card again from which he took it (L7)."""
        untold = {value for there, value in self.lately if there == device}
        self._depends(untold & self.brought)
        self.brought -= untold
        mine = {(there, value) for there, value in self.again if there == device}
        if mine:
            if not midway:
                self.again -= mine
            told = {self.classed(value) for _, value in mine}
            self.brought |= told
            self._depends(told & _classed(self, cards))

    def told(self, device: str) -> None:
        """A round of a device is over, and did not die: what it took away is not in doubt any more."""
        self.lately = {row for row in self.lately if row[0] != device}

    def made_anew(self, after: Facts) -> None:
        """Somebody made a card of a person whom others know, and that may be one card with theirs (L24): what
        one of these took away and told nobody may stay away."""
        taken = {value for _, value in self.taken}
        self._depends(taken & _classed(self, [after]))

    def _may_be_renamed(self, who: str, lost: Set[tuple[str, str, str]], place: str) -> None:
        """This person left groups (by class) at a place, and one of them at another place too: a card that
        goes from one group into another looks as if that had a new name (L39), which saves nobody."""
        if any(value[1] == "group" and value in lost and there != place for there, value in self.taken):
            self._depends({v for v in map(self.classed, self.standing) if v[:2] == (who, "group")})

    def _depends(self, some: Set[tuple[str, str, str]]) -> None:
        """These, by class, may go or stay."""
        self._leave_open({value for value in self.standing if self.classed(value) in some})

    def _leave_open(self, some: Set[tuple[str, str, str]]) -> None:
        self.standing -= some
        self.maybe |= some

    def forgot(
        self, before: Facts, place: str = "", *, device: str = "", others: Iterable[Facts] | None = None
    ) -> None:
        """Somebody who saw ``before`` deleted the contact. What was edited on that very card before, and
        nobody had fetched, went with it; what a merge had made part of another lives on there (L40): at these
        ``others``, if it is said who there are."""
        self.deleted.add(key(before))
        who = self.people.of(key(before))
        if device:
            groups = {self.classed((who, "group", text)) for text in before["group"]}
            self._may_be_renamed(who, groups, device)
        self.taken = {row for row in self.taken if not place or row[0] != place or row[1][0] != who}
        kept = {self.classed(v) for v in self.maybe} if key(before) in self.merged else set()
        if others is not None:
            kept &= _classed(self, others)
        self.lately |= {(device, value) for value in self._take_away(before, NOTHING, kept)}

    def untold(self, who: str) -> None:
        """The card that told of a merge is gone, and a device never saw it: that one makes a card of each, by
        which the others take the merge back (L40)."""
        if any(self.people.of(twin) == self.people.of(who) for twin in self.merged):
            self.several.add(who)

    def united(self, survivor: Facts, other: Facts, after: Facts) -> None:
        """Somebody who saw both made one of them."""
        for before in (survivor, other):
            self._take_away(before, after)
        self.people.unite(key(survivor), key(other))
        if key(other) in self.merged or self.absorbed & {key(survivor), key(other)}:
            self.several.add(key(survivor))  # it was made part of two persons, or edited as one who lives
        if key(other) != key(survivor):
            self.merged.add(key(other))
            self.bound[key(other)] = {value for value in values(other) if value[0] in ("email", "phone")}
        self.maybe |= {(key(survivor), unit, value) for unit, value in values(after)}
        self.ever |= {(key(survivor), unit, value) for unit, value in values(after)}

    def _take_away(
        self, before: Facts, after: Facts, kept: Iterable[tuple[str, str, str]] = ()
    ) -> set[tuple[str, str, str]]:
        gone = {self.classed((key(before), *value)) for value in values(before) - values(after)}
        gone.difference_update(kept)
        self.standing = {value for value in self.standing if self.classed(value) not in gone}
        return gone

    def classed(self, value: tuple[str, str, str]) -> tuple[str, str, str]:
        who, unit, text = value
        if unit == "given":
            return self.people.of(who), unit, "" if self.people.of(who) == self.people.of(text) else text
        return self.people.of(who), unit, self.groups.of(text) if unit == "group" else text

    def shows(self, facts: Facts, some: Set[tuple[str, str, str]]) -> bool:
        """Are there any of these values, by class, in these facts?"""
        return any(self.classed((key(facts), *value)) in some for value in values(facts))

    def is_one(self, who: str) -> bool:
        """Is there exactly one card of this person for all that people did?"""
        root = self.people.of(who)
        return not any(self.people.of(name) == root for name in self.several)


@dataclass(frozen=True)
class DeviceState:
    """``held`` contacts wait for a person; ``records`` are the texts of conflicts and of the trash."""

    name: str
    contacts: Sequence[Facts]
    held: Sequence[Facts]
    records: str
    recorded: frozenset[str]


@dataclass(frozen=True)
class RemoteState:
    name: str
    kind: Kind
    cards: Sequence[Facts]


def check(ledger: Ledger, devices: Sequence[DeviceState], remotes: Sequence[RemoteState]) -> None:
    """All properties of a world that has come to rest. Raises `Violation`."""
    _nothing_lost(ledger, devices)
    for device in devices:
        _nothing_invented(ledger, device, devices)
        if len(remotes) == 1:
            _nothing_returns(ledger, device, devices)
    for device in devices[1:]:
        _agree(ledger, devices[0], device, remotes)
    for remote in remotes:
        _shows(ledger, remote, devices[0])


def _nothing_lost(ledger: Ledger, devices: Sequence[DeviceState]) -> None:
    there = _classed(ledger, [facts for d in devices for facts in d.contacts])
    records = " ".join(d.records for d in devices)
    for value in sorted(ledger.standing):
        if ledger.classed(value) not in there and not _on_record(ledger, value, records):
            raise Violation("P1", f"{value[1]} {value[2]} of {value[0]} is nowhere")


def _on_record(ledger: Ledger, value: tuple[str, str, str], records: str) -> bool:
    _, unit, text = value
    names = [text]
    if unit == "group":
        names += [
            v[2] for v in ledger.ever if v[1] == "group" and ledger.groups.of(v[2]) == ledger.groups.of(text)
        ]
    return any(f'"{name}"' in records for name in names)


def _nothing_invented(ledger: Ledger, device: DeviceState, devices: Sequence[DeviceState]) -> None:
    ever = {ledger.classed(value) for value in ledger.ever}
    for facts in device.contacts:
        for value in sorted(_classed(ledger, [facts]) - ever):
            raise Violation("P2", f"nobody ever set {value[1]} {value[2]} of {value[0]} ({device.name})")
    live = {ledger.people.of(key(facts)) for facts in device.contacts}
    deleted = {ledger.people.of(who) for who in ledger.deleted}
    for who in sorted({ledger.classed(value)[0] for value in ledger.standing} - live - deleted):
        if ledger.is_one(who):
            raise Violation("P2", f"nobody deleted {who}, who is not on {device.name}")
    _once(ledger, device.contacts, device.name)


def _nothing_returns(ledger: Ledger, device: DeviceState, devices: Sequence[DeviceState]) -> None:
    """What somebody took away who saw it is back only where edits crossed, and then on record.

    With several accounts a value may also come from one that the contact had not met yet (L28).
    """
    standing = {ledger.classed(value) for value in ledger.standing | ledger.maybe}
    recorded = {ledger.people.of(who) for d in devices for who in d.recorded}
    apart = {ledger.people.of(who) for who in ledger.apart}
    for facts in device.contacts:
        root = ledger.people.of(key(facts))
        if root in recorded or not ledger.is_one(root) or root in apart:
            continue
        for value in sorted(_classed(ledger, [facts]) - standing):
            if value[1] != "given" and not ledger.is_unsure(root, value[1]):
                raise Violation("P2", f"{value[1]} {value[2]} of {root} came back on {device.name}")
        if root not in {value[0] for value in standing}:
            raise Violation("P2", f"{root} was deleted and is back on {device.name}")


def _once(ledger: Ledger, cards: Iterable[Facts], place: str) -> None:
    counts = Counter(ledger.people.of(key(facts)) for facts in cards)
    for who, number in sorted(counts.items()):
        if number > 1 and ledger.is_one(who):
            raise Violation("P2", f"{who} is there {number} times: {place}")


def _agree(ledger: Ledger, one: DeviceState, other: DeviceState, remotes: Sequence[RemoteState]) -> None:
    """In all that some remote can carry from one to the other."""
    sides = [
        {who: {unit: _carried(remotes, unit, facts) for unit in facts} for who, facts in cards.items()}
        for cards in (_alone(ledger, one.contacts), _alone(ledger, other.contacts))
    ]
    _same(ledger, *sides, one.name, other.name)


def _carried(remotes: Sequence[RemoteState], unit: str, facts: Facts) -> frozenset[str]:
    return facts[unit] if any(remote.kind.shows(facts)[unit] for remote in remotes) else frozenset()


def _shows(ledger: Ledger, remote: RemoteState, device: DeviceState) -> None:
    _once(ledger, remote.cards, remote.name)
    held = {ledger.people.of(key(facts)) for facts in device.held}
    hub = {w: f for w, f in _alone(ledger, device.contacts).items() if w not in held}
    there = {w: f for w, f in _alone(ledger, remote.cards).items() if w not in held}
    shows = remote.kind.shows
    _same(
        ledger,
        {w: shows(f) for w, f in hub.items()},
        {w: shows(f) for w, f in there.items()},
        device.name,
        remote.name,
    )
    for who, facts in hub.items():
        for unit in remote.kind.most:
            if not remote.kind.agree(unit, facts, there[who]) and not ledger.is_unsure(who, unit):
                told = f"{shown(facts)} on {device.name}, {shown(there[who])} at {remote.name}"
                raise Violation("P3", f"{unit} of {who}: {told}")


def _same(
    ledger: Ledger, one: Mapping[str, Facts], other: Mapping[str, Facts], here: str, there: str
) -> None:
    for who in sorted(one.keys() | other.keys()):
        if who not in one or who not in other:
            raise Violation(
                "P3", f"{who} is only at {here if who in one else there}, not at both {here} and {there}"
            )
        for unit in sorted(one[who].keys() - {"given", "x"}):
            mine, yours = sorted(one[who][unit]), sorted(other[who][unit])
            if mine != yours and not ledger.is_unsure(who, unit):
                raise Violation("P3", f"{unit} of {who} is {mine} on {here} and {yours} on {there}")


def _alone(ledger: Ledger, cards: Iterable[Facts]) -> dict[str, Facts]:
    """By person, leaving out those with several cards for a reason."""
    found = {}
    for facts in cards:
        if ledger.is_one(key(facts)):
            found[ledger.people.of(key(facts))] = facts
    return found


def _classed(ledger: Ledger, cards: Iterable[Facts]) -> set[tuple[str, str, str]]:
    return {ledger.classed((key(facts), unit, value)) for facts in cards for unit, value in values(facts)}
