"""`kl schema` of a real checkout and its environment: every template is valid, and what its modules read is known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from real_bed import BED, CHECKOUT, PYTHON, needs

from launcher.base.places import shipped_folder
from launcher.cli.main import run
from launcher.spec.toml_parser import loads

pytestmark = needs(CHECKOUT, PYTHON)
# Its command is given as others published it.
UNREAD = {"pony-locon-guide": {"block_dims", "block_alphas", "rank_dropout_scale"}}


@pytest.fixture
def validator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Draft202012Validator:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("SD_REPO", raising=False)
    (tmp_path / "kl").mkdir()
    text = f'[run]\nsd_scripts = "{BED}/sd-scripts"\n[env]\npath = "{BED}/venv"\n'
    (tmp_path / "kl/config.toml").write_text(text)
    assert run(["schema"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    schema = json.loads(said.out)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_every_template_is_valid(validator: Draft202012Validator) -> None:
    templates = sorted(shipped_folder("templates").glob("*.toml"))
    assert len(templates) > 10
    for template in templates:
        said = [each.message for each in validator.iter_errors(loads(template.read_text("utf-8")))]
        assert {text.split("'")[1] for text in said} == UNREAD.get(template.stem, set()), template.stem


@pytest.mark.parametrize(
    "spec",
    [
        '[run]\nscript = "train_network.py"\n[x]\ncache_text_encoder_outputs = true',
        '[x]\nnetwork_module = "networks.lora"\n[network_args]\npreset = "full"',
        '[x]\nnetwork_module = "lycoris.kohya"\n[network_args]\nconv_dmi = 4',
        'extends = "sdxl-locon"\n[network_args]\nblock_dims = "4"',
        '[x]\noptimizer_type = "AdamW"\n[optimizer_args]\nd_coef = 1',
        'mixed_precision = "fp17"',
        "[accelerate]\nnum_proceses = 1",
        "[[datasets]]\nresolution = 512\n[[datasets.subsets]]\nimage_dir = 'x'\nrepeats = 1",
    ],
)
def test_mistakes_are_refused(validator: Draft202012Validator, spec: str) -> None:
    assert len(list(validator.iter_errors(loads(spec)))) == 1
