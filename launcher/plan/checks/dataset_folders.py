"""Datasets without a dataset config: folders named `10_name`, a metadata file, or pictures with their conditions.

The trainer makes a config of the options itself (train_network.py, NetworkTrainer.train, and its like), and this does
the same.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launcher.base.findings import Code, Finding, Severity
from launcher.base.words import some_of
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.dataset_ignored import IGNORED
from launcher.trainer.dataset_script import ScriptDatasets

FOLDERS = Code(
    "dataset-folders",
    Severity.ERROR,
    "The trainer takes pictures from folders named REPEATS_NAME below train_data_dir and reg_data_dir, as 10_fox. "
    "Others it passes over; without any it says that there is no data, and ends with exit status 0.",
    "library/config_util.py, generate_dreambooth_subsets_config_by_subdirs",
)
GENERATED = Code(
    "dataset-options",
    Severity.ERROR,
    "The trainer makes a dataset config of the options that name pictures, and refuses it as it would refuse one that "
    "was written: when an option is missing, or when the script does not take this kind of dataset.",
    "train_network.py, NetworkTrainer.train; library/config_util.py, ConfigSanitizer",
    can_be_allowed=False,
)
_MOST_NAMED = 5  # folders that one message lists


@dataclass(frozen=True)
class Generated:
    """The config that the trainer makes of options. `where` is the place of the option that leads to it."""

    config: Mapping[str, Any] | None
    where: str | None
    findings: tuple[Finding, ...] = ()


def generated_config(candidate: Candidate, script: ScriptDatasets) -> Generated | None:
    """What the trainer makes of the options; None when no option names pictures, or the script cannot be read."""
    if script.metadata and (not script.folders or candidate.chosen("in_json")):
        return _of_metadata(candidate, script)
    if script.folders and candidate.chosen(script.folders[0]):
        return _of_folders(candidate, script)
    if script.controlnet and candidate.chosen(script.controlnet[0]):
        return _of_controlnet(candidate, script)
    return None


def _of_metadata(candidate: Candidate, script: ScriptDatasets) -> Generated | None:
    folder, file = script.metadata
    if candidate.path(file) is None:
        return None
    if candidate.path(folder) is None:
        return _missing(candidate, file, folder)
    subset = {"image_dir": str(candidate.path(folder)), "metadata_file": str(candidate.path(file))}
    ignored = tuple(
        IGNORED.at(candidate.where(option), f"{option} is ignored: {file} names the pictures.", "Remove one of them.")
        for option in script.folders
        if option != folder and candidate.chosen(option)
    )
    return Generated({"datasets": [{"subsets": [subset]}]}, candidate.where(file), ignored)


def _missing(candidate: Candidate, option: str, missing: str) -> Generated | None:
    if candidate.chosen(missing):
        return None  # a path that cannot be made whole, which is said already
    message = f"{option} needs {missing} beside it."
    return Generated(None, None, (GENERATED.at(candidate.where(option), message, f"Set {missing}."),))


def _of_controlnet(candidate: Candidate, script: ScriptDatasets) -> Generated | None:
    folder, *others = script.controlnet
    image_dir = candidate.path(folder)
    if image_dir is None or not image_dir.is_dir():
        return _no_folder(candidate, folder, image_dir)
    subset: dict[str, Any] = {"image_dir": str(image_dir), "num_repeats": 1}
    for option in others:
        if option.endswith("_dir") and candidate.path(option) is None:
            return _missing(candidate, folder, option)
        subset[option] = candidate.value(option) if not option.endswith("_dir") else str(candidate.path(option))
    return Generated({"datasets": [{"subsets": [subset]}]}, candidate.where(folder))


def _of_folders(candidate: Candidate, script: ScriptDatasets) -> Generated | None:
    subsets: list[dict[str, Any]] = []
    findings: list[Finding] = []
    for index, option in enumerate(script.folders[:2]):
        if not candidate.chosen(option):
            continue
        folder = candidate.path(option)
        if folder is None or not folder.is_dir():
            missing = _no_folder(candidate, option, folder)
            if missing is None:
                return None
            findings += missing.findings
            continue
        found, other = _repeated(folder)
        subsets += [
            {"image_dir": path, "num_repeats": repeats, "is_reg": index == 1, "class_tokens": tokens}
            for path, repeats, tokens in found
        ]
        findings += _said_of(candidate, option, folder, found, other)
    config = {"datasets": [{"subsets": subsets}]} if any(not subset["is_reg"] for subset in subsets) else None
    return Generated(config, candidate.where(script.folders[0]), tuple(findings))


def _no_folder(candidate: Candidate, option: str, folder: Path | None) -> Generated | None:
    if folder is None:
        return None
    message = f"{option}: there is no folder {folder}."
    return Generated(None, candidate.where(option), (FOLDERS.at(candidate.where(option), message, "Correct it."),))


def _repeated(folder: Path) -> tuple[list[tuple[str, int, str]], list[str]]:
    """The folders that count, with repeats and words, and the names of those that do not."""
    found: list[tuple[str, int, str]] = []
    other: list[str] = []
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    except OSError:
        names = []
    for name in names:
        first, _, tokens = name.partition("_")
        try:
            repeats = int(first)
        except ValueError:
            repeats = 0
        if repeats < 1:
            other.append(name)
        else:
            found.append((str(folder / name), repeats, tokens))
    return found, [name for name in other if not name.startswith(".")]


def _said_of(
    candidate: Candidate, option: str, folder: Path, found: list[tuple[str, int, str]], other: list[str]
) -> list[Finding]:
    where = candidate.where(option)
    named = some_of(other, _MOST_NAMED)
    hint = "Put the number of repeats before a folder's name, as 10_fox, with the pictures in it."
    if not found:
        beside = f"; there is {named}" if other else ""
        message = f"{option}: no folder in {folder} is named REPEATS_NAME{beside}."
        return [FOLDERS.at(where, message, hint)]
    if other:
        message = f"{option}: the trainer passes over {named}: no number of repeats begins the name."
        return [FOLDERS.at(where, message, hint, severity=Severity.WARNING)]
    return []
