"""From the losses that the progress bar shows to what is said about them: not a number, or a jump."""

from __future__ import annotations

import math
from collections import deque
from itertools import islice
from statistics import median

_SKIPPED = 10  # readings: at first the bar shows the mean of a handful of steps
_WINDOW = 20  # readings that a jump has to stay
_ABOVE = 16  # of them, so many above the level
_KEPT = 1000  # windows that are remembered: a level from long ago, before the loss came down, is no measure
_OLDER = 0.75  # the share of them that a window is held against: a mean over a long epoch climbs slowly
_TIMES = 2.0


class Losses:
    """Takes the losses of one attempt in their order. Each thing is said once.

    What the bar shows is a mean: over the steps so far in the first epoch, over the last epoch's length after it
    (LossRecorder, library/train_util.py). One nan or inf stays in that sum to the end of the training.
    """

    def __init__(self) -> None:
        self.lowest: float | None = None
        self.broken: str | None = None  # why the loss is no use any more, as a reason to stop
        self._step = -1
        self._readings = 0
        self._window: deque[float] = deque(maxlen=_WINDOW)
        self._before: deque[tuple[float, float]] = deque(maxlen=_KEPT)  # level and median of each window
        self._jumped = False

    def take(self, step: int, loss: float) -> list[str]:
        """Note the loss that is shown at `step`, and return what is to be said about it."""
        if not math.isfinite(loss):
            if self.broken is not None:
                return []
            self.broken = f"the loss is {'not a number' if math.isnan(loss) else 'infinite'} at step {step}"
            return [f"{self.broken} ({loss}): what is saved from here on may be worth nothing"]
        self.lowest = loss if self.lowest is None else min(loss, self.lowest)
        if step == self._step:  # drawn again, with the mean of this step
            if self._window:
                self._window[-1] = loss
            return []
        self._step = step
        self._readings += 1
        if self._readings <= _SKIPPED:
            return []
        jump = self._jump() if len(self._window) == _WINDOW else None  # the readings before this one are final
        self._window.append(loss)
        return [jump] if jump else []

    def _jump(self) -> str | None:
        """What is said when the last window has left everything behind that was before it.

        The level of a window is what 16 of its 20 readings reach. A jump is a level more than twice as high as that
        of every earlier window, more than that while these are few. An absolute measure would not do: the loss
        depends on the model, and with an epoch of a few steps the mean swings as wide as the losses themselves,
        whose spread is a factor of ten and more. In such noise 20 readings at twice the height of all windows
        before do not come by chance; where the mean is smooth, the smallest lasting jump that is told is
        somewhat more than twofold. Losses that fall, stand still or swing as they always did say nothing.
        """
        ordered = sorted(self._window)
        low, middle = ordered[_WINDOW - _ABOVE], ordered[_WINDOW // 2]
        self._before.append((low, middle))
        count = min(int(len(self._before) * _OLDER), len(self._before) - _WINDOW)
        if self._jumped or count < _WINDOW:
            return None
        times = _TIMES + _WINDOW / count
        if low <= times * self._before[0][0]:  # nearly always, and the rest need not be looked at
            return None
        older = list(islice(self._before, count))
        if low <= times * max(level for level, _ in older):
            return None
        self._jumped = True
        usual = median(each for _, each in older)
        return (
            f"the loss has jumped: about {middle:.3g} by step {self._step}, where it was about {usual:.3g} before. "
            "The training may be diverging"
        )
