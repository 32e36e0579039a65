"""The learning rate scheduler and its options, against a made-up checkout and environment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from candidate_bed import candidate_of
from plan_bed import USUAL, codes, option

from launcher.base.findings import Finding, Severity
from launcher.plan.checks.scheduler import check_scheduler
from launcher.trainer.packages import Packages

TRAIN_UTIL = """
import ast
import importlib
import torch
import transformers
from transformers.optimization import SchedulerType, TYPE_TO_SCHEDULER_FUNCTION

def add_optimizer_arguments(parser):
    def int_or_float(value):
        float_value = float(value)
        if float_value >= 1:
            return int(value)
        return float(value)

def get_optimizer(args, params):
    if args.optimizer_type == "Adafactor":
        args.lr_scheduler = f"adafactor:{args.learning_rate}"
        return "", "", transformers.optimization.Adafactor(params)
    return "", "", torch.optim.AdamW(params, lr=args.learning_rate)

def is_schedulefree(optimizer, args):
    return args.optimizer_type.lower().endswith("schedulefree".lower())

def get_dummy_scheduler(optimizer):
    class DummyScheduler:
        pass
    return DummyScheduler(optimizer)

def get_scheduler_fix(args, optimizer, num_processes: int):
    if is_schedulefree(optimizer, args):
        return get_dummy_scheduler(optimizer)
    name = args.lr_scheduler
    num_training_steps = args.max_train_steps * num_processes
    warmup = args.lr_warmup_steps
    num_warmup_steps = int(warmup * num_training_steps) if isinstance(warmup, float) else warmup
    num_decay_steps = args.lr_decay_steps
    num_cycles = args.lr_scheduler_num_cycles
    lr_scheduler_kwargs = {}
    if args.lr_scheduler_args is not None and len(args.lr_scheduler_args) > 0:
        for arg in args.lr_scheduler_args:
            key, value = arg.split("=")
            lr_scheduler_kwargs[key] = ast.literal_eval(value)

    def wrap(return_vals):
        if num_warmup_steps is not None and num_warmup_steps != 0:
            raise ValueError(f"{name} does not require `num_warmup_steps`. Set None or 0.")
        return return_vals

    if args.lr_scheduler_type:
        lr_scheduler_type = args.lr_scheduler_type
        if "." not in lr_scheduler_type:
            module = torch.optim.lr_scheduler
        else:
            values = lr_scheduler_type.split(".")
            module = importlib.import_module(".".join(values[:-1]))
            lr_scheduler_type = values[-1]
        return wrap(getattr(module, lr_scheduler_type)(optimizer, **lr_scheduler_kwargs))
    if name.startswith("adafactor"):
        assert type(optimizer) == transformers.optimization.Adafactor, "only with Adafactor / だめ"
        return wrap(transformers.optimization.AdafactorSchedule(optimizer, float(name.split(":")[1])))
    name = SchedulerType(name)
    schedule_func = TYPE_TO_SCHEDULER_FUNCTION[name]
    if name == SchedulerType.CONSTANT:
        return wrap(schedule_func(optimizer, **lr_scheduler_kwargs))
    if name == SchedulerType.COSINE_WITH_RESTARTS:
        return schedule_func(
            optimizer, num_warmup_steps=num_warmup_steps, num_training_steps=num_training_steps, num_cycles=num_cycles
        )
    if name == SchedulerType.COSINE:
        return schedule_func(optimizer, num_warmup_steps=num_warmup_steps, **lr_scheduler_kwargs)
    return schedule_func(
        optimizer, num_warmup_steps=num_warmup_steps, num_decay_steps=num_decay_steps, **lr_scheduler_kwargs
    )
"""
OPTIMIZATION = """
from .trainer_utils import SchedulerType

class Adafactor:
    def __init__(self, params): ...

class AdafactorSchedule(LambdaLR):
    def __init__(self, optimizer, initial_lr=0.0): ...

def get_constant(optimizer, last_epoch=-1): ...
def get_cosine(optimizer, num_warmup_steps, num_cycles=0.5, last_epoch=-1): ...
def get_restarts(optimizer, num_warmup_steps, num_training_steps, num_cycles=1, last_epoch=-1): ...
def get_stable(optimizer, num_warmup_steps, num_decay_steps, floor=None):
    if num_decay_steps < 0:
        raise ValueError("num_decay_steps must not be negative")
def get_plateau(optimizer, **kwargs):
    return Plateau(optimizer, **kwargs)

class Plateau:
    def __init__(self, optimizer, factor=0.1): ...

TYPE_TO_SCHEDULER_FUNCTION = {
    SchedulerType.CONSTANT: get_constant,
    SchedulerType.COSINE: get_cosine,
    SchedulerType.COSINE_WITH_RESTARTS: get_restarts,
    SchedulerType.STABLE: get_stable,
    SchedulerType.PLATEAU: get_plateau,
}
"""
KINDS = """
class SchedulerType(ExplicitEnum):
    CONSTANT = "constant"
    COSINE = "cosine"
    COSINE_WITH_RESTARTS = "cosine_with_restarts"
    STABLE = "stable"
    PLATEAU = "plateau"
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
    "transformers/__init__.py": "",
    "transformers/optimization.py": OPTIMIZATION,
    "transformers/trainer_utils.py": KINDS,
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
