"""`kl ls`: what is listed, in what order, and how it looks."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli_bed import Bed, Ended, make_bed

from launcher.base.errors import ExitCode, KlError
from launcher.cli.ls import since_when
from launcher.cli.render_runs import bytes_as_text, runs_as_lines
from launcher.record.manifest import Attempt, Manifest, OptionRecord, write_manifest
from launcher.run.find import FoundRun
from launcher.run.listing import ListedRun
from launcher.run.outcome import Outcome

DONE = Attempt(ended="x", exit_code=0, outcome="succeeded", last_step=2400, total_steps=2400)


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return make_bed(tmp_path)


def _root(bed: Bed) -> Path:
    return bed.root / "out"


def _run(
    bed: Bed, name: str, day: str, *, minutes: int = 5, size: int = 1000, root: Path | None = None, **more: Any
) -> Path:
    directory = (root or _root(bed)) / name
    directory.mkdir(parents=True)
    started, ended = f"2026-11-{day}T10:00:00+00:00", f"2026-11-{day}T10:{minutes:02}:00+00:00"
    final = f"{name}.safetensors"
    (directory / final).write_bytes(b"x" * size)
    notes, options = more.pop("notes", ""), more.pop("options", ())
    attempt = replace(DONE, started=started, ended=ended, **more)
    manifest = Manifest(name=name, created=started, final=(final,), attempts=(attempt,), notes=notes, options=options)
    write_manifest(manifest, directory)
    return directory


def _ls(bed: Bed, *words: str, **environ: str) -> Ended:
    return bed.kl("ls", *words, OUTPUT_DIR=str(_root(bed)), TZ="UTC", **environ)


def _names(bed: Bed, *words: str) -> list[str]:
    done = _ls(bed, *words, "--json")
    assert done.code == 0, done.err
    return [run["name"] for run in json.loads(done.out)["runs"]]


def _three(bed: Bed) -> None:
    _run(bed, "fox-v1s2400", "01", last_loss=0.5, minutes=30, notes="lower rate")
    _run(bed, "owl-v1s2400", "03", last_loss=0.25, size=90_000, options=(OptionRecord("train_data_dir", "/data/fox"),))
    _run(bed, "bear-v1s2400", "02", last_loss=float("nan"), exit_code=1, last_step=7, minutes=2)


def test_newest_first_and_aligned(bed: Bed) -> None:
    _three(bed)
    (_root(bed) / "no-run").mkdir()
    done = _ls(bed)
    assert done.code == 0 and done.err == ""
    title, *lines = done.out.splitlines()
    assert title.split() == ["name", "outcome", "steps", "loss", "when", "time", "size"]
    assert [line.split()[:4] for line in lines] == [
        ["owl-v1s2400", "succeeded", "2400/2400", "0.25"],
        ["bear-v1s2400", "failed", "7/2400", "nan"],
        ["fox-v1s2400", "succeeded", "2400/2400", "0.5"],
    ]
    assert all(line[title.index("when") :].startswith("2026-11-0") for line in lines)
    assert {len(line) for line in lines} == {len(title)}


def test_sorting(bed: Bed) -> None:
    _three(bed)
    fox, owl, bear = "fox-v1s2400", "owl-v1s2400", "bear-v1s2400"
    assert _names(bed, "--sort", "name") == [bear, fox, owl]
    assert _names(bed, "--sort", "loss") == [owl, fox, bear]
    assert _names(bed, "--sort", "loss", "--reverse") == [fox, owl, bear]  # what has none stays last
    assert _names(bed, "--sort", "steps") == [fox, owl, bear]
    assert _names(bed, "--sort", "size")[0] == owl
    assert _names(bed, "--sort", "time") == [fox, owl, bear]
    assert _names(bed, "-r", "-n", "2") == [fox, bear]


def test_filters(bed: Bed) -> None:
    _three(bed)
    assert _names(bed, "rate", "Fox") == ["fox-v1s2400"]
    assert _names(bed, "rate", "owl") == []
    assert _names(bed, "--failed") == ["bear-v1s2400"]
    assert _names(bed, "--since", "2026-11-02") == ["owl-v1s2400", "bear-v1s2400"]
    assert _names(bed, "--since", "1m") == []
    assert _names(bed, "--dataset", "fox") == ["owl-v1s2400", "fox-v1s2400"]
    assert bed.kl("note", "bear-v1s2400", "look at its captions", OUTPUT_DIR=str(_root(bed))).code == 0
    assert _names(bed, "CAPTIONS", "bear") == ["bear-v1s2400"]
    assert _names(bed, "captions", "owl") == []
    assert _ls(bed, "nothing like it").out == "None of 3 runs is like that.\n"


def test_removed_runs_are_counted_and_listed_when_asked_for(bed: Bed) -> None:
    _three(bed)
    home = bed.home / ".state" / "kl" / "removed"
    _run(bed, "fox-v9s10-20261105T101010Z", "05", exit_code=1, root=home)
    assert _ls(bed).out.splitlines()[-1] == "1 removed failed run: kl ls --failed"
    lines = _ls(bed, "--failed").out.splitlines()[1:]
    assert [line.split()[0] for line in lines] == ["fox-v9s10", "bear-v1s2400"]
    assert "failed, removed" in lines[0]
    data = json.loads(_ls(bed, "--json").out)
    assert data["removed_not_listed"] == 1 and not any(run["removed"] for run in data["runs"])


def test_json_has_every_value(bed: Bed) -> None:
    _three(bed)
    first, second = json.loads(_ls(bed, "--json").out)["runs"][:2]
    assert {**first, "bytes": 0} == {
        "name": "owl-v1s2400", "directory": str(_root(bed) / "owl-v1s2400"), "outcome": "succeeded", "removed": False,
        "problem": None, "created": "2026-11-03T10:00:00+00:00", "started": "2026-11-03T10:00:00+00:00",
        "seconds": 300.0, "step": 2400, "total_steps": 2400, "loss": 0.25, "lowest_loss": None, "bytes": 0,
        "attempts": 1, "notes": "",
    }  # fmt: skip
    assert first["bytes"] > 90_000 and second["loss"] == "nan"


def test_no_runs_and_wrong_words(bed: Bed) -> None:
    assert _ls(bed).out.startswith(f"There are no runs in {_root(bed)}")
    wrong = _ls(bed, "--since", "yesterday")
    assert wrong.code == 64 and wrong.err.startswith("error: --since yesterday is no time.")
    assert _ls(bed, "--sort", "colour").code == 64


def test_damaged_runs_and_odd_names_are_lines(bed: Bed) -> None:
    for name in (b"bad-v1", b"odd\xff\x1b[31m\n"):
        folder = os.path.join(os.fsencode(_root(bed)), name)  # noqa: PTH118 - bytes
        os.makedirs(folder)  # noqa: PTH103 - bytes
        (Path(os.fsdecode(folder)) / "run.json").write_bytes(b"{")
    done = _ls(bed)
    assert done.code == 0 and done.err == ""
    assert sum("damaged" in line for line in done.out.splitlines()) == 2
    assert "\\udcff\\x1b[31m\\n" in done.out and "\x1b" not in done.out
    assert {run["outcome"] for run in json.loads(_ls(bed, "--json").out)["runs"]} == {None}
    assert "damaged" in _ls(bed, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0").out


def test_a_name_that_two_runs_share_is_told_by_its_folder(bed: Bed) -> None:
    _run(bed, "fox-v1s2400", "01")
    _run(bed, "fox-v1s2400", "02", root=bed.home / "output_dir")
    _run(bed, "owl-v1s2400", "03")
    first = [line.split()[0] for line in _ls(bed).out.splitlines()[1:]]
    assert first == ["owl-v1s2400", "~/output_dir/fox-v1s2400", str(_root(bed) / "fox-v1s2400")]


def _listed(name: str, **more: Any) -> ListedRun:
    return ListedRun(FoundRun(name, Path("/out") / name), **{"outcome": Outcome.SUCCEEDED, "started": 1.8e9, **more})


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_lines_keep_within_the_terminal(width: int) -> None:
    runs = [_listed("fox-" * 20, seconds=5000, step=12, total_steps=2400, loss=0.5), _listed("狐狸-v1s10")]
    lines = list(runs_as_lines(runs, width=width))
    assert len(lines) == 3 and all(len(line) <= max(width, 56) for line in lines)
    assert "…" in lines[1] and "succeeded" in lines[1]
    assert any("…" in line for line in runs_as_lines(runs)) is False


def test_wide_characters_are_two_columns() -> None:
    title, line = runs_as_lines([_listed("狐狸" * 8)])
    assert line.index("succeeded") + 16 == title.index("outcome")


def test_only_the_outcome_is_coloured() -> None:
    _, line = runs_as_lines([_listed("a\x1b[5m", outcome=Outcome.FAILED)], coloured=True)
    assert "\x1b[31mfailed \x1b[0m" in line and line.count("\x1b") == 2


def test_times_ago() -> None:
    now = time.time()
    assert since_when("2d", now) == now - 2 * 86400
    assert since_when("90m", now) == now - 5400
    assert since_when("1w", now) == since_when("7d", now)
    assert since_when("2026-11-01T00:00:00+00:00", now) == 1793491200.0
    for wrong in ("", "d", "-2d", "2x", "0x2d", "99999999999d", "2026-13-01"):
        with pytest.raises(KlError) as error:
            since_when(wrong, now)
        assert error.value.code is ExitCode.USAGE


def test_bytes() -> None:
    assert [bytes_as_text(size) for size in (0, 999, 1000, 9_619_344, 999_999_999, 10**15)] == [
        "0 B", "999 B", "1 kB", "9.62 MB", "1 GB", "1e+03 TB",
    ]  # fmt: skip
