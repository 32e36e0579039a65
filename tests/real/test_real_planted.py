"""Every planted mistake and every sound spec, on a real checkout with its real environment.

Needs a bed: a folder, named by KL_REALBED, that holds a clone `sd-scripts` and `venv/bin/python`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

BED = Path(os.environ.get("KL_REALBED") or "/nonexistent")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "planted"))

from mistake import Planted  # noqa: E402
from mistakes import SUBJECTS  # noqa: E402
from planted_bed import Bed, complaints, has_modules, open_bed, reports  # noqa: E402
from sound_specs import EVERY, Sound  # noqa: E402
from sound_templates import TEMPLATES  # noqa: E402

pytestmark = pytest.mark.skipif(
    not (BED / "sd-scripts").is_dir() or not (BED / "venv/bin/python").exists(),
    reason="needs real sd-scripts and its environment: set KL_REALBED to a folder with sd-scripts and venv/bin/python",
)


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    with open_bed(tmp_path_factory.mktemp("bed"), BED / "sd-scripts", BED / "venv") as opened:
        yield opened


@pytest.mark.parametrize("sound", (*EVERY, *TEMPLATES.values()), ids=lambda sound: sound.id)
def test_a_sound_spec_is_left_alone(bed: Bed, tmp_path: Path, sound: Sound) -> None:
    if not has_modules(bed, sound):
        pytest.skip(f"the bed's environment lacks one of {', '.join(sound.modules)}")
    assert reports(bed, tmp_path, sound) == []


@pytest.mark.parametrize("planted", [each for table in SUBJECTS.values() for each in table], ids=lambda each: each.id)
def test_a_planted_mistake_is_named_and_nothing_else(bed: Bed, tmp_path: Path, planted: Planted) -> None:
    if planted.only and planted.only[0] != "real":
        pytest.skip(planted.only[1])
    assert complaints(bed, tmp_path, planted) == []
