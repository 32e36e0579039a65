"""The cache of readings: quick, and never stale."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from trainer_checkouts import SCRIPT, lay_out, setup

from launcher.trainer import reader
from launcher.trainer.checkout import open_checkout
from launcher.trainer.options import ScriptOptions
from launcher.trainer.static import entry

FILES = {
    SCRIPT: setup("from library.parts import add\nadd(parser)\nparser.add_argument('--b', default=(1, 2.0, None))"),
    "library/parts.py": "def add(parser): parser.add_argument('--a', choices=['x'], help='日本')\n",
}


class Bench:
    """A checkout and a cache, and whether the last reading came from it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = lay_out(folder / "checkout", FILES)
        self.cache = folder / "cache"
        self.fresh = 0
        real = entry.read

        def counted(*arguments: object) -> ScriptOptions:
            self.fresh += 1
            return real(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(entry, "read", counted)

    def names(self) -> list[str]:
        return [option.name for option in self.read().options]

    def read(self) -> ScriptOptions:
        return reader.read_options(open_checkout(self.root), SCRIPT, cache=self.cache)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def test_a_second_reading_comes_from_the_cache_and_is_the_same(bench: Bench) -> None:
    first = bench.read()
    assert bench.read() == first
    assert bench.fresh == 1
    assert [option.default for option in first.options] == [None, (1, 2.0, None)]


@pytest.mark.parametrize("edited", FILES)
def test_an_edit_is_seen_even_when_size_and_time_are_the_same(bench: Bench, edited: str) -> None:
    bench.read()
    path = bench.root / edited
    before = path.stat()
    path.write_text(path.read_text(encoding="utf-8").replace("--a", "--z").replace("--b", "--y"), encoding="utf-8")
    import os

    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert bench.names() != ["a", "b"]
    assert bench.fresh == 2


def test_a_file_that_appears_before_the_one_read_is_seen(bench: Bench) -> None:
    assert bench.names() == ["a", "b"]
    lay_out(bench.root, {"library/parts/__init__.py": "def add(parser): parser.add_argument('--package')\n"})
    assert bench.names() == ["package", "b"]


def test_a_file_that_was_looked_for_in_vain_is_seen_when_it_appears(bench: Bench) -> None:
    lay_out(bench.root, {SCRIPT: setup("from late import add\nadd(parser)")})
    assert bench.read().unread != ()
    lay_out(bench.root, {"late.py": "def add(parser): parser.add_argument('--late')\n"})
    assert bench.names() == ["late"]
    (bench.root / "late.py").unlink()
    assert bench.names() == []


def test_going_back_reads_the_old_options_again(bench: Bench) -> None:
    path = bench.root / "library" / "parts.py"
    before = path.read_text(encoding="utf-8")
    assert bench.names() == ["a", "b"]
    path.write_text("def add(parser): pass\n", encoding="utf-8")
    assert bench.names() == ["b"]
    path.write_text(before, encoding="utf-8")
    assert bench.names() == ["a", "b"]


def test_a_file_that_the_reading_does_not_rest_on_changes_nothing(bench: Bench) -> None:
    bench.read()
    lay_out(bench.root, {"library/other.py": "x = 1\n", "README.md": "x"})
    bench.read()
    assert bench.fresh == 1


DAMAGED = [b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"seen": {}, "read": {}}', b'{"seen": 3, "read": {"options": 4}}']


@pytest.mark.parametrize("content", [*DAMAGED, b'{"a":' * 3000])
def test_a_damaged_cache_is_read_over(bench: Bench, content: bytes) -> None:
    first = bench.read()
    (kept,) = bench.cache.iterdir()
    kept.write_bytes(content)
    assert bench.read() == first
    assert bench.read() == first
    assert bench.fresh == 2


def test_a_cache_with_other_fields_is_read_over(bench: Bench) -> None:
    first = bench.read()
    (kept,) = bench.cache.iterdir()
    data = json.loads(kept.read_bytes())
    data["read"]["options"][0]["colour"] = "red"
    kept.write_text(json.dumps(data), encoding="utf-8")
    assert bench.read() == first


def test_a_cache_that_cannot_be_written_is_done_without(bench: Bench) -> None:
    bench.cache.write_text("a file where the folder should be", encoding="utf-8")
    assert bench.names() == bench.names() == ["a", "b"]
    assert bench.fresh == 2


def test_a_folder_in_the_place_of_a_kept_reading_is_no_harm(bench: Bench) -> None:
    bench.read()
    (kept,) = bench.cache.iterdir()
    kept.unlink()
    kept.mkdir()
    assert bench.names() == ["a", "b"]


def test_two_checkouts_do_not_share_a_reading(bench: Bench, tmp_path: Path) -> None:
    other = lay_out(tmp_path / "other", {**FILES, "library/parts.py": "def add(parser): pass\n"})
    assert bench.names() == ["a", "b"]
    assert len(reader.read_options(open_checkout(other), SCRIPT, cache=bench.cache).options) == 1
    assert bench.names() == ["a", "b"]
    assert bench.fresh == 2


def test_processes_at_once_leave_one_whole_reading(bench: Bench) -> None:
    program = (
        "import sys; from pathlib import Path; from launcher.trainer.checkout import open_checkout\n"
        "from launcher.trainer.reader import read_options\n"
        "checkout = open_checkout(Path(sys.argv[1]))\n"
        "for _ in range(20):\n"
        "    for kept in Path(sys.argv[2]).glob('*.json'): kept.unlink(missing_ok=True)\n"
        "    read = read_options(checkout, sys.argv[3], cache=Path(sys.argv[2]))\n"
        "    assert [option.name for option in read.options] == ['a', 'b'], read\n"
    )
    command = [sys.executable, "-c", program, str(bench.root), str(bench.cache), SCRIPT]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [(one.communicate()[1], one.returncode) for one in running] == [("", 0)] * 2
    bench.read()
    assert [path.suffix for path in bench.cache.iterdir()] == [".json"]  # and no partial file
