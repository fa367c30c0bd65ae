"""What a seed means: the shape of a world and the acts of its people, drawn before anything runs.

An act names whom it meets by a fraction (``pick`` of those that are there), so that any act can be
left out and the others still make sense: that is how a failing world is made small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import TypeVar

from tests.simulation.remotes import KINDS

T = TypeVar("T")

STEPS = ("page-staged", "decided", "committed", "before-sent", "sent", "answered", "recorded", "read-back")

BETWEEN = ("under-way", "reading")
"""Moments that come where several writes are under way at once: after a request was sent, done or answered,
and between the pages and the cards of what is read."""

EDITS = {
    "surname": 2,
    "add-email": 5,
    "drop-email": 3,
    "change-email": 2,
    "prefer-email": 1,
    "label": 3,
    "phone": 2,
    "add-phone": 2,
    "title": 3,
    "note": 4,
    "group": 5,
    "photo": 2,
    "birthday": 1,
    "nickname": 1,
    "address": 2,
    "organization": 1,
    "link": 1,
    "x": 1,
}
AT_DEVICE = {
    "create": 9,
    "edit": 40,
    "delete": 6,
    "restore": 3,
    "rename-group": 3,
    "delete-group": 2,
    "merge": 2,
    "import": 2,
    "undo": 2,
}
AT_REMOTE = {
    "create": 6,
    "edit": 30,
    "delete": 6,
    "new-href": 3,
    "touch": 3,
    "copy": 1,
    "carry": 3,
    "take-over": 2,
    "twin": 2,
    "expire": 2,
    "rename-group": 2,
    "bring-back": 3,
}
FAULTS = {
    "": 50,
    "die": 30,
    "lose-reply": 12,
    "refuse": 6,
    "break-off": 5,
}
UNDER_WAY_FAULTS = ("lose-request", "push-back", "lock-out")


GOOGLES_OWN = ("rename-group", "delete-label", "take-over", "bring-back", "new-href", "copy")


@dataclass(frozen=True)
class Act:
    """One thing that happens. ``who`` is a device (a, b) or ``x``, somebody else's client; ``where``
    the place of x's act among the books; ``pick`` chooses among what is there; ``number`` the
    how-manieth boundary or write a fault strikes; ``meanwhile`` comes in the midst of a round, at the
    boundary ``at``, or one act after the other where that is one of `BETWEEN`."""

    what: str
    who: str
    where: float = 0.0
    pick: float = 0.0
    also: float = 0.0
    edit: str = ""
    fault: str = ""
    number: int = 0
    at: str = ""
    meanwhile: tuple[Act, ...] = ()

    def __str__(self) -> str:
        text = " ".join(part for part in (self.who, self.what, self.edit) if part)
        return text + (f" [{self.fault} {self.number}]" if self.fault else "")


@dataclass(frozen=True)
class Shape:
    """``remotes`` are accounts, each a kind with a number of books; ``forks`` worlds try other courses
    from the same state: the round that does not die, the other order (P5, P6). ``undone`` is the share of
    runs that are undone at once, and the undo as well (P7). With ``under_way``, remotes have several writes
    under way at once."""

    seed: int
    devices: str
    remotes: tuple[tuple[str, int], ...]
    policy: str
    forks: bool = False
    mode: str = "two-way"
    undone: float = 0.25
    under_way: bool = False


@dataclass(frozen=True)
class Plan:
    shape: Shape
    acts: tuple[Act, ...] = field(default=())


def draw(seed: int) -> Plan:
    """The world of a seed; the same on every machine and every version of Python. In every fourth, several
    writes are under way at once."""
    plan = _one_by_one(seed)
    random = Random(f"under way {seed}")
    if random.random() > 0.25:
        return plan
    return Plan(replace(plan.shape, under_way=True), tuple(_under_way(random, act) for act in plan.acts))


def _one_by_one(seed: int) -> Plan:
    random = Random(seed)
    devices = "ab" if random.random() < 0.4 else "a"
    kinds = sorted(KINDS)
    count = 1 if devices == "ab" and random.random() < 0.7 else random.choice((1, 2, 2, 3))
    if devices == "ab" and count > 1:
        # Two devices that both carry a newcomer to a remote which names cards itself make two of it:
        # that is one of the promises that docs/guarantees.md does not give.
        kinds = [name for name in kinds if KINDS[name].habits().names_href]
    remotes = tuple((random.choice(kinds), random.choice((1, 1, 1, 2))) for _ in range(count))
    policy = random.choice(("newest", "newest", "device", "remote"))
    shape = Shape(seed, devices, remotes, policy, random.random() < 0.06)
    acts = tuple(_act(random, shape) for _ in range(random.choice((5, 10, 16, 24))))
    return Plan(shape, acts)


def draw_google(seed: int, second: str = "") -> Plan:
    """A device, a Google account behind its real connector, and a second book of any kind, or ``second``."""
    random = Random(f"google {seed}")
    other = second or random.choice(sorted(KINDS))
    remotes = [("google-api", 1), (other, 1)]
    random.shuffle(remotes)
    policy = random.choice(("newest", "newest", "device", "remote"))
    shape = Shape(seed, "a", tuple(remotes), policy)
    acts = [_act(random, shape) for _ in range(random.choice((5, 10, 16, 24)))]
    return Plan(shape, tuple(_at_google(random, act) for act in acts))


def _at_google(random: Random, act: Act) -> Act:
    """More of what is Google's own, and of groups that somebody is in."""
    chance = random.random()
    if act.what == "sync" or chance > 0.3:
        return act
    if chance > 0.15:
        return replace(act, what="edit", edit="group")
    if act.who == "x":
        return replace(act, what=random.choice(GOOGLES_OWN), edit="")
    return replace(act, what=random.choice(("rename-group", "delete-group")), edit="")


def draw_outlook(seed: int, third: str = "") -> Plan:
    """All three kinds round a device: an Outlook mailbox and a Google account behind their real connectors,
    and a book that is shaped as CardDAV, or ``third``."""
    random = Random(f"outlook {seed}")
    shaped = [name for name in sorted(KINDS) if KINDS[name].habits().names_href]
    remotes = [("outlook-api", 2), ("google-api", 1), (third or random.choice(shaped), 1)]
    random.shuffle(remotes)
    policy = random.choice(("newest", "newest", "device", "remote"))
    shape = Shape(seed, "a", tuple(remotes), policy)
    acts = [_act(random, shape) for _ in range(random.choice((5, 10, 16, 24)))]
    first = (Act("create", "a"), Act("create", "x", random.random()), Act("create", "a"), Act("sync", "a"))
    return Plan(shape, (*first, *(_at_outlook(random, act) for act in acts)))


def _at_outlook(random: Random, act: Act) -> Act:
    """More of what is Outlook's own: moves between folders, and few slots for many addresses."""
    chance = random.random()
    if act.what == "sync" or chance > 0.4:
        return act
    if chance > 0.25:
        return replace(act, what="edit", edit=random.choice(("add-email", "drop-email", "prefer-email")))
    return replace(act, what="carry", edit="") if act.who == "x" else act


def draw_vdir(seed: int) -> Plan:
    """A folder behind its real connector, with one or two address books: alone, with one device or two, or
    beside a book of any kind that is shaped as CardDAV."""
    random = Random(f"vdir {seed}")
    shaped = [name for name in sorted(KINDS) if KINDS[name].habits().names_href]
    devices = "ab" if random.random() < 0.3 else "a"
    remotes = [("vdir-folder", random.choice((1, 1, 2)))]
    if devices == "a" and random.random() < 0.8:
        remotes.append((random.choice(shaped), 1))
    random.shuffle(remotes)
    policy = random.choice(("newest", "newest", "device", "remote"))
    shape = Shape(seed, devices, tuple(remotes), policy)
    acts = [_act(random, shape) for _ in range(random.choice((5, 10, 16, 24)))]
    return Plan(shape, (Act("create", "x"), *acts))


def draw_undo(seed: int) -> Plan:
    """A world in which every run is undone, and people do more of what reaches far."""
    random = Random(f"undo {seed}")
    plan = _one_by_one(seed)
    shape = replace(plan.shape, forks=False, undone=1.0)
    return Plan(shape, tuple(_reaching_far(random, act) for act in plan.acts))


def _reaching_far(random: Random, act: Act) -> Act:
    chance = random.random()
    if act.what == "sync":
        return replace(act, fault="", meanwhile=()) if chance < 0.7 else act
    if act.who == "x":
        return replace(act, what="take-over", edit="") if chance < 0.1 else act
    what = random.choice(("merge", "merge", "delete", "restore", "rename-group", "delete-group", "undo"))
    return replace(act, what=what, edit="") if chance < 0.5 else act


def draw_parallel(seed: int) -> Plan:
    """Remotes with several writes under way at once, and people who do much between two rounds, so that there
    is much to write."""
    random = Random(f"parallel {seed}")
    plan = _one_by_one(seed)
    shape = replace(plan.shape, remotes=plan.shape.remotes[:2], forks=random.random() < 0.1, under_way=True)
    acts = [Act("create", shape.devices[0]) for _ in range(random.randint(3, 12))]
    for _ in range(random.choice((2, 3, 4))):
        acts.append(_under_way(random, _round(random, shape)))
        many = random.randint(3, 14)
        acts += [_person(random, random.choice(f"{shape.devices * 3}x")) for _ in range(many)]
    return Plan(shape, (*acts, _under_way(random, _round(random, shape))))


def _under_way(random: Random, act: Act) -> Act:
    """A round in which something happens while writes are under way, or to one of them."""
    if act.what != "sync" or random.random() < 0.3:
        return act
    at, number = random.choice((*BETWEEN, BETWEEN[0], BETWEEN[0])), int(random.random() ** 2 * 24)
    if random.random() < 0.4:
        return replace(act, fault="die", number=number, at=at)
    fault = random.choice(("", "", "lose-reply", "refuse", *UNDER_WAY_FAULTS))
    others = tuple(
        _person(random, random.choice(("x", "x", act.who))) for _ in range(random.choice((0, 1, 3)))
    )
    return replace(act, fault=fault, number=random.choice((1, 1, 2)), at=at, meanwhile=others)


def draw_google_beside_radicale(seed: int) -> Plan:
    return draw_google(seed, "radicale-server")


def draw_outlook_beside_radicale(seed: int) -> Plan:
    return draw_outlook(seed, "radicale-server")


DRAWS = {
    "any": draw,
    "google": draw_google,
    "google-radicale": draw_google_beside_radicale,
    "outlook": draw_outlook,
    "undo": draw_undo,
    "outlook-radicale": draw_outlook_beside_radicale,
    "parallel": draw_parallel,
    "vdir": draw_vdir,
}
"""How a seed becomes a world, by name."""


def _act(random: Random, shape: Shape) -> Act:
    if random.random() < 0.3:
        return _round(random, shape)
    return _person(random, random.choice(f"{shape.devices}xx"))


def _person(random: Random, who: str) -> Act:
    what = _weighted(random, AT_REMOTE if who == "x" else AT_DEVICE)
    edit = _weighted(random, EDITS) if what == "edit" else ""
    return Act(what, who, random.random(), random.random(), random.random(), edit)


def _round(random: Random, shape: Shape) -> Act:
    who = random.choice(shape.devices)
    fault = _weighted(random, FAULTS)
    number = random.choice((0, 0, 0, 0, 1, 1, 2, 4)) if fault == "die" else random.choice((1, 1, 2))
    at = _weighted(random, dict.fromkeys(STEPS, 1)) if fault == "die" or random.random() < 0.35 else ""
    meanwhile: tuple[Act, ...] = ()
    if at and (fault != "die" or random.random() < 0.3):
        meanwhile = (_person(random, random.choice(("x", "x", who))),)
    return Act("sync", who, pick=random.random(), fault=fault, number=number, at=at, meanwhile=meanwhile)


def _weighted(random: Random, weights: dict[str, int]) -> str:
    return random.choices(list(weights), list(weights.values()))[0]


def choose(some: Sequence[T], pick: float) -> T:
    """The one that a fraction names."""
    return some[int(pick * len(some))]
