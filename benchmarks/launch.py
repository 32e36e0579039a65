#!/usr/bin/env python3
"""What `kl launch` adds to a training, against the same `accelerate launch` of the demo trainer without kl.

    python benchmarks/launch.py

Both run the same command, that of `kl plan --json`, in the same environment, in turns. Measured are

- the time from starting `kl` to the start of the trainer's process; budget: 0.5 s;
- the time per training step, from the times that TensorBoard's records have of each; budget: less than 1 % more;
- the processor time that kl itself used while it watched.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from timing import show

from launcher.demo.layout import lay_out

KL = str(Path(sys.executable).parent / "kl")
NEVER = 10_000_000
STEPS_SHOWN = 100  # one step is too short to print


@dataclass(frozen=True)
class Measured:
    """One training. `before` are the seconds until the trainer's process started, `used` those kl computed."""

    whole: float
    before: float
    step: float
    used: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=300)
    given = parser.parse_args()
    bare: list[Measured] = []
    launched: list[Measured] = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        demo = lay_out(home / "demo")
        unset = {"SD_REPO", "SD_SCRIPT", "TRAINING_DIR", "OUTPUT_DIR", "STEPS", "NO_CLEAN", "DEBUG"}
        environment = {name: value for name, value in os.environ.items() if name not in unset}
        environment |= {"HOME": folder, "XDG_CONFIG_HOME": folder, "XDG_CACHE_HOME": folder, "XDG_STATE_HOME": folder}
        for number in range(given.rounds + 1):
            sets = [f"run.output_root={home / 'output'}", "env.kind=python", f"env.path={sys.executable}"]
            sets += [f"save_every_n_steps={NEVER}", f"sample_every_n_steps={NEVER}", "save_state=false"]
            words = [str(demo.spec), *(word for setting in sets for word in ("--set", setting)), "--name"]
            alone = _bare([*words, f"bare-v{number}s{given.steps}"], environment)
            with_kl = _launched([*words, f"kl-v{number}s{given.steps}"], environment, home / "output")
            if number:  # the first round fills caches
                bare.append(alone)
                launched.append(with_kl)
    print(f"per {STEPS_SHOWN} steps, of {given.steps} steps, {given.rounds} rounds")
    both = {"accelerate launch": bare, "kl launch": launched}
    show({name: [one.step * STEPS_SHOWN for one in done] for name, done in both.items()}, "accelerate launch")
    print("\nthe whole training")
    show({name: [one.whole for one in done] for name, done in both.items()}, "accelerate launch")
    before, used = median(one.before for one in launched), median(one.used for one in launched)
    share = median(one.used / one.whole for one in launched)
    print(f"\nkl launch, before the trainer starts: {before * 1000:.0f} ms")
    print(f"kl launch, processor time of its own:  {used * 1000:.0f} ms, {share:.2%} of one core")


def _bare(words: Sequence[str], environment: dict[str, str]) -> Measured:
    """The command of the plan, with the files that it needs, as somebody would type it without kl."""
    shown = subprocess.run([KL, "plan", *words, "--json"], env=environment, capture_output=True, check=True)
    plan: dict[str, Any] = json.loads(shown.stdout)
    written = subprocess.run([KL, "plan", *words, "--sh"], env=environment, capture_output=True, text=True, check=True)
    files, _, _ = written.stdout.partition("\ncd ")
    subprocess.run(["sh", "-c", files.removesuffix(" &&")], check=True)
    directory = Path(plan["directory"])
    began = time.perf_counter()
    with (directory / "sdscripts.log").open("wb") as log:
        subprocess.run(
            plan["argv"],
            cwd=plan["trainer"]["checkout"],
            env={**environment, **plan["environment"]["variables"]},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=True,
        )
    return Measured(time.perf_counter() - began, 0.0, _seconds_per_step(directory), 0.0)


def _launched(words: Sequence[str], environment: dict[str, str], root: Path) -> Measured:
    nowhere = subprocess.DEVNULL
    began, clock = time.perf_counter(), time.time()
    process = psutil.Popen([KL, "launch", *words], env=environment, stdin=nowhere, stdout=nowhere, stderr=nowhere)
    used = 0.0
    while process.poll() is None:
        try:
            times = process.cpu_times()
            used = times.user + times.system
        except psutil.Error:
            break
        time.sleep(0.1)
    code = process.wait()
    whole = time.perf_counter() - began
    directory = root / words[-1]
    if code != 0:
        raise SystemExit(f"kl launch ended with {code}; its log is {directory / 'sdscripts.log'}")
    attempt = json.loads((directory / "run.json").read_bytes())["attempts"][0]
    return Measured(whole, attempt["pid_started"] - clock, _seconds_per_step(directory), used)


def _seconds_per_step(directory: Path) -> float:
    """The median time between two steps in TensorBoard's records."""
    [file] = directory.glob("logs/**/events.out.tfevents.*")
    events = EventAccumulator(str(file))
    events.Reload()
    tag = next(tag for tag in events.Tags()["scalars"] if tag == "loss/current")
    times: list[float] = [scalar.wall_time for scalar in events.Scalars(tag)]
    return median(later - earlier for earlier, later in pairwise(times))


if __name__ == "__main__":
    main()
