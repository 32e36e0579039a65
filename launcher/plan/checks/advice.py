"""What experience says of the values that were chosen. Every piece of it can be left aside with good reason."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from launcher.base.findings import Code, Finding, Severity
from launcher.data.model_family import Family
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.model_file import size_text

DIM = Code(
    "advice-network-dim",
    Severity.ADVICE,
    "A rank of 8 to 16 for SDXL and 16 for SD 1 holds what a LoRA has to learn. More learns the pictures by heart "
    "along with their subject, and makes larger files; less cannot hold a style.",
    "kl",
)
ALPHA = Code(
    "advice-network-alpha",
    Severity.ADVICE,
    "Weights are scaled by alpha / dim. At half of dim or less the LoRA learns calmly and forgives a learning rate "
    "that is a bit too high.",
    "networks/lora.py, LoRAModule",
)
STEPS = Code(
    "advice-steps",
    Severity.ADVICE,
    "A character is learned in 3000 to 7000 steps, a style in 5000 to 10000, a composition or pose in 9000 and more. "
    "Save on the way, and take the save that looks best.",
    "kl",
)
SCHEDULER = Code(
    "advice-lr-scheduler",
    Severity.ADVICE,
    "With a constant rate the last steps change the weights as much as the first. cosine_with_restarts lets them "
    "settle, and gives a good save at the end of each cycle.",
    "library/train_util.py, get_scheduler_fix",
)
WORKERS = Code(
    "advice-data-loader-workers",
    Severity.ADVICE,
    "Two workers keep a GPU busy once latents are cached. Each further one is a process with its own memory that has "
    "to start anew in every epoch; with none the GPU waits for the pictures.",
    "train_network.py, NetworkTrainer.train",
)
FLOW_MATCHING = Code(
    "advice-flow-matching",
    Severity.ADVICE,
    "SDXL's base models predict noise, or v. There is none that was trained with flow matching, and what is trained "
    "with it on one of them fits no model that people use.",
    "kl",
)
LATENTS_ON_DISK = Code(
    "advice-latents-on-disk",
    Severity.ADVICE,
    "Latents are small, and memory holds those of thousands of pictures. On disk they leave a file beside every "
    "picture, which is read again in every epoch and goes stale when a picture changes.",
    "library/train_util.py, cache_batch_latents",
)
_RANKS = {Family.SDXL: (8, 16), Family.SD1: (16, 16)}
_BY_RANK = ("networks.lora", "networks.lora_fa", "networks.dylora")
_FEWEST_STEPS = 3000
_OWN_SCHEDULE = ("prodigy", "dadapt", "adafactor", "schedulefree", "schedule_free")  # these set their rate themselves
_MANY_WORKERS = 2
_DEFAULT_DIM = 4
_FLOW_OPTIONS = ("timestep_sampling", "model_prediction_type")
_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".jxl", ".avif")
_MOST_FILES = 20_000
_LATENT_BYTES = 1  # a pixel's share at most: 16 channels of four bytes for 8 × 8 pixels; SD 1 and SDXL have 4
_SPARE = 8  # of the memory the latents may take one part in so many: models and pictures need theirs


def check_advice(candidate: Candidate, family: Family | None, steps: int | None) -> Iterator[Finding]:
    """Advice on a network's training. `family` is the base model's, `steps` how long it trains, where known."""
    if not candidate.value("network_module"):
        return
    yield from _dim_and_alpha(candidate, family)
    yield from _steps(candidate, steps)
    yield from _scheduler(candidate)
    yield from _workers(candidate)
    if family is Family.SDXL:
        yield from _flow_matching(candidate)
    yield from _latents(candidate)


def _dim_and_alpha(candidate: Candidate, family: Family | None) -> Iterator[Finding]:
    items = {key: item.text for key, item in candidate.items("network_args").items()}
    algo = items.get("algo", "lora").lower() if candidate.value("network_module") == "lycoris.kohya" else None
    means_rank = algo in ("lora", "locon") or candidate.value("network_module") in _BY_RANK
    dim, alpha = candidate.value("network_dim"), candidate.value("network_alpha")
    if not means_rank or candidate.value("dim_from_weights") is True or not isinstance(dim, int | None):
        return
    rank = _DEFAULT_DIM if dim is None else dim
    low, high = _RANKS.get(family, (rank, rank)) if family else (rank, rank)
    if family and not low <= rank <= high and "block_dims" not in items:
        usual = f"{low} to {high}" if low < high else str(low)
        said = f"network_dim is {dim}" if dim is not None else f"network_dim is not set, which means {rank}"
        message = f"{said}; for {family.value} {usual} has served best."
        yield DIM.at(candidate.where("network_dim"), message, f"Set network_dim = {high}." if rank > high else None)
    if isinstance(alpha, (int, float)) and items.get("rs_lora", "").lower() != "true":
        scaled = rank if alpha == 0 else alpha  # networks/lora.py, LoRAModule: no alpha is that of the rank
        if scaled > rank / 2 and candidate.chosen("network_alpha"):
            message = f"network_alpha is {alpha:g}, more than half of network_dim ({rank})."
            yield ALPHA.at(candidate.where("network_alpha"), message, f"Set network_alpha = {rank / 2:g}, or less.")


def _steps(candidate: Candidate, steps: int | None) -> Iterator[Finding]:
    if steps is None:
        return
    pictures = steps * _batch(candidate)
    if pictures < _FEWEST_STEPS:
        message = f"{steps} steps are few: a character takes 3000 to 7000, a style 5000 to 10000, a pose 9000 and more."
        yield STEPS.at(candidate.where("max_train_steps"), message)


def _batch(candidate: Candidate) -> int:
    """How many pictures each step sees: a step with four pictures counts as four."""
    sizes = [candidate.value("train_batch_size")]
    if candidate.blueprint:
        sizes += [dataset.params.get("batch_size") for dataset in candidate.blueprint.datasets]
    accumulated = candidate.value("gradient_accumulation_steps")
    largest = max((size for size in sizes if isinstance(size, int) and size > 0), default=1)
    return largest * (accumulated if isinstance(accumulated, int) and accumulated > 0 else 1)


def _scheduler(candidate: Candidate) -> Iterator[Finding]:
    name, optimizer = candidate.value("lr_scheduler"), str(candidate.value("optimizer_type") or "").lower()
    if name not in ("constant", "constant_with_warmup") or candidate.value("lr_scheduler_type"):
        return
    if not any(word in optimizer for word in _OWN_SCHEDULE):
        message = f"lr_scheduler is {name}."
        hint = 'Try lr_scheduler = "cosine_with_restarts"'
        hint += " with lr_scheduler_num_cycles." if candidate.has("lr_scheduler_num_cycles") else "."
        yield SCHEDULER.at(candidate.where("lr_scheduler"), message, hint)


def _workers(candidate: Candidate) -> Iterator[Finding]:
    number, where = candidate.value("max_data_loader_n_workers"), candidate.where("max_data_loader_n_workers")
    if isinstance(number, int) and (number > _MANY_WORKERS or number == 0):
        message = f"max_data_loader_n_workers is {number}{'' if where else ' when it is not set'}."
        yield WORKERS.at(where, message, "Set max_data_loader_n_workers = 2.")


def _flow_matching(candidate: Candidate) -> Iterator[Finding]:
    chosen = [entry.setting for entry in candidate.resolved.chosen]
    for setting in (*chosen, *candidate.resolved.unknown):
        if ("flow" in setting.key or setting.key in _FLOW_OPTIONS) and setting.value not in (False, None):
            message = f"{setting.key} is for models trained with flow matching, and SDXL is none."
            yield FLOW_MATCHING.at(str(setting.origin), message, f"Remove {setting.key}.")
            return


def _latents(candidate: Candidate) -> Iterator[Finding]:
    if candidate.value("cache_latents_to_disk") is not True:
        return
    needed = _latent_bytes(candidate)
    if needed is None:
        return
    if needed < _memory() / _SPARE:
        message = f"cache_latents_to_disk is set, and memory holds the latents: at most {size_text(needed)}."
        yield LATENTS_ON_DISK.at(candidate.where("cache_latents_to_disk"), message, "Set cache_latents = true instead.")


def _latent_bytes(candidate: Candidate) -> int | None:
    """What the latents of all pictures take in memory; None where the pictures are not known."""
    if candidate.blueprint is None:
        return None
    total = 0
    for dataset in candidate.blueprint.datasets:
        size = dataset.params.get("resolution")
        width, height = size if isinstance(size, (tuple, list)) and len(size) == 2 else (size, size)
        if not isinstance(width, int) or not isinstance(height, int):
            return None
        for subset in dataset.subsets:
            pictures = _pictures(candidate.trainer.checkout, subset.params.get("image_dir"))
            if pictures is None:
                return None
            total += pictures * width * height * _LATENT_BYTES * (2 if subset.params.get("flip_aug") else 1)
    return total or None


def _pictures(base: Path, folder: object) -> int | None:
    """How many pictures a folder has; None when it cannot be read, or has more than are worth counting."""
    if not isinstance(folder, (str, Path)):
        return None
    try:
        names = [entry.name for entry in islice((base / folder).iterdir(), _MOST_FILES)]
    except (OSError, ValueError):
        return None
    return sum(name.lower().endswith(_PICTURES) for name in names) if len(names) < _MOST_FILES else None


def _memory() -> int:
    """The bytes of this machine's memory; 0 where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return 0
