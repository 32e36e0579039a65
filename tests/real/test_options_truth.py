"""Every option of every training script of a real checkout, against the script's own parser, really imported.

Needs a bed: a folder, named by KL_REALBED, that holds a clone `sd-scripts` and `venv/bin/python`, an interpreter with
all that sd-scripts needs. `benchmarks/compare_options.py` does the same for other releases.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from launcher.trainer.checkout import open_checkout

BED = Path(os.environ.get("KL_REALBED") or "/nonexistent")

pytestmark = pytest.mark.skipif(
    not (BED / "sd-scripts").is_dir() or not (BED / "venv/bin/python").exists(),
    reason="needs real sd-scripts and its environment: set KL_REALBED to a folder with sd-scripts and venv/bin/python",
)


def _tool() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "compare_options.py"
    spec = importlib.util.spec_from_file_location("compare_options", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _scripts() -> tuple[str, ...]:
    return open_checkout(BED / "sd-scripts").scripts if (BED / "sd-scripts").is_dir() else ("none",)


@pytest.mark.parametrize("script", _scripts())
def test_what_is_read_equals_the_real_parser(tmp_path: Path, script: str) -> None:
    checkout = open_checkout(BED / "sd-scripts")
    tool, python = _tool(), str(BED / "venv/bin/python")
    result = tool.compare(checkout, script, python, "real", tmp_path)
    if any("could not be asked" in each for each in result.differences):
        # A script may need a library older than the bed's; its parser does not.
        result = tool.compare(checkout, script, python, "stub", tmp_path)
    assert result.differences == ()
    assert result.options > 50


def test_accelerates_own_launch_options_are_read_too(tmp_path: Path) -> None:
    from launcher.trainer.reader import read_parser

    (packages,) = (BED / "venv" / "lib").glob("python3*/site-packages")
    file, function = "accelerate/commands/launch.py", "launch_command_parser"
    found = read_parser(packages, file, function, package="accelerate", cache=tmp_path)
    tool = _tool()
    real = tool.true_options(packages, file, function, str(BED / "venv/bin/python"), "real")
    assert tool.differences(found, real) == []
