"""Sound specs are left alone: no error and no warning on the miniature; and every template has one that extends it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from miniature import lay_out_miniature
from planted_bed import Bed, has_modules, open_bed, reports
from sound_specs import EVERY, Sound

from launcher.base.places import shipped_folder


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    root = tmp_path_factory.mktemp("miniature")
    with open_bed(tmp_path_factory.mktemp("bed"), *lay_out_miniature(root)) as opened:
        yield opened


@pytest.mark.parametrize("sound", EVERY, ids=lambda sound: sound.id)
def test_a_sound_spec_is_left_alone(bed: Bed, tmp_path: Path, sound: Sound) -> None:
    assert has_modules(bed, sound)
    assert reports(bed, tmp_path, sound) == []


@pytest.mark.parametrize("template", [path.stem for path in shipped_folder("templates").glob("*.toml")])
def test_every_template_is_among_them(template: str) -> None:
    assert any(f'extends = "{template}"' in sound.spec for sound in EVERY)


def test_there_are_enough() -> None:
    assert len(EVERY) >= 20
