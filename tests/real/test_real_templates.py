"""Every template on the releases that people have, on its own script; test_real_planted.py has the bed's own checkout.

Needs a bed: a folder, named by KL_REALBED, that holds a clone `sd-scripts` and `venv/bin/python`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

BED = Path(os.environ.get("KL_REALBED") or "/nonexistent")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "planted"))

from planted_bed import has_modules, open_bed, reports  # noqa: E402
from sound_templates import TEMPLATES  # noqa: E402

pytestmark = pytest.mark.skipif(
    not (BED / "sd-scripts").is_dir() or not (BED / "venv/bin/python").exists(),
    reason="needs real sd-scripts and its environment: set KL_REALBED to a folder with sd-scripts and venv/bin/python",
)
# v0.10 (Anima: v0.10.1) brought these scripts, and takes the bucket_reso_steps of pony-locon-guide, which earlier releases refuse.
_NEW = {"flux-lora", "sd3-lora", "lumina-lora", "anima-lora", "pony-locon-guide"}


def _release(release: str, folder: Path) -> Path:
    """The trainer's own files of a release, as far as kl reads them."""
    clone = ["git", "-C", str(BED / "sd-scripts"), "archive", release, "--", "library", "networks", ":(glob)*.py"]
    archive = subprocess.run(clone, capture_output=True, check=False)
    if archive.returncode != 0:
        pytest.skip(f"the checkout does not have {release}")
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder


@pytest.mark.parametrize(("release", "lacks"), [("v0.9.1", _NEW), ("v0.10.0", {"anima-lora"}), ("v0.10.1", set())])
def test_the_templates_are_sound_on_a_release(tmp_path: Path, release: str, lacks: set[str]) -> None:
    checkout = _release(release, tmp_path / "checkout")
    (tmp_path / "bed").mkdir()
    with open_bed(tmp_path / "bed", checkout, BED / "venv") as bed:
        said = {}
        for template in sorted(TEMPLATES.keys() - lacks):
            assert has_modules(bed, TEMPLATES[template])
            (tmp_path / template).mkdir()
            said[template] = reports(bed, tmp_path / template, TEMPLATES[template])
    assert {template: each for template, each in said.items() if each} == {}
    assert len(said) >= 10
