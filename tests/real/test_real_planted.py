"""Every planted mistake and every sound spec, on a real checkout with its real environment."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_bed import BED, CHECKOUT, PYTHON, needs

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "planted"))

from mistake import Planted
from mistakes import SUBJECTS
from planted_bed import Bed, complaints, has_modules, open_bed, reports
from sound_specs import EVERY, Sound
from sound_templates import TEMPLATES

pytestmark = needs(CHECKOUT, PYTHON)


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    with open_bed(tmp_path_factory.mktemp("bed"), CHECKOUT, BED / "venv") as opened:
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
