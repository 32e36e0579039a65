"""`kl schema` of a real checkout and its environment: every template is valid, and what its modules read is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from real_bed import BED, CHECKOUT, PYTHON, needs

from launcher.base.places import shipped_folder
from launcher.cli.main import run
from launcher.plan.schema_options import keys_of, option_schema
from launcher.plan.values import BadValue, is_key_value, meant_by_flag, words_of
from launcher.spec.toml_parser import loads
from launcher.trainer.checkout import open_checkout
from launcher.trainer.reader import read_options

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


VALUES: list[Any] = [
    True, False, 0, -3, 8, 150, 0.5, "", "x", "no", "fp16", "8", " 7 ", "1e-4", ".5", "inf", "75", None, [], ["a"],
    [1, 2], ["1", "2"], [0.1, 0.2], [[1]], [True],
]  # fmt: skip


def test_values_are_taken_exactly_when_the_plan_takes_them() -> None:
    checkout = open_checkout(BED / "sd-scripts")
    wrong = []
    for script in checkout.scripts:
        options = read_options(checkout, script)
        for key, option in keys_of(options).items():
            if is_key_value(option):
                continue
            one = Draft202012Validator({**option_schema(key, option, options, str.strip), "$defs": {"heading": {}}})
            same = [each for each in options.options if each.name == option.name and each.is_flag] or [option]
            for value in VALUES:
                words = (words_of(each, meant_by_flag(each, key, value)) for each in same)
                taken = any(not isinstance(each, BadValue) for each in words)
                if one.is_valid(value) is not taken:
                    wrong.append(f"{script}: {key} = {value!r}")
    assert wrong == []
