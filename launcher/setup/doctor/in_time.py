"""Several looks at once, and no longer than one is willing to wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Looked(Generic[T]):
    """What a look found, or why it found nothing: the exception, None when it took too long."""

    found: T | None = None
    error: Exception | None = None


class Looks(Generic[T]):
    """Looks that have begun, each in a thread of its own: a disk or a driver that hangs holds up nothing else.

    The threads are daemons: one that never comes back does not keep kl from ending.
    """

    def __init__(self, looks: Mapping[str, Callable[[], T]], patience: float | None) -> None:
        """Begin. `patience` is in seconds, for all of them together; None waits for each."""
        self._until = None if patience is None else time.monotonic() + patience
        self._found: dict[str, Looked[T]] = {}
        self._threads = {name: self._begin(name, look) for name, look in looks.items()}

    def result(self, name: str) -> Looked[T]:
        """What this look found; waits for it as long as there is patience."""
        self._threads[name].join(None if self._until is None else max(0.0, self._until - time.monotonic()))
        return self._found.get(name, Looked())

    def _begin(self, name: str, look: Callable[[], T]) -> threading.Thread:
        def run() -> None:
            try:
                self._found[name] = Looked(found=look())
            except Exception as error:
                self._found[name] = Looked(error=error)

        thread = threading.Thread(target=run, name=f"doctor-{name}", daemon=True)
        thread.start()
        return thread
