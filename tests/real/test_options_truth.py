"""Every option of every training script of a real checkout, against the script's own parser, really imported.

`benchmarks/compare_options.py` does the same for other releases.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from real_bed import CHECKOUT, PYTHON, needs, options_tool, site_packages

from launcher.trainer.checkout import open_checkout

pytestmark = needs(CHECKOUT, PYTHON)


def _scripts() -> tuple[str, ...]:
    return open_checkout(CHECKOUT).scripts if CHECKOUT.is_dir() else ("none",)


@pytest.mark.parametrize("script", _scripts())
def test_what_is_read_equals_the_real_parser(tmp_path: Path, script: str) -> None:
    checkout = open_checkout(CHECKOUT)
    tool, python = options_tool(), str(PYTHON)
    result = tool.compare(checkout, script, python, "real", tmp_path)
    if any("could not be asked" in each for each in result.differences):
        # A script may need a library older than the bed's; its parser does not.
        result = tool.compare(checkout, script, python, "stub", tmp_path)
    assert result.differences == ()
    assert result.options > 50


def test_accelerates_own_launch_options_are_read_too(tmp_path: Path) -> None:
    from launcher.trainer.reader import read_parser

    packages = site_packages()
    file, function = "accelerate/commands/launch.py", "launch_command_parser"
    found = read_parser(packages, file, function, package="accelerate", cache=tmp_path)
    tool = options_tool()
    real = tool.true_options(packages, file, function, str(PYTHON), "real")
    assert tool.differences(found, real) == []
