"""What a run was trained on, by the names of its folders and files."""

from __future__ import annotations

import os
import re

from launcher.record.manifest import ManifestError
from launcher.run.failure import read_end
from launcher.run.find import FoundRun
from launcher.run.manifest_parts import DataPart, read_part

_OPTIONS = ("train_data_dir", "in_json", "reg_data_dir")
_FOLDERS = re.compile(r"""\b(?:image_dir|metadata_file)\b["']?\s{0,99}[=:]\s{0,99}["']([^"'\n]{1,4096})["']""")


def data_of(run: FoundRun) -> tuple[str, ...]:
    """The folders and files that a run was trained on, as they were named, each once; () where that is not known.

    Those in a dataset config are found by their keys in its text: the file is not taken apart.
    """
    try:
        part = read_part(run.directory, DataPart)
    except (OSError, ManifestError):
        return ()
    sources = {file.name: file.source for file in part.files}
    named: list[str] = []
    for option in part.options:
        if not isinstance(option.value, str):
            continue
        if option.name in _OPTIONS:
            named.append(option.value)
        elif option.name == "dataset_config":
            copy = os.path.basename(option.value)  # noqa: PTH119 - any text may stand there
            named.append(sources.get(copy) or option.value)
            if "\0" not in copy:
                named += _FOLDERS.findall(read_end(run.directory / copy))
    return tuple(dict.fromkeys(named))


def is_trained_on(run: FoundRun, dataset: str) -> bool:
    """Whether a run's dataset has this in its name: in the last two parts of a path, or the name of the run itself.

    A `dataset` with a slash is looked for in whole paths.
    """
    wanted = dataset.lower()
    if "/" in wanted:
        return any(wanted.rstrip("/") in path.lower() for path in data_of(run))
    own = run.name.lower().rpartition("-v")[0] or run.name.lower()  # fox-noob of fox-noob-v1s2400
    ends = ("/".join(path.rstrip("/").split("/")[-2:]) for path in data_of(run))
    return wanted in own or any(wanted in end.lower() for end in ends)
