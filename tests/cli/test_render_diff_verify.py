"""Differences and checks as text: what matters by name, long lists in short."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from launcher.cli.render_diff import comparison_as_data, comparison_as_text, value_as_text
from launcher.cli.render_verify import verified_as_data, verified_as_text
from launcher.record.compare import Comparison
from launcher.record.difference import Difference
from launcher.record.manifest import Attempt, Manifest
from launcher.record.side import Side
from launcher.run.checked import Checked, State
from launcher.run.verify import Verified

A = Side("fox-v1s10", Path("/out/fox-v1s10"), Manifest(attempts=(Attempt(last_step=10),)), {}, seconds=3.0,
         outcome="succeeded")  # fmt: skip
B = replace(A, name="fox-v2s10", planned=True, outcome=None, seconds=None)


def text(*differences: Difference, weights: bool | None = None, missing: tuple[str, ...] = ()) -> list[str]:
    return list(comparison_as_text(Comparison(A, B, differences, weights, missing, ())))


def test_two_sides_and_what_differs() -> None:
    lines = text(
        Difference("options", "learning_rate", 0.1, None),
        Difference("network_args", "conv_dim", None, 8),
        Difference("code", "sd-scripts", "commit a", "commit b", "2 commits later"),
        Difference("outcome", "last_loss", 0.123456, float("nan")),
        weights=True,
        missing=("a", "b", "c", "d", "e", "f"),
    )
    assert lines == [
        "A  fox-v1s10: succeeded, 10 steps, 3 s",
        "B  fox-v2s10, as it would be launched now",
        "",
        "They are the same but for",
        "  options",
        "    learning_rate  only A: 0.1",
        "  network_args",
        "    conv_dim      only B: 8",
        "  code",
        "    sd-scripts    commit a → commit b  (2 commits later)",
        "  outcome",
        "    last_loss     0.1235 → nan",
        "The final models have the same weights.",
        "not recorded in A: a, b, c, d and 2 more",
    ]


def test_nothing_differs() -> None:
    assert text()[-1] == "They are the same."
    assert text(missing=("dataset",))[-2:] == [
        "They are the same, as far as both are recorded.", "not recorded in A: dataset"
    ]  # fmt: skip


def test_a_long_section_is_cut() -> None:
    lines = text(*(Difference("dataset", f"img/{number}.png", None, "picture") for number in range(100)))
    assert sum(".png" in line for line in lines) == 20
    assert lines[-1] == "    and 80 more, which --json lists"


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "none"), (True, "true"), ("", '""'), (["a", 1], '["a", 1]'), ({"ü": None}, '{"ü": null}'), ("x", "x")],
)
def test_values(value: object, said: str) -> None:
    assert value_as_text(value) == said


def test_a_long_value_is_cut() -> None:
    assert len(value_as_text("x" * 1000)) == 160


def test_json_has_no_number_that_is_none() -> None:
    data = comparison_as_data(
        Comparison(A, B, (Difference("options", "x", float("inf"), {"a": [float("nan")]}),), None, (), ())
    )
    (found,) = json.loads(json.dumps(data, allow_nan=False))["differences"]
    assert (found["a"], found["b"]) == ("inf", {"a": ["nan"]})


def verified(*checks: Checked) -> Verified:
    return Verified("fox-v1s10", Path("/out/fox-v1s10"), checks)


def test_what_is_fine_is_short_and_the_rest_by_name() -> None:
    lines = list(
        verified_as_text(
            verified(
                Checked("files", "a"), Checked("files", "b"), Checked("files", "c", State.GONE),
                Checked("dataset", "2.txt", State.DIFFERS, "is another caption now"),
                Checked("environment", "host", State.NOTED, "den → attic"),
            )
        )
    )  # fmt: skip
    assert lines == [
        "fox-v1s10 in /out/fox-v1s10",
        "  files",
        "    ok                a and b",
        "    gone              c",
        "  dataset",
        "    differs           2.txt is another caption now",
        "  environment",
        "    noted             host den → attic",
        "Not as recorded: 1 otherwise and 1 gone.",
    ]


def test_many_checks_are_counted() -> None:
    fine = [Checked("artifacts", str(number)) for number in range(9)]
    unknown = [Checked("artifacts", str(number), State.NOT_RECORDED, "has no recorded hash") for number in range(9)]
    gone = [Checked("artifacts", str(number), State.GONE) for number in range(25)]
    lines = list(verified_as_text(verified(*fine, *unknown, *gone)))
    assert lines[2:4] == ["    ok                9", "    not recorded      hashes of 9"]
    assert lines[-2:] == ["    and 5 more, which --json lists", "Not as recorded: 25 gone."]
    end = list(verified_as_text(verified(*fine, *unknown)))[-1]
    assert end == "Everything is as recorded. 9 things were never recorded."
    assert len(verified_as_data(verified(*fine, *gone))["checks"]) == 34


@pytest.mark.parametrize(
    ("state", "fine"),
    [
        (State.OK, True), (State.NOTED, True), (State.NOT_RECORDED, True),
        (State.DIFFERS, False), (State.GONE, False), (State.UNCHECKED, False),
    ],
)  # fmt: skip
def test_which_states_are_as_recorded(state: State, fine: bool) -> None:
    assert verified(Checked("files", "a"), Checked("files", "b", state)).is_as_recorded is fine
