"""The patches and the script of a launch that was killed before its manifest was whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.base.files import sha1_of
from launcher.run.clean import clean, find_to_clean

NAME = "fox-v1s4"
PATCH, SCRIPT = b"diff --git a/a b/a\n", b"#!/bin/sh\n"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A directory with repos.git, a patch and reproduce.sh, as a killed launch leaves it."""
    run = tmp_path / NAME
    (run / "patches").mkdir(parents=True)
    files = {"patches/sd-scripts.patch": PATCH, "reproduce.sh": SCRIPT}
    for name, content in files.items():
        (run / name).write_bytes(content)
    lines = [f"/code/sd-scripts: (main) {40 * 'a'}", *(f"{run}/{name}: {sha1_of(files[name])}" for name in files)]
    (run / "repos.git").write_text("".join(f"{line}\n" for line in lines))
    return run


def test_all_of_it_goes(run: Path) -> None:
    assert clean(find_to_clean(NAME, [run.parent]), [run.parent]).gone
    assert not run.exists()


@pytest.mark.parametrize(
    "name", ["patches/sd-scripts.patch", "reproduce.sh", "patches/mine.txt", "patches/mine.patch", "more/x.patch"]
)
def test_what_somebody_wrote_there_stays(run: Path, name: str) -> None:
    (run / name).parent.mkdir(exist_ok=True)
    (run / name).write_text("edited")
    cleaned = clean(find_to_clean(NAME, [run.parent]), [run.parent])
    assert not cleaned.gone
    assert (run / name).read_text() == "edited"
    assert (run / "repos.git").exists()
