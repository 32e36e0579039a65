"""The dataset config and the sample prompts of a run: where they come from, and as they are put beside it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from launcher.base.errors import KlError
from launcher.base.findings import Finding
from launcher.base.origin import Origin, Source
from launcher.base.settings import Setting, Value
from launcher.plan.codes import FILE, NO_DATASET, PATH, SAME_KEY_TWICE, UNKNOWN_KEY, WRONG_TYPE
from launcher.plan.paths import with_whole_paths
from launcher.plan.plan import PlannedFile
from launcher.plan.prompts import prompt_lines
from launcher.plan.resolve import DATASET_TABLES, PROMPTS, Resolved
from launcher.spec.paths import expand
from launcher.trainer.options import ScriptOptions

DATASET_CONFIG, DATASET_FILE, PROMPTS_FILE = "dataset_config", "config.toml", "sample-prompts"
# The endings by which the trainer tells the forms apart: library/config_util.py, load_user_config;
# library/train_util.py, load_prompts, which leaves the prompts unset for any other.
_ENDINGS = {DATASET_CONFIG: (".toml", ".json"), PROMPTS: (".txt", ".toml", ".json")}
LARGEST = 16 * 1024 * 1024
# Other ways to name the pictures; with one of them the dataset folder's config.toml is not wanted.
_OTHER_DATASETS = ("train_data_dir", "in_json", "dataset_class")
PATH_KEYS = ("image_dir", "metadata_file", "conditioning_data_dir")  # of a subset: library/config_util.py


@dataclass(frozen=True)
class DataFiles:
    """The two files, by the option that names each to the trainer, and what is wrong with them."""

    files: dict[str, PlannedFile]
    over: dict[str, tuple[Setting, ...]]
    findings: tuple[Finding, ...]


def find_data_files(resolved: Resolved, options: ScriptOptions, dataset_folder: Path | None) -> DataFiles:
    """Take both files from what is written into a spec or from a file it names, else from the dataset's folder.

    Of the two the stronger layer wins; at one place they cannot both be used: a finding.
    """
    findings: list[Finding] = []
    files: dict[str, PlannedFile] = {}
    over: dict[str, tuple[Setting, ...]] = {}
    for option, inline in ((DATASET_CONFIG, _inline_dataset), (PROMPTS, _inline_prompts)):
        if options.get(option) is None:
            findings.extend(_unsupported(option, resolved, options))
            continue
        written = inline(resolved, findings)
        named = resolved.get(option)
        stronger = _stronger(written.origin, named.setting.origin) if written and named else None
        if written and named and stronger is None:
            message = f"{option} names a file, and the spec holds the same itself ({written.origin})."
            findings.append(SAME_KEY_TWICE.at(str(named.setting.origin), message, "Keep one of them."))
        elif written and stronger in (None, written.origin):
            if option != PROMPTS or written.content:  # sample_prompts = []: none, not even the dataset folder's
                files[option] = written
            over[option] = (named.setting, *named.over) if named else ()
        elif named:
            over[option] = named.over
            files.update(_copy(option, resolved, findings))
        else:
            files.update(_from_folder(option, resolved, dataset_folder, findings))
    return DataFiles(files, over, tuple(findings))


def files_of_folder(folder: Path) -> DataFiles:
    """Those of both files that stand in a dataset's folder."""
    findings: list[Finding] = []
    nothing_chosen = Resolved((), (), (), ())
    files = {
        option: file
        for each in (DATASET_CONFIG, PROMPTS)
        for option, file in _from_folder(each, nothing_chosen, folder, findings)
    }
    return DataFiles(files, {}, tuple(findings))


def _stronger(first: Origin, second: Origin) -> Origin | None:
    """The one of the stronger layer; None when both are of one."""
    if first.strength == second.strength:
        return None
    return first if first.strength > second.strength else second


def _inline_dataset(resolved: Resolved, findings: list[Finding]) -> PlannedFile | None:
    tables = [setting for setting in resolved.whole if setting.key in DATASET_TABLES]
    datasets = next((setting for setting in tables if setting.key == "datasets"), None)
    if datasets is None:
        for setting in tables:
            hint = "Write [[datasets]] beside it; the options of the script go into any other table."
            findings.append(NO_DATASET.at(str(setting.origin), "general is set without datasets.", hint))
        return None
    wrong = next((s for s in tables if not isinstance(s.value, list if s.key == "datasets" else dict)), None)
    if wrong or not datasets.value or not all(isinstance(entry, dict) for entry in _entries(datasets.value)):
        hint = "Write [[datasets]] with [[datasets.subsets]] below it, and [general] for what all share."
        findings.append(WRONG_TYPE.at(str(datasets.origin), "datasets is not a list of tables.", hint))
        return None
    whole = {setting.key: _whole_paths(setting.value, setting, findings) for setting in tables}
    return PlannedFile(DATASET_FILE, _as_toml(whole, datasets, findings), datasets.origin)


def _as_toml(whole: dict[str, Any], setting: Setting, findings: list[Finding]) -> bytes:
    """As the trainer's own TOML reader takes it back; that library cannot write all that it reads."""
    import toml  # noqa: PLC0415 - only runs with a dataset config need it

    try:
        text = toml.dumps(whole)
        if toml.loads(text) == whole:
            return text.encode()
    except (ValueError, TypeError, LookupError, AttributeError):
        pass
    hint = "Put the dataset config into a file of its own and name it: dataset_config."
    findings.append(WRONG_TYPE.at(str(setting.origin), "datasets holds what TOML cannot be given.", hint))
    return b""


def _inline_prompts(resolved: Resolved, findings: list[Finding]) -> PlannedFile | None:
    setting = next((setting for setting in resolved.whole if setting.key == PROMPTS), None)
    if setting is None:
        return None
    text, wrong = prompt_lines(setting)
    findings.extend(wrong)
    return PlannedFile(f"{PROMPTS_FILE}.txt", text.encode(), setting.origin)


def _whole_paths(value: Value, setting: Setting, findings: list[Finding]) -> Any:
    base = setting.origin.path.parent if setting.origin.path else Path.cwd()
    if isinstance(value, list):
        return [_whole_paths(item, setting, findings) for item in value]
    if not isinstance(value, dict):
        return value
    whole: dict[str, Any] = {}
    for key, item in value.items():
        if key in PATH_KEYS and isinstance(item, str):
            try:
                whole[key] = expand(item, base, origin=setting.origin)
            except KlError as error:
                findings.append(PATH.at(error.where, error.message, error.hint))
        elif item is None:
            findings.append(WRONG_TYPE.at(str(setting.origin), f"{key} in {setting.key} has no value."))
        else:
            whole[key] = _whole_paths(item, setting, findings)
    return whole


def _entries(value: Value) -> list[Value]:
    return value if isinstance(value, list) else []


def _copy(option: str, resolved: Resolved, findings: list[Finding]) -> Iterator[tuple[str, PlannedFile]]:
    chosen = resolved.get(option)
    if chosen is None:
        return
    try:
        path = with_whole_paths(chosen.option, chosen.setting)
    except KlError as error:
        findings.append(PATH.at(error.where, error.message, error.hint))
        return
    if isinstance(path, str) and path:
        yield from _read(option, Path(path), chosen.setting.origin, findings)
    else:
        message = f"{option} names no file."
        findings.append(WRONG_TYPE.at(str(chosen.setting.origin), message, "Give the path of one file."))


def _from_folder(
    option: str, resolved: Resolved, folder: Path | None, findings: list[Finding]
) -> Iterator[tuple[str, PlannedFile]]:
    if folder is None or (option == DATASET_CONFIG and any(resolved.get(name) for name in _OTHER_DATASETS)):
        return
    name = DATASET_FILE if option == DATASET_CONFIG else f"{PROMPTS_FILE}.txt"
    path = folder / name
    if os.path.lexists(path):
        origin = Origin(Source.DATASET_FOLDER, f"{name} of the dataset folder", path)
        yield from _read(option, path, origin, findings)


def _read(option: str, path: Path, origin: Origin, findings: list[Finding]) -> Iterator[tuple[str, PlannedFile]]:
    suffix = path.suffix.lower()
    name = f"{PROMPTS_FILE if option == PROMPTS else Path(DATASET_FILE).stem}{suffix}"
    if suffix not in _ENDINGS[option]:
        hint = "The trainer tells the forms apart by the file's ending."
        message = f"{option}: {path} ends with none of {', '.join(_ENDINGS[option])}."
        findings.append(FILE.at(str(origin), message, hint))
        return
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode) or about.st_size > LARGEST:
            why = "is not a file" if not stat.S_ISREG(about.st_mode) else "is larger than 16 MiB"
            findings.append(FILE.at(str(origin), f"{option}: {path} {why}.", "Give the right file."))
            return
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "cannot be read").lower()
        findings.append(FILE.at(str(origin), f"{option}: {path}: {reason}.", "Correct the path."))
        return
    yield option, PlannedFile(name, content, replace(origin), path)


def _unsupported(option: str, resolved: Resolved, options: ScriptOptions) -> Iterator[Finding]:
    """The script has no such option, so what the spec holds for it cannot reach the trainer."""
    for setting in resolved.whole:
        if setting.key == option or (option == DATASET_CONFIG and setting.key in DATASET_TABLES):
            message = f"{options.script} has no option {option}, so {setting.key} cannot reach it."
            yield UNKNOWN_KEY.at(str(setting.origin), message, "Remove it, or use another script.")
