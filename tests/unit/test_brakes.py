"""L25: when a plan would do harm, nothing is written and the numbers are said."""

from __future__ import annotations

from collections import Counter

import pytest

from contactsync.errors import SafetyStop
from contactsync.sync.brakes import Harm, Limits, check


def names(count: int) -> list[str]:
    return [f"P{n}" for n in range(count)]


def harm(of: int, device: int = 0, remote: int = 0, **more: object) -> Harm:
    deleted = {"device": names(device), "remote": names(remote)}
    return Harm("Contacts", of, deleted=deleted, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("of", "deleted", "trips"),
    [
        (100, 10, False),
        (100, 20, False),
        (100, 21, True),
        (40, 10, False),
        (40, 11, True),
        (3, 3, False),
        (4, 4, True),
    ],
)
@pytest.mark.law("L25")
def test_the_limits_are_a_count_and_a_share_or_all(of: int, deleted: int, trips: bool) -> None:
    for side in ("device", "remote"):
        plan = harm(of, **{side: deleted})  # type: ignore[arg-type]
        if not trips:
            check(plan, Limits())
            continue
        with pytest.raises(SafetyStop) as stop:
            check(plan, Limits())
        assert (stop.value.kind, stop.value.side) == ("mass-delete", side)
        assert (stop.value.would, stop.value.of) == (deleted, of)
        assert "--allow-mass-delete" in str(stop.value) and "P0" in str(stop.value)


@pytest.mark.law("L25")
def test_a_persons_word_lets_it_through() -> None:
    check(harm(150, device=150), Limits(enabled=False))
    check(harm(150, copies=names(150), emptied={"remote": Counter(phones=150)}), Limits(enabled=False))
    check(harm(150, device=150), Limits(150, None))
    with pytest.raises(SafetyStop):
        check(harm(150, device=150), Limits(149, None))


@pytest.mark.law("L25")
def test_a_field_that_vanishes_from_many_contacts_stops() -> None:
    emptied = {"device": Counter(phones=21), "remote": Counter()}
    with pytest.raises(SafetyStop, match="phones") as stop:
        check(harm(100, emptied=emptied), Limits())
    assert stop.value.kind == "mass-removal"
    check(harm(200, emptied=emptied), Limits())


@pytest.mark.law("L25")
def test_someone_else_who_copies_too_is_a_loop() -> None:
    with pytest.raises(SafetyStop) as stop:
        check(harm(100, copies=names(21)), Limits())
    assert stop.value.kind == "loop"
    check(harm(100, copies=names(20)), Limits())


@pytest.mark.law("L25")
def test_a_field_has_its_own_count_and_its_share_may_be_configured() -> None:
    def emptied(of: int, phones: int) -> Harm:
        return harm(of, emptied={"device": Counter(), "remote": Counter(phones=phones)})

    # A number that somebody gave for deletions says nothing about fields.
    check(emptied(200, 30), Limits(5, None))
    with pytest.raises(SafetyStop):
        check(emptied(100, 30), Limits(5, None))
    check(emptied(100, 30), Limits(share=0.5))
    check(emptied(40, 20), Limits())
    # To take a field from all of a few contacts is an ordinary edit, unlike their deletion.
    check(emptied(4, 4), Limits())


@pytest.mark.parametrize(
    ("plan", "side", "would", "said", "examples"),
    [
        (harm(40, device=11), "device", 11, "delete 11 of 40 contacts on this device", ("P0", "P1", "P10")),
        (harm(4, remote=4), "remote", 4, "delete 4 of 4 contacts at the remote", ("P0", "P1", "P2")),
        (
            harm(40, emptied={"device": Counter(), "remote": Counter(phones=21)}),
            "remote",
            21,
            "remove the phones of 21 of 40 contacts at the remote",
            (),
        ),
        (
            harm(40, copies=names(21)),
            "remote",
            21,
            "create again 21 of 40 contacts at the remote",
            ("P0", "P1", "P10"),
        ),
    ],
)
@pytest.mark.law("L25")
def test_the_message_has_the_numbers_some_names_and_the_command(
    plan: Harm, side: str, would: int, said: str, examples: tuple[str, ...]
) -> None:
    with pytest.raises(SafetyStop) as stop:
        check(plan, Limits())
    found = stop.value
    assert (found.side, found.would, found.of, found.examples) == (side, would, plan.of, examples)
    few = f", among them {', '.join(examples)}" if examples else ""
    assert str(found) == (
        f"Book 'Contacts': this round would {said}{few}. Nothing was written. "
        "If that is what you want: contactsync sync --allow-mass-delete"
    )
