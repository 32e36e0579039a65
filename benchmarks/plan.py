#!/usr/bin/env python3
"""`kl plan` on a real checkout, with an empty cache and with a filled one, against the script's own `--help`.

    python benchmarks/plan.py path/to/sd-scripts path/to/venv/bin/python

The second argument is an interpreter with all that sd-scripts needs. Budgets: 0.6 s cold, 0.3 s warm. Cold means
that kl has read nothing of this checkout yet; the disk's own cache is warm for all three.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from timing import run, show, take_turns

SPEC = """\
extends = "sdxl-locon"
[run]
script = "{script}"
sd_scripts = '{checkout}'
[env]
kind = "python"
path = '{python}'
[model]
pretrained_model_name_or_path = "base.safetensors"
[data]
train_data_dir = "img"
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("python", type=Path)
    parser.add_argument("--script", default="sdxl_train_network.py")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    checkout, python = given.checkout.resolve(), given.python.absolute()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        spec = home / "fox-v1s2400.toml"
        spec.write_text(SPEC.format(script=given.script, checkout=checkout, python=python), encoding="utf-8")
        unset = {"SD_REPO", "SD_SCRIPT", "TRAINING_DIR", "OUTPUT_DIR", "STEPS", "NO_CLEAN", "DEBUG"}
        environment = {name: value for name, value in os.environ.items() if name not in unset}
        environment |= {"HOME": folder, "XDG_CACHE_HOME": f"{folder}/cache", "XDG_CONFIG_HOME": f"{folder}/config"}
        command = [str(Path(sys.executable).parent / "kl"), "plan", str(spec)]

        def cold() -> float:
            for cache in (home / "cache", home / "Library" / "Caches"):
                shutil.rmtree(cache, ignore_errors=True)
            return run(command, env=environment)

        actions = {
            f"{given.script} --help": lambda: run([str(python), given.script, "--help"], cwd=str(checkout)),
            "kl plan, cold": cold,
            "kl plan, warm": lambda: run(command, env=environment),
        }
        take_turns(actions, 1)
        show(take_turns(actions, given.rounds), f"{given.script} --help")


if __name__ == "__main__":
    main()
