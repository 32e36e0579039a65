"""Every planted mistake is named, as what it is and where it is, and nothing else is said; here on the miniature."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from miniature import lay_out_miniature
from mistake import Planted
from mistakes import SUBJECTS
from planted_bed import Bed, complaints, open_bed
from sound_specs import BY_ID

from launcher.plan.every_code import every_code

_EVERY = [each for table in SUBJECTS.values() for each in table]


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    root = tmp_path_factory.mktemp("miniature")
    with open_bed(tmp_path_factory.mktemp("bed"), *lay_out_miniature(root)) as opened:
        yield opened


@pytest.mark.parametrize("planted", _EVERY, ids=lambda each: each.id)
def test_a_planted_mistake_is_named_and_nothing_else(bed: Bed, tmp_path: Path, planted: Planted) -> None:
    if planted.only and planted.only[0] != "miniature":
        pytest.skip(planted.only[1])
    assert complaints(bed, tmp_path, planted) == []


def test_there_are_enough_of_every_subject() -> None:
    assert len(_EVERY) >= 150
    assert {subject: len(table) >= 25 for subject, table in SUBJECTS.items()} == dict.fromkeys(SUBJECTS, True)
    assert sum(each.only is None for each in _EVERY) >= 150


def test_each_has_a_name_of_its_own_a_base_and_a_code_that_exists() -> None:
    assert [name for name, number in Counter(each.id for each in _EVERY).items() if number > 1] == []
    assert {each.base for each in _EVERY} <= set(BY_ID)
    assert {each.code for each in _EVERY} <= set(every_code())
