"""The flags of `accelerate launch`: complete, so that no `accelerate config` and no question is ever needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from launcher.base.errors import KlError
from launcher.base.findings import Finding
from launcher.base.nearest import nearest
from launcher.base.origin import Origin, Source
from launcher.base.settings import Setting, Value
from launcher.plan.codes import PATH, SAME_KEY_TWICE, UNKNOWN_KEY
from launcher.plan.plan import Argument
from launcher.plan.tables import base_folder
from launcher.plan.values import BadValue, meant_by_flag, words_of
from launcher.spec.paths import expand
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
# Whoever names other machines names the port on which they meet.
_PORTS = ("main_process_port", "main_process_ip", "num_machines", "rdzv_backend", "rdzv_conf", "tpu", "use_mpi")
# Whoever starts them in another way names other machines in that way too.
_OWN_WAYS = ("tpu", "cpu", "use_deepspeed", "mpirun_hostfile")
_PORT = 29500  # the one that accelerate looks at; without any it would have them meet at port None
_PATHS = ("_file", "_hostfile", "log_dir")


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
    free_port: Callable[[], int],
    gpus: Callable[[], int | None] = lambda: None,
) -> Accelerate:
    """The flags for one run: what `[accelerate]` says, and kl's own for what it leaves open.

    With a configuration file of the user's own kl adds nothing: a flag would win over what the file says.
    `known` are the options of the environment's own accelerate, or None when they could not be read: then the keys
    are passed on as written, and accelerate itself refuses the wrong ones at once. `config_file` is where the
    neutral configuration will stand. `trainer_precision` is the trainer's own mixed_precision, which accelerate's
    follows (library/train_util.py, prepare_accelerator, gives it to Accelerator anyway). `free_port` finds a port for
    several processes on one machine: accelerate's own, 29500, serves one run at a time. `gpus` counts the GPUs that
    this run sees, None where that is not known; it is only asked when all of them are to train.
    """
    findings: list[Finding] = []
    given = _by_name(settings, findings)
    written = [_argument(setting, known, findings) for setting in given.values()]
    processes = _processes(given, gpus)
    on_cpu = "cpu" in given and given["cpu"].value is True
    defaults: dict[str, Value] = {
        "config_file": config_file,
        "num_processes": processes,
        "num_machines": 1,
        "mixed_precision": trainer_precision if isinstance(trainer_precision, str) else "no",
        "dynamo_backend": "no",
        "num_cpu_threads_per_process": max(1, cores // processes) if on_cpu else min(2, cores),
    }
    if processes > 1 and not any(_is_on(given, key) for key in _LAUNCHERS):
        defaults["multi_gpu"] = True
    if processes > 1 and not any(key in given for key in _PORTS):
        defaults["main_process_port"] = free_port()
    if _machines(given) > 1 and "main_process_port" not in given and not any(_is_on(given, key) for key in _OWN_WAYS):
        defaults["main_process_port"] = _PORT
    neutral = "config_file" not in given
    own = [
        Argument(key, (f"--{key}",) if value is True else (f"--{key}={value}",), value, _KL)
        for key, value in defaults.items()
        if neutral and key not in given
    ]
    return Accelerate((*own, *(argument for argument in written if argument)), neutral, tuple(findings))


def _by_name(settings: Iterable[Setting], findings: list[Finding]) -> dict[str, Setting]:
    """The settings by their option; accelerate takes both `num-processes` and `num_processes`."""
    given: dict[str, Setting] = {}
    for setting in settings:
        name = setting.key.replace("-", "_")
        if len(setting.table) > 1:
            message, hint = f"{setting.path}: [accelerate] holds no tables.", "Write its keys directly."
            findings.append(UNKNOWN_KEY.at(str(setting.origin), message, hint))
        elif name in given and given[name].origin.path == setting.origin.path:
            message = f"accelerate.{name} is set twice: as {given[name].key} and as {setting.key}."
            hint = "Keep one of them."
            findings.append(SAME_KEY_TWICE.at(str(setting.origin), message, hint))
        else:
            given[name] = setting
    return given


def _is_on(given: Mapping[str, Setting], key: str) -> bool:
    return key in given and given[key].value is not False


def _machines(given: Mapping[str, Setting]) -> int:
    text = str(given["num_machines"].value) if "num_machines" in given else "1"
    return max(1, int(text)) if text.isdecimal() and len(text) < 10 else 1


def _processes(given: Mapping[str, Setting], gpus: Callable[[], int | None]) -> int:
    """Those of all machines together, as accelerate counts: of each as many as it has GPUs here."""
    if "num_processes" in given:
        text = str(given["num_processes"].value)
        return max(1, int(text)) if text.isdecimal() else 1
    ids = given["gpu_ids"].value if "gpu_ids" in given else None
    if (ids == "all" and not _is_on(given, "cpu")) or (ids is None and _is_on(given, "multi_gpu")):
        each = gpus() or 1
    else:
        names = ids.split(",") if isinstance(ids, str) and ids != "all" else ids if isinstance(ids, list) else []
        each = max(1, len(names))
    return each * _machines(given)


def _argument(setting: Setting, known: ScriptOptions | None, findings: list[Finding]) -> Argument | None:
    option = (known.get(setting.key) or known.by_flag(f"--{setting.key}")) if known else _any_option(setting)
    if option is None or setting.key in ("training_script", "training_script_args"):
        names = [other.name for other in known.options] if known else []
        near = nearest(setting.key, names)
        hint = f"Did you mean {near}?" if near else "accelerate launch --help lists what there is."
        message = f"accelerate launch has no option {setting.key}."
        findings.append(UNKNOWN_KEY.at(str(setting.origin), message, hint))
        return None
    try:
        if option.action == "AppendAction" and isinstance(setting.value, list):
            several = [_argument(replace(setting, value=item), known, findings) for item in setting.value]
            every = tuple(word for one in several if one for word in one.words)
            return Argument(setting.key, every, setting.value, setting.origin) if every else None
        words = words_of(option, _as_accelerate_takes_it(option, setting))
    except KlError as error:
        findings.append(PATH.at(error.where, error.message, error.hint))
        return None
    if isinstance(words, BadValue):
        findings.append(words.code.at(str(setting.origin), words.message, words.hint))
        return None
    return Argument(setting.key, words, setting.value, setting.origin) if words else None


def _as_accelerate_takes_it(option: Option, setting: Setting) -> Value:
    """A list as it splits it, true and false as its options without a type of their own read them, whole paths."""
    value = setting.value
    if isinstance(value, list) and value and not any(isinstance(item, (list, dict)) for item in value):
        return ",".join(str(item) for item in value)  # gpu_ids = [0, 1]
    if isinstance(value, bool) and not option.is_flag and option.type in (None, "str", "str_to_bool"):
        return str(value).lower()
    if isinstance(value, str) and value and option.name.endswith(_PATHS):
        return expand(value, base_folder(setting), origin=setting.origin)
    return meant_by_flag(option, setting.key.replace("-", "_"), value)


def _any_option(setting: Setting) -> Option:
    """An option that takes this value, for an accelerate whose options are not known."""
    key, switch = setting.key, isinstance(setting.value, bool)
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
