"""The guard around connectors by others: a sound one does not notice it, any other is named with the rule
that it broke."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, ClassVar

import pytest

from contactsync.connectors.base import (
    Capabilities,
    Change,
    Collection,
    Completing,
    Create,
    Delete,
    Describing,
    Fact,
    GroupCodec,
    Local,
    Locating,
    Outcome,
    Page,
    Place,
    Refused,
    Removed,
    Step,
    Stored,
    Unknown,
)
from contactsync.connectors.contract import Rule
from contactsync.connectors.guard import Origin, guard
from contactsync.connectors.memory import Habits, MemoryConnector, MemoryServer
from contactsync.connectors.waiting import Worker
from contactsync.errors import CodecError, ContractBroken, RemoteError, StoreError, TransientError
from contactsync.model.contact import Contact, Name, Phone
from contactsync.testing.faults import Crash, Fault, FaultyConnector
from contactsync.testing.suite import Rig
from contactsync.vcard.codec import VCardCodec
from tests.connectors import test_memory

BOOK = "/contacts/"
CARD = b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u\r\nFN:Ada\r\nN:;Ada;;;\r\nEND:VCARD\r\n"
ORIGIN = Origin("odd", "contactsync-odd", "1.0")


def guarded(connector: object, seconds: float = 30.0) -> Any:
    return guard(lambda: connector, ORIGIN, timedelta(seconds=seconds))


def creates(number: int) -> list[Step]:
    return [Create(n, f"c{n}", f"u{n}", CARD) for n in range(number)]


class TestGuarded(test_memory.TestMemory):
    def make(self) -> Rig:
        rig = super().make()
        return replace(rig, connector=guarded(rig.connector))


class TestGuardedPages(TestGuarded):
    habits: ClassVar[dict[str, object]] = test_memory.TestPages.habits


class TestGuardedPoorRemote(TestGuarded):
    habits: ClassVar[dict[str, object]] = test_memory.TestPoorRemote.habits


class TestGuardedPayloads(TestGuarded):
    habits: ClassVar[dict[str, object]] = test_memory.TestPayloads.habits


# --- what breaks a rule --------------------------------------------------------------------------------


class Odd(MemoryConnector):
    """One card is there; what is given replaces a method, or an attribute."""

    def __init__(self, **replaced: Any) -> None:
        server = MemoryServer()
        server.put(f"{BOOK}a.vcf", CARD)
        super().__init__(server, VCardCodec())
        for name, value in replaced.items():
            setattr(self, name, value)


def listing(*pages: object) -> Odd:
    return Odd(changes=lambda collection, cursor: iter(pages))


def reading(*changes: object) -> Odd:
    return Odd(fetch=lambda collection, hrefs: iter(changes))


def writing(answer: Callable[[Step], object]) -> Odd:
    return Odd(write=lambda collection, steps: (answer(step) for step in steps))


def codec(**replaced: Any) -> Odd:
    made = VCardCodec()
    for name, value in replaced.items():
        setattr(made, name, value)
    return Odd(codec=made)


def boom(*given: object) -> Any:
    raise KeyError("boom")


def list_all(made: Any) -> object:
    return list(made.changes(BOOK, None))


def fetch_two(made: Any) -> object:
    return list(made.fetch(BOOK, ["/a", "/b"]))


def write_one(made: Any) -> object:
    return list(made.write(BOOK, [Create(1, "c", "u", CARD)]))


def write_many(made: Any) -> object:
    return list(made.write(BOOK, creates(5)))


class Wordless(RemoteError):
    def __init__(self) -> None:
        pass


def wordless(*given: object) -> Any:
    raise Wordless


CHANGE = Change("/a", '"1"', CARD)
OTHER = Change("/b", gone=True)
LOCAL = datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1)))
BROKEN: list[tuple[Rule, Odd, Callable[[Any], object], str]] = [
    (Rule.ERRORS, Odd(check=boom), lambda made: made.check(), "check raised KeyError: 'boom' (test_guard.py"),
    (Rule.ERRORS, Odd(changes=lambda c, s: map(boom, [1])), list_all, "changes raised KeyError"),
    (Rule.ERRORS, Odd(check=wordless), lambda made: made.check(), "A Wordless has no message or hint"),
    (Rule.ERRORS, reading(Change("/a", error=Wordless())), fetch_two, "A Wordless has no message"),
    (Rule.ERRORS, writing(lambda step: Refused(step.key, Wordless())), write_one, "A Wordless has no"),
    (Rule.ERRORS, Odd(collections=lambda: 1 / 0), lambda made: made.collections(), "ZeroDivisionError"),
    (Rule.TYPES, Odd(check=lambda: None), lambda made: made.check(), "What check gave is None."),
    (Rule.TYPES, Odd(changes=lambda c, s: None), list_all, "What changes gave is None."),
    (Rule.TYPES, Odd(traffic=lambda: (1, 2)), lambda made: made.traffic(), "traffic gave is of type tuple"),
    (Rule.TYPES, listing("page"), list_all, "A page that changes gave is of type str."),
    (Rule.TYPES, listing(Page([CHANGE], None, True, True)), list_all, ".changes is of type list."),  # type: ignore[arg-type]
    (Rule.TYPES, listing(Page((Change(7),), None, True, True)), list_all, ".changes[0].href is of type int."),  # type: ignore[arg-type]
    (Rule.TYPES, listing(Page((Change(""),), None, True, True)), list_all, "empty href"),
    (Rule.TYPES, listing(Page((Change("\udcff"),), None, True, True)), list_all, "cannot be written"),
    (Rule.TYPES, reading(replace(CHANGE, modified_at=LOCAL)), fetch_two, ".modified_at is not in UTC."),
    (Rule.TYPES, reading(replace(CHANGE, modified_at=datetime(2026, 1, 1))), fetch_two, "not in UTC."),
    (Rule.TYPES, reading(replace(CHANGE, payload="text")), fetch_two, ".payload is of type str."),
    (Rule.TYPES, writing(lambda step: "stored"), write_one, "An outcome that write gave is of type str."),
    (Rule.TYPES, Odd(codec="vcard"), lambda made: made.codec, "Its codec, of type str, has no read."),
    (Rule.CAPABILITIES, Odd(), lambda made: made.capabilities, "is of type dict"),
    (Rule.CAPABILITIES, Odd(), lambda made: made.capabilities, "too small"),
    (Rule.CAPABILITIES, Odd(), lambda made: made.capabilities, "'hats'"),
    (
        Rule.COLLECTIONS,
        Odd(collections=lambda: [Collection("/a/", "A"), Collection("/a/", "B")]),
        lambda made: made.collections(),
        "the same href",
    ),
    (Rule.PAGES, listing(), list_all, "ended without a last page"),
    (Rule.PAGES, listing(Page((), None, True, False)), list_all, "ended without a last page"),
    (Rule.PAGES, listing(Page((), None, True, True), Page((), None, True, True)), list_all, "Another page"),
    (Rule.PAGES, listing(Page((), None, True, False), Page((), None, False, True)), list_all, "not full"),
    (Rule.PAGES, listing(Page((), None, False, True)), list_all, "not full"),
    (Rule.CHANGES, listing(Page((replace(CHANGE, gone=True),), None, True, True)), list_all, "has a payload"),
    (Rule.CHANGES, listing(Page((replace(CHANGE, partial=True),), None, True, True)), list_all, "partial"),
    (Rule.FETCH, reading(CHANGE), fetch_two, "no answer for 1 of 2 cards"),
    (Rule.FETCH, reading(CHANGE, OTHER, Change("/c")), fetch_two, "not asked for"),
    (Rule.FETCH, reading(CHANGE, OTHER, CHANGE), fetch_two, "the same one twice"),
    (Rule.FETCH, reading(CHANGE, Change("/B", gone=True)), fetch_two, "not asked for"),
    (Rule.FETCH, reading(CHANGE, Change("/b", '"2"')), fetch_two, "without its payload"),
    (Rule.OUTCOMES, writing(lambda step: Removed(step.key, "/c")), write_one, "a Create with Removed"),
    (Rule.OUTCOMES, writing(lambda step: Stored(99, "/c", None)), write_one, "the key 99"),
    (Rule.OUTCOMES, writing(lambda step: Stored(step.key, "", None)), write_one, "naming its href"),
    (
        Rule.OUTCOMES,
        Odd(write=lambda c, steps: iter(list(steps)[:0])),
        write_one,
        "no outcome for 1",
    ),
    (Rule.STEPS, Odd(write=lambda c, steps: iter([])), write_one, "before it had taken all steps"),
    (Rule.STEPS, Odd(write=lambda c, steps: iter(list(steps)[:0])), write_many, "while 2 others"),
    (Rule.CODEC, codec(project=boom), lambda made: made.codec.project(Contact()), "codec.project raised"),
]
for _row, _value in zip(
    [row for row in BROKEN if row[0] is Rule.CAPABILITIES],
    [{}, Capabilities(batch_size=0), Capabilities(fields=frozenset({"hats"}))],
    strict=True,
):
    _row[1].wrong_later = _value  # type: ignore[attr-defined]


def _ids(value: object) -> str:
    return value.title if isinstance(value, Rule) else ""


@pytest.mark.parametrize(("rule", "connector", "ask", "said"), BROKEN, ids=_ids)
def test_what_breaks_a_rule_is_named_with_it(
    rule: Rule, connector: Odd, ask: Callable[[Any], object], said: str
) -> None:
    made = guarded(connector)
    if hasattr(connector, "wrong_later"):
        connector.capabilities = connector.wrong_later
    with pytest.raises(ContractBroken) as caught:
        ask(made)
    assert said in caught.value.message
    assert (caught.value.connector, caught.value.rule) == ("'odd' (contactsync-odd 1.0)", rule.value)
    made.close()


def test_each_rule_is_tried() -> None:
    elsewhere = {Rule.FACTORY, Rule.TIME}  # tests/plugins/test_loading.py, and below
    assert {row[0] for row in BROKEN} | elsewhere == set(Rule)


def test_steps_that_are_taken_in_another_thread_are_noticed() -> None:
    def write(collection: str, steps: Iterator[Step]) -> Iterator[Outcome]:
        with ThreadPoolExecutor(1) as pool:
            step = pool.submit(next, steps).result()
        yield Stored(step.key, "/c", None)

    with pytest.raises(ContractBroken, match="in another thread"):
        write_one(guarded(Odd(write=write)))


@pytest.mark.law("L35")
@pytest.mark.parametrize(
    ("replaced", "ask"),
    [
        ({"read": boom}, lambda made: made.read(CARD)),
        ({"read": lambda payload: None}, lambda made: made.read(CARD)),
        ({"read": lambda payload: Contact(name="Ada")}, lambda made: made.read(CARD)),
        ({"read": lambda payload: Contact(phones=(Phone(7),))}, lambda made: made.read(CARD)),
        ({"read": lambda payload: Contact(name=Name(full="\ud800"))}, lambda made: made.read(CARD)),
        ({"write": boom}, lambda made: made.write(Contact(), None)),
        ({"write": lambda contact, original: "text"}, lambda made: made.write(Contact(), None)),
        ({"read_group": boom}, lambda made: made.read_group(CARD)),
    ],
)
def test_what_a_codec_does_wrong_is_the_trouble_of_a_card(
    replaced: dict[str, Any], ask: Callable[[Any], object]
) -> None:
    with pytest.raises(CodecError, match=r"'odd' \(contactsync-odd 1\.0\) broke its contract"):
        ask(guarded(codec(**replaced)).codec)


def test_a_codec_that_says_so_itself_is_believed_and_a_name_is_only_a_help() -> None:
    with pytest.raises(CodecError) as caught:
        guarded(codec()).codec.read(b"no card")
    assert "contract" not in caught.value.message
    assert guarded(codec(glimpse=boom)).codec.glimpse(b"no card") == ""


# --- writing -------------------------------------------------------------------------------------------


@pytest.mark.law("L31")
def test_each_step_is_made_in_the_thread_of_the_caller_right_before_it_is_sent() -> None:
    made, here, threads = guarded(Odd()), threading.get_ident(), set()
    taken: list[int] = []

    def steps() -> Iterator[Step]:
        for step in creates(3):
            threads.add(threading.get_ident())
            taken.append(step.key)
            yield step

    outcomes = made.write(BOOK, steps())
    assert taken == []
    assert [(next(outcomes).key, len(taken)) for _ in range(3)] == [(0, 1), (1, 2), (2, 3)]
    assert next(outcomes, None) is None and threads == {here}


def test_a_step_may_ask_the_connector_before_it_is_sent() -> None:
    made = guarded(Odd())

    def steps() -> Iterator[Step]:
        for href in (f"{BOOK}a.vcf", f"{BOOK}b.vcf"):
            (change,) = made.fetch(BOOK, [href])
            yield Delete(1, href, change.etag) if not change.gone else Create(2, "b", "u", CARD)

    assert [type(outcome) for outcome in made.write(BOOK, steps())] == [Removed, Stored]


def test_so_may_the_steps_of_one_request() -> None:
    def write(collection: str, steps: Iterator[Step]) -> Iterator[Outcome]:
        for step in [next(steps), next(steps)]:
            yield Stored(step.key, "/c", None)
        assert next(steps, None) is None

    made = guarded(Odd(write=write), 5.0)

    def steps() -> Iterator[Step]:
        for step in creates(2):
            assert made.check() == "memory"
            yield step

    assert [outcome.key for outcome in made.write(BOOK, steps())] == [0, 1]


def test_writing_that_is_broken_off_is_ended_in_its_own_thread_too() -> None:
    ended: list[int] = []

    def write(collection: str, steps: Iterator[Step]) -> Iterator[Outcome]:
        try:
            for step in steps:
                yield Stored(step.key, "/c", None)
        finally:
            ended.append(threading.get_ident())

    made = guarded(Odd(write=write))
    outcomes = made.write(BOOK, creates(5))
    next(outcomes)
    outcomes.close()
    made.check()
    assert len(ended) == 1 and threading.get_ident() not in ended


def test_trouble_of_the_caller_is_not_that_of_the_connector() -> None:
    ended = []

    def swallowing(collection: str, steps: Iterator[Step]) -> Iterator[Outcome]:
        try:
            while True:
                try:
                    step = next(steps)
                except Exception:
                    return
                yield Stored(step.key, "/c", None)
        finally:
            ended.append(True)

    def steps() -> Iterator[Step]:
        yield from creates(1)
        raise StoreError("The disk is full.")

    made = guarded(Odd(write=swallowing))
    with pytest.raises(StoreError, match="The disk is full"):
        list(made.write(BOOK, steps()))
    assert made.check() == "memory" and ended == [True]


@pytest.mark.law("L33")
@pytest.mark.parametrize(
    ("error", "kind"),
    [(KeyError("boom"), ContractBroken), (TransientError("Lost."), TransientError), (None, ContractBroken)],
)
def test_a_step_without_an_outcome_is_in_doubt_before_the_trouble_is_told(
    error: Exception | None, kind: type[RemoteError]
) -> None:
    def write(collection: str, steps: Iterator[Step]) -> Iterator[Outcome]:
        first, second = next(steps), next(steps)
        yield Stored(second.key, "/c", None)
        if error is not None:
            raise error
        yield Stored(second.key, "/c", None)
        assert first

    outcomes: list[Outcome] = []
    with pytest.raises(kind) as caught:
        outcomes.extend(guarded(Odd(write=write)).write(BOOK, creates(2)))
    assert outcomes == [Stored(1, "/c", None), Unknown(0, caught.value)]


@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER])
def test_what_ends_the_process_goes_through(fault: Fault) -> None:
    faulty = FaultyConnector(Odd())
    faulty.on_step(fault)
    with pytest.raises(Crash):
        list(guarded(faulty).write(BOOK, creates(1)))


# --- time ----------------------------------------------------------------------------------------------


@pytest.fixture
def forever() -> Iterator[Callable[..., Any]]:
    """Blocks until the test is over."""
    over = threading.Event()
    yield lambda *given: over.wait() and iter(())
    over.set()


def test_what_gives_no_answer_is_given_up_and_not_called_again(forever: Callable[..., Any]) -> None:
    connector = FaultyConnector(Odd(collections=forever))
    made = guarded(connector, 0.05)
    list(made.changes(BOOK, None))
    before = made.traffic()
    asks = (made.collections, made.check, lambda: list_all(made), lambda: write_one(made))
    for ask in asks:
        with pytest.raises(TransientError, match=r"'odd' .* gave no answer for 0\.05 seconds"):
            ask()
    assert made.traffic() == before
    made.close()
    assert connector.calls == {"changes": 1, "collections": 1}


def test_a_codec_is_given_up_sooner(forever: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contactsync.connectors.guard.CODEC_SECONDS", 0.05)
    made = guarded(codec(read=forever))
    for ask in (lambda: made.codec.read(CARD), made.check):
        with pytest.raises(TransientError, match=r"gave no answer for 0\.05 seconds"):
            ask()


def test_time_counts_for_each_answer_by_itself_and_not_while_the_caller_is_busy() -> None:
    def slowly(*given: object) -> Iterator[Page]:
        for n in range(6):
            threading.Event().wait(0.02)
            yield Page((), None, True, n == 5)

    assert len(list(guarded(Odd(changes=slowly), 0.1).changes(BOOK, None))) == 6

    def steps() -> Iterator[Step]:
        for step in creates(2):
            threading.Event().wait(0.15)
            yield step

    assert len(list(guarded(Odd(), 0.1).write(BOOK, steps()))) == 2


def test_a_round_that_is_interrupted_waits_for_nothing_more(forever: Callable[..., Any]) -> None:
    def interrupting() -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        forever()

    made = guarded(Odd(collections=interrupting))
    with pytest.raises(KeyboardInterrupt):
        made.collections()
    made.close()
    with pytest.raises(TransientError):
        made.check()


def test_neither_does_one_that_is_interrupted_while_it_makes_a_step(
    forever: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    def write(collection: str, steps: Iterator[Step]) -> Iterator[Outcome]:
        try:
            yield Stored(next(steps).key, "/c", None)
        finally:
            forever()

    def steps() -> Iterator[Step]:
        raise KeyboardInterrupt
        yield

    made = guarded(Odd(write=write), 0.2)
    with pytest.raises(KeyboardInterrupt):
        list(made.write(BOOK, steps()))
    made.close()
    assert caplog.records == [], "nor does it complain that there was no answer"


def test_a_question_that_nobody_answers_ends_with_the_thread() -> None:
    worker = Worker("connector asking")
    worker.post(lambda: worker.ask(dict))
    thread = thread_of("asking")
    worker.end()
    thread.join(10)
    assert not thread.is_alive()


def thread_of(name: str) -> threading.Thread:
    (thread,) = [one for one in threading.enumerate() if one.name == f"connector {name}"]
    return thread


def test_its_thread_ends_when_it_is_closed_and_its_codec_can_be_used_still() -> None:
    made = guard(Odd, Origin("closed"))
    thread = thread_of("closed")
    made.close()
    thread.join(10)
    assert not thread.is_alive()
    assert made.codec.read(CARD).name.full == "Ada"


def test_its_thread_ends_when_it_is_forgotten() -> None:
    made = guard(Odd, Origin("forgotten"))
    list(made.changes(BOOK, None))
    thread = thread_of("forgotten")
    del made
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()


def test_all_calls_are_made_in_one_thread() -> None:
    seen: set[int] = set()

    class Counting(Odd):
        def check(self) -> str:
            seen.add(threading.get_ident())
            return super().check()

        def write(self, collection: str, steps: Iterable[Step]) -> Iterator[Outcome]:
            for outcome in super().write(collection, steps):
                seen.add(threading.get_ident())
                yield outcome

    def make() -> Counting:
        seen.add(threading.get_ident())
        return Counting()

    made = guard(make, ORIGIN)
    made.check()
    list(made.write(BOOK, creates(3)))
    assert len(seen) == 1 and threading.get_ident() not in seen
    made.close()


# --- what it can do besides ------------------------------------------------------------------------------


class Rich(Odd):
    found_at, found_as, notes = "https://x.example/", "ada", ("by SRV",)

    def about(self, collection: str) -> Iterator[Fact]:
        yield Fact(f"It has {collection}.")

    def places(self, collections: Sequence[str]) -> Sequence[Place]:
        return [Place(Path(href), ".vcf") for href in collections]

    def complete(self, changes: Iterable[tuple[Change, bytes | None]]) -> Iterator[Change]:
        for change, stored in changes:
            yield replace(change, payload=stored, partial=False)


def test_what_it_can_do_besides_is_kept_and_checked() -> None:
    rich, plain = guarded(Rich()), guarded(Odd())
    for kind in (Describing, Local, Locating):
        assert isinstance(rich, kind) and not isinstance(plain, kind)
    assert isinstance(plain.codec, GroupCodec)
    assert [fact.text for fact in rich.about(BOOK)] == [f"It has {BOOK}."]
    assert (rich.found_at, rich.found_as, list(rich.notes)) == ("https://x.example/", "ada", ["by SRV"])
    assert rich.places([BOOK]) == [Place(Path(BOOK), ".vcf")]
    completing: Completing = rich
    partial = Change("/a", '"1"', partial=True)
    assert list(completing.complete([(partial, CARD)])) == [Change("/a", '"1"', CARD)]
    rich._inner.complete = lambda changes: iter([partial])
    with pytest.raises(ContractBroken, match="still partial"):
        list(rich.complete([(partial, CARD)]))
    assert not hasattr(plain, "complete")


def test_a_codec_without_groups_has_none() -> None:
    class Plain:
        read = write = project = glimpse = staticmethod(boom)

    assert not isinstance(guarded(Odd(codec=Plain())).codec, GroupCodec)


def test_habits_of_a_listing_are_no_breach() -> None:
    connector = Odd()
    connector.server.habits = Habits(page_size=1, repeat_rows=True)
    assert len(list(guarded(connector).changes(BOOK, None))) == 2


def test_an_href_may_be_asked_for_twice() -> None:
    asked: Sequence[str] = [f"{BOOK}a.vcf", f"{BOOK}a.vcf"]
    assert len(list(guarded(Odd()).fetch(BOOK, asked))) == 2
