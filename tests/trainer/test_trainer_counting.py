"""A training script that counts on: where it is changed, what it counts then, and when it is left alone."""

from __future__ import annotations

import difflib
import math
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.demo.layout import SOURCES
from launcher.trainer.counting import counting_on, imports_network_script

# The places of sd-scripts' train_network.py, with nothing between them but what the test looks at.
SCRIPT = """
class NetworkTrainer:
    def train(self, args, train_dataloader, steps_from_state, tqdm):
        # ステップ数: a comment of several bytes a letter
        initial_step = steps_from_state
        epoch_to_start = 0
        if initial_step > 0:
            if args.skip_until_initial_step:
                initial_step *= args.gradient_accumulation_steps
                epoch_to_start = initial_step // -(-len(train_dataloader) // args.gradient_accumulation_steps)
            else:
                epoch_to_start = initial_step // -(-len(train_dataloader) // args.gradient_accumulation_steps)
                initial_step = 0
        global_step = 0
        if initial_step > 0:  # the epochs before
            for skip_epoch in range(epoch_to_start):
                initial_step -= len(train_dataloader)
            global_step = initial_step
        progress_bar = tqdm(
            range(args.max_train_steps - initial_step), smoothing=0, desc="ステップ"
        )
        skipped_dataloader = train_dataloader[initial_step:]
        numbers = [step for step, batch in enumerate(skipped_dataloader or train_dataloader)]
        for step, batch in enumerate(skipped_dataloader or train_dataloader):
            global_step += 0
        return epoch_to_start, initial_step, global_step, step
"""
BAR_FIRST = """
class NetworkTrainer:
    def train(self, args, train_dataloader, steps_from_state, tqdm):
        initial_step = steps_from_state
        progress_bar = tqdm(range(args.max_train_steps - initial_step), desc="steps")
        epoch_to_start = 0
        if initial_step > 0:
            initial_step *= args.gradient_accumulation_steps
        global_step = 0
        if initial_step > 0:
            for skip_epoch in range(epoch_to_start):
                initial_step -= len(train_dataloader)
            global_step = initial_step
        return epoch_to_start, initial_step, global_step, 0
"""


def counted(source: bytes, batches: int, accumulation: int, done: int, *, skip: bool = True) -> tuple[Any, ...]:
    """The epochs before, the batches to skip, the count, and the progress bar's span and start."""
    bars: list[tuple[int, int]] = []

    def tqdm(span: range, initial: int = 0, **_: object) -> None:
        bars.append((initial, len(span)))

    space: dict[str, Any] = {}
    exec(compile(source, "train_network.py", "exec"), space)  # noqa: S102 - the text above
    args = SimpleNamespace(
        skip_until_initial_step=skip, gradient_accumulation_steps=accumulation, max_train_steps=10_000
    )
    epoch, skipped, count, _ = space["NetworkTrainer"]().train(args, list(range(batches)), done, tqdm)
    return epoch, skipped, count, bars[0]


@pytest.mark.parametrize("script", [SCRIPT, BAR_FIRST], ids=["bar after", "bar before"])
@given(batches=st.integers(1, 50), accumulation=st.integers(1, 6), done=st.integers(1, 500))
def test_it_counts_as_an_unbroken_run(script: str, batches: int, accumulation: int, done: int) -> None:
    changed = counting_on(script.encode())
    assert changed is not None
    steps_per_epoch = math.ceil(batches / accumulation)
    epoch, within = divmod(done, steps_per_epoch)
    assert counted(changed, batches, accumulation, done) == (epoch, within * accumulation, done, (done, 10_000))


def test_what_sd_scripts_itself_counts() -> None:
    """Why any of this is needed: at step 12 of epochs of 8 it begins at 4."""
    assert counted(SCRIPT.encode(), 8, 1, 12)[:3] == (1, 4, 4)


def test_from_the_start_and_without_skipping_it_is_as_it_was() -> None:
    changed = counting_on(SCRIPT.encode())
    assert changed is not None
    assert counted(changed, 8, 1, 0) == (0, 0, 0, (0, 10_000))
    assert counted(changed, 8, 1, 12, skip=False) == (1, 0, 0, (0, 10_000))


def test_only_these_places_are_changed() -> None:
    changed = counting_on(SCRIPT.encode())
    assert changed is not None
    lines = difflib.ndiff(SCRIPT.splitlines(), changed.decode().splitlines())
    gone = [line[2:].strip() for line in lines if line.startswith("- ")]
    assert gone == [
        "if initial_step > 0:  # the epochs before",
        "for skip_epoch in range(epoch_to_start):",
        "initial_step -= len(train_dataloader)",
        "global_step = initial_step",
        'range(args.max_train_steps - initial_step), smoothing=0, desc="ステップ"',
        "for step, batch in enumerate(skipped_dataloader or train_dataloader):",
    ]


def test_the_first_batch_that_is_trained_has_the_number_0() -> None:
    changed = counting_on(SCRIPT.encode())
    assert changed is not None
    assert (
        b"for step, batch in enumerate(skipped_dataloader or train_dataloader, -1 if skipped_dataloader else 0):"
        in (changed)
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("global_step = initial_step", "global_step = initial_step + done_before"),  # counts otherwise
        ("            global_step = initial_step\n", "            global_step = 0\n"),
        ("range(args.max_train_steps - initial_step)", "range(args.max_train_steps)"),
        ("        epoch_to_start = 0\n", "        epoch_to_start = 0\n        epoch_to_start = 0\n"),
        ("        global_step = 0\n", "        global_step = 0\n        global_step = 5\n"),
        ("initial_step -= len(train_dataloader)", "initial_step -= 8"),
        ("def train(", "def run("),
        ("class NetworkTrainer:", "class NetworkTrainer"),
    ],
)
def test_a_script_that_counts_otherwise_is_not_touched(old: str, new: str) -> None:
    assert old in SCRIPT
    assert counting_on(SCRIPT.replace(old, new, 1).encode()) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_answered(source: bytes) -> None:
    assert counting_on(source) is None
    assert not imports_network_script(b"\0" + source)


def test_the_demo_counts_in_the_same_places() -> None:
    assert counting_on((SOURCES / "train_network.py").read_bytes()) is not None
    assert imports_network_script((SOURCES / "sdxl_train_network.py").read_bytes())
    assert not imports_network_script((SOURCES / "train_network.py").read_bytes())
