"""The table of outcomes and of kl's exit codes."""

from __future__ import annotations

import signal

import pytest

from launcher.run.outcome import Facts, Outcome, derive, kl_exit_code, signal_of

TERM = int(signal.SIGTERM)


@pytest.mark.parametrize(
    ("facts", "outcome", "code"),
    [
        (Facts(False, False, None, None, False), Outcome.PLANNED, None),
        (Facts(True, True, None, None, False), Outcome.RUNNING, None),
        (Facts(True, True, None, TERM, True), Outcome.RUNNING, None),
        (Facts(True, False, None, None, False), Outcome.LOST, None),
        (Facts(True, False, 0, None, True), Outcome.SUCCEEDED, 0),
        (Facts(True, False, 0, None, False), Outcome.FAILED, 1),
        (Facts(True, False, 7, None, False), Outcome.FAILED, 7),
        (Facts(True, False, 7, None, True), Outcome.FAILED, 7),
        (Facts(True, False, 137, None, False), Outcome.FAILED, 137),
        (Facts(True, False, 130, TERM, False), Outcome.STOPPED, 143),
        (Facts(True, False, 1, TERM, True), Outcome.STOPPED, 143),
        (Facts(True, False, 0, TERM, False), Outcome.STOPPED, 143),
        (Facts(True, False, 0, TERM, True), Outcome.SUCCEEDED, 0),
    ],
)
def test_outcomes(facts: Facts, outcome: Outcome, code: int | None) -> None:
    assert derive(facts) is outcome
    if code is not None and facts.exit_code is not None:
        assert kl_exit_code(outcome, facts.exit_code, facts.stop_signal) == code


def test_the_signal_in_an_exit_code() -> None:
    assert signal_of(137) is signal.SIGKILL
    assert [signal_of(code) for code in (0, 1, 127, 128, 255)] == [None] * 5
