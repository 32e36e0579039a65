"""The packages of a real environment, read from its metadata, against what its own interpreter says of them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from real_bed import PYTHON, needs

from launcher.record.environment import EnvironmentRecord, environment_bytes, read_environment, read_environment_file
from launcher.record.environment_differences import differences_of
from launcher.record.same_environment import make_environment
from launcher.trainer.packages import normal_name

pytestmark = needs(PYTHON)

_ASK = """
import importlib.metadata, json, platform, runpy, sys, sysconfig
packages = {each.metadata["Name"]: each.version for each in importlib.metadata.distributions()}
torch = runpy.run_path(sysconfig.get_path("purelib") + "/torch/version.py")
json.dump({"packages": packages, "python": platform.python_version(), "torch": torch["__version__"],
           "cuda": torch["cuda"]}, sys.stdout)
"""


def told() -> Any:
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([PYTHON, "-c", _ASK], check=True, capture_output=True, text=True, env=environ)
    return json.loads(done.stdout)


def read() -> EnvironmentRecord:
    record, problems = read_environment(PYTHON, {"PYTHONPATH": ""})
    assert problems == ()
    return record


def test_what_is_read_equals_what_the_interpreter_says(tmp_path: Path) -> None:
    record, truth = read(), told()
    assert {package.key: package.version for package in record.packages} == {
        normal_name(name): version for name, version in truth["packages"].items()
    }
    assert record.python.version == truth["python"]
    assert record.torch is not None
    assert (record.torch.version, record.torch.cuda) == (truth["torch"], truth["cuda"])
    (tmp_path / "environment.json").write_bytes(environment_bytes(record))
    assert read_environment_file(tmp_path) == record


def test_lycoris_is_as_it_was_installed() -> None:
    (lycoris,) = [package for package in read().packages if package.key == "lycoris-lora"]
    if not lycoris.editable:
        assert lycoris.sha256 is not None
        assert lycoris.changed == ()


@pytest.mark.skipif(
    not os.environ.get("KL_PACKAGE_INDEX"),
    reason="downloads a whole training environment: set KL_PACKAGE_INDEX=1 where pip or uv reach an index that has it",
)
def test_the_environment_is_made_anew(tmp_path: Path) -> None:
    record = read()
    said: list[str] = []
    python = make_environment(record, tmp_path / "environment", said.append)
    now, problems = read_environment(python, {"PYTHONPATH": ""})
    assert problems == ()
    assert [str(each) for each in differences_of(record, now) if each.kind in ("python", "packages")] == []
