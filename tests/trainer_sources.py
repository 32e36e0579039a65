"""The made-up trainer's functions for optimizers and schedulers, put together from tables of facts.

The names, defaults and numbers are sd-scripts' own, the statements are ours: as few as kl's readers need to be told
the same. Nothing of it is ever run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# What get_optimizer and get_scheduler_fix need beside one another.
SHARED = """
def read_items(texts):
    found = {}
    for text in texts or []:
        name, value = text.split("=")
        found[name] = ast.literal_eval(value)
    return found

def named(dotted, usual):
    owner, _, last = dotted.rpartition(".")
    return getattr(importlib.import_module(owner) if "." in dotted else usual, last)
"""


@dataclass(frozen=True)
class Family:
    """Optimizers of one package. `asked` is the condition under which get_optimizer imports it.

    `made` are their names with their places in the package. `closed`: another name is refused then. `note` is what it
    says about different rates.
    """

    asked: str
    package: str
    made: Mapping[str, str]
    closed: bool = False
    note: str = ""

    def branch(self) -> str:
        """The part of get_optimizer that makes them."""
        choices = "".join(
            f'        if optimizer_type == "{name}".lower():\n'
            f"            made = package.{place}(params, lr=rate, **given)\n"
            for name, place in self.made.items()
        )
        noted = f'        advise("{self.note}")\n' if self.note else ""
        unknown = 'f"Unknown optimizer type: {optimizer_type}"'
        refused = f"        if made is None:\n            raise ValueError({unknown})\n"
        return (
            f"    if {self.asked}:\n        try:\n            import {self.package} as package\n"
            f'        except ImportError:\n            raise ImportError("no {self.package}")\n'
            f"{noted}{choices}{refused if self.closed else ''}"
        )


LION = Family('optimizer_type == "Lion".lower()', "lion_pytorch", {"Lion": "Lion"})
EIGHT_BIT = Family('optimizer_type.endswith("8bit")', "bitsandbytes", {"AdamW8bit": "optim.AdamW8bit"})
PRODIGY = Family('optimizer_type == "Prodigy".lower()', "prodigyopt", {"Prodigy": "Prodigy"})
SCHEDULE_FREE = Family(
    'optimizer_type.endswith("schedulefree")', "schedulefree", {"AdamWScheduleFree": "AdamWScheduleFree"}
)


def dadaptation(*names: str) -> Family:
    """The family of D-Adaptation, as far as these names."""
    made, note = {name: name for name in names}, "only the first one will take effect"
    return Family('optimizer_type.startswith("dadapt")', "dadaptation", made, closed=True, note=note)


def get_optimizer(*families: Family) -> str:
    """get_optimizer, which knows AdamW, Adafactor and these families by name."""
    return f"""
def get_optimizer(args, params):
    made, rate = None, args.learning_rate
    optimizer_type = (args.optimizer_type or "AdamW").lower()
    if args.use_8bit_adam:
        assert not args.optimizer_type, "not both of them / だめ"
        optimizer_type = "adamw8bit"
    given = read_items(args.optimizer_args)
    if optimizer_type == "AdamW".lower():
        made = torch.optim.AdamW(params, lr=rate, **given)
    if optimizer_type == "Adafactor".lower():
        given["relative_step"] = given.get("relative_step", True) or given.get("warmup_init", False)
        if given["relative_step"]:
            args.lr_scheduler = f"adafactor:{{rate}}"
            args.learning_rate = rate = None
        elif args.max_grad_norm != 0.0:
            advise("it clips by itself")
        made = transformers.optimization.Adafactor(params, lr=rate, **given)
{"".join(family.branch() for family in families)}
    if made is None:
        made = named(args.optimizer_type, torch.optim)(params, lr=rate, **given)
    return "", "", made
"""


# How get_scheduler_fix comes by what it hands on.
_HANDED = {
    "num_cycles": "args.lr_scheduler_num_cycles",
    "num_decay_steps": "counted(args.lr_decay_steps)",
    "num_training_steps": "num_training_steps",
    "num_warmup_steps": "counted(args.lr_warmup_steps)",
    "power": "args.lr_scheduler_power",
}


def get_scheduler_fix(handed: Mapping[str, str], usually: str) -> str:
    """get_scheduler_fix: what it hands to the schedule of each kind, and to those of all other kinds."""
    table = ", ".join(f'"{kind}": {_handed(names)}' for kind, names in handed.items())
    return f"""
def unscheduled(optimizer):
    class DummyScheduler: ...
    return DummyScheduler(optimizer)

def get_scheduler_fix(args, optimizer, num_processes: int):
    num_training_steps = num_processes * args.max_train_steps

    def counted(steps):
        return int(num_training_steps * steps) if isinstance(steps, float) else steps

    def unwarmed(schedule):
        if args.lr_warmup_steps:
            raise ValueError(f"no warm-up with {{args.lr_scheduler}}")
        return schedule

    if args.optimizer_type.lower().endswith("schedulefree"):
        return unscheduled(optimizer)
    given = read_items(args.lr_scheduler_args)
    if args.lr_scheduler_type:
        return unwarmed(named(args.lr_scheduler_type, torch.optim.lr_scheduler)(optimizer, **given))
    if args.lr_scheduler.startswith("adafactor"):
        assert type(optimizer) is transformers.optimization.Adafactor, "only with Adafactor / だめ"
        rate = float(args.lr_scheduler.split(":")[1])
        return unwarmed(transformers.optimization.AdafactorSchedule(optimizer, rate))
    kind = SchedulerType(args.lr_scheduler)
    make = TYPE_TO_SCHEDULER_FUNCTION[kind]
    if kind == SchedulerType.CONSTANT:
        return unwarmed(make(optimizer, **given))
    handed = {{{table}}}.get(kind.name, {_handed(usually)})
    return make(optimizer, **handed, **given)
"""


def _handed(names: str) -> str:
    return "{" + ", ".join(f'"{name}": {_HANDED[name]}' for name in names.split()) + "}"


TRAIN_UTIL_HEAD = """
import argparse, ast, importlib, pathlib, re
import imagesize, json, toml, torch, transformers
from library.lpw_stable_diffusion import LongPromptWeightingPipeline
from transformers.optimization import TYPE_TO_SCHEDULER_FUNCTION, SchedulerType
"""
# Of captions and pictures: library/train_util.py, DreamBoothDataset.
READ_CAPTION = """
    def read_caption(self, cap_path):
        try:
            lines = list(open(cap_path, "rt", encoding="utf-8"))
        except UnicodeDecodeError as e:
            raise e
        assert len(lines) > 0, "empty"
        return lines[0].strip()
"""


def transformers_of(kinds: Mapping[str, str], more: str = "") -> dict[str, str]:
    """Files of transformers: its kinds of schedulers, each with the parameters of its function, and `more` beside.

    A kind whose parameters are a text without brackets is left to `more`: the text is the name of its function.
    """
    makers = {kind: made if made.isidentifier() else f"get_{kind}" for kind, made in kinds.items()}
    functions = "".join(
        f"def {makers[kind]}(optimizer{made}): ...\n" for kind, made in kinds.items() if made != makers[kind]
    )
    table = "".join(f"    SchedulerType.{kind.upper()}: {maker},\n" for kind, maker in makers.items())
    members = "".join(f'    {kind.upper()} = "{kind}"\n' for kind in kinds)
    return {
        "transformers/__init__.py": "",
        "transformers/optimization.py": (
            "from .trainer_utils import SchedulerType\n\nclass AdafactorSchedule(LambdaLR):\n"
            f"    def __init__(self, optimizer, initial_lr=0.0): ...\n\n{functions}{more}\n"
            f"TYPE_TO_SCHEDULER_FUNCTION = {{\n{table}}}\n"
        ),
        "transformers/trainer_utils.py": f"class SchedulerType(ExplicitEnum):\n{members}",
    }


def optimizer_class(name: str, parameters: str, refused: Iterable[str] = ()) -> str:
    """A class of an optimizer, which refuses to be made where one of the conditions holds."""
    checks = "".join(f'        if {each}:\n            raise ValueError("refused: {each}")\n' for each in refused)
    return (
        f"\nclass {name}(Optimizer):\n    def __init__(self, params, {parameters}):\n{checks}        pass\n"
        f"\n    def step(self, closure=None): ...\n"
    )


ADAM = (
    optimizer_class(
        "AdamW",
        "lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False",
        ("not lr >= 0", "not weight_decay >= 0", "not 0 <= betas[0] < 1", "not 0 <= betas[1] < 1"),
    )
    + "\nclass Adam(AdamW): ...\n"
    + optimizer_class("SGD", "lr=1e-3, momentum=0, weight_decay=0")
    + """
class LBFGS(Optimizer):
    def __init__(self, params, lr=1, max_iter=20): ...

    @torch.no_grad()
    def step(self, closure):
        return closure()
"""
)
# An optimizer that wants one rate for all: its name, and what it takes besides `lr`.
ONE_RATE = """
class {name}(Optimizer):
    def __init__(self, params, lr=1.0, {parameters}): ...

    def step(self, closure=None):
        if len(set(self.rates) - {{0.0}}) > 1:
            raise RuntimeError("Setting different lr values in different parameter groups is not supported")
"""
