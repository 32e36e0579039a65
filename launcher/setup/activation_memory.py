"""What conda's activation scripts did the last time, while nothing that they can depend on has changed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launcher.base.files import sha256_of, write_whole
from launcher.base.places import cache_folder
from launcher.plan.secrets import names_a_secret, secrets_in
from launcher.trainer.packages import site_packages

NEEDED = frozenset({"PATH", "HOME"})  # what scripts do not work without
_LOOKED_AT = NEEDED | {"LD_LIBRARY_PATH"}  # what the programs that they start depend on
_OF_CONDA = ("CONDA_", "_CONDA_", "__CONDA_", "_CE_", "MAMBA_")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MOST = 16  # results remembered for one environment


@dataclass(frozen=True)
class Changes:
    """What scripts change in an environment, what they take away, and what went wrong.

    `whole`: none of them had to be ended.
    """

    changed: Mapping[str, str]
    gone: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    whole: bool = True


def named_in(scripts: Sequence[Path]) -> frozenset[str]:
    """Every word in the scripts that could be a variable."""
    return frozenset(_NAME.findall("\n".join(_content(each).decode("latin-1") for each in scripts)))


def remembered(
    prefix: Path,
    run: Callable[[], Changes],
    *,
    scripts: Sequence[Path],
    given: Mapping[str, str],
    names: frozenset[str],
    environ: Mapping[str, str],
    shell: str,
    cache: Path | None = None,
) -> Changes:
    """What the scripts change: from the last time, or from now.

    `given` is what they get besides `environ`, and `names` what of that they may look at. Not remembered: secrets,
    which are never written down, and what a script that took too long would have done.
    """
    folder = (cache_folder() if cache is None else cache) / "activation"
    file = folder / f"{sha256_of(os.fsencode(prefix))[:40]}.json"
    kept = _load(file)
    key = _key(prefix, environ, scripts, given, names, shell)
    if key in kept:
        return kept[key]
    found = run()
    hidden = any(names_a_secret(name) or secrets_in(value, environ) for name, value in found.changed.items())
    if found.whole and not hidden:
        _save(file, {**dict(list(kept.items())[1 - _MOST :]), key: found})
    return found


def _key(
    prefix: Path,
    environ: Mapping[str, str],
    scripts: Sequence[Path],
    given: Mapping[str, str],
    names: frozenset[str],
    shell: str,
) -> str:
    """A name for everything that the scripts can depend on: themselves, the packages beside them (a script may read
    files of theirs, or ask Python), and of the surroundings what they name.
    """
    seen = {name: value for name, value in environ.items() if name in names | _LOOKED_AT or name.startswith(_OF_CONDA)}
    beside = [prefix / "conda-meta" / "history", *site_packages(prefix / "bin" / "python")]
    contents = [f"{each}\n{sha256_of(_content(each))}" for each in scripts]
    variables = [json.dumps(sorted(each.items())) for each in (given, seen)]
    parts = [shell, str(prefix), *contents, *map(_stamp, beside), *variables]
    return sha256_of("\0".join(parts).encode("utf-8", "surrogateescape"))


def _content(script: Path) -> bytes:
    try:
        return script.read_bytes()
    except OSError:
        return b""


def _stamp(path: Path) -> str:
    try:
        seen = path.stat()
    except OSError:
        return f"{path} is not there"
    return f"{path} {seen.st_mtime_ns} {seen.st_size}"


def _load(file: Path) -> dict[str, Changes]:
    try:
        return dict(_entries(json.loads(file.read_bytes())))
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        return {}


def _entries(data: Mapping[str, Any]) -> Iterator[tuple[str, Changes]]:
    for key, (changed, gone, problems) in data.items():
        if all(isinstance(each, str) for each in (*changed.keys(), *changed.values(), *gone, *problems)):
            yield key, Changes(changed, tuple(gone), tuple(problems))


def _save(file: Path, kept: Mapping[str, Changes]) -> None:
    data = {key: (dict(each.changed), each.gone, each.problems) for key, each in kept.items()}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps(data).encode())
    except (OSError, ValueError):
        return
