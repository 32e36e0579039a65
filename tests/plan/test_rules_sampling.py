"""Samples: when they are made and of what. Each rule speaks, keeps quiet, and is silent without its source."""

from __future__ import annotations

from pathlib import Path

import pytest
from loop_bed import OPTIONS, SOURCES, UTIL, run_of, said_by

from launcher.base.findings import Severity
from launcher.plan.checks.rules.sampling import RULES

E, W = Severity.ERROR, Severity.WARNING
_PROMPTS = '\n[[sample_prompts]]\nprompt = "a fox"\n'

SPEAKS = [
    ("sample-without-prompts", "sample_every_n_steps = 10", E, "sample_every_n_steps is set without"),
    ("sample-without-prompts", "sample_every_n_steps = 100", E, "sample_every_n_steps is set without"),
    ("sample-without-prompts", "sample_at_first = true", E, "sample_at_first is set without"),
    ("sample-without-prompts", "sample_every_n_epochs = 1", E, "sample_every_n_epochs is set without"),
    ("sample-without-prompts", "sample_every_n_epochs = 2\nmax_train_epochs = 2", E, "sample_every_n_epochs is set"),
    ("prompts-without-samples", _PROMPTS, W, "has no effect"),
    (
        "sample-every-both",
        "sample_every_n_steps = 10\nsample_every_n_epochs = 1",
        W,
        "sample_every_n_steps = 10 has no",
    ),
    ("sample-every", "sample_every_n_steps = 0", W, "sample_every_n_steps = 0 is passed over"),
    ("sample-every", "sample_every_n_epochs = -1", W, "sample_every_n_epochs = -1 is passed over"),
    ("sample-too-late", "sample_every_n_steps = 101", W, "the run has 100 steps"),
    ("sample-too-late", "sample_every_n_epochs = 3\nmax_train_epochs = 2", W, "the run has 2 epochs"),
]
QUIET = [
    ("sample-without-prompts", ""),
    ("sample-without-prompts", "sample_every_n_steps = 10" + _PROMPTS),
    ("sample-without-prompts", "sample_every_n_steps = 101"),
    ("sample-without-prompts", "sample_every_n_steps = 0"),
    ("sample-without-prompts", "sample_every_n_epochs = 2\nsample_every_n_steps = 10"),
    ("sample-without-prompts", "sample_every_n_steps = 10\n[[sample_prompts]]\nsteps = 3\n"),
    ("prompts-without-samples", "sample_every_n_steps = 10" + _PROMPTS),
    ("prompts-without-samples", "sample_at_first = true" + _PROMPTS),
    ("sample-every-both", "sample_every_n_epochs = 1"),
    ("sample-every-both", "sample_every_n_steps = 1\nsample_every_n_epochs = 0"),
    ("sample-every", "sample_every_n_steps = 1"),
    ("sample-every", "sample_every_n_steps = 0\nsample_every_n_epochs = 1"),
    ("sample-too-late", "sample_every_n_steps = 100"),
    ("sample-too-late", "sample_every_n_steps = 101\nsample_every_n_epochs = 1"),
    ("sample-too-late", "sample_every_n_epochs = 2\nmax_train_epochs = 2"),
]


@pytest.mark.parametrize(("code", "text", "severity", "part"), SPEAKS)
def test_speaks(tmp_path: Path, code: str, text: str, severity: Severity, part: str) -> None:
    finding = said_by(RULES, run_of(tmp_path, text), code)
    assert finding is not None
    assert part in finding.message
    assert finding.severity is severity


@pytest.mark.parametrize(("code", "text"), QUIET)
def test_keeps_quiet(tmp_path: Path, code: str, text: str) -> None:
    assert said_by(RULES, run_of(tmp_path, text), code) is None


@pytest.mark.parametrize(("code", "text"), [(code, text) for code, text, _, _ in SPEAKS])
def test_is_silent_where_the_checkout_has_no_such_code(tmp_path: Path, code: str, text: str) -> None:
    bare = {"train_network.py": "for epoch in range(9):\n    pass\n"}
    assert said_by(RULES, run_of(tmp_path, text, sources=bare), code) is None


def test_every_rule_is_here() -> None:
    assert {rule.code.name for rule in RULES} == {case[0] for case in SPEAKS} == {case[0] for case in QUIET}


def test_an_old_release_divides_by_it(tmp_path: Path) -> None:
    old = {**SOURCES, "library/train_util.py": UTIL.replace("args.sample_every_n_steps <= 0", "False")}
    finding = said_by(RULES, run_of(tmp_path, "sample_every_n_steps = 0", sources=old), "sample-every")
    assert finding is not None and finding.severity is E and "division by zero" in finding.message
    assert said_by(RULES, run_of(tmp_path, "sample_every_n_steps = -1", sources=old), "sample-every") is None


def test_a_named_file_of_prompts_counts(tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("a fox\n")
    text = 'sample_prompts = "prompts.txt"\n'
    assert said_by(RULES, run_of(tmp_path, text + "sample_every_n_steps = 9"), "sample-without-prompts") is None
    finding = said_by(RULES, run_of(tmp_path, text), "prompts-without-samples")
    assert finding is not None and finding.where is not None and finding.where.endswith("fox.toml:4")
    missing = 'sample_prompts = "none.txt"\nsample_every_n_steps = 9'
    assert said_by(RULES, run_of(tmp_path, missing), "sample-without-prompts") is None  # the plan says it already


@pytest.mark.parametrize("safe", [True, False])
def test_the_scripts_own_way_to_make_samples_counts(tmp_path: Path, safe: bool) -> None:
    check = "if args.sample_prompts is None:" if safe else "if not os.path.isfile(args.sample_prompts):"
    script = "import train_network\nfrom library import flux_train_utils\n"
    sources = {**SOURCES, "flux.py": script, "library/flux_train_utils.py": f"{check}\n    pass\n"}
    run = run_of(tmp_path, "sample_every_n_steps = 9", sources=sources, script_file="flux.py", options=OPTIONS)
    assert (said_by(RULES, run, "sample-without-prompts") is None) is safe
    own = {**SOURCES, "own.py": f"import train_network\ndef sample_images(args):\n    {check}\n        pass\n"}
    run = run_of(tmp_path, "sample_every_n_steps = 9", sources=own, script_file="own.py")
    assert (said_by(RULES, run, "sample-without-prompts") is None) is safe
