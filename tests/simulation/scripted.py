"""Worlds written out by hand, for what random ones rarely reach; each has expectations of its own.

A function here is a world: `world` names the law that its expectations are about, and its remotes.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace

from contactsync.model.contact import Email, Phone, Title
from contactsync.sync.brakes import Limits
from tests.simulation import facts, people
from tests.simulation.script import Script, World, addresses, group, note, photo, title
from tests.simulation.world import Act

WORLDS: dict[str, World] = {}

LOST_STEPS = ("sent", "answered", "recorded", "read-back")
OFF = Limits(enabled=False)


def world(
    law: str,
    *remotes: str,
    policy: str = "newest",
    mode: str = "two-way",
    books: int = 1,
    judged: bool = True,
    devices: str = "a",
) -> Callable[[Callable[[Script], None]], Callable[[Script], None]]:
    """Registers a world; its remotes have one book each, or ``books``."""

    def register(play: Callable[[Script], None]) -> Callable[[Script], None]:
        name = play.__name__
        add(
            name,
            law,
            *remotes,
            play=play,
            policy=policy,
            mode=mode,
            books=books,
            judged=judged,
            devices=devices,
        )
        return play

    return register


def add(
    name: str,
    law: str,
    *remotes: str,
    play: Callable[[Script], None],
    policy: str = "newest",
    mode: str = "two-way",
    books: int = 1,
    judged: bool = True,
    under_way: bool = False,
    devices: str = "a",
) -> None:
    places = tuple((kind, books) for kind in remotes)
    WORLDS[name] = World(name, law, places, play, policy, mode, judged, under_way, devices)


def each(
    law: str,
    *kinds: str,
    others: tuple[str, ...] = (),
    policy: str = "newest",
    judged: bool = True,
    under_way: bool = False,
) -> Callable[[Callable[[Script], None]], Callable[[Script], None]]:
    """Registers one world for each kind of the first remote."""

    def register(play: Callable[[Script], None]) -> Callable[[Script], None]:
        for kind in kinds:
            name = f"{play.__name__}[{kind}]"
            add(name, law, kind, *others, play=play, policy=policy, judged=judged, under_way=under_way)
        return play

    return register


# ---- edits of one side ---------------------------------------------------------------------------


@each("L1", "faithful", "google")
def a_new_etag_is_no_edit(s: Script) -> None:
    s.put(s.person("Anna", title("T1")))
    s.sync()
    s.edit("Anna", title("T2"))
    s.client_touches("Anna")
    s.sync()
    s.everywhere("L1", "Anna", title="T2")
    s.conflicts("L1", 0)


@world("L7", "faithful")
def only_what_was_edited_is_sent(s: Script) -> None:
    """To the byte: the rest of the card keeps its order, its spelling and what nobody models."""
    href = s.client_puts(s.person("Anna"))
    server = s.remotes["r0"].server
    payload = server.get(href) or b""
    head, tail = b"BEGIN:VCARD\r\nVERSION:3.0\r\n", b"X-Other;a=B:c\r\nsound;X-WHO=me:data:,hm\r\n"
    server.put(href, payload.replace(head, head + b"TITLE:T1\r\nPRODID:-//Else//1\r\n" + tail))
    s.ledger.saw(facts.of_card(payload), facts.of_card(server.get(href) or b""))
    s.sync()
    before = _without_rev(s)
    s.edit("Anna", title("T2"))
    s.sync()
    s.equal("L7", "the card", _without_rev(s), before.replace(b"TITLE:T1", b"TITLE:T2"))


def _without_rev(s: Script) -> bytes:
    return b"\r\n".join(line for line in s.card("Anna")[1].split(b"\r\n") if not line.startswith(b"REV"))


@each("L2", "faithful", "cyrus")
def another_form_of_the_same_value_is_no_edit(s: Script) -> None:
    s.put(s.person("Anna", addresses("Anna@Home.org", "second@x.org")))
    s.sync()
    href, payload = s.card("Anna")
    s.remotes["r0"].server.put(href, payload.replace(b"Anna@Home.org", b"anna@HOME.org"))
    s.sync()
    s.edit("Anna", title("T1"))
    s.sync()
    s.equal("L2", "addresses", _addresses(s), ["Anna@Home.org", "second@x.org"])
    s.everywhere("L2", "Anna", title="T1")
    s.conflicts("L2", 0)


@world("L5", "faithful")
def a_new_entry_goes_next_to_its_neighbour(s: Script) -> None:
    s.put(s.person("Anna", addresses("a@x.org", "b@x.org", "c@x.org")))
    s.sync()
    href, payload = s.card("Anna")
    line = b"EMAIL:b@x.org\r\n"
    s.remotes["r0"].server.put(href, payload.replace(line, b"EMAIL:new@x.org\r\n" + line))
    s.ledger.saw(facts.of_card(payload), facts.of_card(s.card("Anna")[1]))
    s.sync()
    order = [e.address for e in s.stored("Anna").contact.emails]
    wanted = ["a@x.org", "new@x.org", "b@x.org", "c@x.org"]
    s.equal("L5", "addresses in their order", order, wanted)


@each("L32", "faithful", "sabre")
def edits_of_different_units_both_survive_whenever_they_come(s: Script) -> None:
    for step in ("before-sent", "sent", "answered", "recorded", "read-back"):
        given = f"Anna{step.replace('-', '')}"
        s.put(s.person(given))
        s.sync()
        s.edit(given, title(f"T{step}"))
        s.sync(
            at=step,
            meanwhile=functools.partial(s.client_edits, given, note(f"N{step}")),
        )
        s.sync()
        s.everywhere("L32", given, title=f"T{step}", note=f"N{step}")
    s.conflicts("L14", 0)


@each("L11", "faithful", "sabre")
def an_edit_made_during_the_push_arrives(s: Script) -> None:
    s.put(s.person("Anna"))
    s.sync()
    s.edit("Anna", title("T1"))
    s.sync(at="sent", meanwhile=lambda: s.edit("Anna", title("T2")))
    s.sync()
    s.everywhere("L11", "Anna", title="T2")


@each("L31", "faithful", "google")
def an_edit_waits_until_the_remote_confirmed_it(s: Script) -> None:
    s.put(s.person("Anna"))
    s.sync()
    for number, step in enumerate(("committed", "before-sent", "sent", "answered")):
        s.edit("Anna", title(f"T{number}"))
        s.client_edits("Anna", note(f"N{number}"))
        s.sync(at=step, fault="die")
        s.sync()
        s.everywhere("L31", "Anna", title=f"T{number}", note=f"N{number}")


@each("L31", "faithful", "google")
def the_cursor_moves_with_what_was_read(s: Script) -> None:
    s.put(s.person("Anna"))
    s.sync()
    for number, step in enumerate(("page-staged", "decided", "committed")):
        s.client_edits("Anna", title(f"T{number}"))
        s.sync(at=step, fault="die")
        s.sync()
        s.everywhere("L31", "Anna", title=f"T{number}")


@each("L31", "faithful", "graph")
def a_card_that_comes_during_the_push_is_read_next(s: Script) -> None:
    s.put(s.person("Anna"))
    s.sync(at="recorded", meanwhile=lambda: s.client_puts(s.person("Ben")))
    s.sync()
    s.people_at("L31", "a", "Anna", "Ben")


# ---- several writes under way at once ------------------------------------------------------------

CROWD = tuple(f"Anna{number}" for number in range(12))


@each("L11", "faithful", "google", under_way=True)
def of_many_new_ones_each_has_its_own_card(s: Script) -> None:
    for given in CROWD:
        s.put(s.person(given))
    s.sync()
    for number, given in enumerate(CROWD):
        s.client_edits(given, title(f"T{number}"))
    s.sync()
    for number, given in enumerate(CROWD):
        s.everywhere("L11", given, title=f"T{number}")
    s.conflicts("L11", 0)


@each("L31", "faithful", "sabre", "google", "graph", under_way=True)
def of_many_that_were_marked_some_were_never_handed_out(s: Script) -> None:
    for given in CROWD:
        s.put(s.person(given))
    s.sync()
    for given in CROWD:
        s.edit(given, title("T1"))
    s.sync(at="under-way", fault="die")
    s.sync()
    for given in CROWD:
        s.everywhere("L31", given, title="T1")
    s.conflicts("L13", 0)


@each("L33", "cutting", "cutting-blind", under_way=True)
def what_is_under_way_when_the_remote_wants_no_more_stays_in_doubt(s: Script) -> None:
    """Some are done by then, and nobody heard of it; what the remote cut of them is no edit."""
    whole = "N111 N112 N113 N114"
    for given in CROWD:
        s.put(s.person(given, title("T1")))
    s.sync()
    for given in CROWD:
        s.edit(given, note(whole))
    s.sync(fault="push-back")
    s.sync()
    for given in CROWD:
        s.edit(given, title("T2"))
    s.sync()
    for given in CROWD:
        s.shows("L33", "a", given, title="T2", note=whole)
        s.shows("L33", "r0", given, title="T2")
    s.conflicts("L13", 0)


# ---- remotes that do not keep what was sent ----------------------------------------------------


@each("L12", "cutting", "cutting-blind", "short-notes", others=("faithful",))
def what_a_remote_cut_does_not_travel(s: Script) -> None:
    whole = "N111 N112 N113 N114"
    s.put(s.person("Anna", note(whole)))
    s.sync()
    s.sync()
    s.client_touches("Anna")
    s.sync()
    s.edit("Anna", title("T1"))
    s.sync()
    s.client_edits("Anna", addresses("new@x.org"))
    s.sync()
    s.edit("Anna", title("T2"))
    s.sync()
    for place in ("a", "r1"):
        s.shows("L12", place, "Anna", note=whole, title="T2", email="new@x.org")
    s.conflicts("L12", 0)


@each("L12", "cutting-blind", "forgetful", "cyrus", "photo-blind")
def a_remote_that_rewrites_costs_one_more_write_at_most(s: Script) -> None:
    s.put(s.person("Anna", lambda c: note("N111 N112 N113 N114")(addresses("Ab@X.org", "CD@x.org")(c))))
    s.edit("Anna", photo(s, "I1"))
    for _ in range(3):
        s.sync()
    before = s.writes()
    s.equal("L12", "more than two writes", before > 2, False)
    s.client_touches("Anna")
    for _ in range(3):
        s.sync()
    s.equal("L12", "writes after a touch", s.writes() - before, 0)


@world("L12", "faithful", judged=False)
def an_address_that_a_remote_dropped_is_not_sent_again_for_an_edit_of_another(s: Script) -> None:
    s.remotes["r0"].server.habits.on_store = lambda payload: re.sub(rb"EMAIL[^\r]*:b@x.org\r\n", b"", payload)
    s.put(s.person("Anna", addresses("a@x.org", "b@x.org")))
    for _ in range(2):
        s.sync()
    s.shows("L12", "r0", "Anna", email="a@x.org")
    before = s.writes()
    s.client_edits("Anna", addresses("new@x.org"))
    s.sync()
    s.shows("L12", "a", "Anna", email=("new@x.org", "b@x.org"))
    s.equal("L12", "writes after an edit there", s.writes() - before, 0)


@each("L11", "photo", "photo-blind", others=("faithful",))
def a_photo_that_a_remote_compressed_stays_as_it_is(s: Script) -> None:
    s.put(s.person("Anna"))
    s.sync()
    s.edit("Anna", photo(s, "I1"))
    s.sync()
    s.sync()
    before, picture = s.writes("r1"), _picture(s)
    s.client_touches("Anna")
    s.sync()
    s.edit("Anna", title("T1"))
    s.sync()
    s.sync()
    s.everywhere("L11", "Anna", photo="I1")
    s.equal("L11", "the picture on the device", _picture(s), picture)
    s.equal("L11", "writes at the other remote", s.writes("r1") - before, 1)


@world("L11", "photo", "faithful")
def the_device_keeps_its_own_picture(s: Script) -> None:
    s.put(s.person("Anna", photo(s, "I1")))
    s.sync()
    s.sync()
    s.equal("L11", "the picture", _picture(s), hashlib.sha256(facts.picture("I1")).hexdigest())
    s.conflicts("L11", 0)


def _picture(s: Script) -> str:
    return s.stored("Anna").contact.media[0].sha256


# ---- room for three addresses --------------------------------------------------------------------

FOUR = ("a@x.org", "b@x.org", "c@x.org", "d@x.org")


@world("L10", "graph")
def an_address_that_made_room_stays_and_has_its_turn_again(s: Script) -> None:
    s.put(s.person("Anna", addresses(*FOUR[:3])))
    s.sync()
    s.edit("Anna", addresses(*FOUR, preferred="d@x.org"))
    s.sync()
    _displaced(s)
    s.client_edits("Anna", title("T1"))
    s.sync()
    _displaced(s)
    s.client_edits("Anna", lambda c: replace(c, emails=c.emails[1:]))
    s.sync()
    s.sync()
    dropped = next(a for a in FOUR if a not in _addresses(s))
    s.equal("L10", "addresses left", len(_addresses(s)), 3)
    s.everywhere("L10", "Anna", email=tuple(a for a in FOUR if a != dropped))


def _displaced(s: Script) -> None:
    s.shows("L10", "a", "Anna", email=FOUR)
    s.shows("L10", "r0", "Anna", email=("a@x.org", "b@x.org", "d@x.org"))


def _addresses(s: Script) -> list[str]:
    return [e.address for e in s.stored("Anna").contact.emails]


def _displaced_in_doubt(s: Script, *, fault: str, at: str) -> None:
    s.put(s.person("Anna", addresses(*FOUR[:3])))
    s.sync()
    s.edit("Anna", addresses(*FOUR, preferred="d@x.org"))
    s.sync(fault=fault, at=at)
    for _ in range(2):
        s.sync()
        _displaced(s)
    s.client_edits("Anna", title("T1"))
    s.sync()
    _displaced(s)


for _step in LOST_STEPS:
    add(
        f"an_address_makes_room_and_the_process_dies[{_step}]",
        "L13",
        "graph",
        play=functools.partial(_displaced_in_doubt, fault="die", at=_step),
    )
add(
    "an_address_makes_room_and_the_answer_is_lost",
    "L13",
    "graph",
    play=functools.partial(_displaced_in_doubt, fault="lose-reply", at=""),
)


# ---- creates in doubt ----------------------------------------------------------------------------


@each("L33", "google", "graph", "faithful")
def a_create_in_doubt_is_found_by_its_marker(s: Script) -> None:
    """Nothing but the marker is left of what was sent: everything was edited since."""
    s.put(s.person("Anna", lambda c: replace(c, name=people.named("Anna", "Winterberg"))))
    s.sync(fault="lose-reply")
    s.edit(
        "Anna",
        lambda c: replace(
            c,
            name=people.named("Anna", "Oz"),
            emails=(Email("other@x.org"),),
            phones=(Phone("+4977777777"),),
        ),
    )
    s.sync()
    s.sync()
    for place in ("a", "r0"):
        s.people_at("L33", place, "Anna")
        s.shows("L33", place, "Anna", surname="Oz", email="other@x.org")


@each("L33", "google", "graph")
def a_create_in_doubt_is_not_repeated(s: Script) -> None:
    s.put(s.person("Anna"))
    s.sync(fault="lose-reply")
    for minutes in (0.5, 1, 1, 10, 10):
        s.sync(minutes=minutes)
        s.people_at("L33", "r0", "Anna")
        s.people_at("L33", "a", "Anna")


@world("L33", "google")
def a_create_in_doubt_waits_until_a_listing_can_show_it(s: Script) -> None:
    s.put(s.person("Anna"))
    s.sync(at="sent", fault="die")
    for _ in range(2):
        s.sync(minutes=1)
        s.equal("L33", "writes before the remote has settled", s.writes(), 0)
        s.equal("L33", "in doubt", s.devices["a"].status()["in_doubt"], 1)
    s.sync()
    s.people_at("L33", "r0", "Anna")


@each("L12", "forgetful", under_way=True)
def what_a_remote_did_not_keep_of_a_card_that_moved_is_not_deleted(s: Script) -> None:
    """Seed parallel 141068: the process died before it read back what it wrote, and somebody moved that."""
    s.put(s.person("Anna", note("N1")))
    s.sync(at="read-back", fault="die")
    href, payload = s.card("Anna")
    s.remotes["r0"].move(href, "/contacts/moved.vcf", payload)
    s.sync()
    s.shows("L12", "a", "Anna", note="N1")


@each("L33", "faithful", "sabre", under_way=True)
def a_create_in_doubt_waits_for_a_card_that_moves_while_it_is_read(s: Script) -> None:
    """Seed parallel 120027: it was made again, beside the card that somebody moved after it was listed."""
    s.put(s.person("Anna"))
    s.sync(at="answered", fault="die")
    href, payload = s.card("Anna")
    s.sync(at="reading", meanwhile=lambda: s.remotes["r0"].move(href, "/contacts/moved.vcf", payload))
    s.equal("L33", "in doubt", s.devices["a"].status()["in_doubt"], 1)
    s.sync()
    s.equal("L33", "in doubt", s.devices["a"].status()["in_doubt"], 0)
    for place in ("a", "r0"):
        s.people_at("L33", place, "Anna")


@each("L33", "faithful", "sabre", judged=False, under_way=True)
def a_create_in_doubt_waits_no_longer_than_the_next_listing(s: Script) -> None:
    s.put(s.person("Anna"))
    s.sync(at="answered", fault="die")
    s.sync(at="reading", meanwhile=lambda: s.client_deletes("Anna"))
    s.people_at("L33", "r0")
    s.sync()
    for place in ("a", "r0"):
        s.people_at("L33", place, "Anna")


# ---- deletion ------------------------------------------------------------------------------------


@world("L20", "google")
def a_listing_that_lags_deletes_nobody(s: Script) -> None:
    s.put(s.person("Anna"))
    s.sync()
    s.put(s.person("Ben"))
    s.sync()
    s.remotes["r0"].server.expire_cursors("/contacts/")
    s.sync(minutes=1)
    for place in ("a", "r0"):
        s.people_at("L20", place, "Anna", "Ben")


@world("L34", "google")
def a_listing_that_lags_reverts_nothing(s: Script) -> None:
    s.put(s.person("Anna", title("T1")))
    s.sync()
    s.edit("Anna", title("T2"))
    s.sync()
    before = s.writes()
    s.remotes["r0"].server.expire_cursors("/contacts/")
    s.sync(minutes=1)
    s.everywhere("L34", "Anna", title="T2")
    s.sync()
    s.equal("L34", "writes after old news", s.writes() - before, 0)


@world("L22", "google", "faithful")
def a_deleted_contact_does_not_return_from_a_listing_that_lags(s: Script) -> None:
    s.put(s.person("Anna"))
    s.sync()
    s.delete("Anna")
    s.sync()
    for minutes in (1, 1, 10, 10):
        s.remotes["r0"].server.expire_cursors("/contacts/")
        s.sync(minutes=minutes)
        for place in ("a", "r0", "r1"):
            s.people_at("L22", place)


@each("L23", "faithful", "graph")
def an_edit_there_beats_a_deletion_here(s: Script) -> None:
    s.put(s.person("Anna"))
    s.sync()
    s.delete("Anna")
    s.client_edits("Anna", title("T1"))
    s.sync()
    s.everywhere("L23", "Anna", title="T1")


@each("L23", "faithful", "graph")
def an_edit_here_beats_a_deletion_there(s: Script) -> None:
    s.put(s.person("Anna", note("N1")))
    s.sync()
    s.client_deletes("Anna")
    s.edit("Anna", title("T1"))
    s.sync()
    s.everywhere("L23", "Anna", title="T1", note="N1")


@each("L23", "faithful", "google")
def an_edit_that_is_told_after_the_deletion_was_confirmed_is_an_edit_too(s: Script) -> None:
    """Seed parallel 211080: what another device had replaced came back, and its surname was lost."""
    anna = s.put(s.person("Anna", title("T1")))
    s.sync()
    s.edit("Anna", note("N1"))
    s.delete("Anna")
    s.sync()
    edited = replace(anna, name=people.named("Anna", "F2"), emails=(Email("new@x.org"),))
    s.client_puts(edited)
    s.sync()
    s.everywhere("L23", "Anna", surname="F2", email="new@x.org", title="T1", note="N1")
    s.conflicts("L23", 1)


@each("L23", "faithful", others=("cutting",), policy="device")
def an_edit_beats_a_deletion_that_is_long_over(s: Script) -> None:
    """Nobody knows what it was made of: the values of lists are united, of others it wins, on record."""
    anna = s.put(s.person("Anna", title("T1")))
    s.sync()
    s.delete("Anna")
    s.sync()
    s.sync()
    s.client_puts(replace(anna, name=people.named("Anna", "F2"), titles=(Title("T2"),)))
    s.sync()
    s.everywhere("L23", "Anna", surname="F2", title=("T1", "T2"))
    _on_record(s, anna.name.part("surname"))


@world("L23", "faithful")
def an_old_card_that_is_put_back_overwrites_nothing_without_a_record(s: Script) -> None:
    s.put(s.person("Anna", title("T1")))
    s.sync()
    _, old = s.card("Anna")
    s.edit("Anna", lambda c: note("N2")(title("T2")(c)))
    s.sync()
    s.edit("Anna", group("G3"))
    s.delete("Anna")
    s.sync()
    s.remotes["r0"].server.put("/contacts/old.vcf", old)
    s.ledger.brought_back(facts.of_card(old))
    s.sync()
    s.everywhere("L23", "Anna", title="T1", note=(), group="G3")
    _on_record(s, "T2", "N2")


def _on_record(s: Script, *words: str) -> None:
    (device,) = s.device_states()
    s.equal("L16", "what is on record", [word for word in words if f'"{word}"' in device.records], [*words])


@world("L23", "faithful", judged=False)
def an_edit_brings_back_who_may_be_somebody_new_though_the_process_dies(s: Script) -> None:
    """Seed parallel 80470: without the death, the card was made in the round that met the other."""
    anna = s.put(s.person("Anna", lambda c: replace(c, name=people.named("Anna", "Winterberg"))))
    s.sync()
    s.client_deletes("Anna")
    s.client_puts(replace(anna, uid=s.new_id("x"), emails=(Email("else@x.org"),), phones=()))
    s.edit("Anna", title("T1"))
    s.sync(at="before-sent", fault="die")
    s.sync()
    s.people_at("L23", "r0", "Anna", "Anna")


@each("L13", "faithful", "cutting-blind")
def what_somebody_else_removed_too_does_not_prove_that_our_write_arrived(s: Script) -> None:
    """Seed parallel 81320: the other edit of that write was not sent any more."""
    s.put(s.person("Anna", title("T1")))
    s.sync()
    s.edit("Anna", lambda c: title("T2")(note("N1")(addresses()(c))))
    s.sync(at="sent", fault="die")
    s.client_edits("Anna", addresses())
    s.sync()
    s.everywhere("L13", "Anna", email=(), title="T2", note="N1")


@each("L13", "faithful", "cutting-blind")
def what_was_nowhere_before_is_no_loss_of_the_remote_while_the_write_is_in_doubt(s: Script) -> None:
    """Seed parallel 150058: of a note that was sent beside what somebody else removed too, it was
    believed that the remote has no room for it."""
    s.put(s.person("Anna", title("T1")))
    s.sync()
    s.edit("Anna", lambda c: note("N1")(addresses()(c)))
    s.sync(at="sent", fault="die")
    s.client_edits("Anna", addresses())
    s.sync()
    s.everywhere("L13", "Anna", email=(), title="T1", note="N1")


@each("L32", "faithful", "graph")
def an_edit_just_before_our_delete_beats_it(s: Script) -> None:
    s.put(s.person("Anna"))
    s.sync()
    s.delete("Anna")
    s.sync(at="sent", meanwhile=lambda: s.client_edits("Anna", title("T1")))
    s.sync()
    s.everywhere("L32", "Anna", title="T1")


@world("L32", "graph")
def an_edit_just_before_our_write_survives(s: Script) -> None:
    """Without conditions there is a gap, but not between our decision and our look."""
    s.put(s.person("Anna"))
    s.sync()
    s.edit("Anna", title("T1"))
    s.sync(at="before-sent", meanwhile=lambda: s.client_edits("Anna", note("N1")))
    s.sync()
    s.everywhere("L32", "Anna", title="T1", note="N1")


@world("L22", "faithful", "cutting")
def a_tombstone_has_all_and_is_kept_as_long_as_promised(s: Script) -> None:
    for given in ("Anna", "Ben"):
        s.put(s.person(given, lambda c: note("N1")(title("T1")(c))))
    s.sync()
    s.delete("Anna")
    s.client_deletes("Ben")
    s.sync()
    s.sync()
    s.passes(days=29)
    s.sync()
    s.equal("L22", "tombstones after 29 days", len(s.devices["a"].trash()), 2)
    s.restore("Anna")
    s.sync()
    for place in ("a", "r0"):
        s.shows("L22", place, "Anna", title="T1", note="N1")
    s.passes(days=2)
    s.sync()
    s.equal("L22", "tombstones after 31 days", len(s.devices["a"].trash()), 0)
    s.people_at("L22", "a", "Anna")


@world("L22", "faithful")
def a_card_with_the_uid_of_a_tombstone_revives_it(s: Script) -> None:
    s.put(s.person("Anna", title("T1")))
    s.sync()
    before = s.stored("Anna")
    gone = s.client_deletes("Anna")
    s.sync()
    s.passes(days=3)
    s.sync()
    s.remotes["r0"].server.put("/contacts/again.vcf", gone)
    s.ledger.brought_back(facts.of_card(gone))
    s.sync()
    s.equal("L22", "who came back", s.stored("Anna").id, before.id)


# ---- brakes --------------------------------------------------------------------------------------


def _braked(s: Script, kind: str) -> None:
    """Rounds write nothing, again and again, and say why."""
    s.ends = ("ok", "guard")
    before = _untouched(s)
    for _ in range(3):
        s.sync()
        s.equal("L25", "what stops the round", s.guard, kind)
        s.equal("L25", "what a stopped round leaves", _untouched(s), before)


def _untouched(s: Script) -> list[object]:
    remote, books = s.remotes["r0"], s.devices["a"].store.books.of_account("r0")
    return [s.device_states(), remote.commits(), remote.writes, [book.cursor for book in books]]


def _emptied_there(s: Script, count: int) -> None:
    names = [f"P{i}" for i in range(count)]
    for given in names:
        s.put(s.person(given))
    s.sync()
    s.limits = Limits()
    for given in names:
        s.client_deletes(given)
    _braked(s, "mass-delete")
    s.people_at("L25", "a", *names)
    s.limits = OFF
    s.sync()
    s.people_at("L25", "a")


for _kind in ("faithful", "sabre", "google"):
    add(
        f"somebody_empties_a_book[{_kind}]",
        "L25",
        _kind,
        play=functools.partial(_emptied_there, count=5),
    )


@world("L25", "faithful")
def the_device_is_emptied(s: Script) -> None:
    names = ["Anna", "Ben", "Cleo", "Dora"]
    for given in names:
        s.put(s.person(given))
    s.sync()
    s.limits = Limits()
    for given in names:
        s.delete(given)
    _braked(s, "mass-delete")
    s.people_at("L25", "r0", *names)
    s.limits = OFF
    s.sync()
    s.people_at("L25", "r0")


@world("L25", "faithful")
def somebody_empties_a_field_all_over(s: Script) -> None:
    names = [f"P{i}" for i in range(21)]
    for given in names:
        s.client_puts(s.person(given, title(f"T{given}")))
    s.sync()
    s.limits = Limits()
    for given in names:
        s.client_edits(given, lambda c: replace(c, titles=()))
    _braked(s, "mass-removal")
    s.shows("L25", "a", "P7", title="TP7")
    s.limits = OFF
    s.sync()
    s.shows("L25", "a", "P7", title=())


@world("L25", "faithful", judged=False)
def somebody_else_copies_too(s: Script) -> None:
    """A program that brings the cards of the book to the device again, as contacts of their own."""
    some = [s.put(s.person(f"P{i}")) for i in range(21)]
    s.sync()
    s.limits = Limits()
    for contact in some:
        s.put(replace(contact, uid=s.new_id("a")))
    _braked(s, "loop")
    s.equal("L25", "cards", len(s.remotes["r0"].cards()), 21)
    s.limits = OFF
    s.sync()
    s.equal("L25", "cards once it was allowed", len(s.remotes["r0"].cards()), 42)


# ---- questions -----------------------------------------------------------------------------------


def _asked(s: Script, *, take: str, wanted: str) -> None:
    s.put(s.person("Anna", title("T1")))
    s.sync()
    s.edit("Anna", title("T2"))
    s.client_edits("Anna", title("T3"))
    for number in range(2):
        s.sync()
        s.edit("Anna", note(f"N{number}"))
        s.client_edits("Anna", lambda c, n=number: replace(c, phones=(Phone(f"+4912345{n}"),)))
        s.sync()
        _open_question(s)
        s.everywhere("L18", "Anna", note=f"N{number}", phone=f"4912345{number}")
    s.edit("Anna", addresses("new@x.org"))
    s.sync()
    _open_question(s)
    question = s.devices["a"].conflicts(only_open=True)[0]
    s.devices["a"].resolve(question.id, take)
    s.ledger.standing -= {("Anna", "title", word) for word in ("T2", "T3")} - {("Anna", "title", wanted)}
    s.sync()
    s.everywhere("L18", "Anna", title=wanted)
    s.equal("L18", "open questions", len(s.devices["a"].conflicts(only_open=True)), 0)


def _open_question(s: Script) -> None:
    s.shows("L18", "a", "Anna", title="T2")
    s.shows("L18", "r0", "Anna", title="T3")
    s.equal("L18", "open questions", len(s.devices["a"].conflicts(only_open=True)), 1)


for _kind in ("faithful", "sabre"):
    for _take, _wanted in (("device", "T2"), ("remote", "T3")):
        add(
            f"a_question_stays_open_until_it_is_answered[{_kind}-{_take}]",
            "L18",
            _kind,
            play=functools.partial(_asked, take=_take, wanted=_wanted),
            policy="ask",
        )


# ---- who is who ----------------------------------------------------------------------------------


@world("L27", "faithful", "faithful", judged=False)
def a_pair_that_is_not_sure_goes_to_no_other_remote(s: Script) -> None:
    anna = s.put(s.person("Anna", lambda c: replace(c, name=people.named("Anna", "Winterberg"))))
    s.sync()
    s.client_puts(replace(anna, uid=s.new_id("x"), emails=(Email("else@x.org"),), phones=()))
    for _ in range(3):
        s.sync()
    held = [stored for stored in s.devices["a"].contacts() if stored.held]
    s.equal("L27", "held contacts", len(held), 1)
    s.people_at("L27", "r0", "Anna", "Anna")
    s.people_at("L27", "r1", "Anna")


PEOPLE = ("Anna", "Ben", "Cleo", "Dora")


@world("L27", "faithful", "radicale")
def the_same_people_on_all_sides_meet(s: Script) -> None:
    """With other uids everywhere, and labels that only one side has."""
    for given in PEOPLE:
        contact = s.put(s.person(given))
        for at in ("r0", "r1"):
            s.client_puts(replace(contact, uid=s.new_id("x")), at)
    s.sync()
    for place in ("a", "r0", "r1"):
        s.people_at("L27", place, *PEOPLE)


@world("L27", "faithful", "google")
def the_same_uids_meet_though_the_rest_differs(s: Script) -> None:
    for given in PEOPLE:
        contact = s.put(s.person(given))
        s.client_puts(replace(contact, emails=(Email(f"{given}@else.org"),)))
    s.sync()
    s.sync()
    for place in ("a", "r0", "r1"):
        s.people_at("L27", place, *PEOPLE)


@world("L27", "faithful", "faithful")
def the_same_people_at_two_remotes_meet_on_an_empty_device(s: Script) -> None:
    for given in PEOPLE:
        contact = s.person(given)
        s.client_puts(contact, "r0")
        s.client_puts(replace(contact, uid=s.new_id("x")), "r1")
    s.sync()
    for place in ("a", "r0", "r1"):
        s.people_at("L27", place, *PEOPLE)


@world("L40", "faithful")
def a_merged_twin_that_was_edited_there_brings_nobody_back(s: Script) -> None:
    s.put(s.person("Anna"))
    s.put(s.person("Ben"))
    s.sync()
    s.merge("Anna", "Ben")
    s.client_edits("Ben", title("T1"))
    s.sync()
    _merged(s)


@world("L40", "faithful", policy="device")
def a_merged_twin_that_is_put_back_with_an_edit_brings_nobody_back(s: Script) -> None:
    s.put(s.person("Anna"))
    ben = s.put(s.person("Ben"))
    s.sync()
    s.merge("Anna", "Ben")
    s.sync()
    s.sync()
    s.client_puts(title("T1")(ben))
    s.sync()
    s.sync()
    _merged(s)


@world("L40", "faithful")
def both_cards_of_a_merged_pair_are_met_and_the_twin_comes_first(s: Script) -> None:
    """Seed 3962: another device had carried both of them to an account before."""
    anna, ben = s.put(s.person("Anna")), s.put(s.person("Ben"))
    s.client_puts(ben)
    s.client_puts(anna)
    s.merge("Anna", "Ben")
    s.sync()
    s.people_at("L40", "a", "Anna")
    s.people_at("L40", "r0", "Anna")
    s.equal("L40", "the UID of Anna's card", anna.uid.encode() in s.card("Anna")[1], True)


@each("L40", "faithful", "google")
def a_twin_in_doubt_is_deleted_though_the_process_dies_before_that(s: Script) -> None:
    """Its create had come to the server, which nobody knew when it was merged; then the process died again,
    with the deletion of its card decided and not sent. The card became one more of the survivor."""
    s.put(s.person("Anna"))
    s.sync()
    s.put(s.person("Twin"))
    s.sync(at="answered", fault="die")
    s.merge("Anna", "Twin")
    s.sync(at="before-sent", fault="die")
    s.sync()
    s.sync()
    s.people_at("L40", "r0", "Anna")
    s.people_at("L40", "a", "Anna")


@each("L40", "faithful", "google")
def a_twin_in_doubt_is_not_the_card_of_the_survivor_that_is_gone(s: Script) -> None:
    """Seed parallel 100062: it was taken for the survivor's card, which had moved and lost all that was not
    the twin's."""
    s.put(s.person("Anna"))
    s.sync()
    s.put(s.person("Twin"))
    s.sync(at="answered", fault="die")
    s.merge("Anna", "Twin")
    s.client_deletes("Anna")
    s.sync()
    for place in ("a", "r0"):
        s.people_at("L40", place, "Anna")
        s.equal("L40", f"addresses at {place}", len(s._all(place)[0]["email"]), 2)


@world("L40", "faithful")
def a_merge_while_the_survivor_is_being_created_leaves_one_card(s: Script) -> None:
    """Seed 8576."""
    s.client_puts(s.person("Ben"))
    s.put(s.person("Anna"))
    s.sync(at="before-sent", meanwhile=lambda: s.merge("Anna", "Ben"))
    s.sync()
    s.people_at("L40", "a", "Anna")
    s.people_at("L40", "r0", "Anna")


@world("L40", "faithful")
def a_survivor_gets_a_card_of_its_own_where_only_the_twin_had_one(s: Script) -> None:
    """Seed 16158: devices that know the twin by its UID took the card for the twin's, and in the end the
    survivor was deleted with it."""
    s.put(s.person("Ben"))
    s.sync()
    anna = s.put(s.person("Anna"))
    s.merge("Anna", "Ben")
    s.sync()
    s.people_at("L40", "r0", "Anna")
    s.equal("L40", "the UID of Anna's card", anna.uid.encode() in s.card("Anna")[1], True)


@world("L40", "faithful")
def a_card_that_was_moved_and_has_other_values_is_still_the_twins(s: Script) -> None:
    """Seed 51325."""
    s.put(s.person("Anna"))
    s.put(s.person("Ben"))
    s.sync()
    s.merge("Anna", "Ben")
    href, payload = s.card("Ben")
    s.remotes["r0"].move(href, f"{href}.vcf", payload)
    s.client_edits("Ben", lambda ben: replace(ben, emails=(Email("new@x.org"),), phones=()))
    s.sync()
    s.people_at("L40", "a", "Anna")
    s.people_at("L40", "r0", "Anna")


@each("L33", "faithful", "sabre", "google")
def who_comes_back_while_the_deletion_is_in_doubt_stays(s: Script) -> None:
    """It was done, which nobody knew: that the card is gone was taken for a deletion by somebody else."""
    s.put(s.person("Anna"))
    s.put(s.person("Ben"))
    s.sync()
    s.delete("Anna")
    s.sync(at="answered", fault="die")
    s.restore("Anna")
    s.sync()
    s.people_at("L33", "a", "Anna", "Ben")
    s.people_at("L33", "r0", "Anna", "Ben")
    s.conflicts("L33", 0)


@world("L40", "faithful", judged=False)
def who_was_merged_is_back_when_the_one_that_remains_is_deleted(s: Script) -> None:
    """Whoever deletes one and puts the other one's card back takes the merge apart: nobody is left to whom
    the card could belong."""
    s.put(s.person("Anna"))
    s.put(s.person("Ben", note("N1")))
    s.sync()
    href, payload = s.card("Ben")
    s.merge("Anna", "Ben")
    s.sync()
    s.client_deletes("Anna")
    s.remotes["r0"].server.put(href, payload)
    s.sync()
    s.sync()
    s.people_at("L40", "r0", "Ben")
    s.people_at("L40", "a", "Ben")
    s.everywhere("L40", "Ben", note="N1", email=tuple(facts.of_card(payload)["email"]))
    s.equal(
        "L22",
        "in the trash",
        [facts.key(s.facts("a", one.contact)) for one in s.devices["a"].trash()],
        ["Anna"],
    )


@world("L40", "faithful", judged=False)
def who_was_merged_is_back_and_the_one_that_remains_went_into_a_third(s: Script) -> None:
    """Seed parallel 100462, seen from device b. Another device had edited Ben, and so made his card again
    under its former name: it is not the card of Anna, who was deleted there, under another name."""
    for given in ("Anna", "Ben", "Cleo"):
        s.put(s.person(given))
    s.sync()
    href, payload = s.card("Ben")
    s.merge("Anna", "Ben")
    s.sync()
    anna = s.stored("Anna").contact
    s.client_edits("Cleo", lambda cleo: people.taken_over(cleo, anna))
    s.client_deletes("Anna")
    ben = title("T1")(s.remotes["r0"].codec.read(payload))
    s.remotes["r0"].server.put(href, s.remotes["r0"].codec.write(ben, payload))
    s.sync()
    s.sync()
    s.people_at("L40", "r0", "Anna", "Cleo")
    s.people_at("L40", "a", "Anna", "Cleo")
    s.everywhere("L40", "Anna", title="T1")


@world("L40", "graph", judged=False)
def who_was_merged_is_back_and_took_over_the_one_that_remained(s: Script) -> None:
    """Another device merged the same two the other way round: what the remote has no room for is not lost."""
    s.put(s.person("Anna", addresses(*FOUR)))
    s.put(s.person("Ben", addresses()))
    s.sync()
    href, payload = s.card("Ben")
    anna = s.remotes["r0"].codec.read(s.card("Anna")[1])
    s.merge("Anna", "Ben")
    s.sync()
    s.client_deletes("Anna")
    codec = s.remotes["r0"].codec
    s.remotes["r0"].server.put(href, codec.write(people.taken_over(codec.read(payload), anna), payload))
    s.sync()
    s.sync()
    s.people_at("L40", "a", "Ben")
    s.people_at("L40", "r0", "Ben")
    s.shows("L40", "a", "Ben", email=FOUR)
    s.equal("L40", "of Anna", s.devices["a"].contact(anna.uid).uid, s.stored("Ben").uid)


@world("L40", "faithful", policy="device", judged=False)
def who_was_merged_is_back_with_all_that_was_part_of_them(s: Script) -> None:
    """Though the one that remains goes into a third at the same time."""
    for given in ("Anna", "Ben", "Cleo", "Dora"):
        s.put(s.person(given))
    s.sync()
    anna, (_, dora) = s.stored("Anna").contact, s.card("Dora")
    s.merge("Ben", "Dora")
    s.sync()
    href, ben = s.card("Ben")
    s.merge("Anna", "Ben")
    s.sync()
    s.client_edits("Cleo", lambda cleo: people.taken_over(cleo, anna))
    s.client_deletes("Anna")
    s.remotes["r0"].server.put(href, ben)
    s.sync()
    s.client_puts(title("T1")(s.remotes["r0"].codec.read(dora)))
    s.sync()
    s.people_at("L40", "a", "Ben", "Cleo")
    s.everywhere("L40", "Ben", title="T1")


@world("L39", "faithful")
def what_our_write_in_doubt_took_away_has_no_new_name(s: Script) -> None:
    """Seed parallel 181399: the group that was made again here had the new name of another one."""
    s.put(s.person("Anna", lambda anna: replace(anna, groups=frozenset({"G1", "G2"}))))
    s.put(s.person("Ben"))
    s.sync()
    s.play(Act("delete-group", "a"))
    s.sync(at="answered", fault="die")
    s.edit("Ben", group("G1"))
    s.play(Act("rename-group", "x"))
    s.sync()
    (renamed,) = next(iter(s.cards_of("Anna")))["group"]
    s.everywhere("L39", "Anna", group=renamed)
    s.everywhere("L39", "Ben", group="G1")


@each("L39", "faithful", "radicale")
def a_group_has_its_new_name_at_who_comes_back_while_the_deletion_is_in_doubt(s: Script) -> None:
    """Seed parallel 160312: the book was thought to call the group so already, and the old name on the card
    to be a new one."""
    s.put(s.person("Anna", group("G1")))
    s.sync()
    s.play(Act("rename-group", "a"))
    (renamed,) = s.devices["a"].groups()
    s.delete("Anna")
    s.sync(at="sent", fault="die")
    s.restore("Anna")
    s.sync()
    s.everywhere("L39", "Anna", group=renamed.name)


@world("L40", "faithful", "faithful", judged=False)
def who_is_held_for_somebody_is_held_no_longer_when_the_two_are_merged_there(s: Script) -> None:
    """Seed parallel 120137: the twin's card was deleted everywhere, and the one that remains made nowhere."""
    anna = s.put(s.person("Anna"))
    s.sync()
    first, card = s.card("Anna")
    copy = s.client_puts(replace(s.remotes["r0"].codec.read(card), phones=()))
    s.sync()
    s.equal("L27", "held back", s.devices["a"].status()["held"], 1)
    s.remotes["r0"].server.put(copy, card)
    s.remotes["r0"].server.delete(first)
    s.sync()
    for place in ("a", "r0", "r1"):
        s.people_at("L40", place, "Anna")
        s.shows("L40", place, "Anna", phone=anna.phones[0].number.removeprefix("+"))


@world("L24", "faithful")
def a_card_takes_the_name_of_one_that_was_deleted(s: Script) -> None:
    s.put(s.person("Anna", title("T1")))
    s.put(s.person("Ben"))
    s.sync()
    free, _ = s.card("Ben")
    s.delete("Ben")
    s.sync()
    s.remotes["r0"].move(s.card("Anna")[0], free, s.card("Anna")[1])
    s.sync()
    s.people_at("L24", "a", "Anna")
    s.people_at("L24", "r0", "Anna")
    s.everywhere("L24", "Anna", title="T1")


@world("L24", "faithful", judged=False)
def of_two_cards_with_one_uid_the_one_that_is_as_it_was_has_moved(s: Script) -> None:
    """Seed vdir 162046: the other one was an old copy, which had not met a group."""
    anna = s.put(s.person("Anna", group("G1")))
    s.sync()
    remote = s.remotes["r0"]
    href, card = s.card("Anna")
    copy = replace(remote.codec.read(card), groups=frozenset())
    remote.server.put(f"{remote.books[0]}copy.vcf", remote.codec.write(copy, card))
    remote.move(href, f"{remote.books[0]}moved.vcf", card)
    s.sync()
    s.equal("L24", "groups", len(s.devices["a"].contact(anna.uid).contact.groups), 1)


@each("L24", "faithful", "cutting", "google", "graph", judged=False)
def a_card_that_another_program_makes_anew_is_the_same_contact(s: Script) -> None:
    """Programs that edit by deleting and creating give the new card another name and another UID."""
    whole = "N111 N112 N113 N114"
    anna = s.put(s.person("Anna", note(whole)))
    s.sync()
    stored = s.stored("Anna").id
    there = s.remotes["r0"].codec.read(s.card("Anna")[1])
    s.client_deletes("Anna")
    s.client_puts(title("T1")(replace(there, uid=s.new_id("x"))))
    s.sync()
    s.equal("L24", "the contact on the device", s.stored("Anna").id, stored)
    s.shows("L24", "a", "Anna", title="T1", note=whole, email=anna.emails[0].address)
    s.people_at("L24", "r0", "Anna")
    s.equal("L24", "in the trash", s.devices["a"].trash(), [])


@each("L24", "faithful", "cutting", "google", judged=False)
def a_whole_book_that_is_named_anew_is_the_same_book(s: Script) -> None:
    """A server that was moved gave new names and UIDs to all cards: neither deletions nor copies."""
    remote, whole = s.remotes["r0"], "N111 N112 N113 N114"
    for given in CROWD:
        s.put(s.person(given, note(whole)))
    s.sync()
    known = {stored.id for stored in s.devices["a"].contacts()}
    for href, payload in remote.cards():
        remote.server.delete(href)
        s.client_puts(replace(remote.codec.read(payload), uid=s.new_id("x")))
    s.sync()
    s.equal("L24", "what stopped the round", s.guard, "")
    s.equal("L24", "the contacts", {stored.id for stored in s.devices["a"].contacts()}, known)
    for given in CROWD:
        s.shows("L24", "a", given, note=whole)
    s.people_at("L24", "r0", *sorted(CROWD))


@world("L24", "faithful", books=2)
def who_moves_while_the_books_are_read_is_not_made_again(s: Script) -> None:
    """Seed parallel 220356: the card was in neither book as they were read, and a contact that was edited
    here was made a second time."""
    first, second, remote = 0, 1, s.remotes["r0"]
    s.client_puts(s.person("Anna"), book=second)
    s.sync()
    s.client_puts(s.person("Ben"), book=first)
    href, payload = s.card("Anna", book=second)
    new = href.replace(remote.books[second], remote.books[first])
    s.edit("Anna", note("N1"))
    s.sync(at="page-staged", meanwhile=lambda: remote.move(href, new, payload))
    s.people_at("L24", "r0", "Anna", "Ben")
    s.sync()
    s.everywhere("L24", "Anna", note="N1")


@each("L13", "faithful", "cyrus")
def an_update_in_doubt_is_found_on_the_card_that_moved(s: Script) -> None:
    """Seed parallel 170138: our own write counted as an edit of somebody else, and what was undone meanwhile
    was taken away again."""
    anna = s.put(s.person("Anna"))
    s.sync()
    s.edit("Anna", addresses())
    s.sync(at="answered", fault="die")
    s.edit("Anna", addresses(anna.emails[0].address))
    s.remotes["r0"].move(s.card("Anna")[0], "/contacts/moved.vcf", s.card("Anna")[1])
    s.sync()
    s.everywhere("L13", "Anna", email=anna.emails[0].address)


@each("L24", "faithful", "cyrus", under_way=True)
def who_moves_again_while_the_book_is_read_is_not_made_again(s: Script) -> None:
    """Seed parallel 163911: the card was listed under a name that it had not any more when it was read."""
    remote = s.remotes["r0"]
    s.put(s.person("Anna"))
    s.sync()
    href, card = s.card("Anna")
    remote.move(href, "/contacts/x1.vcf", card)
    s.edit("Anna", note("N1"))
    s.sync(at="reading", meanwhile=lambda: remote.move("/contacts/x1.vcf", "/contacts/x2.vcf", card))
    s.people_at("L24", "r0", "Anna")
    s.sync()
    s.everywhere("L24", "Anna", note="N1")


@world("L33", "faithful", books=2)
def a_create_in_doubt_is_found_in_the_book_that_it_was_moved_to(s: Script) -> None:
    """Seed parallel 167456: it counted as somebody else's card of the same person, and what had been taken
    away since came back."""
    remote = s.remotes["r0"]
    first, second = remote.books
    s.put(s.person("Anna"))
    s.sync(at="answered", fault="die")
    href, payload = next(iter(remote.cards()))
    remote.move(
        href, href.replace(first, second) if href.startswith(first) else href.replace(second, first), payload
    )
    s.edit("Anna", addresses())
    s.sync()
    s.everywhere("L33", "Anna", email=())


@world("L24", "faithful", books=2)
def a_create_in_doubt_that_moves_while_the_books_are_read_is_not_sent_again(s: Script) -> None:
    """The card was made in the book that is read second, and comes into the first one after that was read."""
    remote = s.remotes["r0"]
    first, second = remote.books
    remote.server.book(first).writable = False
    s.put(s.person("Anna"))
    s.client_puts(s.person("Ben"))
    s.sync(at="answered", fault="die")
    href, payload = s.card("Anna", book=1)
    s.client_edits("Ben", note("N1"))
    s.sync(at="page-staged", meanwhile=lambda: remote.move(href, href.replace(second, first), payload))
    s.people_at("L24", "r0", "Anna", "Ben")
    s.sync()
    for place in ("a", "r0"):
        s.people_at("L24", place, "Anna", "Ben")


@world("L33", "vdir-folder")
def a_card_that_is_half_written_under_our_name_is_waited_for(s: Script) -> None:
    """Seed vdir 60045: two devices had imported the same file."""
    s.put(s.person("Ben"))
    s.sync()
    anna = s.put(s.person("Anna"))
    remote = s.remotes["r0"]
    while not remote.server.half:  # type: ignore[attr-defined]
        remote.server.put(f"{remote.books[0]}{anna.uid}.vcf", remote.codec.write(anna, None))
    s.sync()
    remote.settle()
    s.sync()
    s.people_at("L33", "a", "Anna", "Ben")
    s.people_at("L33", "r0", "Anna", "Ben")


@world("L33", "faithful")
def somebody_elses_card_under_our_name_does_not_pass_for_ours(s: Script) -> None:
    """Seeds 12928 and 14915: two devices had imported the same file."""
    anna = s.put(s.person("Anna", note("N1")))
    s.sync(fault="die", at="sent")
    s.client_puts(replace(anna, notes=()))
    s.sync()
    s.sync()
    s.everywhere("L33", "Anna", note="N1")


def _merged(s: Script) -> None:
    s.people_at("L40", "a", "Anna")
    s.people_at("L40", "r0", "Anna")
    s.everywhere("L40", "Anna", title="T1")


@each("L39", "faithful", "graph", "google-api")
def a_new_name_beats_a_deletion_of_the_group(s: Script) -> None:
    """Seeds 7609 and (parallel) 50147, 50205."""
    renamed, deleted = Act("rename-group", "x"), Act("delete-group", "a")
    for given, acts in (("Anna", (deleted, renamed)), ("Ben", (renamed, deleted))):
        s.put(s.person(given, group("Club")))
        s.sync()
        for act in acts:
            s.play(act)
        s.sync()
        s.sync()
        (name,) = next(iter(s.cards_of(given)))["group"]
        s.equal("L39", "the former name", name == "Club", False)
        s.everywhere("L39", given, group=name)
        s.delete(given)
        s.play(deleted)
        s.sync()


@each("L39", "faithful", "paged")
def a_new_name_beats_an_undo_that_the_group_went_with(s: Script) -> None:
    """Seed (parallel) 100840: the remote refused the write that told of it."""
    s.put(s.person("Anna"))
    s.watched(Act("edit", "a"), lambda: s.edit("Anna", group("Club")))
    s.sync()
    s.play(Act("undo", "a"))
    s.shows("L39", "a", "Anna", group=())
    s.play(Act("rename-group", "x"))
    s.sync()
    s.sync()
    (name,) = next(iter(s.cards_of("Anna")))["group"]
    s.everywhere("L39", "Anna", group=name)


# ---- accounts and modes --------------------------------------------------------------------------


@world("L37", "faithful", books=2)
def a_copy_of_a_card_brings_nothing_back_that_was_removed_since(s: Script) -> None:
    """Seed 6974."""
    anna = s.put(s.person("Anna"))
    s.sync()
    s.client_puts(anna, book=1)
    s.ledger.several.add("Anna")
    s.edit("Anna", addresses("new@x.org"))
    s.sync()
    s.shows("L37", "a", "Anna", email="new@x.org")


@world("L37", "faithful", "google", books=2)
def a_newcomer_is_created_in_one_book_of_an_account(s: Script) -> None:
    s.put(s.person("Anna"))
    s.sync()
    s.sync()
    for place in ("r0", "r1"):
        s.people_at("L37", place, "Anna")


@world("P6", "faithful", books=2)
def edits_in_two_books_both_count(s: Script) -> None:
    anna = s.person("Anna", addresses("a@x.org"))
    for book in (0, 1):
        s.client_puts(anna, book=book)
    s.ledger.several.add("Anna")
    s.sync()
    s.client_edits("Anna", title("T1"), book=0)
    s.client_edits("Anna", note("N1"), book=1)
    s.sync()
    s.sync()
    s.shows("P6", "a", "Anna", title="T1", note="N1")
    for book in (0, 1):
        seen = facts.of_card(s.card("Anna", book=book)[1])
        s.equal("P6", f"book {book}", (seen["title"], seen["note"]), ({"T1"}, {"N1"}))


@world("L26", "faithful", mode="pull", judged=False)
def a_book_that_is_only_read(s: Script) -> None:
    s.client_puts(s.person("Anna", title("T1")))
    s.sync()
    s.edit("Anna", note("N1"))
    s.put(s.person("Ben"))
    s.client_edits("Anna", title("T2"))
    for _ in range(2):
        s.sync()
    s.shows("L26", "a", "Anna", title="T2", note="N1")
    s.shows("L26", "r0", "Anna", title="T2", note=())
    s.people_at("L26", "r0", "Anna")
    s.equal("L26", "writes", s.writes(), 0)
    s.edit("Anna", title("T3"))
    s.client_edits("Anna", title("T4"))
    s.sync()
    s.everywhere("L26", "Anna", title="T4")


@world("L26", "faithful", mode="push", judged=False)
def a_book_that_is_only_written(s: Script) -> None:
    s.put(s.person("Anna", title("T1")))
    s.sync()
    s.client_edits("Anna", note("N1"))
    s.client_puts(s.person("Ben"))
    s.edit("Anna", title("T2"))
    for _ in range(2):
        s.sync()
    s.shows("L26", "a", "Anna", title="T2", note=())
    s.shows("L26", "r0", "Anna", title="T2", note="N1")
    s.people_at("L26", "a", "Anna")


@world("P4", "faithful", "faithful", devices="ab")
def an_edit_and_its_opposite_do_not_chase_each_other(s: Script) -> None:
    """Seed any 221789: they went from b by r1 to a by r0 to b for ever."""
    s.put(s.person("Anna"))
    s.rounds(2)
    s.client_edits("Anna", title("T1"))
    s.sync_only("b", "r0")
    s.client_edits("Anna", lambda anna: replace(anna, titles=()))
    s.sync_only("b", "r1")
    for _ in range(2):
        s.round(Act("sync", "a"))
        s.round(Act("sync", "b"))
    s.quiet()


@world("P3", "faithful", "faithful", "faithful")
def what_the_last_account_brings_is_at_the_first_after_one_round(s: Script) -> None:
    s.put(s.person("Anna"))
    s.sync()
    s.client_edits("Anna", title("T1"), "r2")
    s.client_puts(s.person("Ben"), "r1")
    s.sync()
    s.everywhere("P3", "Anna", title="T1")
    for place in ("a", "r0", "r1", "r2"):
        s.people_at("P3", place, "Anna", "Ben")


# ---- taking back ---------------------------------------------------------------------------------


@world("P7", "faithful", "sabre", judged=False)
def what_was_edited_since_outlives_the_undo_of_a_round(s: Script) -> None:
    s.put(s.person("Anna", title("T1")))
    s.sync()
    s.client_edits("Anna", lambda contact: note("N1")(title("T2")(contact)))
    s.sync()
    pulled = s.devices["a"].runs(1)[0].id
    s.edit("Anna", title("T3"))
    s.devices["a"].undo(pulled)
    s.shows("P7", "a", "Anna", title="T3", note=())
    for _ in range(2):
        s.sync()
    s.everywhere("P7", "Anna", title="T3", note=())


@world("P7", "faithful")
def who_came_into_a_group_by_a_round_that_renamed_it_stays_in_it(s: Script) -> None:
    """Seed (parallel) 230052."""
    s.put(s.person("Anna"))
    s.edit("Anna", group("Club"))
    s.sync()
    s.play(Act("rename-group", "x"))
    (name,) = facts.of_card(s.card("Anna")[1])["group"]
    s.client_puts(s.person("Ben", group(name)))
    s.watched(Act("sync", "a"), s.sync)
    s.equal("P7", "undone", s.reached["undone sync"], 1)


@world("P7", "faithful")
def an_edit_of_one_who_was_merged_since_is_taken_back_at_the_other(s: Script) -> None:
    """Seed (parallel) 100162."""
    s.put(s.person("Anna"))
    s.put(s.person("Ben"))
    s.watched(Act("edit", "a"), lambda: s.edit("Ben", title("T1")))
    s.merge("Anna", "Ben")
    s.shows("P7", "a", "Anna", title="T1")
    s.play(Act("undo", "a"))
    s.shows("P7", "a", "Anna", title=())
