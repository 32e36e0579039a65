"""What is said about losses: those that are no numbers, and jumps; and nothing about sound ones."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.run.loss import Losses


def said(losses: Iterable[float]) -> list[str]:
    """Everything that is said about a loss at each step from 1 on."""
    watched = Losses()
    return [text for step, loss in enumerate(losses, 1) for text in watched.take(step, loss)]


def shown(losses: Iterable[float], epoch: int) -> list[float]:
    """The means that the trainer's bar shows for the losses of single steps, with so many steps to an epoch."""
    kept: list[float] = []
    means = []
    for number, loss in enumerate(losses):
        if number < epoch:
            kept.append(loss)
        else:
            kept[number % epoch] = loss
        means.append(float(f"{math.fsum(kept) / len(kept):.3g}"))
    return means


def noisy(seed: int, number: int, level: float = 0.1, spread: float = 0.6) -> list[float]:
    """Losses of single steps as diffusion has them: log-normal, from a tenth to several times the level."""
    chance = random.Random(seed)  # noqa: S311 - the same at every run
    return [level * min(8.0, chance.lognormvariate(0, spread)) for _ in range(number)]


@pytest.mark.parametrize(("loss", "word"), [("nan", "not a number"), ("inf", "infinite"), ("-inf", "infinite")])
def test_a_loss_that_is_no_number_is_said_once(loss: str, word: str) -> None:
    watched = Losses()
    assert watched.take(1, 0.1) == [] and watched.broken is None
    (text,) = watched.take(2, float(loss))
    assert watched.broken == f"the loss is {word} at step 2"
    assert text == f"{watched.broken} ({loss}): what is saved from here on may be worth nothing"
    assert [watched.take(step, math.nan) for step in range(3, 50)] == [[]] * 47
    assert watched.broken == f"the loss is {word} at step 2"


def test_the_lowest() -> None:
    watched = Losses()
    assert watched.lowest is None
    for step, loss in enumerate((0.3, 0.1, math.nan, 0.2, math.inf, -math.inf), 1):
        watched.take(step, loss)
    assert watched.lowest == 0.1


EPOCHS = st.sampled_from([1, 2, 3, 5, 8, 20, 100, 10_000])
SEEDS = st.integers(0, 2**32)


@settings(max_examples=60, deadline=None)
@given(SEEDS, EPOCHS, st.floats(0.001, 1.0), st.floats(0.0, 0.6))
def test_noise_says_nothing(seed: int, epoch: int, level: float, spread: float) -> None:
    assert said(shown(noisy(seed, 1500, level, spread), epoch)) == []


@settings(max_examples=40, deadline=None)
@given(SEEDS, EPOCHS, st.floats(0.0001, 0.01))
def test_a_slow_descent_and_its_plateau_say_nothing(seed: int, epoch: int, pace: float) -> None:
    losses = [loss * (0.3 + math.exp(-pace * step)) for step, loss in enumerate(noisy(seed, 1500))]
    assert said(shown(losses, epoch)) == []


@settings(max_examples=40, deadline=None)
@given(SEEDS, EPOCHS, st.integers(50, 500))
def test_restarts_of_a_schedule_say_nothing(seed: int, epoch: int, cycle: int) -> None:
    losses = [
        loss * (1.0 + 0.2 * math.cos(math.pi * (step % cycle) / cycle)) for step, loss in enumerate(noisy(seed, 1500))
    ]
    assert said(shown(losses, epoch)) == []


def test_a_single_high_loss_says_nothing() -> None:
    assert said(shown([*noisy(1, 300), 50.0, *noisy(2, 300)], 1)) == []
    assert said([*[0.1] * 300, *[5.0] * 10, *[0.1] * 300]) == []


def test_a_resumed_average_that_starts_low_says_nothing() -> None:
    assert said(shown([0.0, *noisy(3, 600)], 100)) == []


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.floats(3.0, 1000.0), st.integers(150, 1200), st.floats(0.001, 1.0))
def test_a_jump_that_stays_is_said_once(seed: int, times: float, before: int, level: float) -> None:
    chance = random.Random(seed)  # noqa: S311
    smooth = [level * chance.uniform(0.9, 1.1) for _ in range(before)]
    jumped = [level * times * chance.uniform(0.9, 1.1) for _ in range(1000)]
    watched = Losses()
    steps = [step for step, loss in enumerate([*smooth, *jumped], 1) for _ in watched.take(step, loss)]
    assert len(steps) == 1 and before < steps[0] <= before + 25


@pytest.mark.parametrize("epoch", [1, 4, 40, 300])
def test_a_jump_of_the_losses_behind_a_mean_is_said(epoch: int) -> None:
    (text,) = said(shown([*noisy(5, 600), *noisy(6, 600, 1.0, 0.3)], epoch))
    assert text.startswith("the loss has jumped: about ") and text.endswith("The training may be diverging")


def test_a_jump_within_a_long_first_epoch_is_said() -> None:
    assert len(said(shown([*noisy(7, 1000), *noisy(8, 1000, 1.0, 0.3)], 5000))) == 1


def test_the_words_of_a_jump() -> None:
    assert said([*[0.1] * 200, *[0.4] * 200]) == [
        "the loss has jumped: about 0.4 by step 217, where it was about 0.1 before. The training may be diverging"
    ]


def test_a_jump_after_a_long_descent_is_said() -> None:
    assert len(said([*[0.6] * 300, *[0.1] * 1500, *[0.35] * 100])) == 1


def test_bars_that_are_drawn_again_do_not_count() -> None:
    watched = Losses()
    told = [watched.take(step, loss) for step in range(1, 300) for loss in (0.1, 0.1, 0.1)]
    told += [watched.take(300, 5.0) for _ in range(500)]
    assert told == [[]] * len(told)


@given(st.lists(st.tuples(st.integers(), st.floats()), max_size=200))
def test_no_series_is_too_odd(readings: list[tuple[int, float]]) -> None:
    watched = Losses()
    texts = [text for step, loss in readings for text in watched.take(step, loss)]
    assert len(texts) <= 2
