"""Scripts and commands become specs: every option of the real scripts there and back, and the commands of their docs.

Needs a bed: a folder, named by KL_REALBED, that holds a clone `sd-scripts` and `venv/bin/python`, an interpreter with
all that sd-scripts needs.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.base.errors import KlError
from launcher.plan.paths import is_path
from launcher.spec.import_script import Reading, import_script
from launcher.trainer.checkout import open_checkout
from launcher.trainer.options import Option, ScriptOptions
from launcher.trainer.reader import read_options

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "plan"))
from import_bed import both, command_lines, imported, scripts

BED = Path(os.environ.get("KL_REALBED") or "/nonexistent")

pytestmark = pytest.mark.skipif(
    not (BED / "sd-scripts").is_dir() or not (BED / "venv/bin/python").exists(),
    reason="needs real sd-scripts and its environment: set KL_REALBED to a folder with sd-scripts and venv/bin/python",
)


def _scripts() -> tuple[str, ...]:
    return open_checkout(BED / "sd-scripts").scripts if (BED / "sd-scripts").is_dir() else ("none",)


@pytest.mark.parametrize("script", _scripts())
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_there_and_back(script: str, data: st.DataObject) -> None:
    options = read_options(open_checkout(BED / "sd-scripts"), script)
    argv = data.draw(command_lines(options))
    written = imported(data.draw(scripts(argv)), options, without_defaults=data.draw(st.booleans()))
    with tempfile.TemporaryDirectory() as folder:
        first, second = both(Path(folder), argv, written, options)
    assert first == second, written.text


def _pasted() -> list[str]:
    """The commands in the documentation of the real checkout."""
    pages = sorted((BED / "sd-scripts" / "docs").glob("*.md"))
    blocks = (block for page in pages for block in re.findall(r"```\w*\n(.*?)```", page.read_text("utf-8"), re.DOTALL))
    return [block for block in blocks if "accelerate launch" in block]


def test_the_commands_of_its_documentation(tmp_path: Path) -> None:
    """People paste them: with places to fill in, and one line written as several."""
    checkout = open_checkout(BED / "sd-scripts")
    compared = 0
    for command in _pasted():
        try:
            found = import_script(command, Reading("docs", splits=True, home="/home/me"))
        except KlError as error:
            assert "Training commands stand in the lines" in error.message, command
            continue
        if found.script is None or found.script not in checkout.scripts:
            continue
        options = read_options(checkout, found.script)
        argv = [word.text for word in found.words]
        written = imported(command, options)
        said = " ".join(finding.message for finding in written.findings)
        if "no option" in said or "belongs to no option" in said or any(word.why for word in found.words):
            continue  # what the real parser refuses, or nobody knows
        first, second = both(tmp_path, argv, written, options)
        different = {name for name in first if first[name] != second[name]}
        # Paths are made whole, and kl names the run and copies its files.
        assert {name for name in different if not is_path(_option(options, name)) and name != "output_name"} == set()
        compared += 1
    assert compared > 5


def _option(options: ScriptOptions, name: str) -> Option:
    found = options.get(name)
    assert found is not None
    return found
