"""The log as a terminal would show it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.run.log_text import LogText


def _read(path: Path) -> tuple[list[str], str]:
    text = LogText(path)
    try:
        return text.read(), text.open_line
    finally:
        text.close()


@pytest.mark.parametrize(
    ("content", "lines", "open_line"),
    [
        (b"one\ntwo\n", ["one", "two"], ""),
        (b"one\r\ntwo\r\n", ["one", "two"], ""),
        (b"\rbar 1\rbar 2\rbar 3", [], "bar 3"),
        (b"\rbar 1\rbar 2\ndone\n", ["bar 2", "done"], ""),
        (b"\rbar 2\r", [], "bar 2"),
        (b"\rbar 2\r      \r\nnext\n", ["bar 2", "next"], ""),
        (b"\x1b[31mred\x1b[0m\n\x1b[A\tx\n", ["red", "        x"], ""),
        (b"\xff\n\n", ["\ufffd", ""], ""),
        (b"", [], ""),
    ],
)
def test_what_is_shown(tmp_path: Path, content: bytes, lines: list[str], open_line: str) -> None:
    (tmp_path / "log").write_bytes(content)
    assert _read(tmp_path / "log") == (lines, open_line)


@given(st.lists(st.sampled_from([b"a", b" ", b"\r", b"\n", b"\r\n", b"bar", b"\x1b["]), max_size=40), st.data())
def test_it_does_not_matter_how_much_is_read_at_once(parts: list[bytes], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        path.write_bytes(b"".join(parts))
        at_once = _read(path)
        cut = data.draw(st.integers(0, len(parts)))
        path.write_bytes(b"".join(parts[:cut]))
        text = LogText(path)
        lines = text.read()
        with path.open("ab") as file:
            file.write(b"".join(parts[cut:]))
        lines += text.read()
        assert (lines, text.open_line) == at_once
        text.close()


def test_a_bar_of_a_whole_night_takes_little_memory(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"\rbar of a night" * 200_000 + b"\n" + b"x" * 3_000_000)
    text = LogText(tmp_path / "log")
    assert text.read() == ["bar of a night"]
    assert len(text.open_line) == 1 << 16
    text.close()
