"""`contactsync.frozen` beside what it stands for, `dataclasses.dataclass` with ``frozen`` and ``slots``."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, replace

import pytest

from contactsync.frozen import frozen


@frozen
class Ours:
    """Of all kinds of fields."""

    one: str
    two: tuple[int, ...] = ()
    made: dict[str, int] = field(default_factory=dict)
    unseen: str = field(default="", compare=False)
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Theirs:
    """Of all kinds of fields."""

    one: str
    two: tuple[int, ...] = ()
    made: dict[str, int] = field(default_factory=dict)
    unseen: str = field(default="", compare=False)
    secret: str = field(default="", repr=False)


@frozen
class Point:
    x: int
    length: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", abs(self.x))


@frozen
class Nothing:
    pass


@frozen(kw_only=True)
class ByName:
    name: str = ""


def test_it_is_what_the_standard_library_makes() -> None:
    ours, theirs = Ours("a", (1,), secret="s"), Theirs("a", (1,), secret="s")
    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
    assert asdict(ours) == asdict(theirs)
    assert [(f.name, f.default, f.compare) for f in fields(Ours)] == [
        (f.name, f.default, f.compare) for f in fields(Theirs)
    ]
    assert Ours.__match_args__ == Theirs.__match_args__
    assert not hasattr(ours, "__dict__")
    assert Ours.__doc__ == Theirs.__doc__ and Point.__doc__ is None


def test_what_is_not_compared_makes_no_difference() -> None:
    assert Ours("a", unseen="x") == Ours("a", unseen="y") != Ours("b")
    assert Ours("a") != Theirs("a")
    assert hash(Point(3)) == hash(Point(3)) and len({Point(3), Point(3), Point(4)}) == 2
    assert Nothing() == Nothing() and hash(Nothing()) == hash(Nothing())


def test_defaults_are_made_anew_for_each_value() -> None:
    assert Ours("a").made is not Ours("a").made
    assert replace(Ours("a"), one="b").one == "b"
    assert Point(-3).length == 3


def test_a_field_can_be_neither_set_nor_deleted() -> None:
    point = Point(1)
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'x'"):
        point.x = 2
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'x'"):
        del point.x


def test_a_slip_is_told_as_by_the_standard_library() -> None:
    with pytest.raises(TypeError, match=r"ByName.__init__\(\) takes 1 positional argument but 2 were given"):
        ByName("a")
    with pytest.raises(TypeError, match=r"Point.__init__\(\) missing 1 required positional argument: 'x'"):
        Point()


def test_what_a_class_defines_itself_stays() -> None:
    @frozen
    class Shown:
        name: str

        def __repr__(self) -> str:
            return self.name

    assert repr(Shown("a")) == "a" and Shown("a") == Shown("a")


def test_a_copy_is_equal() -> None:
    value = Ours("a", (1, 2), {"b": 1})
    assert copy.copy(value) == copy.deepcopy(value) == pickle.loads(pickle.dumps(value)) == value


def test_a_frozen_class_of_the_standard_library_may_go_on_from_it() -> None:
    @dataclass(frozen=True)
    class More(Point):
        y: int = 0

    assert More(-1, y=2) == More(-1, y=2) != More(-1)
