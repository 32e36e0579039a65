"""Rules about processes: the data loader's, those that accelerate starts, DeepSpeed's; and what leaves the GPU."""

from __future__ import annotations

from launcher.base.findings import Severity
from launcher.base.origin import Source
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.rules.loop import loop_file, loop_says, whole
from launcher.plan.checks.rules.rule import Rule, Said, rule
from launcher.plan.plan import Argument
from launcher.trainer.source_text import Evidence

_LOOP = "train_network.py, train"
_ACCELERATOR = "library/train_util.py, prepare_accelerator"
_DEEPSPEED = "library/deepspeed_utils.py"
_PERSISTENT = r"persistent_workers=args\.persistent_data_loader_workers"
_PRECISION = Evidence("library/train_util.py", "prepare_accelerator", (r"mixed_precision=args\.mixed_precision",))
_DYNAMO = Evidence(
    "library/train_util.py",
    "prepare_accelerator",
    (r"if args\.torch_compile: dynamo_backend = args\.dynamo_backend", r"dynamo_backend=dynamo_backend"),
)
_DDP = Evidence("library/train_util.py", "prepare_accelerator", (r"args\.ddp_",))
_DEEPSPEED_OFF = Evidence(_DEEPSPEED, "prepare_deepspeed_plugin", (r"if not args\.deepspeed: return None",))
_DEEPSPEED_OPTIONS = (
    "zero_stage", "offload_optimizer_device", "offload_optimizer_nvme_path", "offload_param_device",
    "offload_param_nvme_path", "zero3_init_flag", "zero3_save_16bit_model", "fp16_master_weights_and_gradients",
)  # fmt: skip
_ONLY_STAGE_3 = ("offload_param_device", "offload_param_nvme_path", "zero3_init_flag", "zero3_save_16bit_model")
# Ways to start processes that tell each how many there are (accelerate/commands/launch.py, launch_command).
_LAUNCHERS = ("multi_gpu", "use_deepspeed", "use_fsdp", "use_megatron_lm", "use_tp", "tpu")
# The model that a network script trains, for those that have no other with the method in their own files.
_MODELS = {
    "train_network.py": "library/original_unet.py",
    "sdxl_train_network.py": "library/sdxl_original_unet.py",
    "sd3_train_network.py": "library/sd3_models.py",
}


@rule(
    "persistent-workers",
    Severity.ERROR,
    "torch keeps workers only where there are some: the trainer fails once the latents are cached.",
    f"{_LOOP}; torch/utils/data/dataloader.py, DataLoader",
    options=("persistent_data_loader_workers", "max_data_loader_n_workers"),
)
def _persistent(candidate: Candidate) -> Said | None:
    none = candidate.value("max_data_loader_n_workers") == 0 and not candidate.value("deepspeed")
    if candidate.value("persistent_data_loader_workers") is not True or not none:
        return None
    if not loop_says(candidate, _PERSISTENT):
        return None
    message = "persistent_data_loader_workers needs workers, and max_data_loader_n_workers is 0."
    return Said(message, "Give max_data_loader_n_workers from 1 on, or leave the other out.")


@rule(
    "data-loader-workers",
    Severity.ERROR,
    "torch takes no number of workers below 0: the trainer fails once the latents are cached.",
    f"{_LOOP}; torch/utils/data/dataloader.py, DataLoader",
    options=("max_data_loader_n_workers",),
)
def _workers(candidate: Candidate) -> Said | None:
    workers = whole(candidate, "max_data_loader_n_workers")
    if workers is None or workers >= 0 or candidate.value("deepspeed"):
        return None
    if not loop_says(candidate, r"n_workers = min\(args\.max_data_loader_n_workers, "):
        return None
    return Said(f"max_data_loader_n_workers = {workers} is below 0.", "0 loads pictures in the training process.")


@rule(
    "accelerate-precision",
    Severity.WARNING,
    "The trainer gives its own mixed_precision to accelerate, and that of accelerate launch has no effect.",
    _ACCELERATOR,
    _PRECISION,
    options=("mixed_precision",),
)
def _accelerate_precision(candidate: Candidate) -> Said | None:
    flag, own = _by_user(candidate, "mixed_precision"), candidate.value("mixed_precision")
    if flag is None or not isinstance(own, str) or flag.value == own:
        return None
    message = f"accelerate.mixed_precision = {flag.value!r} has no effect: the trainer's is {own!r}."
    hint = f"Set mixed_precision = {flag.value!r} among the trainer's options, if that is meant."
    return Said(message, hint, place=str(flag.origin))


@rule(
    "accelerate-dynamo",
    Severity.WARNING,
    "The trainer gives accelerate its own choice of torch.compile, and that of accelerate launch has no effect.",
    _ACCELERATOR,
    _DYNAMO,
    options=("torch_compile", "dynamo_backend"),
)
def _accelerate_dynamo(candidate: Candidate) -> Said | None:
    flag = _by_user(candidate, "dynamo_backend")
    own = candidate.value("dynamo_backend") if candidate.value("torch_compile") else "no"
    if flag is None or str(flag.value).lower() == str(own).lower():
        return None
    message = f"accelerate.dynamo_backend = {flag.value!r} has no effect: the trainer sets {own!r}."
    hint = "torch_compile = true and dynamo_backend among the trainer's options turn it on."
    return Said(message, hint, place=str(flag.origin))


@rule(
    "dynamo-backend",
    Severity.WARNING,
    "dynamo_backend only says how torch.compile compiles.",
    _ACCELERATOR,
    _DYNAMO,
    options=("torch_compile", "dynamo_backend"),
)
def _dynamo_backend(candidate: Candidate) -> Said | None:
    if not candidate.chosen("dynamo_backend") or candidate.value("torch_compile"):
        return None
    return Said("dynamo_backend has no effect without torch_compile.", "Set torch_compile = true.", "dynamo_backend")


@rule(
    "one-process",
    Severity.WARNING,
    "These options are those of several processes that train together.",
    _ACCELERATOR,
    _DDP,
    options=("ddp_timeout",),
)
def _one_process(candidate: Candidate) -> Said | None:
    options = ("ddp_timeout", "ddp_gradient_as_bucket_view", "ddp_static_graph")
    given = next((option for option in options if candidate.chosen(option) and candidate.value(option)), None)
    if given is None or not _one_alone(candidate) or "WORLD_SIZE" in candidate.environ:
        return None
    return Said(f"{given} has no effect: one process trains.", "accelerate.num_processes says how many.", given)


@rule(
    "deepspeed-missing",
    Severity.ERROR,
    "The trainer ends where it imports deepspeed, after it has read the dataset.",
    f"{_DEEPSPEED}, prepare_deepspeed_plugin",
    Evidence(_DEEPSPEED, "prepare_deepspeed_plugin", (r"import deepspeed",)),
    options=("deepspeed",),
)
def _deepspeed_missing(candidate: Candidate) -> Said | None:
    if candidate.value("deepspeed") is not True or not candidate.packages.known or candidate.packages.find("deepspeed"):
        return None
    message = f"deepspeed is set, and {candidate.environment.label} does not have it."
    return Said(message, "Install deepspeed there, or leave the option out.")


@rule(
    "deepspeed-launch",
    Severity.ERROR,
    "The trainer asks the environment how many processes there are (WORLD_SIZE). accelerate sets that only where it "
    "starts them for several GPUs or for DeepSpeed; else the trainer fails.",
    f"{_DEEPSPEED}, prepare_deepspeed_plugin",
    Evidence(_DEEPSPEED, "prepare_deepspeed_plugin", (r'int\(os\.environ\["WORLD_SIZE"\]\)',)),
    options=("deepspeed",),
)
def _deepspeed_launch(candidate: Candidate) -> Said | None:
    if candidate.value("deepspeed") is not True or "WORLD_SIZE" in candidate.environ:
        return None
    if not _kls_configuration(candidate) or _has_any(candidate, _LAUNCHERS):
        return None
    message = "deepspeed is set, and accelerate launch is not told to start processes for it."
    return Said(message, "Set use_deepspeed = true in [accelerate].")


@rule(
    "deepspeed-options",
    Severity.WARNING,
    "These options only reach DeepSpeed.",
    f"{_DEEPSPEED}, prepare_deepspeed_plugin",
    _DEEPSPEED_OFF,
    options=("deepspeed",),
)
def _deepspeed_options(candidate: Candidate) -> Said | None:
    given = next((name for name in _DEEPSPEED_OPTIONS if candidate.chosen(name) and candidate.value(name)), None)
    if given is None or candidate.value("deepspeed"):
        return None
    return Said(f"{given} has no effect without deepspeed.", "Set deepspeed = true, or leave it out.", given)


@rule(
    "deepspeed-stage",
    Severity.WARNING,
    "Parameters are only divided and moved away in stage 3 of ZeRO.",
    f"{_DEEPSPEED}, add_deepspeed_arguments",
    _DEEPSPEED_OFF,
    options=("deepspeed", "zero_stage"),
)
def _deepspeed_stage(candidate: Candidate) -> Said | None:
    stage = candidate.value("zero_stage")
    given = next((name for name in _ONLY_STAGE_3 if candidate.chosen(name) and candidate.value(name)), None)
    if given is None or candidate.value("deepspeed") is not True or stage == 3:
        return None
    return Said(f"{given} has no effect with zero_stage = {stage}.", "Set zero_stage = 3.", given)


@rule(
    "cpu-offload-alone",
    Severity.WARNING,
    "cpu_offload_checkpointing says where gradient checkpointing keeps its values.",
    _LOOP,
    options=("cpu_offload_checkpointing", "gradient_checkpointing"),
)
def _offload_alone(candidate: Candidate) -> Said | None:
    if candidate.value("cpu_offload_checkpointing") is not True or candidate.value("gradient_checkpointing"):
        return None
    if loop_file(candidate) != "train_network.py" or not loop_says(
        candidate, r"if args\.gradient_checkpointing: if args\.cpu_offload_checkpointing:"
    ):
        return None
    if candidate.says(Evidence("{script}", "", (r"args\.gradient_checkpointing = True",))):
        return None
    message = "cpu_offload_checkpointing has no effect without gradient_checkpointing."
    return Said(message, "Set gradient_checkpointing = true.", "cpu_offload_checkpointing")


@rule(
    "cpu-offload-model",
    Severity.ERROR,
    "Not every model can keep values of gradient checkpointing in memory outside of the GPU: where its method does not "
    "take the argument, the trainer fails once everything is loaded.",
    f"{_LOOP}; library/original_unet.py, enable_gradient_checkpointing",
    Evidence("train_network.py", "train", (r"unet\.enable_gradient_checkpointing\(cpu_offload=True\)",)),
    options=("cpu_offload_checkpointing", "gradient_checkpointing"),
)
def _offload_model(candidate: Candidate) -> Said | None:
    both = candidate.value("cpu_offload_checkpointing") is True and candidate.value("gradient_checkpointing") is True
    model = _MODELS.get(candidate.trainer.script)
    if not both or model is None:
        return None
    methods = candidate.source.function(model, "enable_gradient_checkpointing")
    if not methods or "cpu_offload" in methods or "**" in methods:
        return None
    message = f"cpu_offload_checkpointing is nothing that the model of {candidate.trainer.script} can do."
    return Said(message, "Leave it out; gradient_checkpointing alone saves memory too.", "cpu_offload_checkpointing")


@rule(
    "swap-and-offload",
    Severity.ERROR,
    "The trainer takes one of the two ways to move a part of the model off the GPU, and stops when both are set.",
    "flux_train_network.py, assert_extra_args",
    Evidence("{script}", "", (r"args\.blocks_to_swap == 0 \) or not args\.cpu_offload_checkpointing",)),
    options=("blocks_to_swap", "cpu_offload_checkpointing"),
)
def _swap_and_offload(candidate: Candidate) -> Said | None:
    blocks = whole(candidate, "blocks_to_swap")
    if not blocks or candidate.value("cpu_offload_checkpointing") is not True:
        return None
    message = f"blocks_to_swap = {blocks} and cpu_offload_checkpointing exclude each other."
    return Said(message, "Keep one of them.", "blocks_to_swap")


def _flag(candidate: Candidate, name: str) -> Argument | None:
    """A flag of accelerate launch; None where it is not given."""
    return next((flag for flag in candidate.accelerate if flag.name.replace("-", "_") == name), None)


def _by_user(candidate: Candidate, name: str) -> Argument | None:
    """The same, where the user and not kl gave it."""
    flag = _flag(candidate, name)
    return None if flag is None or flag.origin.source is Source.KL else flag


def _has_any(candidate: Candidate, names: tuple[str, ...]) -> bool:
    flags = [_flag(candidate, name) for name in names]
    return any(flag.value for flag in flags if flag)


def _one_alone(candidate: Candidate) -> bool:
    """Whether one process on one machine is sure to be started."""
    flags = [_flag(candidate, name) for name in ("num_processes", "num_machines")]
    return all(flag is not None and str(flag.value) == "1" for flag in flags)


def _kls_configuration(candidate: Candidate) -> bool:
    """Whether accelerate reads kl's neutral configuration; of the user's own nothing is known."""
    return _flag(candidate, "config_file") is not None and _by_user(candidate, "config_file") is None


RULES: tuple[Rule, ...] = (
    _persistent,
    _workers,
    _accelerate_precision,
    _accelerate_dynamo,
    _dynamo_backend,
    _one_process,
    _deepspeed_missing,
    _deepspeed_launch,
    _deepspeed_options,
    _deepspeed_stage,
    _offload_alone,
    _offload_model,
    _swap_and_offload,
)
