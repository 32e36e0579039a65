"""Of two findings about one mistake the better one is kept."""

from __future__ import annotations

import pytest

from launcher.base.findings import Finding, Severity
from launcher.plan.checks.said_better import each_said_once
from launcher.plan.every_code import every_code


def _at(code: str, where: str) -> Finding:
    return Finding(Severity.WARNING, code, "", where)


@pytest.mark.parametrize(
    ("code", "better"), [("learning-rate", "optimizer-args-refused"), ("base-model-folder", "base-model-family")]
)
def test_of_one_place(code: str, better: str) -> None:
    assert {code, better} <= set(every_code())
    assert each_said_once([_at(code, "a:1"), _at(better, "a:1")]) == (_at(better, "a:1"),)
    both = (_at(code, "a:1"), _at(better, "a:2"))
    assert each_said_once(both) == both


@pytest.mark.parametrize(
    ("code", "better"),
    [("v-without-v2", "base-model-v2"), ("v-without-v2", "v-prediction"), ("zero-terminal-snr", "v-prediction")],
)
def test_of_the_run(code: str, better: str) -> None:
    assert {code, better} <= set(every_code())
    assert each_said_once([_at(code, "a:1"), _at(better, "a:2")]) == (_at(better, "a:2"),)
    assert each_said_once([_at(code, "a:1")]) == (_at(code, "a:1"),)
