"""Whatever stands in a spec: settings come out, or one message. Never anything else."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from launcher.base.errors import ExitCode, KlError
from launcher.spec.load import load_spec
from launcher.spec.names import parse_name

# Text that gets further into the readers than any text would: their own signs, and pieces of what people write.
_TOML_PIECES = st.sampled_from([
    *("a", "b", ".", " = ", "=", "[", "]", "[[", "]]", "{", "}", ",", "\n", "\r\n", "\t", " ", "#"),
    *('"', "'", '"""', "'''", "\\", "\\u0000", "\\ud800", "é", "\ufeff", "\0", "a.b.c"),
    *("1", "1.5", "0x", "_", "true", "inf", "2024-01-01", "10:00:00"),
    *("a = 1\n", "[t]\n", "[[t]]\n", 'extends = "fox"\n', 'extends = "base"\n', "general = {"),
])  # fmt: skip
_YAML_PIECES = st.sampled_from([
    *("a", "b", ": ", ":", "- ", "-", "? ", "[", "]", "{", "}", ",", "\n", "\n  ", "\r\n", "\r", "\t", " ", "#", " #"),
    *("|", ">", "|2-", "&a ", "*a", "!", "!!", "!!str ", "!!int ", "!<x>", "<<: ", "---\n", "...\n", "@", "`"),
    *('"', "'", "\\", "\\0", "\\ud800", "\\U99999999", "é", "\ufeff", "\x85", "\u2028", "\x07", "\0"),
    *("1", "1e", "0x", "~", "null", ".nan", "%YAML 1.2\n", "%TAG "),
    *("a: 1\n", "extends: fox\n", "extends: [base]\n", "general:\n"),
])  # fmt: skip


def _check(content: bytes, suffix: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        templates = Path(folder) / "templates"
        templates.mkdir()
        (templates / "base.yaml").write_text("x: 1\nextends: [base]\n")
        path = Path(folder) / f"fox{suffix}"
        path.write_bytes(content)
        try:
            spec = load_spec(path, parse_name("fox"), template_folders=[templates])
        except KlError as error:
            assert error.code is ExitCode.SPEC_REFUSED
            assert error.where is not None
            f"{error.message}{error.where}{error.hint}".encode()
            assert "\n" not in error.message
        else:
            assert spec.documents[-1].content == content
            assert all(setting.origin.line is not None for setting in spec.settings)


@pytest.mark.parametrize("suffix", [".toml", ".yaml"])
@settings(deadline=None, max_examples=150)
@given(content=st.binary(max_size=200))
def test_any_bytes(suffix: str, content: bytes) -> None:
    _check(content, suffix)


@pytest.mark.parametrize("suffix", [".toml", ".yaml"])
@settings(deadline=None, max_examples=150)
@given(text=st.text(max_size=200))
def test_any_text(suffix: str, text: str) -> None:
    _check(text.encode(), suffix)


@settings(deadline=None, max_examples=400)
@given(pieces=st.lists(_TOML_PIECES, max_size=40))
@example(pieces=["[t]\n", "a = {b.c = 1}\n", "[t.a]\n"])
def test_text_that_looks_like_toml(pieces: list[str]) -> None:
    _check("".join(pieces).encode(), ".toml")


@settings(deadline=None, max_examples=400)
@given(pieces=st.lists(_YAML_PIECES, max_size=40))
@example(pieces=['a: "', "\\U99999999", '"'])
@example(pieces=["%YAML 1.99999999999999999999\n", "---\n"])
@example(pieces=["%YAML 1.1\n", "%YAML 1.1\n", "---\n"])
@example(pieces=["%TAG ! x\n", "---\n", "a: !x y"])
def test_text_that_looks_like_yaml(pieces: list[str]) -> None:
    _check("".join(pieces).encode(), ".yaml")
