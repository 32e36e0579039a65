"""`kl note`: notes are added, printed, shown, and keep the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_bed import Bed, Ended, make_bed

from launcher.record.manifest import Attempt, Manifest, write_manifest

NAME = "fox-v1s10"
FAILED = Attempt(started="2026-11-01T10:00:00+00:00", ended="2026-11-01T10:05:00+00:00", exit_code=1, outcome="failed")


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return make_bed(tmp_path)


def _run(directory: Path) -> Path:
    directory.mkdir(parents=True)
    write_manifest(Manifest(name=NAME, created=FAILED.started, attempts=(FAILED,)), directory)
    return directory


def _kl(bed: Bed, *words: str | bytes, **environ: str) -> Ended:
    return bed.kl(*words, OUTPUT_DIR=str(bed.root / "out"), TZ="UTC", **environ)


def test_a_note_is_added_printed_and_shown(bed: Bed) -> None:
    directory = _run(bed.root / "out" / NAME)
    assert _kl(bed, "note", NAME).out == f"{NAME} has no notes.\n"
    done = _kl(bed, "note", NAME, "hands are better\nthan in v0")
    assert (done.code, done.out, done.err) == (0, f"Noted on {NAME}.\n", "")
    assert _kl(bed, "note", str(directory), "use", "this", "one").code == 0
    (first, second), manifest = json.loads(_kl(bed, "show", NAME, "--json").out)["noted"], directory / "run.json"
    assert (first["text"], second["text"]) == ("hands are better\nthan in v0", "use this one")
    lines = [f"{first['when'][:16].replace('T', ' ')} hands are better", "  than in v0"]
    lines.append(f"{second['when'][:16].replace('T', ' ')} use this one")
    assert _kl(bed, "note", NAME).out.splitlines() == lines
    shown = _kl(bed, "show", NAME).out.splitlines()
    at = next(number for number, line in enumerate(shown) if line.startswith("  noted "))
    assert [line[20:] for line in shown[at : at + 3]] == lines
    assert "noted" not in manifest.read_text()


def test_what_cannot_be_noted(bed: Bed) -> None:
    directory = _run(bed.root / "out" / NAME)
    wrong = _kl(bed, "note", "fox-v1s11", "text")
    assert wrong.code == 64 and "Did you mean fox-v1s10?" in wrong.err
    assert _kl(bed, "note", NAME, " ").code == 64
    assert _kl(bed, "note", NAME, "x" * 100_001).code == 64
    secret = _kl(bed, "note", NAME, "ran with hf_12345678", **{"HF_TOKEN": "hf_12345678"})
    assert secret.code == 64 and "HF_TOKEN" in secret.err and "hf_1" not in secret.err
    (directory / "notes.txt").mkdir()
    unwritable = _kl(bed, "note", NAME, "text")
    assert unwritable.code == 73 and unwritable.err.startswith("error: ") and "notes.txt cannot" in unwritable.err


def test_a_note_with_anything_in_it(bed: Bed) -> None:
    directory = _run(bed.root / "out" / NAME)
    assert _kl(bed, "note", NAME, b"caf\xe9 \x1b[31m").code == 0
    assert _kl(bed, "note", NAME, "--", "-1 for hands").code == 0
    (directory / "notes.txt").read_text("utf-8")
    out = _kl(bed, "note", NAME).out
    assert "\x1b" not in out and "caf" in out and out.endswith(" -1 for hands\n")


def test_a_run_with_a_note_is_not_removed(bed: Bed) -> None:
    directory = _run(bed.root / "out" / NAME)
    _kl(bed, "note", NAME, "why?")
    done = _kl(bed, "clean", NAME, "--yes")
    assert "it has a note, in notes.txt" in done.out + done.err
    (directory / "notes.txt").unlink()
    assert _kl(bed, "clean", NAME, "--yes").code == 0 and not directory.exists()


def test_a_removed_run_takes_notes_and_its_record_stays_for_them(bed: Bed) -> None:
    removed = bed.home / ".state" / "kl" / "removed"
    for number in range(50):
        _run(removed / f"owl-v{number}s10-20260101T0000{number:02}Z")
    assert _kl(bed, "note", "owl-v0s10", "the first").code == 0
    assert (removed / "owl-v0s10-20260101T000000Z" / "notes.txt").is_file()
    for number in (1, 2):
        _run(bed.root / "out" / NAME)
        assert _kl(bed, "clean", NAME, "--yes").code == 0
        assert len(list(removed.iterdir())) == 51, number
    assert "the first" in _kl(bed, "note", "owl-v0s10").out
    assert not list(removed.glob("owl-v1s10-*")) and list(removed.glob("owl-v2s10-*"))
