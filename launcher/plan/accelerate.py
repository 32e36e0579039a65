"""The flags of `accelerate launch`: complete, so that no `accelerate config` and no question is ever needed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from launcher.base.findings import Finding, Severity
from launcher.base.nearest import nearest
from launcher.base.origin import Origin, Source
from launcher.base.settings import Setting, Value
from launcher.plan.plan import Argument
from launcher.plan.values import BadValue, words_of
from launcher.trainer.options import Option, ScriptOptions

NEUTRAL_FILE = "accelerate.yaml"
# What `accelerate launch` would otherwise take from the user's own default_config.yaml, silently
# (accelerate/commands/launch.py, _validate_launch_command).
NEUTRAL_CONFIG = b"""compute_environment: LOCAL_MACHINE
distributed_type: 'NO'
mixed_precision: 'no'
num_machines: 1
num_processes: 1
machine_rank: 0
use_cpu: false
debug: false
"""
_KL = Origin(Source.KL, "kl")
# How several processes are started; without one of them more than one process needs multi_gpu.
_LAUNCHERS = ("multi_gpu", "cpu", "tpu", "use_deepspeed", "use_fsdp", "use_tp", "use_megatron_lm")


@dataclass(frozen=True)
class Accelerate:
    """The flags in order, whether kl's neutral configuration is used, and what is wrong."""

    arguments: tuple[Argument, ...]
    neutral: bool
    findings: tuple[Finding, ...]


def accelerate_arguments(
    settings: Iterable[Setting],
    known: ScriptOptions | None,
    *,
    config_file: str,
    trainer_precision: Value,
    cores: int,
) -> Accelerate:
    """The flags for one run: what `[accelerate]` says, and kl's own for what it leaves open.

    `known` are the options of the environment's own accelerate, or None when they could not be read: then the keys
    are passed on as written, and accelerate itself refuses the wrong ones at once. `config_file` is where the
    neutral configuration will stand. `trainer_precision` is the trainer's own mixed_precision, which accelerate's
    follows (library/train_util.py, prepare_accelerator, gives it to Accelerator anyway).
    """
    given = {setting.key: setting for setting in settings}
    findings: list[Finding] = []
    written = [_argument(setting, known, findings) for setting in given.values()]
    processes = _processes(given)
    on_cpu = "cpu" in given and given["cpu"].value is True
    defaults: dict[str, Value] = {
        "num_processes": processes,
        "num_machines": 1,
        "mixed_precision": trainer_precision if isinstance(trainer_precision, str) else "no",
        "dynamo_backend": "no",
        "num_cpu_threads_per_process": max(1, cores // processes) if on_cpu else min(2, cores),
    }
    neutral = "config_file" not in given
    if neutral:
        defaults = {"config_file": config_file, **defaults}
    if processes > 1 and not any(key in given for key in _LAUNCHERS):
        defaults["multi_gpu"] = True
    own = [
        Argument(key, (f"--{key}",) if value is True else (f"--{key}={value}",), value, _KL)
        for key, value in defaults.items()
        if key not in given
    ]
    return Accelerate((*own, *(argument for argument in written if argument)), neutral, tuple(findings))


def _processes(given: dict[str, Setting]) -> int:
    if "num_processes" in given:
        value = given["num_processes"].value
        return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 1
    ids = given["gpu_ids"].value if "gpu_ids" in given else None
    names = ids.split(",") if isinstance(ids, str) and ids != "all" else ids if isinstance(ids, list) else []
    return max(1, len(names))


def _argument(setting: Setting, known: ScriptOptions | None, findings: list[Finding]) -> Argument | None:
    if len(setting.table) > 1:
        message = f"{setting.path}: [accelerate] holds no tables."
        hint = "Write its keys directly."
        findings.append(Finding(Severity.ERROR, "unknown-key", message, str(setting.origin), hint))
        return None
    value = setting.value
    if isinstance(value, list):  # gpu_ids = [0, 1]
        value = ",".join(str(item) for item in value)
    if setting.key == "gpu_ids" and isinstance(value, int):
        value = str(value)
    option = (known.get(setting.key) or known.by_flag(f"--{setting.key}")) if known else _any_option(setting.key, value)
    if option is None or setting.key in ("training_script", "training_script_args"):
        names = [other.name for other in known.options] if known else []
        near = nearest(setting.key, names)
        hint = f"Did you mean {near}?" if near else "accelerate launch --help lists what there is."
        message = f"accelerate launch has no option {setting.key}."
        findings.append(Finding(Severity.ERROR, "unknown-key", message, str(setting.origin), hint))
        return None
    words = words_of(option, value)
    if isinstance(words, BadValue):
        findings.append(Finding(Severity.ERROR, words.code, words.message, str(setting.origin), words.hint))
        return None
    return Argument(setting.key, words, setting.value, setting.origin)


def _any_option(key: str, value: Value) -> Option:
    """An option that takes this value, for an accelerate whose options are not known."""
    switch = isinstance(value, bool)
    return Option(
        flags=(f"--{key}",),
        name=key,
        action="StoreTrueAction" if switch else "StoreAction",
        nargs=0 if switch else None,
        const=True if switch else None,
        default=None,
        type=None,
        choices=None,
        required=False,
        help=None,
        source="",
    )
