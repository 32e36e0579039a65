"""What a LoRA file says of itself, as text or JSON. The keys are those of sd-scripts and of modelspec."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from launcher.cli.labelled import labelled
from launcher.cli.render import duration, short
from launcher.cli.render_runs import bytes_as_text, time_as_text
from launcher.data.network_file import NetworkFile, network_file
from launcher.data.safetensors_header import Header
from launcher.run.maker import By, Maker

_LONGEST = 200  # letters of a value
_LONGEST_NUMBER = 18  # digits
_TAGS = 12
# What train_network.py and modelspec write, by what it is about; "ss_" is left out.
_GROUPS = {
    "trained": (
        "output_name", "steps", "max_train_steps", "epoch", "num_epochs", "training_started_at", "training_finished_at",
        "training_comment", "sd_scripts_commit_hash", "session_id", "seed",
    ),
    "network": (
        "network_module", "network_dim", "network_alpha", "network_dropout", "network_args", "scale_weight_norms",
    ),
    "base model": (
        "sd_model_name", "new_sd_model_hash", "sd_model_hash", "base_model_version", "v2", "vae_name", "new_vae_hash",
        "vae_hash", "modelspec.architecture", "modelspec.prediction_type", "clip_skip", "max_token_length",
    ),
    "learning": (
        "optimizer", "learning_rate", "unet_lr", "text_encoder_lr", "lr_scheduler", "lr_warmup_steps",
        "gradient_accumulation_steps", "gradient_checkpointing", "max_grad_norm", "mixed_precision", "full_fp16",
        "full_bf16", "fp8_base", "fp8_base_unet", "lowram", "cache_latents",
    ),
    "loss and noise": (
        "loss_type", "huber_schedule", "huber_c", "huber_scale", "min_snr_gamma", "prior_loss_weight", "noise_offset",
        "noise_offset_random_strength", "multires_noise_iterations", "multires_noise_discount", "adaptive_noise_scale",
        "ip_noise_gamma", "ip_noise_gamma_random_strength", "zero_terminal_snr", "debiased_estimation",
    ),
    "pictures": (
        "num_train_images", "num_reg_images", "num_validation_images", "num_batches_per_epoch",
        "batch_size_per_device", "total_batch_size", "resolution", "enable_bucket", "min_bucket_reso",
        "max_bucket_reso", "bucket_no_upscale", "color_aug", "flip_aug", "random_crop", "face_crop_aug_range",
    ),
    "captions": (
        "shuffle_caption", "keep_tokens", "caption_dropout_rate", "caption_dropout_every_n_epochs",
        "caption_tag_dropout_rate",
    ),
    "hashes": ("sshs_model_hash", "sshs_legacy_hash", "modelspec.hash_sha256"),
}  # fmt: skip
_IN_SHORT = ("trained", "network", "hashes")
_TOLD_APART = ("datasets", "dataset_dirs", "reg_dataset_dirs", "tag_frequency", "bucket_info")
_TIMES = ("training_started_at", "training_finished_at")
_NOTHING = ("", "None", "False")
_HOW = {
    By.PATH: "it stands in the run's directory",
    By.CONTENT: "the same file, byte for byte, is {}",
    By.RECORDED: "the run recorded this very file as {}; its directory has it no more",
    By.WEIGHTS: "the run recorded the same weights, with other metadata, as {}",
    By.METADATA: "by its name and the time of its training; the run's directory has no such file",
}


def model_as_text(
    path: Path, header: Header, sha256: str | None, maker: Maker | None, width: int = 120
) -> Iterator[str]:
    """What it is, which known run made it, and its metadata in groups; values that say nothing are left out."""
    values = {key.removeprefix("ss_"): value for key, value in header.metadata.items()}
    yield f"{path.name}: {_kind(header)}, {_size(path)}"
    yield from labelled("made by", [_made_by(maker)], width)
    yield from labelled("sha256", [sha256 or ""], width)
    if header.missing:
        yield from labelled("damaged", [f"{header.missing} bytes of its weights are missing"], width)
    if not header.metadata:
        yield from labelled("metadata", ["none: it was trained with no_metadata, or another program saved it"], width)
    grouped = {key for keys in _GROUPS.values() for key in keys}
    for label, keys in _GROUPS.items():
        yield from labelled(label, [_value(key, values[key]) for key in keys if _says(values, key)], width)
        if label == "trained":
            yield from labelled("", [_time_taken(values)], width)
        if label == "pictures":
            yield from labelled("dataset", _datasets(values), width, separator="\n")
            yield from labelled("most tags", _tags(values), width)
    others = [key for key in values if key not in grouped and key not in _TOLD_APART and _says(values, key)]
    yield from labelled("also", [_value(key, values[key]) for key in sorted(others)], width)


def metadata_in_short(metadata: Mapping[str, str], width: int) -> Iterator[str]:
    """What a model says of its training, the most wanted of it."""
    values = {key.removeprefix("ss_"): value for key, value in metadata.items()}
    for label in _IN_SHORT:
        yield from labelled(label, [_value(key, values[key]) for key in _GROUPS[label] if _says(values, key)], width)


def model_as_data(path: Path, header: Header, sha256: str | None, maker: Maker | None) -> dict[str, Any]:
    """The same as JSON holds it. `metadata` is as it stands in the file; `sha256` is null for a very large file."""
    network = network_file(header)
    return {
        "path": str(path.absolute()),
        "bytes": path.stat().st_size,
        "sha256": sha256,
        "kinds": sorted(network.kinds),
        "ranks": {str(rank): layers for rank, layers in sorted(network.ranks.items())},
        "family": None if network.family is None else network.family.value,
        "tensors": len(header.tensors),
        "missing_bytes": header.missing,
        "run": None
        if maker is None
        else {
            "name": maker.run.name,
            "directory": str(maker.run.directory),
            "by": maker.by.value,
            "path": None if maker.path is None else str(maker.path),
            "recorded_as": maker.name,
            "changed": maker.changed,
        },
        "metadata": dict(header.metadata),
    }


def _kind(header: Header) -> str:
    network: NetworkFile = network_file(header)
    dtypes = "/".join(sorted({tensor.dtype for tensor in header.tensors.values()}))
    what = "/".join(sorted(network.kinds)) or "no LoRA that kl knows"
    ranks = "/".join(str(rank) for rank in sorted(network.ranks)[:4])
    family = f" for {network.family.value}" if network.family is not None else ""
    return f"{what}{family}{f' of rank {ranks}' if ranks else ''}, {len(header.tensors)} tensors, {dtypes or 'no type'}"


def _size(path: Path) -> str:
    return bytes_as_text(path.stat().st_size)


def _made_by(maker: Maker | None) -> str:
    if maker is None:
        return "no run that kl knows of"
    place = short(maker.path) if maker.path is not None else maker.name or "there"
    changed = ", with other weights than the run recorded" if maker.changed else ""
    return f"{maker.run.name} ({_HOW[maker.by].format(place)}{changed})"


def _says(values: Mapping[str, str], key: str) -> bool:
    return values.get(key, "") not in _NOTHING


def _value(key: str, value: str) -> str:
    if key in _TIMES:
        value = time_as_text(_float(value)) or value
    if value == "True":
        return key
    return f"{key}={value if len(value) <= _LONGEST else value[:_LONGEST] + '…'}"


def _time_taken(values: Mapping[str, str]) -> str:
    started, finished = (_float(values.get(key, "")) for key in _TIMES)
    taken = None if started is None or finished is None else finished - started
    return "" if taken is None or not 0 <= taken < 1e9 else f"training took {duration(taken)}"


def _datasets(values: Mapping[str, str]) -> Iterator[str]:
    """A line for each folder: its pictures, repeats, and the size that they were trained at."""
    told = False
    for dataset in _list(_parsed(values.get("datasets"))):
        size, batch = dataset.get("resolution"), dataset.get("batch_size_per_device")
        resolution = "×".join(map(str, size)) if isinstance(size, list) else size
        for subset in _list(dataset.get("subsets")):
            folder = subset.get("image_dir") or subset.get("metadata_file")
            pictures = f"{subset.get('img_count')} pictures × {subset.get('num_repeats')}"
            told = True
            yield _short(f"{folder}: {pictures}, at {resolution}, batches of {batch}")
    for key in () if told else ("dataset_dirs", "reg_dataset_dirs"):
        folders = _parsed(values.get(key))
        for folder, each in folders.items() if isinstance(folders, dict) else ():
            if isinstance(each, dict):
                kind = " for regularization" if key == "reg_dataset_dirs" else ""
                yield _short(f"{folder}: {each.get('img_count')} pictures × {each.get('n_repeats')}{kind}")


def _tags(values: Mapping[str, str]) -> list[str]:
    found = _parsed(values.get("tag_frequency"))
    counts = Counter[str]()
    for tags in found.values() if isinstance(found, dict) else ():
        for tag, count in tags.items() if isinstance(tags, dict) else ():
            counts[tag.strip()] += count if isinstance(count, int) else 0
    return [_short(f"{tag} ({count})") for tag, count in counts.most_common(_TAGS)]


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _list(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _parsed(text: str | None) -> Any:
    """A value that is JSON itself; None where it is not. Anybody may have written it."""
    try:
        # Without `parse_int`, older Pythons take minutes for a number of a million digits.
        return json.loads(text or "", parse_int=lambda digits: int(digits) if len(digits) <= _LONGEST_NUMBER else -1)
    except (ValueError, RecursionError):
        return None


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
