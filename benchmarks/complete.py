"""Answers to Tab against a bare interpreter, in a home with 500 runs. Budget: an answer within 150 ms.

python benchmarks/complete.py CHECKOUT
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from timing import run, show, take_turns

SPEC = '[run]\nscript = "sdxl_train_network.py"\n\n[network]\nnetwork_module = "networks.lora"\n'
LINES = {
    "a command": ["la"],
    "an option": ["launch", "fox", "--no"],
    "a run of 500": ["show", "fox-"],
    "a spec": ["launch", "f"],
    "a template": ["new", "fox", "--template", "sd"],
    "a code": ["check", "fox", "--allow", "da"],
    "a key of --set": ["launch", "fox", "--set", "learn"],
    "its value": ["launch", "fox", "--set", "mixed_precision="],
    "an item of --set": ["launch", "fox", "--set", "network_args.c"],
    "an argument after --": ["launch", "fox", "--", "--lr"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--rounds", type=int, default=11)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environment = _home(Path(folder), given.checkout.resolve())
        start = [sys.executable, "-m", "launcher", "_complete", "zsh"]
        actions: dict[str, Callable[[], float]] = {"bare interpreter": partial(run, [sys.executable, "-c", "pass"])}
        for name, words in LINES.items():
            actions[name] = partial(run, [*start, *words], cwd=folder, env=environment)
        take_turns(actions, 1)  # compiled files, kl's caches
        show(take_turns(actions, given.rounds), "bare interpreter")


def _home(folder: Path, checkout: Path) -> dict[str, str]:
    (folder / "fox.toml").write_text(SPEC)
    config = folder / "config/kl/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'[run]\nsd_scripts = "{checkout}"\n[env]\nkind = "python"\npath = "{sys.executable}"\n')
    for number in range(500):
        directory = folder / f"output_dir/fox-v{number}s100"
        directory.mkdir(parents=True)
        (directory / "run.json").write_text("{}")
    own = {"XDG_CONFIG_HOME": "config", "XDG_CACHE_HOME": "cache", "XDG_STATE_HOME": "state"}
    source = str(Path(__file__).resolve().parent.parent)
    paths = {name: str(folder / each) for name, each in own.items()}
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": source, "LC_ALL": "C.UTF-8", **paths}


if __name__ == "__main__":
    main()
