"""Sound specs are left alone: no error and no warning on the miniature; and every template has one that extends it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from miniature import lay_out_miniature
from planted_bed import Bed, has_modules, open_bed, reports
from sound_specs import EVERY, Sound
from sound_templates import TEMPLATES

from launcher.base.places import shipped_folder


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    root = tmp_path_factory.mktemp("miniature")
    with open_bed(tmp_path_factory.mktemp("bed"), *lay_out_miniature(root)) as opened:
        yield opened


@pytest.mark.parametrize("sound", (*EVERY, *TEMPLATES.values()), ids=lambda sound: sound.id)
def test_a_sound_spec_is_left_alone(bed: Bed, tmp_path: Path, sound: Sound) -> None:
    assert has_modules(bed, sound)
    assert reports(bed, tmp_path, sound) == []


def test_every_template_is_among_them() -> None:
    assert sorted(TEMPLATES) == sorted(path.stem for path in shipped_folder("templates").glob("*.toml"))
    assert all(f'extends = "{template}"' in sound.spec for template, sound in TEMPLATES.items())


def test_there_are_enough() -> None:
    assert len(EVERY) >= 20
