"""What a run, or a plan, trains on: its dataset listed as the trainer would list it now."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from launcher.plan.plan import Plan
from launcher.record.dataset import DatasetListing
from launcher.record.dataset_folders import extensions_of, list_folders
from launcher.record.dataset_subsets import read_config, subsets_of
from launcher.record.manifest import Manifest, OptionRecord

_CONFIG = "dataset_config"


def dataset_of_run(directory: Path, manifest: Manifest) -> DatasetListing:
    """What a run trains on now: by the copy of its dataset config, or by its options. Nothing is hashed."""
    option = next((each.value for each in manifest.options if each.name == _CONFIG and isinstance(each.value, str)), "")
    # The trainer was given the copy; a run that was moved has it at another place.
    own = directory / Path(option).name
    path = own if option and own.is_file() else Path(option)
    content = _read(path) if option else None
    checkout = Path(manifest.trainer.checkout)
    return _listed(manifest.options, path.name, content, checkout, Path(manifest.python))


def dataset_of_plan(plan: Plan, options: Iterable[OptionRecord]) -> DatasetListing:
    """What a plan with these options would train on. Nothing is hashed."""
    given = tuple(options)
    name = next((Path(each.value).name for each in given if each.name == _CONFIG and isinstance(each.value, str)), "")
    content = next((file.content for file in plan.files if file.name == name), None)
    return _listed(given, name, content, plan.trainer.checkout, plan.environment.python)


def _listed(
    options: Iterable[OptionRecord], name: str, content: bytes | None, checkout: Path, python: Path
) -> DatasetListing:
    values = {option.name: option.value for option in options if option.command == "trainer"}
    if values.get("dataset_class"):
        return DatasetListing(problems=("its files are known to the dataset_class alone",))
    config, problem = read_config(name, content) if name else (None, None)
    if problem:
        return DatasetListing(problems=(problem,))
    folders, problems = list_folders(subsets_of(values, config, checkout), extensions_of(checkout, python))
    return DatasetListing(folders, (), problems)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.is_file() else None
    except OSError:
        return None
