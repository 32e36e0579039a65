"""Samples: when they are made and of what. Each rule speaks, keeps quiet, and is silent without its source."""

from __future__ import annotations

from pathlib import Path

import pytest
from loop_bed import OPTIONS, SOURCES, UTIL, E, W, run_of, said_by, table_tests

from launcher.plan.checks.rules.sampling import RULES

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

test_speaks, test_keeps_quiet, test_is_silent_elsewhere, test_every_rule_is_here = table_tests(
    RULES, SPEAKS, QUIET, placeless=["prompts-without-samples"]
)


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
