"""How long is trained, in which portions and from where on: each rule speaks, keeps quiet, needs its source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from loop_bed import SOURCES, A, E, W, run_of, said_by, table_tests

from launcher.plan.blueprint import Blueprint, DatasetBlueprint, Kind
from launcher.plan.checks.rules.steps import RULES

_DATASETS = '[[datasets]]\nbatch_size = 2\n[[datasets.subsets]]\nimage_dir = "img"\n'

SPEAKS = [
    ("epochs-over-steps", "max_train_steps = 10\nmax_train_epochs = 2", W, "max_train_steps = 10 has no effect"),
    ("nothing-to-train", "max_train_steps = 0", W, "max_train_steps = 0 trains nothing"),
    ("nothing-to-train", "max_train_epochs = 0", W, "max_train_epochs = 0 trains nothing"),
    ("gradient-accumulation", "gradient_accumulation_steps = 0", E, "gradient_accumulation_steps = 0"),
    ("gradient-accumulation", "gradient_accumulation_steps = -1", E, "gradient_accumulation_steps = -1"),
    ("batch-size", "train_batch_size = 0", E, "makes no batches"),
    ("initial-step-too-late", "initial_step = 100\nmax_train_steps = 100", E, "trains 100 steps in all"),
    ("initial-step-and-epoch", "initial_step = 10\ninitial_epoch = 2", W, "initial_epoch = 2 has no effect"),
    ("initial-step-and-epoch", "initial_epoch = 0", W, "the first epoch is 1"),
    ("initial-step-and-epoch", "initial_step = -1", W, "it begins at 0"),
    ("skip-without-initial-step", "skip_until_initial_step = true", W, "there is no initial_step"),
    ("no-seed", "", A, "No seed is set"),
    ("seed", "seed = -1", E, "outside of what numpy takes"),
    ("seed", f"seed = {2**32}", E, "outside of what numpy takes"),
    ("learning-rate", "learning_rate = 1.0", W, "learning_rate = 1.0 is most likely a mistake"),
    ("learning-rate", 'unet_lr = -1e-4\noptimizer_type = "Lion"', W, "unet_lr = -0.0001"),
    ("validate-every", "validate_every_n_steps = 0", E, "end of the first step"),
    ("validate-every", "validate_every_n_epochs = 0", E, "end of the first epoch"),
    ("validation-split", "validation_split = 20", E, "no share"),
    ("validation-split", "validation_split = 1.0", E, "no share"),
    ("validation-split", "validation_split = -0.1", E, "no share"),
    ("validation-alone", "validate_every_n_steps = 10", W, "no pictures are kept"),
    ("validation-alone", "max_validation_steps = 10", W, "max_validation_steps has no effect"),
    ("debug-dataset", "debug_dataset = true", E, "trains nothing"),
]
QUIET = [
    ("epochs-over-steps", "max_train_epochs = 2"),
    ("epochs-over-steps", "max_train_steps = 10"),
    ("nothing-to-train", "max_train_steps = 1"),
    ("nothing-to-train", "max_train_steps = 0\nmax_train_epochs = 1"),
    ("gradient-accumulation", "gradient_accumulation_steps = 1"),
    ("batch-size", "train_batch_size = 1"),
    ("batch-size", ""),
    ("initial-step-too-late", "initial_step = 99\nmax_train_steps = 100"),
    ("initial-step-too-late", "initial_step = 100\nmax_train_epochs = 100"),
    ("initial-step-and-epoch", "initial_step = 10"),
    ("initial-step-and-epoch", "initial_epoch = 1"),
    ("skip-without-initial-step", "skip_until_initial_step = true\ninitial_epoch = 2"),
    ("no-seed", "seed = 1"),
    ("seed", "seed = 0"),
    ("seed", f"seed = {2**32 - 1}"),
    ("learning-rate", "learning_rate = 1e-4"),
    ("learning-rate", 'learning_rate = 1.0\noptimizer_type = "Prodigy"'),
    ("learning-rate", 'learning_rate = 1.0\noptimizer_type = "DAdaptAdam"'),
    ("learning-rate", 'learning_rate = 1.0\noptimizer_type = "prodigyplus.ProdigyPlusScheduleFree"'),
    ("learning-rate", 'learning_rate = 1.0\noptimizer_type = "my.AdamW"'),
    ("validate-every", "validate_every_n_steps = 1"),
    ("validation-split", "validation_split = 0.2"),
    ("validation-split", "validation_split = 0"),
    ("validation-alone", "validate_every_n_steps = 10\nvalidation_split = 0.1"),
    ("validation-alone", "validation_split = 0.1"),
    ("debug-dataset", "debug_dataset = false"),
]

test_speaks, test_keeps_quiet, test_is_silent_elsewhere, test_every_rule_is_here = table_tests(
    RULES, SPEAKS, QUIET, name="fox-v1", anywhere=["learning-rate"], elsewhere=["accumulation-two-models"]
)


def test_a_name_with_steps_has_its_own_finding(tmp_path: Path) -> None:
    run = run_of(tmp_path, "max_train_steps = 10\nmax_train_epochs = 2", name="fox-v1s10")
    assert said_by(RULES, run, "epochs-over-steps") is None


@pytest.mark.parametrize(("steps", "speaks"), [(2, True), (1, False)])
def test_two_models_do_not_accumulate(tmp_path: Path, steps: int, speaks: bool) -> None:
    script = (
        "def train(args):\n    if args.gradient_accumulation_steps > 1:\n"
        '        warn("accelerate does not support it")\n    for epoch in range(9):\n        pass\n'
    )
    run = run_of(
        tmp_path, f"gradient_accumulation_steps = {steps}", sources={"train_db.py": script}, script_file="train_db.py"
    )
    assert (said_by(RULES, run, "accumulation-two-models") is not None) is speaks
    run = run_of(tmp_path, f"gradient_accumulation_steps = {steps}")
    assert said_by(RULES, run, "accumulation-two-models") is None


@pytest.mark.parametrize(
    ("code", "line"), [("batch-size", "train_batch_size = 0"), ("validation-split", "validation_split = 20.0")]
)
def test_what_datasets_come_to_is_said_of_them(tmp_path: Path, code: str, line: str) -> None:
    assert said_by(RULES, run_of(tmp_path, line), code) is not None
    run = run_of(tmp_path, f"{line}\n{_DATASETS}")
    assert said_by(RULES, run, code) is None
    params = {"batch_size": 0, "validation_split": 20.0}
    blueprint = Blueprint((DatasetBlueprint(Kind.DREAMBOOTH, params, (), None),))
    assert said_by(RULES, replace(run, blueprint=blueprint), code) is None


def test_a_dataset_config_may_ask_for_validation(tmp_path: Path) -> None:
    datasets = _DATASETS.replace("batch_size = 2", "validation_split = 0.1")
    assert said_by(RULES, run_of(tmp_path, "validate_every_n_steps = 9\n" + datasets), "validation-alone") is None
    assert said_by(RULES, run_of(tmp_path, "validate_every_n_steps = 9\n" + _DATASETS), "validation-alone") is not None


def test_a_split_in_percent_is_said_as_a_share(tmp_path: Path) -> None:
    finding = said_by(RULES, run_of(tmp_path, "validation_split = 20"), "validation-split")
    assert finding is not None and finding.hint == "It is a share: 0.2 is 20 percent."


def test_only_a_default_without_a_seed_is_none(tmp_path: Path) -> None:
    sources = {
        **SOURCES,
        "train_network.py": "if args.seed is not None:\n    set_seed(1)\nfor epoch in range(9):\n    pass",
    }
    assert said_by(RULES, run_of(tmp_path, "", sources=sources), "no-seed") is not None
