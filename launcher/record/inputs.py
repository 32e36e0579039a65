"""What training reads besides its pictures: base model, VAE, text encoders, weights to start from, states, presets.

An input is any value of the trainer's options that names a file or folder which is there, whatever the option's name:
no list of names would be that of every release.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from launcher.data.model_files import cached_snapshot
from launcher.plan.paths import may_be_on_hub
from launcher.record.hashes import HashError, Stop, file_hash, files_below, folder_hash, never
from launcher.record.manifest import InputRecord, OptionRecord
from launcher.spec.paths import looks_like_hub_id

# What the trainer writes, and what it only keeps for itself: names of options of v0.5 to today.
_WRITTEN = {
    "output_dir", "output_config", "logging_dir", "log_prefix", "console_log_file", "offload_optimizer_nvme_path",
    "offload_param_nvme_path",
}  # fmt: skip
_OF_CACHES = re.compile(r"(^|_)cache_dir$")
# The pictures are recorded one by one, and dataset config and prompts as the run's own copies.
_OF_DATASET = {"train_data_dir", "reg_data_dir", "conditioning_data_dir", "in_json", "dataset_config", "sample_prompts"}
_NAMES_A_FILE = re.compile(r"[/\\]|\.\w+$")
_LONGEST = 4096  # letters of a path
_MOST_FILES = 2_000  # of a folder that is listed before the training
_PATIENCE = 0.05  # seconds that listing the folders may take then


def inputs_of(
    options: Iterable[OptionRecord],
    directory: Path,
    checkout: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> tuple[InputRecord, ...]:
    """The inputs that options name, by path, size and time: nothing is read yet.

    `directory` is the run's: what stands in it, or has it inside, is no input. Relative paths are taken from
    `checkout`, where the trainer runs. `environ` says where the hub's cache is.
    """
    variables = os.environ if environ is None else environ
    deadline = time.monotonic() + _PATIENCE
    found: dict[tuple[str, str], InputRecord] = {}
    for option in options:
        if option.name in _WRITTEN or option.name in _OF_DATASET or _OF_CACHES.search(option.name):
            continue
        for text in _texts(option.value):
            record = _input(option, text, directory, checkout, deadline) or _of_hub(option, text, variables)
            if record is not None:
                found.setdefault((record.option, record.path), record)
    return tuple(found.values())


def hashed_input(
    record: InputRecord, stop: Stop = never, environ: Mapping[str, str] | None = None, *, remembered: bool = True
) -> InputRecord:
    """The input with its hashes, or with the problem why there are none; a model on the hub with its commit.

    Raises Stopped.
    """
    if record.revision or not os.path.isabs(record.path):  # noqa: PTH117 - a text
        snapshot = cached_snapshot(record.path, os.environ if environ is None else environ)
        problem = None if snapshot else "is not in the hub's cache"
        return replace(record, revision=snapshot.name if snapshot else record.revision, problem=problem)
    path = Path(record.path)
    try:
        if path.is_dir():
            found = folder_hash(path, stop, remembered=remembered)
        else:
            found = file_hash(path, stop, remembered=remembered)
    except HashError as error:
        return replace(record, sha256=None, short_hash=None, problem=str(error))
    return replace(
        record,
        size=found.size,
        modified=found.modified / 1e9,
        sha256=found.sha256,
        short_hash=found.short or None,
        problem=None,
    )


def _texts(value: object) -> Iterator[str]:
    """Every text in an option's value: of a list, of key=value items, of a table."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str) and 0 < len(value) <= _LONGEST and "\0" not in value:
        yield value
        key, equals, rest = value.partition("=")
        if equals and key.isidentifier():
            yield rest


def _input(
    option: OptionRecord, text: str, directory: Path, checkout: Path | None, deadline: float
) -> InputRecord | None:
    if not os.path.isabs(text) and (checkout is None or not _NAMES_A_FILE.search(text)):  # noqa: PTH117 - a text
        return None
    path = os.path.normpath(os.path.join(checkout or "/", text))  # noqa: PTH118 - a text
    try:
        status = os.stat(path)  # noqa: PTH116 - a text
    except (OSError, ValueError):
        return None
    if _is_of_run(path, str(directory)):
        return None
    record = InputRecord(option.name, path, status.st_size, _seconds(status))
    if stat.S_ISDIR(status.st_mode):
        return _folder(record, deadline)
    return record if stat.S_ISREG(status.st_mode) else replace(record, size=None, problem="is not a file")


def _is_of_run(path: str, directory: str) -> bool:
    """Whether a path is in the run directory, or has it inside as an output root does."""
    return f"{path}/".startswith(f"{directory}/") or f"{directory}/".startswith(f"{path.rstrip('/')}/")


def _folder(record: InputRecord, deadline: float) -> InputRecord:
    """The folder with its size, unless there is so much in it that this would hold up the training."""
    size, newest = 0, 0.0
    try:
        for found in files_below(Path(record.path), _MOST_FILES):
            if time.monotonic() > deadline:
                return replace(record, size=None)
            size += found.status.st_size
            newest = max(newest, _seconds(found.status))
    except HashError:
        return replace(record, size=None)
    return replace(record, size=size, modified=newest)


def _seconds(status: os.stat_result) -> float:
    """When it was last written, as it is worked out of nanoseconds later: st_mtime is rounded otherwise."""
    return status.st_mtime_ns / 1e9


def _of_hub(option: OptionRecord, text: str, environ: Mapping[str, str]) -> InputRecord | None:
    """A model that is named by its repository on the hub."""
    if option.command != "trainer" or not may_be_on_hub(option.name) or not looks_like_hub_id(text):
        return None
    snapshot = cached_snapshot(text, environ)
    return InputRecord(option.name, text, revision=snapshot.name if snapshot else None)
