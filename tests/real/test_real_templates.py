"""Every template on the releases that people have, each on its own script. test_real_planted.py has the bed's own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from real_bed import BED, CHECKOUT, PYTHON, needs, release_of_bed

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "planted"))

from planted_bed import has_modules, open_bed, reports
from sound_templates import TEMPLATES

pytestmark = needs(CHECKOUT, PYTHON)
# v0.10 (Anima: v0.10.1) brought these scripts, and takes the bucket_reso_steps of pony-locon-guide, which earlier
# releases refuse.
_NEW = {"flux-lora", "sd3-lora", "lumina-lora", "anima-lora", "pony-locon-guide"}


@pytest.mark.parametrize(("release", "lacks"), [("v0.9.1", _NEW), ("v0.10.0", {"anima-lora"}), ("v0.10.1", set())])
def test_the_templates_are_sound_on_a_release(tmp_path: Path, release: str, lacks: set[str]) -> None:
    checkout = release_of_bed(release, tmp_path / "checkout", "library", "networks", ":(glob)*.py")
    (tmp_path / "bed").mkdir()
    with open_bed(tmp_path / "bed", checkout, BED / "venv") as bed:
        said = {}
        for template in sorted(TEMPLATES.keys() - lacks):
            assert has_modules(bed, TEMPLATES[template])
            (tmp_path / template).mkdir()
            said[template] = reports(bed, tmp_path / template, TEMPLATES[template])
    assert {template: each for template, each in said.items() if each} == {}
    assert len(said) >= 10
