"""Ways for tests to make the demo trainer slow or broken. sd-scripts has none of them.

KL_DEMO_STEP_SECONDS=0.05   every step takes that much longer
KL_DEMO_FAIL_AT_STEP=3      step 3 raises RuntimeError, with KL_DEMO_FAIL_MESSAGE where that is given
KL_DEMO_NAN_AT_STEP=3       from step 3 on the loss that is shown and logged is nan
KL_DEMO_NO_FINAL=1          ends with exit status 0 but without the final model
"""

from __future__ import annotations

import math
import os
import time

PREFIX = "KL_DEMO_"


def _number(name: str) -> float | None:
    text = os.environ.get(PREFIX + name)
    return float(text) if text else None


def before_step(step: int) -> None:
    """Called with the number of the step that is about to be trained, 1 for the first."""
    if seconds := _number("STEP_SECONDS"):
        time.sleep(seconds)
    if step == _number("FAIL_AT_STEP"):
        raise RuntimeError(os.environ.get(PREFIX + "FAIL_MESSAGE") or f"told to fail at step {step}")


def shown_loss(loss: float, step: int) -> float:
    """The loss to show for this step."""
    first = _number("NAN_AT_STEP")
    return math.nan if first is not None and step >= first else loss


def leaves_out_final_model() -> bool:
    return bool(os.environ.get(PREFIX + "NO_FINAL"))


def in_use() -> list[str]:
    """The hooks that are set, for the line that says so at the start."""
    return sorted(name for name in os.environ if name.startswith(PREFIX))
