"""L25: when a plan would do harm, nothing is written and the numbers are said."""

from __future__ import annotations

from collections import Counter

import pytest

from contactsync.errors import SafetyStop
from contactsync.sync.brakes import Harm, Limits, check


def harm(of: int, device: int = 0, remote: int = 0, **more: object) -> Harm:
    names = {"device": [f"P{n}" for n in range(device)], "remote": [f"P{n}" for n in range(remote)]}
    return Harm("Contacts", of, deleted=names, **more)  # type: ignore[arg-type]


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
        check(harm(100, copies=[f"P{n}" for n in range(21)]), Limits())
    assert stop.value.kind == "loop"
    check(harm(100, copies=[f"P{n}" for n in range(20)]), Limits())
