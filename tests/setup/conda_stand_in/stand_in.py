"""Stands in for conda, mamba 1, mamba 2 and micromamba: takes the arguments they take, answers as they answer.

What it knows is from conda 26.7 (conda/cli, conda/activate.py, also tried) and mamba 2.8 (micromamba/src,
libmamba/src/api, libmamba/src/core). It refuses every argument that they do not have. `conda_bed.py` puts it in place.

Variables: STAND_IN_KIND (conda, mamba1, mamba, micromamba), STAND_IN_PROGRAM (where it stands itself), STAND_IN_ROOT
(the base environment), STAND_IN_OLD (conda before 25.11, which answers without envs_details), STAND_IN_PYTHON (what
becomes bin/python), STAND_IN_CALLS (a file to which every call is added, one JSON list a line).
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

KIND = os.environ["STAND_IN_KIND"]
ROOT = Path(os.environ["STAND_IN_ROOT"])
OF_CONDA = KIND in ("conda", "mamba1")
NOTED = Path.home() / ".conda" / "environments.txt"
NO_ENVIRONMENT = "***unset***"


def main(words: list[str]) -> int:
    calls = os.environ.get("STAND_IN_CALLS")
    if calls:
        with Path(calls).open("a") as file:
            file.write(json.dumps(words) + "\n")
    if OF_CONDA and words[:1] in (["shell.posix"], ["shell.zsh"]):
        return hook() if words[1:] == ["hook"] else activate(words[2])
    if not OF_CONDA and words[:2] in (["shell", "activate"], ["shell", "hook"]):
        parser = strict("shell")
        parser.add_argument("-s", "--shell", choices=("bash", "posix", "zsh"), required=True)
        parser.add_argument("-p", "--prefix")
        parser.add_argument("name", nargs="?")
        given = parser.parse_args(words[2:])
        return hook() if words[1] == "hook" else activate(given.prefix or given.name)
    given = arguments(words)
    return {"env": env_list, "info": info, "create": create, "install": install, "run": run}[given.command](given)


def strict(name: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(name, allow_abbrev=False, exit_on_error=True)


def arguments(words: list[str]) -> argparse.Namespace:
    parser = strict(KIND)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("create", "install"):
        sub = commands.add_parser(name, allow_abbrev=False)
        where(sub)
        sub.add_argument("-y", "--yes", action="store_true")
        sub.add_argument("-q", "--quiet", action="store_true")
        sub.add_argument("-c", "--channel", action="append", default=[])
        sub.add_argument("--json", action="store_true")
        sub.add_argument("--offline", action="store_true")
        sub.add_argument("packages", nargs="*")
    env = commands.add_parser("env", allow_abbrev=False).add_subparsers(dest="what", required=True)
    env.add_parser("list", allow_abbrev=False).add_argument("--json", action="store_true")
    commands.add_parser("info", allow_abbrev=False).add_argument("--json", action="store_true")
    sub = commands.add_parser("run", allow_abbrev=False)
    where(sub)
    sub.add_argument("words", nargs=argparse.REMAINDER)
    return parser.parse_args(words)


def where(parser: argparse.ArgumentParser) -> None:
    one = parser.add_mutually_exclusive_group(required=True)
    one.add_argument("-p", "--prefix", type=Path)
    one.add_argument("-n", "--name")


def prefix_of(given: argparse.Namespace) -> Path:
    return (
        Path(given.prefix).absolute() if given.prefix else ROOT if given.name == "base" else folders()[0] / given.name
    )


def folders() -> list[Path]:
    more = [Path(each) for each in os.environ.get("CONDA_ENVS_DIRS", "").split(":") if each]
    return [*more, ROOT / "envs", *([Path.home() / ".conda" / "envs"] if OF_CONDA else [])]


def is_environment(prefix: Path) -> bool:
    return (prefix / "conda-meta" / "history").is_file()


def every() -> list[Path]:
    noted = NOTED.read_text().splitlines() if NOTED.is_file() else []
    found = {Path(each) for each in noted if is_environment(Path(each))}
    found |= {each for folder in folders() if folder.is_dir() for each in folder.iterdir() if is_environment(each)}
    return sorted({*found, ROOT})


def name_of(prefix: Path) -> str:
    return "base" if prefix == ROOT else prefix.name if prefix.parent in folders() else ""


def env_list(given: argparse.Namespace) -> int:
    data: dict[str, Any] = {"envs": [str(each) for each in every()]}
    if OF_CONDA and not os.environ.get("STAND_IN_OLD"):
        facts = {"created": None, "last_modified": "2026-01-01T00:00:00+00:00", "frozen": False, "writable": True}
        active = os.environ.get("CONDA_PREFIX")
        data["envs_details"] = {
            str(each): {"name": name_of(each), "active": str(each) == active, "base": each == ROOT, **facts}
            for each in every()
        }
    return answer(data)


def info(given: argparse.Namespace) -> int:
    dirs = [str(each) for each in folders()]
    if OF_CONDA:
        envs = [str(each) for each in every()]
        return answer({"conda_version": "24.1.0", "envs": envs, "envs_dirs": dirs, "root_prefix": str(ROOT)})
    return answer({"base environment": str(ROOT), "envs directories": dirs, f"{KIND} version": "2.8.1"})


def answer(data: dict[str, Any]) -> int:
    if KIND == "mamba1":
        print("\n  mamba (1.5.8) supported by @QuantStack\n")
    print(json.dumps(data, indent=2))
    return 0


def create(given: argparse.Namespace) -> int:
    prefix = prefix_of(given)
    if not given.yes:
        return failed("it would ask")  # nobody is there to answer
    if OF_CONDA:
        if is_environment(prefix):
            shutil.rmtree(prefix)
    elif prefix.exists() and any(prefix.iterdir()):
        if not (prefix / "conda-meta").exists():
            return failed("Non-conda folder exists at prefix - aborting.")
        shutil.rmtree(prefix)
    (prefix / "conda-meta").mkdir(parents=True)
    (prefix / "conda-meta" / "history").touch()
    return put(prefix, given.packages)


def install(given: argparse.Namespace) -> int:
    prefix = prefix_of(given)
    if not given.yes:
        return failed("it would ask")
    if not is_environment(prefix):
        return failed(f"Not a conda environment: {prefix}")
    return put(prefix, given.packages)


def put(prefix: Path, packages: list[str]) -> int:
    for package in packages:
        name, _, version = package.partition("=")
        (prefix / "conda-meta" / f"{name}-{version or '1.0'}-0.json").write_text("{}")
        if name == "python":
            (prefix / "bin").mkdir(exist_ok=True)
            (prefix / "bin" / "python").symlink_to(os.environ.get("STAND_IN_PYTHON") or sys.executable)
            (prefix / "lib" / f"python{version}" / "site-packages").mkdir(parents=True, exist_ok=True)
    NOTED.parent.mkdir(parents=True, exist_ok=True)
    with NOTED.open("a") as file:
        file.write(f"{prefix}\n")
    return 0


def run(given: argparse.Namespace) -> int:
    sets, unsets, leaving, entering = activated(prefix_of(given))
    lines = shell_lines(sets, unsets, leaving, entering)
    command = "exec " + shlex.join(given.words)
    return subprocess.run(["/bin/sh", "-c", "\n".join([*lines, command])], check=False).returncode


def failed(message: str) -> int:
    print(message, file=sys.stderr)
    return 1


Activated = tuple[dict[str, str], list[str], list[Path], list[Path]]


def activated(prefix: Path) -> Activated:
    """What is set, taken away, and run, from one level to the next (build_activate of either)."""
    level = int(os.environ.get("CONDA_SHLVL") or 0)
    before = os.environ.get("CONDA_PREFIX") if level else None
    leaving = scripts(Path(before), "deactivate.d")[::-1] if before else []
    path = [each for each in os.environ["PATH"].split(":") if before is None or each != f"{before}/bin"]
    if not level and not any(each.endswith("condabin") for each in path):
        path.insert(0, str(ROOT / "condabin"))
    name = name_of(prefix) if prefix == ROOT or prefix.parent.name == "envs" else str(prefix)
    sets = {
        "PATH": ":".join([f"{prefix}/bin", *path]),
        "CONDA_PREFIX": str(prefix),
        "CONDA_SHLVL": str(level + 1),
        "CONDA_DEFAULT_ENV": name,
        "CONDA_PROMPT_MODIFIER": f"({name}) ",
    }
    if before:
        sets[f"CONDA_PREFIX_{level}"] = before
    return {**sets, **variables(prefix)}, [], leaving, scripts(prefix, "activate.d")


def variables(prefix: Path) -> dict[str, str]:
    found: dict[str, Any] = {}
    folder = prefix / "etc" / "conda" / "env_vars.d"
    for file in sorted(folder.iterdir()) if folder.is_dir() else []:
        found |= json.loads(file.read_text())
    state = prefix / "conda-meta" / "state"
    if state.is_file():
        found |= json.loads(state.read_text()).get("env_vars", {})
    found.pop("PATH", None)
    return {name.upper(): str(value) for name, value in found.items() if value != NO_ENVIRONMENT}


def scripts(prefix: Path, folder: str) -> list[Path]:
    return sorted((prefix / "etc" / "conda" / folder).glob("*.sh"))


def shell_lines(sets: dict[str, str], unsets: list[str], leaving: list[Path], entering: list[Path]) -> list[str]:
    return [
        *(f'. "{each}"' for each in leaving),
        *(f"export {name}=''" for name in unsets),
        *(f"export {name}='{value}'" for name, value in sets.items()),
        *(f'. "{each}"' for each in entering),
    ]


def activate(name: str) -> int:
    prefix = Path(name) if "/" in name else ROOT / "envs" / name
    if not (prefix / "conda-meta" / "history").is_file():
        return failed(f"Could not find conda environment: {name}")
    print("\n".join(shell_lines(*activated(prefix))))
    return 0


def hook() -> int:
    program = os.environ["STAND_IN_PROGRAM"]
    if OF_CONDA:
        print(f"export CONDA_EXE='{program}'\nconda() {{ eval \"$('{program}' shell.posix \"$@\")\"; }}")
    else:
        print(f"export MAMBA_EXE='{program}'\nexport MAMBA_ROOT_PREFIX='{ROOT}'")
        print(f'{KIND}() {{ eval "$(\'{program}\' shell activate "$2" --shell posix)"; }}')
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
