from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.base.times import as_written, moment, now, seconds_of

AT_TEN, AT_ELEVEN = "2026-11-22T10:00:00+00:00", "2026-11-22T11:00:00+00:00"


def test_a_time_reads_back_as_it_was_written() -> None:
    assert as_written(moment(AT_TEN)) == AT_TEN
    assert abs((moment(now()) or 0.0) - time.time()) < 60


def test_a_time_without_a_zone_is_in_utc() -> None:
    assert moment("2026-11-22T10:00:00") == moment(AT_TEN) == moment("2026-11-22T12:00:00+02:00")


@pytest.mark.parametrize("text", [None, "", "soon", "2026-13-01", 5, ["2026-11-22"]])
def test_what_is_no_time_is_none(text: Any) -> None:
    assert moment(text) is None


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_none(text: str) -> None:
    assert moment(text) is None or isinstance(moment(text), float)


@pytest.mark.parametrize("seconds", [None, float("nan"), float("inf"), 1e300])
def test_seconds_that_are_no_time_are_not_written(seconds: float | None) -> None:
    assert as_written(seconds) is None


def test_spans_are_added_up() -> None:
    assert seconds_of([(AT_TEN, AT_ELEVEN), (AT_TEN, AT_ELEVEN)]) == 7200
    assert seconds_of([(AT_ELEVEN, AT_TEN)]) == 0  # the clock was set back
    assert seconds_of([(AT_TEN, AT_ELEVEN), (AT_TEN, None), ("soon", AT_TEN)]) == 3600
    assert seconds_of([(AT_TEN, None)]) is None
    assert seconds_of([]) is None


def test_a_span_that_runs_counts_up_to_now() -> None:
    started = as_written(time.time() - 3600)
    assert started is not None
    assert 3600 <= (seconds_of([(started, None)], running=True) or 0) < 3700
