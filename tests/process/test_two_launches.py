"""Two launches of one name at the same moment, again and again."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from launching import Bed, kl_environ, make_bed, make_plan

from launcher.base.errors import ExitCode
from launcher.plan.plan import TrainingEnvironment
from launcher.record.manifest import read_manifest

TIMES = 50
AT_ONCE = 10
# Forks two launches of each plan, which wait for the same shot: the end of a pipe.
RACE = """
import json, os, pickle, sys
from launcher.base.errors import KlError
from launcher.run.launch import launch
from launcher.run.screen import NullScreen
plans = pickle.load(open(sys.argv[1], "rb"))
ends = {plan.name: [] for plan in plans}
for first in range(0, len(plans), int(sys.argv[2])):
    shot, ready = os.pipe()
    children = {}
    for plan in plans[first : first + int(sys.argv[2])] * 2:
        child = os.fork()
        if child == 0:
            os.close(ready)
            os.read(shot, 1)
            code = 70
            try:
                code = launch(plan, NullScreen()).exit_code
            except KlError as error:
                code = int(error.code)
            finally:
                os._exit(code)
        children[child] = plan.name
    os.close(ready)
    os.close(shot)
    for child, name in children.items():
        ends[name].append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(json.dumps(ends))
"""
# Stands for the interpreter: what it would start takes half a second, and this a few milliseconds.
TRAINER = """#!/bin/sh
for out; do :; done
echo trained >> "{signs}/$(basename "$out")"
echo model > "$out/$(basename "$out").safetensors"
"""


def test_of_two_launches_at_once_exactly_one_trains(tmp_path: Path) -> None:
    bed = make_bed(tmp_path)
    python = tmp_path / "python"
    python.write_text(TRAINER.format(signs=bed.signs))
    python.chmod(0o755)
    environment = TrainingEnvironment("python", "fast", python, {})
    plans = [replace(make_plan(bed, "", f"fox-v{number}s4"), environment=environment) for number in range(1, TIMES + 1)]
    (tmp_path / "plans").write_bytes(pickle.dumps(plans))
    done = subprocess.run(
        [sys.executable, "-c", RACE, str(tmp_path / "plans"), str(AT_ONCE)],
        env=kl_environ(bed), capture_output=True, text=True, check=True,
    )  # fmt: skip
    ends = json.loads(done.stdout)
    assert len(ends) == TIMES
    for plan in plans:
        assert sorted(ends[plan.name]) == [ExitCode.DONE, ExitCode.OUTPUT_UNAVAILABLE], plan.name
        assert (bed.signs / plan.name).read_text() == "trained\n"
        assert read_manifest(plan.directory).outcome == "succeeded"
        assert len(read_manifest(plan.directory).attempts) == 1
    assert _foreign(bed) == []


def _foreign(bed: Bed) -> list[Path]:
    """What lies in the output root and is no run of the test."""
    return [path for path in bed.root.iterdir() if not (path / "run.json").is_file()]
