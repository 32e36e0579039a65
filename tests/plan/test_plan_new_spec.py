from __future__ import annotations

from pathlib import Path

import pytest

from launcher.base.places import shipped_folder
from launcher.data.model_family import Family, Kind, Model
from launcher.plan.new_spec import (
    SCHEMA,
    Line,
    Recipe,
    drops_for,
    is_for,
    lines_for,
    parts_of,
    read_recipe,
    schema_for,
    spec_text,
    template_for,
)
from launcher.spec.names import parse_name
from launcher.spec.templates import find_templates, template_named

FOLDERS = (shipped_folder("templates"),)
SHIPPED = find_templates(FOLDERS)


def _recipe(name: str) -> Recipe:
    return read_recipe(template_named(name, SHIPPED), parse_name("fox"), FOLDERS)


def _model(family: Family | None, *, v: bool | None = None) -> Model:
    return Model(Kind.BASE, family, v_prediction=v)


@pytest.mark.parametrize(
    ("family", "v", "file", "template"),
    [
        (Family.SD1, None, "sd.safetensors", "sd15-lora"),
        (Family.SDXL, None, "base.safetensors", "sdxl-lora"),
        (Family.SDXL, True, "base.safetensors", "noob-locon"),
        (Family.SDXL, False, "noobaiXL_eps.safetensors", "illustrious-lora"),
        (Family.SDXL, None, "waiIllustrious_v9.safetensors", "illustrious-lora"),
        (Family.SDXL, None, "ponyDiffusionV6XL.safetensors", "pony-locon"),
        (Family.SD1, None, "pony.safetensors", "sd15-lora"),
        (Family.FLUX, None, "flux1-dev.safetensors", "flux-lora"),
        (Family.CHROMA, None, "chroma.safetensors", "flux-lora"),
        (Family.SD3, None, "sd3.5.safetensors", "sd3-lora"),
        (Family.LUMINA, None, "lumina.safetensors", "lumina-lora"),
        (Family.ANIMA, None, "anima.safetensors", "anima-lora"),
        (Family.HUNYUAN_IMAGE, None, "hunyuan.safetensors", None),
        (Family.SD2, None, "sd2.safetensors", None),
        (None, None, "what.safetensors", None),
    ],
)
def test_the_template_goes_by_the_model(family: Family | None, v: bool | None, file: str, template: str | None) -> None:
    assert template_for(_model(family, v=v), Path(file)) == template
    if template:
        assert is_for(_recipe(template), _model(family))


def test_a_template_of_another_family_is_told() -> None:
    assert not is_for(_recipe("sdxl-lora"), _model(Family.SD1))
    assert not is_for(_recipe("sd15-lora"), _model(Family.SDXL))
    assert not is_for(_recipe("flux-lora"), _model(Family.SDXL))
    assert is_for(_recipe("sd15-lora"), _model(Family.SD2))
    assert is_for(_recipe("sd15-lora"), _model(None))
    assert is_for(_recipe("textual-inversion"), _model(Family.SDXL))
    assert not is_for(_recipe("textual-inversion"), _model(Family.FLUX))


def test_a_recipe_knows_what_its_template_sets_and_all_that_it_extends() -> None:
    guide = _recipe("pony-locon-guide")
    assert guide.script == "sdxl_train_network.py"
    assert (guide.side, guide.is_flow, guide.is_inversion) == (1024, False, False)
    assert guide.number("train_batch_size", 1) == 8 and guide.number("bucket_reso_steps", 64) == 32
    assert guide.number("seed", 7) == 7 and guide.number("sdpa", 7) == 7
    assert _recipe("sd15-lora").side == 512
    assert _recipe("flux-lora").is_flow and _recipe("textual-inversion").is_inversion


def test_the_other_files_of_each_family() -> None:
    assert parts_of(_recipe("flux-lora"), _model(Family.FLUX)) == ("clip_l", "t5xxl", "ae")
    assert parts_of(_recipe("flux-lora"), _model(Family.CHROMA)) == ("t5xxl", "ae")
    assert parts_of(_recipe("sd3-lora"), None) == ("clip_l", "clip_g", "t5xxl")
    assert parts_of(_recipe("sdxl-lora"), _model(Family.SDXL)) == ()
    named = _recipe("flux-lora")
    assert parts_of(Recipe(named.template, {**named.sets, "ae": "x"}), None) == ("clip_l", "t5xxl")


def test_what_a_relative_of_the_templates_model_needs() -> None:
    chroma = {line.key: line.value for line in lines_for(_recipe("flux-lora"), _model(Family.CHROMA), "w")}
    assert chroma == {
        "model_type": "chroma",
        "guidance_scale": 0.0,
        "timestep_sampling": "sigmoid",
        "apply_t5_attn_mask": True,
    }
    assert drops_for(_recipe("flux-lora"), _model(Family.CHROMA)) == ("discrete_flow_shift",)
    assert drops_for(_recipe("flux-lora"), _model(Family.FLUX)) == ()
    assert list(lines_for(_recipe("flux-lora"), _model(Family.FLUX), "w")) == []
    word = {line.key: line.value for line in lines_for(_recipe("textual-inversion"), _model(Family.SDXL), "fox_word")}
    assert word == {"script": "sdxl_train_textual_inversion.py", "no_half_vae": True, "token_string": "fox_word"}
    assert drops_for(_recipe("pony-locon-guide"), None) == ("train_data_dir",)


LINES = (Line("run", "keep_last_saves", 3), Line("model", "seed", 1, "why"), Line("run", "notes", 'a "b" \\ é'))


def test_the_text_as_toml() -> None:
    assert spec_text("fox: kl check fox.", _recipe("sdxl-lokr"), LINES, yaml=False, schema="./kl.schema.json") == (
        "#:schema ./kl.schema.json\n"
        "# fox: kl check fox.\n"
        "\n"
        'extends = "sdxl-lokr"\n'
        "\n"
        "[run]\n"
        "keep_last_saves = 3\n"
        'notes = "a \\"b\\" \\\\ é"\n'
        "\n"
        "[model]\n"
        "seed = 1                                   # why\n"
    )


def test_the_text_as_yaml(tmp_path: Path) -> None:
    text = spec_text("fox: kl check fox.", _recipe("sdxl-lora"), LINES, yaml=True, schema="/a/kl.schema.json")
    assert text.startswith("# yaml-language-server: $schema=/a/kl.schema.json\n# fox: kl check fox.\n")
    (tmp_path / "fox.yaml").write_text(text, encoding="utf-8")
    from launcher.spec.load import load_spec

    settings = load_spec(tmp_path / "fox.yaml", parse_name("fox"), template_folders=FOLDERS).settings
    said = {each.path: each.value for each in settings if each.origin.path == tmp_path / "fox.yaml"}
    assert said == {"run.keep_last_saves": 3, "run.notes": 'a "b" \\ é', "model.seed": 1}


def test_a_schema_is_named_when_there_is_one(tmp_path: Path) -> None:
    here, config = tmp_path / "here", tmp_path / "config"
    here.mkdir()
    config.mkdir()
    assert schema_for(here / "fox.toml", [config]) is None
    (config / SCHEMA).touch()
    assert schema_for(here / "fox.toml", [config]) == str(config / SCHEMA)
    (here / SCHEMA).touch()
    assert schema_for(here / "fox.toml", [config]) == f"./{SCHEMA}"
