"""The schema of `kl schema` on the miniature: every template and every sound spec is valid; of the planted mistakes,
those that the spec alone shows are refused.

A schema sees one file, and neither others nor how options work together. It cannot see: what is missing (something
that the spec extends may have it), the same key in two tables, names that stand in files (models, datasets, prompts,
modules, optimizers, which may be anything on the path), values that only a network module or an optimizer refuses,
options that contradict each other or have no effect, and whether 8.0 is a whole number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from miniature import lay_out_miniature
from mistake import SPEC, Planted
from mistakes import SUBJECTS
from planted_bed import Bed, lay_out, open_bed
from sound_specs import BY_ID, EVERY, Sound
from sound_templates import TEMPLATES

from launcher.base.places import shipped_folder
from launcher.cli.schema import schema_of
from launcher.spec.toml_parser import loads
from launcher.trainer.checkout import open_checkout

# What the spec alone shows.
SEEN = {
    "unknown-key", "wrong-type", "wrong-count", "not-a-choice", "set-by-kl", "secret", "network-arg-unread",
    "optimizer-args-key", "dataset-unknown-key", "dataset-wrong-type",
}  # fmt: skip
# Its command is given as others published it: kl check warns of these, too.
UNREAD_IN_TEMPLATES = {"pony-locon-guide": {"block_dims", "block_alphas", "rank_dropout_scale"}}


@dataclass(frozen=True)
class Schema:
    """The schema of a bed's checkout."""

    bed: Bed
    validator: Draft202012Validator

    def says(self, spec: Path) -> list[str]:
        """What it has against a spec."""
        found = self.validator.iter_errors(loads(spec.read_text("utf-8")))
        return [f"{'.'.join(map(str, each.absolute_path))}: {each.message}" for each in found]


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Schema]:
    root = tmp_path_factory.mktemp("miniature")
    with open_bed(tmp_path_factory.mktemp("bed"), *lay_out_miniature(root)) as bed:
        made = schema_of(open_checkout(bed.checkout), None)
        Draft202012Validator.check_schema(made)
        yield Schema(bed, Draft202012Validator(made))


def _of_the_spec(planted: Planted) -> bool:
    """Whether the mistake stands in the spec, and can be planted here."""
    elsewhere = planted.sets or planted.arguments or planted.environ
    here = planted.only is None or planted.only[0] == "miniature"
    return here and not elsewhere and any(change.file == SPEC for change in planted.changes)


_MISTAKES = [each for table in SUBJECTS.values() for each in table if each.code in SEEN and _of_the_spec(each)]


@pytest.mark.parametrize("sound", (*EVERY, *TEMPLATES.values()), ids=lambda sound: sound.id)
def test_a_sound_spec_is_valid(schema: Schema, tmp_path: Path, sound: Sound) -> None:
    lay_out(schema.bed, tmp_path, sound)
    assert schema.says(tmp_path / SPEC) == []


@pytest.mark.parametrize("template", sorted(shipped_folder("templates").glob("*.toml")), ids=lambda path: path.stem)
def test_a_template_is_valid(schema: Schema, template: Path) -> None:
    unread = UNREAD_IN_TEMPLATES.get(template.stem, set())
    said = schema.says(template)
    assert {text.split("'")[1] for text in said} == unread
    assert len(said) == len(unread)


@pytest.mark.parametrize("planted", _MISTAKES, ids=lambda each: each.id)
def test_a_mistake_that_the_spec_shows_is_refused(schema: Schema, tmp_path: Path, planted: Planted) -> None:
    lay_out(schema.bed, tmp_path, BY_ID[planted.base], planted.changes)
    assert schema.says(tmp_path / SPEC) != []


def test_there_are_enough_of_every_kind() -> None:
    by_code = Counter(each.code for each in _MISTAKES)
    assert set(by_code) == SEEN
    assert sum(by_code.values()) >= 80
