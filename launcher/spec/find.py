"""Which file a run's name means, and which folder holds its dataset."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from launcher.base.errors import ExitCode, KlError
from launcher.base.nearest import nearest
from launcher.spec.names import RunName, parse_name
from launcher.spec.source_file import SUFFIXES, file_label

_MOST_NAMES = 5_000  # looked at for a suggestion


def find_spec(target: str, *, folders: Sequence[Path], datasets_root: Path) -> tuple[RunName, Path]:
    """Find the spec that `target` means: a run's name, or a file when it has a slash or a spec's suffix.

    NAME is looked for as NAME.toml|yaml|yml in every folder, in order, and last in the dataset's folder; then the
    same for the name without version and steps. A file is taken as it is named and not looked at; its stem is the
    run's name. Raises KlError (wrong usage) for a bad name, when nothing is found, and when one folder has two files
    for the same name.
    """
    if is_file_name(target):
        path = Path(os.path.expanduser(target))  # noqa: PTH111 - pathlib raises a bare RuntimeError
        stem = path.stem if path.suffix.lower() in SUFFIXES else path.name
        return parse_name(stem), path
    name = parse_name(target)
    dataset = dataset_folder(name, datasets_root)
    places = [*folders, dataset] if dataset else list(folders)
    for stem in dict.fromkeys((name.text, name.stem)):
        for folder in places:
            found = spec_in(folder, stem, code=ExitCode.USAGE)
            if found:
                return name, found
    raise _not_found(name, places, datasets_root)


def is_file_name(text: str) -> bool:
    """Whether a person who writes this means a file rather than a name."""
    return "/" in text or text.startswith(("~", "$")) or text.lower().endswith(SUFFIXES)


def dataset_folder(name: RunName, datasets_root: Path) -> Path | None:
    """The folder of the run's dataset: `DATASET-VARIANT` under the root, else `DATASET`; None when neither is there."""
    for folder in (datasets_root / name.stem, datasets_root / name.dataset):
        if os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises for what cannot be looked at
            return folder
    return None


def spec_in(folder: Path, stem: str, *, code: ExitCode, skip: Path | None = None) -> Path | None:
    """The file NAME.toml, NAME.yaml or NAME.yml in a folder; `skip` is one that does not count.

    Raises KlError with `code` when there are several, for nobody can know which one is meant.
    """
    candidates = [folder / f"{stem}{suffix}" for suffix in SUFFIXES]
    # lexists: a broken link is there, and reading it will say what is wrong with it.
    found = [path for path in candidates if os.path.lexists(path) and not os.path.isdir(path)]  # noqa: PTH112
    if skip:
        found = [path for path in found if os.path.realpath(path) != os.path.realpath(skip)]
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise KlError(
            f"{stem} can mean several files in {file_label(folder)}: {names}.",
            code=code,
            where=file_label(found[0]),
            hint="Remove all but one, or give the file you mean.",
        )
    return found[0] if found else None


def spec_names(folders: Iterable[Path]) -> list[str]:
    """The names of the specs in these folders, without their suffixes; folders that cannot be read have none."""
    names: dict[str, None] = {}
    for folder in folders:
        try:
            with os.scandir(folder) as entries:
                found = sorted(e.name for e in islice(entries, _MOST_NAMES) if e.name.lower().endswith(SUFFIXES))
        except (OSError, ValueError):
            continue
        names.update(dict.fromkeys(Path(name).stem for name in found))
    return list(names)


def _not_found(name: RunName, places: Sequence[Path], datasets_root: Path) -> KlError:
    looked = ", ".join(file_label(folder) for folder in dict.fromkeys(places)) or "no folder"
    wanted = name.text if name.stem == name.text else f"{name.text} or {name.stem}"
    near = nearest(name.text, spec_names(places)) or nearest(name.stem, spec_names(places))
    advice = [f"Did you mean {near}?"] if near else []
    if dataset_folder(name, datasets_root) is None:
        folders = " nor ".join(dict.fromkeys((name.stem, name.dataset)))
        advice.append(f"There is no dataset folder {folders} in {file_label(datasets_root)} either.")
    advice.append(f"Write {name.stem}.toml there, or give the file itself.")
    return KlError(
        f"There is no spec for {name.text}: looked for {wanted} (.toml, .yaml, .yml) in {looked}.",
        code=ExitCode.USAGE,
        hint=" ".join(advice),
    )
