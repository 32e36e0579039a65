#!/usr/bin/env python3
"""Compare what kl reads of sd-scripts' training scripts with what their own parsers hold, for any revisions.

    python benchmarks/compare_options.py path/to/sd-scripts v0.8.7 main
    python benchmarks/compare_options.py path/to/sd-scripts --all-tags-from v0.5.1 main
    python benchmarks/compare_options.py path/to/sd-scripts main --imports real --python path/to/venv/bin/python

The first argument is a git clone; its working tree is not touched. Each revision's Python files are laid out in a
temporary folder. There every training script is read by kl, and imported by `--python` in a process of its own,
which prints the actions of the parser that its `setup_parser()` returns, or, before v0.5.4, the parser that it
builds when it starts. All fields must be equal: flags, name,
action, nargs, const, default, type, choices, required, help.

Old releases need old libraries. So with `--imports stub`, the default, every module that belongs neither to the
checkout nor to the standard library is replaced, in that process only, by a stand-in that gives anything and does
nothing. `setup_parser()` and all it calls are the script's own either way. `--imports real` imports everything.

Ends with 1 when anything differs, could not be read, or could not be compared.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from launcher.trainer.checkout import Checkout, open_checkout
from launcher.trainer.options import ScriptOptions
from launcher.trainer.reader import read_options

FIELDS = ("flags", "name", "action", "nargs", "const", "default", "type", "choices", "required", "help")

# Runs in a process of its own, with the interpreter named by --python.
PROBE = r'''
import argparse, importlib.util, json, os, runpy, sys, types
script, function, imports = sys.argv[1:4]
root = os.getcwd()
sys.argv = [script]
sys.path.insert(0, root)

def stub(*_):
    return Anything("Stub", (), {})

class Anything(type):
    """A class that gives another such class for every attribute, call, item and sum, and counts as false."""
    def __getattr__(cls, name):
        if name == "__version__":
            return "2.0.0"
        if name.startswith("__"):
            raise AttributeError(name)
        return stub()
    def __call__(cls, *given, **named):
        return given[0] if len(given) == 1 and isinstance(given[0], (types.FunctionType, type)) else stub()
    def __iter__(cls):
        return iter(())
    def __bool__(cls):
        return False
    def __exit__(cls, *error):
        return False
    __getitem__ = __enter__ = __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = stub
    __truediv__ = __rtruediv__ = __floordiv__ = __mod__ = __pow__ = __neg__ = __and__ = stub
    def _no(cls, other):
        return False
    __lt__ = __le__ = __gt__ = __ge__ = _no

class StubModule(types.ModuleType):
    __path__ = []
    __version__ = "2.0.0"
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return stub()

class StubFinder:
    def find_spec(self, name, path=None, target=None):
        first = name.partition(".")[0]
        own = os.path.exists(os.path.join(root, first)) or os.path.exists(os.path.join(root, first + ".py"))
        if own or first in sys.stdlib_module_names or first == "script_under_test":
            return None
        return importlib.util.spec_from_loader(name, self, is_package=True)
    def create_module(self, spec):
        return StubModule(spec.name)
    def exec_module(self, module):
        pass

if imports == "stub":
    sys.meta_path.insert(0, StubFinder())

def plain(value):
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return {"repr": repr(value)}

out = os.dup(1)
os.dup2(2, 1)  # what the script prints while it is imported is not the answer
spec = importlib.util.spec_from_file_location("script_under_test", script)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)

class Asked(BaseException):
    pass

def asked(parser, *given, **named):
    raise Asked(parser)

if hasattr(module, function):
    parser = getattr(module, function)()
else:  # before v0.5.4 the parser was built where the script starts
    argparse.ArgumentParser.parse_args = asked
    try:
        runpy.run_path(script, run_name="__main__")
    except Asked as stopped:
        parser = stopped.args[0]

options = [
    {
        "flags": action.option_strings,
        "name": action.dest,
        "action": type(action).__name__.strip("_"),
        "nargs": action.nargs,
        "const": plain(action.const),
        "default": plain(action.default),
        "type": getattr(action.type, "__name__", None),
        "choices": plain(list(action.choices)) if action.choices else None,
        "required": action.required,
        "help": action.help,
    }
    for action in parser._actions
    if not isinstance(action, argparse._HelpAction)
]
os.write(out, json.dumps(options).encode())
'''


@dataclass(frozen=True)
class Comparison:
    """One script: how many options its parser holds, and in words where our reading differs."""

    script: str
    options: int
    differences: tuple[str, ...]


def true_options(root: Path, script: str, function: str, python: str, imports: str) -> list[dict[str, Any]]:
    """The options of the parser that the script builds when it is really imported. Raises RuntimeError if it fails."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [python, "-c", PROBE, script, function, imports]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, check=False, timeout=600)
    if done.returncode != 0:
        raise RuntimeError((done.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1])
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def differences(read: ScriptOptions, truth: Sequence[dict[str, Any]]) -> list[str]:
    """Where our reading and the truth differ, in words."""
    ours = [json.loads(json.dumps({name: asdict(option)[name] for name in FIELDS})) for option in read.options]
    found = [f"could not be read at {note.where}: {note.what}" for note in read.unread]
    found += [f"{option.name}: {', '.join(option.unread)} unread" for option in read.options if option.unread]
    our_names, true_names = [entry["name"] for entry in ours], [entry["name"] for entry in truth]
    found += [f"{name}: missing" for name in true_names if name not in our_names]
    found += [f"{name}: extra" for name in our_names if name not in true_names]
    if not found and our_names != true_names:
        found.append("the order differs")
    by_name = {entry["name"]: entry for entry in ours}  # where nothing is missing or extra, the order tells two apart
    for place, entry in enumerate(truth):
        mine = ours[place] if our_names == true_names else by_name.get(entry["name"], entry)
        for name in FIELDS:
            # `==` alone would take 1, 1.0 and true for one.
            if json.dumps(mine[name]) != json.dumps(entry[name]):
                found.append(f"{entry['name']}: {name} is {entry[name]!r}, read as {mine[name]!r}")
    return found


def compare(checkout: Checkout, script: str, python: str, imports: str, cache: Path) -> Comparison:
    """Read one script both ways."""
    read = read_options(checkout, script, cache=cache)
    try:
        truth = true_options(checkout.path, script, "setup_parser", python, imports)
    except (RuntimeError, ValueError, subprocess.TimeoutExpired) as error:
        return Comparison(script, len(read.options), (f"its own parser could not be asked: {error}",))
    return Comparison(script, len(truth), tuple(differences(read, truth)))


def lay_out(clone: Path, revision: str, folder: Path) -> None:
    """Put the Python files of a revision into `folder`, without touching the clone's working tree."""
    listed = _git(clone, "ls-tree", "-r", "--name-only", "-z", revision).decode().split("\0")
    files = [name for name in listed if name.endswith(".py")]
    with tarfile.open(fileobj=io.BytesIO(_git(clone, "archive", revision, "--", *files))) as archive:
        archive.extractall(folder, filter="data")


def _git(clone: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", "-C", str(clone), *arguments], check=True, capture_output=True).stdout


def main() -> int:
    """Compare, print a table, and say by the exit code whether everything was equal."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("clone", type=Path)
    parser.add_argument("revisions", nargs="*")
    parser.add_argument(
        "--all-tags-from", metavar="TAG", help="this tag and all newer ones, before the revisions given"
    )
    parser.add_argument("--imports", choices=("stub", "real"), default="stub")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_intermixed_args()
    revisions = list(given.revisions)
    if given.all_tags_from:
        tags = _git(given.clone, "tag", "--sort=version:refname").decode().split()
        revisions = tags[tags.index(given.all_tags_from) :] + revisions
    python = str(Path(given.python).absolute()) if os.sep in given.python else given.python

    print(f"{'revision':<44}{'scripts':>8}{'options':>9}{'different':>11}")
    total = [0, 0, 0]
    for revision in revisions:
        with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(given.jobs) as pool:
            root, cache = Path(scratch, "checkout"), Path(scratch, "cache")
            lay_out(given.clone, revision, root)
            checkout = open_checkout(root)
            jobs = [pool.submit(compare, checkout, name, python, given.imports, cache) for name in checkout.scripts]
            results = [job.result() for job in jobs]
        counts = [len(results), sum(each.options for each in results), sum(len(each.differences) for each in results)]
        total = [before + now for before, now in zip(total, counts, strict=True)]
        print(f"{revision:<44}{counts[0]:>8}{counts[1]:>9}{counts[2]:>11}", flush=True)
        for each in results:
            for difference in each.differences:
                print(f"    {each.script}: {difference}")
    print(f"{'all':<44}{total[0]:>8}{total[1]:>9}{total[2]:>11}")
    return 1 if total[2] or not total[0] else 0


if __name__ == "__main__":
    raise SystemExit(main())
