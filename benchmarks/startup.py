#!/usr/bin/env python3
"""`kl --version` and one completion against a bare interpreter. Budget: at most 120 ms over it.

    python benchmarks/startup.py
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from timing import run, show, take_turns


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=21)
    rounds = parser.parse_args().rounds
    kl = str(Path(sys.executable).parent / "kl")
    completion = {**os.environ, "_KL_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "kl la"}
    actions = {
        "bare interpreter": lambda: run([sys.executable, "-c", "pass"]),
        "kl --version": lambda: run([kl, "--version"]),
        "kl --help": lambda: run([kl, "--help"]),
        "completion of `kl la`": lambda: run([kl], env=completion),
    }
    take_turns(actions, 1)  # compiled files and the disk's cache
    show(take_turns(actions, rounds), "bare interpreter")


if __name__ == "__main__":
    main()
