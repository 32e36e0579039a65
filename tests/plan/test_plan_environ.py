"""The variables of the trainer: those outside, what activation does to them, and the plan's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from plan_bed import USUAL, codes, ingredients_of, script

from launcher.plan.build import build_plan
from launcher.plan.checks.candidate import Candidate
from launcher.plan.plan import Plan, TrainingEnvironment

SECRET = "hf_abcdefghij0123456789"
OUTSIDE = {"A": "outside", "B": "outside", "C": "outside", "GONE": "outside", "BACK": "outside"}
ENVIRONMENT = TrainingEnvironment(
    "conda", "lora", Path("/usr/bin/python3"), {"B": "activated", "C": "activated"}, unset=("GONE", "BACK"),
    secrets={"HF_TOKEN": SECRET},
)  # fmt: skip


def _planned(folder: Path, environment: TrainingEnvironment, more: str = "") -> tuple[Plan, Candidate]:
    path = folder / "fox.toml"
    variables = '[env.variables]\nC = "spec"\nBACK = "spec"\n'
    path.write_text(f'pretrained_model_name_or_path = "owner/model"\ntrain_data_dir = "img"\n{more}{variables}')
    given = ingredients_of(path, options=script(*USUAL), environ=OUTSIDE)
    return build_plan(replace(given, environment=environment))


def test_the_spec_comes_over_activation_and_that_over_what_is_outside(tmp_path: Path) -> None:
    plan, candidate = _planned(tmp_path, ENVIRONMENT)
    environ = plan.environ(OUTSIDE)
    assert [environ.get(name) for name in ("A", "B", "C", "GONE", "BACK", "HF_TOKEN")] == [
        "outside", "activated", "spec", None, "spec", SECRET,
    ]  # fmt: skip
    assert candidate.environ == environ
    assert SECRET not in repr(plan)


def test_a_secret_of_the_environment_is_refused_in_a_spec_as_one_outside(tmp_path: Path) -> None:
    plan, _ = _planned(tmp_path, ENVIRONMENT, f'training_comment = "{SECRET}"\n')
    assert "secret" in codes(plan.findings)
    plain, _ = _planned(tmp_path, replace(ENVIRONMENT, secrets={}), f'training_comment = "{SECRET}"\n')
    assert "secret" not in codes(plain.findings)


def test_what_of_the_activation_failed_is_said(tmp_path: Path) -> None:
    plan, _ = _planned(tmp_path, replace(ENVIRONMENT, problems=("a.sh ended its shell: status 1",)))
    assert [each.message for each in plan.findings if each.code == "activation"] == ["a.sh ended its shell: status 1."]
    assert not plan.errors or "activation" not in codes(plan.errors)
    assert "activation" not in codes(_planned(tmp_path, ENVIRONMENT)[0].findings)
