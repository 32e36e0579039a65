"""What a look at one recorded thing has shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

Say = Callable[[str], None]  # is told what is being read


def silent(text: str) -> None:
    """Says nothing of it."""


class State(str, Enum):
    """How a recorded thing is now. `NOTED` is what is otherwise and takes nothing from the record: another machine.

    What cannot be checked was recorded, and cannot be read or reached now.
    """

    OK = "ok"
    DIFFERS = "differs"
    GONE = "gone"
    UNCHECKED = "cannot be checked"
    NOT_RECORDED = "not recorded"
    NOTED = "noted"

    @property
    def is_as_recorded(self) -> bool:
        """Whether nothing of the record is contradicted, or left open."""
        return self not in (State.DIFFERS, State.GONE, State.UNCHECKED)


@dataclass(frozen=True)
class Checked:
    """One thing of the record and its state. `said` goes on after its name: "has another content"."""

    section: str
    name: str
    state: State = State.OK
    said: str = ""

    @property
    def how(self) -> str:
        """What goes on after the name of something that is otherwise."""
        return self.said or f"is {self.state.value}"
