#!/usr/bin/env python3
"""`kl check` on a real checkout, environment and model, with an empty cache and with a filled one.

    python benchmarks/check.py path/to/sd-scripts path/to/venv/bin/python path/to/base-model

Against a bare interpreter, and against the script's own `--help`. The second argument is an interpreter with all that
sd-scripts and LyCORIS need, the third a model that the script trains: by default train_network.py and SD 1. Budgets:
0.6 s cold, 0.3 s warm. Cold means that kl has read nothing of this checkout and of the pictures yet; the disk's own
cache is warm for all.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from dataset import make_pictures
from timing import run, show, take_turns

SPEC = """\
[run]
script = '{script}'
sd_scripts = '{checkout}'
dataset_folder = '{home}/fox'
output_root = '{home}/output'
[env]
kind = "python"
path = '{python}'
[model]
pretrained_model_name_or_path = '{model}'
[network]
network_module = "lycoris.kohya"
network_dim = 8
[network_args]
algo = "locon"
preset = "attn-mlp"
[training]
mixed_precision = "bf16"
sdpa = true
save_every_n_epochs = 1
sample_every_n_epochs = 1
"""
DATASET = """\
[general]
caption_extension = ".txt"
enable_bucket = true
[[datasets]]
resolution = 512
batch_size = 2
[[datasets.subsets]]
image_dir = '{home}/fox/img'
num_repeats = 4
"""
PROMPT = "a fox in the snow --w 512 --h 512 --d 1 --s 20 --n blurry\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("python", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--script", default="train_network.py")
    parser.add_argument("--pictures", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    checkout, python, model = given.checkout.resolve(), given.python.absolute(), given.model.resolve()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        spec = home / "fox-v1s2400.toml"
        places = {"script": given.script, "checkout": checkout, "home": home, "python": python, "model": model}
        spec.write_text(SPEC.format(**places), encoding="utf-8")
        make_pictures(home / "fox" / "img", given.pictures)
        (home / "fox" / "config.toml").write_text(DATASET.format(**places), encoding="utf-8")
        (home / "fox" / "sample-prompts.txt").write_text(PROMPT, encoding="utf-8")
        unset = {"SD_REPO", "SD_SCRIPT", "TRAINING_DIR", "OUTPUT_DIR", "STEPS", "NO_CLEAN", "DEBUG"}
        environment = {name: value for name, value in os.environ.items() if name not in unset}
        environment |= {"HOME": folder, "XDG_CACHE_HOME": f"{folder}/cache", "XDG_CONFIG_HOME": f"{folder}/config"}
        command = [str(Path(sys.executable).parent / "kl"), "check", str(spec)]

        def cold() -> float:
            for cache in (home / "cache", home / "Library" / "Caches"):
                shutil.rmtree(cache, ignore_errors=True)
            return run(command, env=environment)

        actions = {
            "bare interpreter": lambda: run([sys.executable, "-c", "pass"]),
            f"{given.script} --help": lambda: run([str(python), given.script, "--help"], cwd=str(checkout)),
            "kl check, cold": cold,
            "kl check, warm": lambda: run(command, env=environment),
        }
        time.sleep(2.1)  # pictures newer than this are not remembered
        take_turns(actions, 1)
        seconds = take_turns(actions, given.rounds)
        for baseline in ("bare interpreter", f"{given.script} --help"):
            print(f"Against {baseline}:")
            show(seconds, baseline)


if __name__ == "__main__":
    main()
