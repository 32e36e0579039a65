from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import pytest
from candidate_bed import candidate_of
from model_shapes import MODELS, diffusers_folder, lora, write_model
from plan_bed import option, switch

from launcher.base.findings import Finding, Severity
from launcher.data.model_family import Family
from launcher.plan.checks.base_model import check_base_model
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.other_models import check_other_models
from launcher.plan.checks.script_family import family_of

# The places of sd-scripts that show how a checkout loads each family.
SOURCES = {
    "library/model_util.py": "def load_models_from_stable_diffusion_checkpoint():\n    unet.load_state_dict(sd)\n",
    "library/sdxl_model_util.py": "def load_models_from_sdxl_checkpoint():\n    'conditioner.embedders.0'\n",
    "library/train_util.py": "def _load_target_model():\n    os.path.realpath(name_or_path)\n",
    "library/sdxl_train_util.py": "def _load_target_model():\n    os.readlink(name_or_path)\n",
    "library/flux_utils.py": "def load_flow_model():\n    chroma_models, 'double_blocks', load_state_dict()\n",
    "library/anima_utils.py": "def load_anima_model():\n    model.load_state_dict(sd)\n",
    "train_network.py": "",
    "sdxl_train_network.py": "",
    "flux_train_network.py": "def load_target_model(args):\n    (args.clip_l, args.t5xxl, args.ae)\n",
    "anima_train_network.py": "",
}
OPTIONS = (
    option("pretrained_model_name_or_path"), option("vae", type="str"), option("model_type", default="flux"),
    option("clip_l", type="str"), option("t5xxl", type="str"), option("ae", type="str"),
    switch("v2"), switch("v_parameterization"), switch("zero_terminal_snr"),
)  # fmt: skip


def _candidate(
    folder: Path,
    model: object,
    more: str = "",
    *,
    script: str = "train_network.py",
    environ: Mapping[str, str] | None = None,
    sources: Mapping[str, str] = SOURCES,
) -> Candidate:
    text = f'pretrained_model_name_or_path = "{model}"\n{more}'
    return candidate_of(folder, text, *OPTIONS, sources=sources, script_file=script, environ=environ)


def _check(folder: Path, model: object, more: str = "", script: str = "train_network.py") -> list[Finding]:
    return list(check_base_model(_candidate(folder, model, more, script=script)))


def _codes(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.severity.value, finding.code) for finding in findings]


@pytest.fixture
def models(tmp_path: Path) -> Path:
    for name, shapes in MODELS.items():
        write_model(tmp_path / f"models/{name}.safetensors", shapes)
    write_model(tmp_path / "models/lora.safetensors", lora(4))
    return tmp_path / "models"


@pytest.mark.parametrize(
    ("script", "name", "more"),
    [
        ("train_network.py", "sd1", ""),
        ("train_network.py", "sd2", "v2 = true\n"),
        ("sdxl_train_network.py", "sdxl", ""),
        ("flux_train_network.py", "flux", ""),
        ("flux_train_network.py", "chroma", 'model_type = "chroma"\n'),
        ("anima_train_network.py", "anima", ""),
        ("train_network.py", "other", ""),
        ("my_train_network.py", "flux", ""),
    ],
)
def test_the_right_model_is_no_finding(tmp_path: Path, models: Path, script: str, name: str, more: str) -> None:
    assert _check(tmp_path, models / f"{name}.safetensors", more, script) == []


@pytest.mark.parametrize(
    ("script", "name", "hint"),
    [
        ("train_network.py", "sdxl", "Set run.script to sdxl_train_network.py."),
        ("sdxl_train_network.py", "sd1", "Set run.script to train_network.py."),
        ("sdxl_train_network.py", "refiner", "Give a model of SDXL."),
        ("flux_train_network.py", "chroma", 'Set model_type = "chroma".'),
        ("anima_train_network.py", "lumina", "Give a model of Anima."),
    ],
)
def test_a_model_of_another_family(tmp_path: Path, models: Path, script: str, name: str, hint: str) -> None:
    (found,) = _check(tmp_path, models / f"{name}.safetensors", script=script)
    assert (found.severity, found.code, found.hint) == (Severity.ERROR, "base-model-family", hint)


def test_nothing_is_said_of_a_checkout_that_loads_models_in_its_own_way(tmp_path: Path, models: Path) -> None:
    candidate = _candidate(tmp_path, models / "sdxl.safetensors", sources={"library/model_util.py": ""})
    assert list(check_base_model(candidate)) == []


@pytest.mark.parametrize("name", ["lora", "vae", "clip", "control-net", "unet", "embedding"])
def test_what_is_no_base_model(tmp_path: Path, models: Path, name: str) -> None:
    assert _codes(_check(tmp_path, models / f"{name}.safetensors")) == [("error", "base-model-kind")]


def test_parts_that_a_model_lacks_and_inpainting(tmp_path: Path) -> None:
    first = "model.diffusion_model.input_blocks.0.0.weight"
    inpainting = write_model(tmp_path / "in.safetensors", {**MODELS["sd1"], first: (320, 9, 3, 3)})
    (found,) = _check(tmp_path, inpainting)
    assert found.code == "base-model-kind"
    assert "9 channels" in found.message
    without = {name: shape for name, shape in MODELS["sd1"].items() if not name.startswith("first_stage_model.")}
    (found,) = _check(tmp_path, write_model(tmp_path / "part.safetensors", without))
    assert "no VAE" in found.message


def test_a_file_that_is_not_there(tmp_path: Path, models: Path) -> None:
    (found,) = _check(tmp_path, models / "sdl.safetensors", script="sdxl_train_network.py")
    assert (found.code, found.severity, found.where) == ("model-missing", Severity.ERROR, f"{tmp_path}/fox.toml:1")
    assert found.hint == f"Did you mean {models / 'sdxl.safetensors'}?"
    (found,) = _check(tmp_path, models / "none/at.all.safetensors")
    assert "nor a folder" in found.message


def test_a_file_that_is_cut_off_or_damaged(tmp_path: Path) -> None:
    cut = write_model(tmp_path / "cut.safetensors", MODELS["sd1"], cut=1000)
    (found,) = _check(tmp_path, cut)
    assert (found.code, found.severity) == ("model-damaged", Severity.ERROR)
    assert "1.0 kB" in found.message
    (tmp_path / "html.safetensors").write_text("<html>Sign in to download</html>")
    assert _codes(_check(tmp_path, tmp_path / "html.safetensors")) == [("error", "model-damaged")]


def test_a_pickle_is_not_opened_and_the_name_must_fit_the_form(tmp_path: Path) -> None:
    content = pickle.dumps({"state_dict": {}})
    (tmp_path / "a.ckpt").write_bytes(content)
    (found,) = _check(tmp_path, tmp_path / "a.ckpt")
    assert (found.code, found.severity) == ("model-pickle", Severity.WARNING)
    assert "run code" in found.message
    (tmp_path / "b.safetensors").write_bytes(content)
    assert _codes(_check(tmp_path, tmp_path / "b.safetensors")) == [("error", "model-form")]
    assert _codes(_check(tmp_path, tmp_path / "a.ckpt", script="anima_train_network.py")) == [("error", "model-form")]
    named = write_model(tmp_path / "c.ckpt", MODELS["sd1"])
    assert _codes(_check(tmp_path, named)) == [("error", "model-form")]


def test_links_are_followed_as_the_trainer_follows_them(tmp_path: Path, models: Path) -> None:
    blob = write_model(tmp_path / "models/blobs/0a1b", MODELS["sdxl"])
    (tmp_path / "some/links").mkdir(parents=True)
    links = {name: tmp_path / f"some/links/{name}.safetensors" for name in ("relative", "whole", "blob")}
    links["relative"].symlink_to("../../models/sdxl.safetensors")
    links["whole"].symlink_to(models / "sdxl.safetensors")
    links["blob"].symlink_to(blob)
    for name, codes in (("relative", ["base-model-link"]), ("whole", []), ("blob", ["base-model-link"])):
        found = _check(tmp_path, links[name], script="sdxl_train_network.py")
        assert [finding.code for finding in found] == codes, name
    sd1 = tmp_path / "some/links/sd1.safetensors"
    sd1.symlink_to("../../models/sd1.safetensors")
    assert _check(tmp_path, sd1) == []  # library/train_util.py follows it to its end


def test_folders(tmp_path: Path) -> None:
    folder = diffusers_folder(tmp_path / "model")
    assert _check(tmp_path, folder) == []
    write_model(folder / "unet/diffusion_pytorch_model.safetensors", MODELS["unet"], cut=5)
    assert _codes(_check(tmp_path, folder)) == [("error", "model-damaged")]
    assert ("error", "base-model-folder") in _codes(_check(tmp_path, folder, script="anima_train_network.py"))
    assert ("error", "base-model-folder") in _codes(_check(tmp_path, folder, script="flux_train_network.py"))
    (folder / "model_index.json").unlink()
    (found,) = _check(tmp_path, folder)
    assert (found.code, "model_index.json" in found.message) == ("base-model-folder", True)


def test_v2(tmp_path: Path, models: Path) -> None:
    (found,) = _check(tmp_path, models / "sd2.safetensors")
    assert (found.severity, found.code, found.hint) == (Severity.ERROR, "base-model-v2", "Set v2 = true.")
    (found,) = _check(tmp_path, models / "sd1.safetensors", "v2 = true\n")
    assert (found.where, found.hint) == (f"{tmp_path}/fox.toml:2", "Remove v2.")
    folder = diffusers_folder(tmp_path / "folder", 1024)
    assert _codes(_check(tmp_path, folder)) == [("warning", "base-model-v2")]


def test_prediction_of_v(tmp_path: Path) -> None:
    model = write_model(tmp_path / "v.safetensors", {**MODELS["sdxl"], "v_pred": (0,), "ztsnr": (0,)})
    (found,) = _check(tmp_path, model, script="sdxl_train_network.py")
    assert (found.severity, found.code) == (Severity.WARNING, "v-prediction")
    assert found.hint == "Set v_parameterization = true and zero_terminal_snr = true."
    assert _check(tmp_path, model, "v_parameterization = true\n", "sdxl_train_network.py") == []
    folder = diffusers_folder(tmp_path / "folder")
    assert _codes(_check(tmp_path, folder, "v_parameterization = true\n")) == [("warning", "v-prediction")]


def test_the_hub(tmp_path: Path) -> None:
    def check(environ: Mapping[str, str], script: str = "train_network.py") -> list[tuple[str, str]]:
        candidate = _candidate(tmp_path, "owner/name", script=script, environ={"HF_HOME": str(tmp_path), **environ})
        return _codes(list(check_base_model(candidate)))

    assert check({}) == [("advice", "hub-model")]
    assert check({"HF_HUB_OFFLINE": "1"}) == [("error", "hub-model")]
    assert check({}, "flux_train_network.py") == [("error", "model-missing")]
    cached = tmp_path / "hub/models--owner--name"
    diffusers_folder(cached / "snapshots/abc")
    (cached / "refs").mkdir()
    (cached / "refs/main").write_text("abc")
    assert check({"HF_HUB_OFFLINE": "1"}) == []
    assert check({}, "sdxl_train_network.py") == [("error", "base-model-family")]


def test_the_family_is_the_models_else_the_scripts(tmp_path: Path, models: Path) -> None:
    assert family_of(_candidate(tmp_path, models / "sd1.safetensors", script="sdxl_train_network.py")) is Family.SD1
    assert family_of(_candidate(tmp_path, tmp_path / "none", script="sdxl_train_network.py")) is Family.SDXL
    assert family_of(_candidate(tmp_path, tmp_path / "none", "v2 = true\n")) is Family.SD2
    assert family_of(_candidate(tmp_path, tmp_path / "none", script="my.py")) is None


def _other(folder: Path, more: str, script: str = "train_network.py") -> list[str]:
    return [finding.code for finding in check_other_models(_candidate(folder, "owner/name", more, script=script))]


def test_the_vae(tmp_path: Path, models: Path) -> None:
    for name, codes in (
        ("vae", []),
        ("sd1", []),
        ("vae16", ["other-model-kind"]),
        ("lora", ["other-model-kind"]),
        ("diffusers-vae", ["vae-layout"]),
        ("none", ["model-missing"]),
    ):
        assert _other(tmp_path, f'vae = "{models}/{name}.safetensors"\n') == codes, name
    folder = diffusers_folder(tmp_path / "model")
    assert _other(tmp_path, f'vae = "{folder}"\n') == []
    assert _other(tmp_path, f'vae = "{folder}/vae"\n') == []
    assert _other(tmp_path, f'vae = "{folder}/unet/.."\n') == []
    assert _other(tmp_path, f'vae = "{models}"\n') == ["other-model-kind"]
    assert _other(tmp_path, 'vae = "stabilityai/sd-vae-ft-mse"\n') == []


def test_models_that_a_family_needs(tmp_path: Path, models: Path) -> None:
    script = "flux_train_network.py"
    assert _other(tmp_path, "", script) == ["other-model-needed"] * 3
    given = (
        f'clip_l = "{models}/clip.safetensors"\nt5xxl = "{models}/t5.safetensors"\nae = "{models}/vae16.safetensors"\n'
    )
    assert _other(tmp_path, given, script) == []
    assert _other(tmp_path, given.replace("t5.", "lora."), script) == ["other-model-kind"]
    assert _other(tmp_path, given.replace("clip.", "t5."), script) == ["other-model-kind"]
    assert _other(tmp_path, given.replace("t5.", "clip."), script) == ["other-model-kind"]
    assert _other(tmp_path, given.replace("vae16.", "vae."), script) == ["other-model-kind"]
    assert _other(tmp_path, given + 'model_type = "chroma"\n', script) == []
    assert _other(tmp_path, "", "my_train_network.py") == []
