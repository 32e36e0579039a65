"""A command line becomes a spec, and what that plans is the same to the trainer's parser: any options, any values."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from import_bed import both, command_lines, imported, scripts
from option_values import demo_options

from launcher.trainer.checkout import open_checkout
from launcher.trainer.options import ScriptOptions
from launcher.trainer.reader import read_options

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "planted"))
from miniature import lay_out_miniature


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> ScriptOptions:
    return demo_options(tmp_path_factory.mktemp("demo"))


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_the_same_plan(demo: ScriptOptions, data: st.DataObject) -> None:
    argv = data.draw(command_lines(demo))
    written = imported(data.draw(scripts(argv)), demo, without_defaults=data.draw(st.booleans()))
    with tempfile.TemporaryDirectory() as folder:
        first, second = both(Path(folder), argv, written, demo)
    assert first == second, written.text
    assert written.findings == ()


@pytest.fixture(scope="module")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay_out_miniature(tmp_path_factory.mktemp("miniature"))[0]


@pytest.mark.parametrize("script", ["sdxl_train_network.py", "flux_train_network.py", "train_textual_inversion.py"])
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_the_same_plan_in_the_miniature(miniature: Path, script: str, data: st.DataObject) -> None:
    options = read_options(open_checkout(miniature), script)
    argv = data.draw(command_lines(options))
    written = imported(data.draw(scripts(argv)), options, without_defaults=data.draw(st.booleans()))
    with tempfile.TemporaryDirectory() as folder:
        first, second = both(Path(folder), argv, written, options)
    assert first == second, written.text
