"""Staying with the trainer until it and all its processes have ended, and ending them when asked to."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from launcher.run.process import Processes, has_ended, remember_descendants, send, survivors
from launcher.run.screen import Screen
from launcher.run.signals import Asked

LOOK_INTERVAL = 0.2
DESCENDANTS_INTERVAL = 10.0  # it reads the whole process table


@dataclass(frozen=True)
class Stage:
    """A signal that is sent, and how long the processes then have. None only waits."""

    signal: signal.Signals | None
    patience: float  # seconds


# Asked to stop: a trainer may be writing a model, which takes its time.
WHEN_ASKED = (Stage(signal.SIGINT, 15), Stage(signal.SIGTERM, 10), Stage(signal.SIGKILL, 10))
# The leader has ended and left processes behind.
WHEN_LEFT_BEHIND = (Stage(None, 5), Stage(signal.SIGTERM, 5), Stage(signal.SIGKILL, 5))


@dataclass
class _Ending:
    """How far the ending of the processes has come."""

    stages: tuple[Stage, ...]
    asked: bool
    position: int = -1
    deadline: float = 0.0

    @property
    def exhausted(self) -> bool:
        return self.position == len(self.stages) - 1

    def go_on(self, processes: Processes, screen: Screen) -> None:
        """Begin the next stage, if there is one."""
        if self.exhausted:
            return
        self.position += 1
        stage = self.stages[self.position]
        self.deadline = time.monotonic() + stage.patience
        if stage.signal is not None:
            remember_descendants(processes)
            send(processes, stage.signal)
            screen.announce(_sent(stage, self.asked))


def stay(processes: Processes, asked: Asked, look: Callable[[], None], screen: Screen) -> None:
    """Call `look` about five times a second until every process of the run has ended.

    A leader of our own is not reaped by that.
    Each signal that asks kl to stop begins the next stage of WHEN_ASKED at once; otherwise a stage begins when
    the patience of the one before is used up.
    """
    ending: _Ending | None = None
    answered = 0
    next_note = 0.0
    while True:
        look()
        ended = has_ended(processes)
        left = survivors(processes) if ended else set()
        if ended and not left:
            return
        now = time.monotonic()
        if now >= next_note and not ended:
            remember_descendants(processes)
            next_note = now + DESCENDANTS_INTERVAL
        if answered < asked.times:
            answered += 1
            ending = ending or _Ending(WHEN_ASKED, asked=True)
            ending.go_on(processes, screen)
        elif ending is None and ended:
            ending = _Ending(WHEN_LEFT_BEHIND, asked=False)
            ending.go_on(processes, screen)
        elif ending is not None and now >= ending.deadline:
            # Our own leader is waited for: one that cannot be ended now still has an exit code to give.
            if ending.exhausted and (ended or processes.started is None):
                names = ", ".join(str(process.pid) for process in left or survivors(processes))
                screen.announce(f"these processes of the trainer could not be ended: {names}")
                return
            ending.go_on(processes, screen)
        time.sleep(LOOK_INTERVAL)


def _sent(stage: Stage, asked: bool) -> str:
    if stage.signal is signal.SIGKILL:
        return "ending the trainer's processes with SIGKILL"
    name = stage.signal.name if stage.signal else ""
    if not asked:
        return f"the trainer has ended and left processes behind: sent them {name}"
    return f"sent {name} to the trainer; it has {stage.patience:.0f} s to end, Ctrl-C again is quicker"
