"""`kl clean`, and what keeps a failed run, with the real command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_bed import SPEC, Bed, make_bed

NAME = "fox-v1s4"


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return make_bed(tmp_path)  # what stands for its accelerate fails, unless it is told where to say something


def failed_run(bed: Bed, name: str = NAME) -> Path:
    bed.spec(SPEC, f"{name.partition('-')[0]}.toml")
    ended = bed.kl("launch", name, "--no-clean")
    assert ended.code == 1, ended.err
    directory = bed.home / "output_dir" / name
    assert (directory / "run.json").exists() and (directory / "sdscripts.log").exists()
    return directory


def test_a_failed_run_goes_at_once_and_its_log_is_kept(bed: Bed) -> None:
    ended = bed.kl("launch", NAME)
    assert ended.code == 1
    assert not (bed.home / "output_dir" / NAME).exists()
    (record,) = (bed.home / ".state" / "kl" / "removed").iterdir()
    assert "KeyError" in (record / "sdscripts.log").read_text(encoding="utf-8")


def test_no_clean_keeps_everything(bed: Bed) -> None:
    for number, (words, variables) in enumerate(((("--no-clean",), {}), ((), {"NO_CLEAN": "1"}))):
        name = f"fox-v{number}s4"
        assert bed.kl("launch", name, *words, **variables).code == 1
        assert (bed.home / "output_dir" / name / "sdscripts.log").exists()
    assert not (bed.home / ".state" / "kl" / "removed").exists()
    before = bed.tree()
    ended = bed.kl("clean", "--yes", NO_CLEAN="1")
    assert ended.code == 0 and ended.err == "NO_CLEAN is set: nothing is removed.\n"
    assert "2 of 2 runs may be removed" in ended.out
    assert bed.tree() == before
    assert "2 of 2 runs removed" in bed.kl("clean", "--yes", NO_CLEAN="0").out


def test_it_lists_and_only_yes_removes(bed: Bed) -> None:
    first, second = failed_run(bed), failed_run(bed, "owl-v1s4")
    (second / "notes\n\x1b.txt").write_bytes(b"precious")
    before = bed.tree()
    ended = bed.kl("clean")
    lines = ended.out.splitlines()
    assert ended.code == 0 and ended.err == ""
    assert lines[:2] == [
        "may go    fox-v1s4  it failed and left nothing to keep",
        "stays     owl-v1s4  neither kl nor the trainer made notes\\n\\x1b.txt",
    ]
    assert lines[2].startswith("1 of 2 runs may be removed (") and lines[2].endswith("): kl clean --yes does it.")
    assert len(lines) == 3
    assert bed.tree() == before
    ended = bed.kl("clean", "--yes")
    assert ended.code == 0
    assert ended.out.startswith(
        "removed   fox-v1s4  it failed and left nothing to keep; its log and manifest: ~/.state/kl/removed/fox-v1s4-"
    )
    assert "\n1 of 2 runs removed (" in ended.out
    assert not first.exists() and second.exists()
    assert bed.kl("clean", "--yes").out.splitlines()[-1] == "0 of 1 run removed (0 B)."
    assert bed.kl("clean").out.splitlines()[-1] == "None of 1 run is to be removed."
    assert bed.kl("clean", NAME).out.startswith("stays     fox-v1s4  it was removed already\n")


def test_as_json(bed: Bed) -> None:
    directory = failed_run(bed)
    listed = json.loads(bed.kl("clean", "--json").out)
    size = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
    expected = {
        "name": NAME, "directory": str(directory), "outcome": "failed", "goes": True, "stays_because": [],
        "bytes": size, "removed": False, "record": None,
    }  # fmt: skip
    assert listed == {"runs": [expected], "removed": 0}
    done = json.loads(bed.kl("clean", "--json", "--yes", NAME).out)
    (record,) = (bed.home / ".state" / "kl" / "removed").iterdir()
    assert done == {"runs": [{**expected, "removed": True, "record": str(record)}], "removed": 1}
    assert json.loads(bed.kl("clean", "--json").out) == {"runs": [], "removed": 0}


def test_only_the_named_ones(bed: Bed) -> None:
    first, second, third = (failed_run(bed, f"{dataset}-v1s4") for dataset in ("fox", "owl", "elk"))
    ended = bed.kl("clean", "fox-v1s4", str(second), f"{second}/", "--yes")
    assert ended.code == 0 and "2 of 2 runs removed" in ended.out
    assert not first.exists() and not second.exists() and third.exists()


def test_an_unknown_name_removes_nothing(bed: Bed) -> None:
    directory = failed_run(bed)
    before = bed.tree()
    for name in ("fox-v1s40", "./fox-v1s4", "a\nb", b"\xff", ""):
        ended = bed.kl("clean", NAME, name, "--yes")
        assert ended.code == 64 and "Traceback" not in ended.err, (name, ended)
    assert "Did you mean fox-v1s4?" in bed.kl("clean", "fox-v1s40").err
    assert bed.tree() == before and directory.exists()


def test_without_runs(bed: Bed) -> None:
    assert bed.kl("clean").out == "There are no runs in ~/output_dir.\n"
    assert bed.kl("clean", "--yes").code == 0


def test_what_a_killed_launch_left_goes_by_its_name(bed: Bed) -> None:
    directory = bed.home / "output_dir" / NAME
    directory.mkdir(parents=True)
    assert bed.kl("clean").out == "There are no runs in ~/output_dir.\n"
    assert bed.kl("clean", NAME).out.startswith("may go    fox-v1s4  kl was killed before it started\n")
    assert bed.kl("clean", NAME, "--yes").code == 0
    assert not directory.exists() and directory.parent.exists()
    assert bed.kl("launch", NAME).code == 1


def test_a_run_in_a_folder_that_is_no_output_root_stays(bed: Bed) -> None:
    directory = failed_run(bed)
    moved = bed.here / NAME
    directory.rename(moved)
    assert "stays     fox-v1s4  it is not in an output root" in bed.kl("clean", f"./{NAME}", "--yes").out
    assert moved.exists()
