"""The learning rate scheduler and its options, against a made-up checkout and environment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from candidate_bed import candidate_of
from plan_bed import USUAL, codes, option
from trainer_sources import SHARED, TRAIN_UTIL_HEAD, get_scheduler_fix, transformers_of

from launcher.base.findings import Finding, Severity
from launcher.plan.checks.scheduler import check_scheduler
from launcher.trainer.packages import Packages

TRAIN_UTIL = (
    TRAIN_UTIL_HEAD
    + SHARED
    + """
def add_optimizer_arguments(parser):
    def int_or_float(value):
        float_value = float(value or 0)
        if float_value >= 1: return int(value)
        return float_value

def get_optimizer(args, params):
    if args.optimizer_type != "Adafactor":
        return "", "", torch.optim.AdamW(params, lr=args.learning_rate)
    args.lr_scheduler = f"adafactor:{args.learning_rate}"
    return "", "", transformers.optimization.Adafactor(params)
"""
    + get_scheduler_fix(
        {
            "COSINE": "num_warmup_steps",
            "COSINE_WITH_RESTARTS": "num_warmup_steps num_training_steps num_cycles",
        },
        "num_warmup_steps num_decay_steps",
    )
)
# Each kind of scheduler with what its function takes besides the optimizer, or with the function's name.
KINDS = {
    "constant": ", last_epoch=-1",
    "cosine": ", num_warmup_steps, num_cycles=0.5",
    "cosine_with_restarts": ", num_warmup_steps, num_training_steps, num_cycles=1",
    "stable": "refusing",
    "plateau": "handing_on",
}
OTHER_MAKERS = """
class Adafactor:
    def __init__(self, params): ...

class Plateau:
    def __init__(self, optimizer, factor=0.1): ...

def handing_on(optimizer, **kwargs):
    return Plateau(optimizer, **kwargs)

def refusing(optimizer, num_warmup_steps, num_decay_steps, floor=None):
    if num_decay_steps < 0:
        raise ValueError("no decay backwards")
"""
SCHEDULERS = """
class Annealing:
    def __init__(self, optimizer, T_max, eta_min=0.0): ...
    def step(self, epoch=None): ...

class Measured:
    def __init__(self, optimizer): ...
    def step(self, metrics, epoch=None): ...
"""
PACKAGES = {
    "torch/__init__.py": "",
    "torch/optim/__init__.py": "class AdamW:\n    def __init__(self, params, lr): ...\n",
    "torch/optim/lr_scheduler.py": SCHEDULERS,
    **transformers_of(KINDS, OTHER_MAKERS),
}
OPTIONS = (
    *USUAL, option("optimizer_type", type="str", default=""), option("lr_scheduler", type="str", default="constant"),
    option("lr_scheduler_type", type="str", default=""), option("lr_scheduler_args", type="str", nargs="*"),
    option("lr_warmup_steps", type="int_or_float", default=0), option("lr_decay_steps", type="int_or_float", default=0),
    option("lr_scheduler_num_cycles", type="int", default=1),
)  # fmt: skip


def said(folder: Path, text: str, **changed: Any) -> list[Finding]:
    sources = {"library/train_util.py": TRAIN_UTIL}
    return list(check_scheduler(candidate_of(folder, text, *OPTIONS, sources=sources, packages=PACKAGES, **changed)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        'lr_scheduler = "constant"\nlr_warmup_steps = 0',
        'lr_scheduler = "cosine"\nlr_warmup_steps = 10',
        'lr_scheduler = "cosine"\nlr_warmup_steps = 0.1\nmax_train_epochs = 5',
        'lr_scheduler = "cosine_with_restarts"\nlr_scheduler_num_cycles = 3',
        'lr_scheduler = "cosine"\n[lr_scheduler_args]\nnum_cycles = 0.4',
        'lr_scheduler_type = "Annealing"\n[lr_scheduler_args]\nT_max = 100',
        'optimizer_type = "Adafactor"',
        'optimizer_type = "Adafactor"\nlr_scheduler = "adafactor"',
        'optimizer_type = "AdamWScheduleFree"',
        'lr_scheduler = "stable"\nlr_warmup_steps = 10\nlr_decay_steps = 20',
    ],
)
def test_sound_specs_pass(tmp_path: Path, text: str) -> None:
    assert said(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        ('lr_scheduler = "cosin"', "unknown-scheduler", "cosine"),
        ('lr_scheduler = "nonsense"', "unknown-scheduler", "constant, cosine"),
        ('lr_scheduler = "adafactor"', "scheduler-refused", "Adafactor"),
        ('lr_scheduler = "plateau"', "scheduler-unusable", "another"),
        ('lr_scheduler_type = "Measured"', "scheduler-unusable", "another"),
        ('lr_scheduler_type = "Anealing"', "unknown-scheduler", "Annealing"),
        ('lr_scheduler_type = "cosine"', "unknown-scheduler", "a name for lr_scheduler"),
        ('lr_scheduler_type = "outside.Rex"', "scheduler-package-missing", "Install"),
        ('lr_scheduler_type = "Annealing"', "scheduler-args-missing", "T_max"),
    ],
)
def test_a_scheduler_that_cannot_be_made(tmp_path: Path, text: str, code: str, hint: str) -> None:
    (finding,) = said(tmp_path, text)
    assert (finding.code, finding.severity) == (code, Severity.ERROR)
    assert hint in (finding.hint or "")
    assert (finding.where or "").endswith("fox.toml:1")


def test_an_argument_that_cannot_be_read_is_not_missing_too(tmp_path: Path) -> None:
    (finding,) = said(tmp_path, 'lr_scheduler_type = "Annealing"\n[lr_scheduler_args]\nT_max = "1:10,0.1:20"')
    assert finding.code == "scheduler-args-value"
    assert finding.hint == "A text needs quotes of its own: \"'1:10,0.1:20'\"."


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("lr_warmup_steps = 10", "constant_with_warmup"),
        ("lr_warmup_steps = 0.1", "constant_with_warmup"),
        ("lr_warmup_steps = 0.1\nmax_train_epochs = 10", "constant_with_warmup"),
        ('lr_warmup_steps = "10%"', "constant_with_warmup"),
        ('lr_warmup_steps = 10\noptimizer_type = "Adafactor"', "Remove"),
        ('lr_warmup_steps = 10\nlr_scheduler_type = "Annealing"\n[lr_scheduler_args]\nT_max = 9', "Remove"),
    ],
)
def test_a_warm_up_where_there_is_none(tmp_path: Path, text: str, hint: str) -> None:
    (finding,) = said(tmp_path, text)
    assert (finding.code, finding.severity) == ("warmup-refused", Severity.ERROR)
    assert (finding.where or "").endswith("fox.toml:1")
    assert hint in (finding.hint or "")


@pytest.mark.parametrize(
    ("text", "option_named"),
    [
        ('lr_scheduler_num_cycles = 3\nlr_scheduler = "cosine"', "lr_scheduler_num_cycles"),
        ('lr_decay_steps = 3\nlr_scheduler = "cosine"', "lr_decay_steps"),
        ('lr_scheduler = "cosine"\noptimizer_type = "Adafactor"', "lr_scheduler"),
        ('lr_warmup_steps = 9\noptimizer_type = "AdamWScheduleFree"', "lr_warmup_steps"),
        ('lr_scheduler = "cosine"\nlr_scheduler_type = "Annealing"\n[lr_scheduler_args]\nT_max = 9', "lr_scheduler"),
    ],
)
def test_options_that_the_scheduler_does_not_use(tmp_path: Path, text: str, option_named: str) -> None:
    (finding,) = said(tmp_path, text)
    assert (finding.code, finding.severity) == ("scheduler-option-without-effect", Severity.WARNING)
    assert finding.message.startswith(f"{option_named} has no effect")
    assert (finding.where or "").endswith("fox.toml:1")


@pytest.mark.parametrize(
    ("scheduler", "item", "code"),
    [
        ('lr_scheduler_type = "Annealing"', "T_max = 9\neta = 1", "scheduler-args-key"),
        ('lr_scheduler = "cosine"', 'num_cycles = "many"', "scheduler-args-value"),
        ('lr_scheduler = "cosine"', "num_warmup_steps = 3", "scheduler-args-twice"),
        ('lr_scheduler = "cosine"', "optimizer = 3", "scheduler-args-twice"),
        ('lr_scheduler_type = "Annealing"', "T_max = 9\neta_min = [1, 2]", "scheduler-args-type"),
    ],
)
def test_arguments_that_the_scheduler_does_not_take(tmp_path: Path, scheduler: str, item: str, code: str) -> None:
    assert codes(said(tmp_path, f"{scheduler}\n[lr_scheduler_args]\n{item}")) == [code]


def test_a_scheduler_may_refuse_the_trainers_own_values(tmp_path: Path) -> None:
    (finding,) = said(tmp_path, 'lr_scheduler = "stable"\nlr_decay_steps = -1')
    assert finding.code == "scheduler-args-refused"


@pytest.mark.parametrize(("steps", "speaks"), [("99", False), ("100", True), ("0.99", False), ("5000", True)])
def test_a_warm_up_as_long_as_the_run(tmp_path: Path, steps: str, speaks: bool) -> None:
    findings = said(tmp_path, f'lr_scheduler = "cosine"\nlr_warmup_steps = {steps}')
    assert codes(findings) == (["warmup-too-long"] if speaks else [])


def test_warm_up_and_decay_longer_than_the_run(tmp_path: Path) -> None:
    findings = said(tmp_path, 'lr_scheduler = "stable"\nlr_warmup_steps = 60\nlr_decay_steps = 60')
    assert codes(findings) == ["warmup-too-long"]


def test_more_cycles_than_steps(tmp_path: Path) -> None:
    findings = said(tmp_path, 'lr_scheduler = "cosine_with_restarts"\nlr_scheduler_num_cycles = 101')
    assert codes(findings) == ["too-many-cycles"]


def test_steps_that_are_neither_whole_nor_a_share(tmp_path: Path) -> None:
    (finding,) = said(tmp_path, 'lr_scheduler = "cosine"\nlr_warmup_steps = 10.0')
    assert (finding.code, finding.hint) == ("steps-not-whole", "Write 10.")


def test_without_the_environments_packages_nothing_is_said_of_names(tmp_path: Path) -> None:
    sources = {"library/train_util.py": TRAIN_UTIL}
    for text in ('lr_scheduler = "nonsense"', 'lr_scheduler_type = "outside.Rex"'):
        candidate = candidate_of(tmp_path, text, *OPTIONS, sources=sources, packages=PACKAGES)
        unknown = replace(candidate, packages=Packages(candidate.packages.checkout, ()))
        assert codes(check_scheduler(candidate)) != []
        assert list(check_scheduler(unknown)) == []


def test_a_checkout_without_such_a_function_is_left_alone(tmp_path: Path) -> None:
    text = 'lr_scheduler = "nonsense"'
    assert list(check_scheduler(candidate_of(tmp_path, text, *OPTIONS, sources={"library/train_util.py": ""}))) == []
    assert list(check_scheduler(candidate_of(tmp_path, text, *USUAL))) == []
