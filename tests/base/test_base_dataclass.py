"""kl's own `dataclass` does what that of the standard library does."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field
from types import SimpleNamespace
from typing import Any

import pytest

from launcher.base import dataclass as own


def classes(dataclass: Any) -> Any:
    """The same classes, made by one or the other."""

    @dataclass(frozen=True)
    class Empty:
        """Without a field."""

    @dataclass(frozen=True)
    class Pair:
        """With defaults of both kinds, a field that does not count, and a method of its own."""

        first: int
        second: str = "two"
        made: list[Any] = field(default_factory=list)
        _aside: dict[str, int] = field(default_factory=dict, repr=False, compare=False)

        @property
        def twice(self) -> int:
            return self.first * 2

    @dataclass(frozen=True)
    class Point:
        """One that can be hashed, and shows itself in its own way."""

        x: float
        y: float = 0.0

        def __repr__(self) -> str:
            return f"<{self.x}, {self.y}>"

    @dataclass(frozen=True)
    class Unlike:  # noqa: PLW1641 - its hash is what is asked for
        """One that compares in its own way."""

        name: str

        def __eq__(self, other: object) -> bool:
            return False

    for made in (Empty, Pair, Point, Unlike):
        made.__qualname__ = made.__name__
    return SimpleNamespace(empty=Empty, pair=Pair, point=Point, unlike=Unlike)


STANDARD = classes(dataclasses.dataclass)
OWN = classes(own.dataclass)

CALLS: dict[str, Callable[[Any], Any]] = {
    "empty": lambda of: (of.empty(), of.empty() == of.empty(), hash(of.empty())),
    "by position": lambda of: of.pair(1, "b", [3], {"c": 4}),
    "by name": lambda of: of.pair(second="b", first=1),
    "default": lambda of: of.pair(1).made,
    "default is not shared": lambda of: of.pair(1).made is of.pair(1).made,
    "property": lambda of: of.pair(4).twice,
    "equal": lambda of: (of.pair(1) == of.pair(1), of.pair(1) == of.pair(2), of.pair(1) != of.pair(1, "b")),
    "does not count": lambda of: of.pair(1, _aside={"a": 1}) == of.pair(1),
    "of another class": lambda of: (of.point(1) == (1, 0.0), of.empty() == of.point(1)),
    "hashed": lambda of: (hash(of.point(1)) == hash(of.point(1, 0.0)), len({of.point(1), of.point(1), of.point(2)})),
    "compares in its own way": lambda of: (of.unlike("a") == of.unlike("a"), hash(of.unlike("a")) == hash("b")),
    "shown": lambda of: (repr(of.pair(1)), repr(of.point(1))),
    "replaced": lambda of: dataclasses.replace(of.pair(1, "b"), first=5),
    "as data": lambda of: dataclasses.asdict(of.pair(1)),
    "fields": lambda of: [each.name for each in dataclasses.fields(of.pair)],
    "copied": lambda of: (copy.copy(of.pair(1, "b")), copy.deepcopy(of.pair(1, "b")) == of.pair(1, "b")),
    "matched": lambda of: of.pair.__match_args__,
    "too few": lambda of: of.pair(),
    "too many": lambda of: of.point(1, 2, 3),
    "unknown name": lambda of: of.pair(1, third=3),
    "hash of a list": lambda of: hash(of.pair(1)),
    "changed": lambda of: setattr(of.pair(1), "first", 2),
    "added": lambda of: setattr(of.pair(1), "third", 2),
    "deleted": lambda of: delattr(of.pair(1), "first"),
}


@pytest.mark.parametrize("call", CALLS)
def test_it_does_what_the_standard_one_does(call: str) -> None:
    assert outcome(call, OWN) == outcome(call, STANDARD)


def outcome(call: str, of: Any) -> str:
    """What a call gives or raises, in words, without the name of the method that raises."""
    try:
        return repr(CALLS[call](of))
    except Exception as error:
        return f"{type(error).__name__}: {str(error).rpartition('() ')[2]}"


def test_nothing_can_be_changed() -> None:
    pair = OWN.pair(1)

    with pytest.raises(FrozenInstanceError):
        pair.first = 2
    with pytest.raises(FrozenInstanceError):
        del pair.first
    assert pair == OWN.pair(1)


def test_what_holds_itself_can_be_shown() -> None:
    pair = OWN.pair(1)
    pair.made.append(pair)

    assert repr(pair) == "Pair(first=1, second='two', made=[...])"


def test_a_class_that_is_not_frozen_is_the_standard_one() -> None:
    @own.dataclass
    class Plain:
        number: int

    @own.dataclass(eq=False)
    class Apart:
        number: int

    plain = Plain(1)
    plain.number = 2

    assert plain == Plain(2)
    assert Apart(1) != Apart(1)
