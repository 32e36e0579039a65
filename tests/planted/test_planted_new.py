"""`kl new` on the miniature: what it writes passes `kl check`, and nothing is asked that was told, or written over."""

from __future__ import annotations

import builtins
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest
from data_files import photographs
from miniature import lay_out_miniature
from model_shapes import MODELS, write_model
from planted_bed import Bed, open_bed

import launcher
from launcher.cli.main import run

SOURCE = str(Path(launcher.__file__).resolve().parent.parent)


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    root = tmp_path_factory.mktemp("miniature")
    with open_bed(tmp_path_factory.mktemp("bed"), *lay_out_miniature(root)) as opened:
        # What Lumina and Anima load besides, as it would be recognised.
        write_model(opened.models / "gemma2.safetensors", {"model.embed_tokens.weight": (256000, 2304)})
        write_model(opened.models / "qwen3.safetensors", {"model.embed_tokens.weight": (151936, 1024)})
        write_model(
            opened.models / "clip_g.safetensors", {"text_model.embeddings.token_embedding.weight": (49408, 1280)}
        )
        write_model(
            opened.models / "qwen-vae.safetensors",
            {
                **MODELS["vae16"],
                "encoder.conv_in.weight": (96, 3, 3, 3, 3),
                "decoder.conv_in.weight": (384, 16, 3, 3, 3),
            },
        )
        yield opened


@pytest.fixture
def here(bed: Bed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the user stands, beside a dataset of eight pictures."""
    _pictures(tmp_path / "data", 1024)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("TRAINING_DIR", raising=False)
    return tmp_path / "here"


def _pictures(folder: Path, side: int, captions: str = ".txt") -> None:
    for name, content in photographs("img", side, captions=captions).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def _no_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)


@pytest.mark.parametrize(
    ("model", "template"),
    [
        ("sd1.safetensors", "sd15-lora"), ("diffusers-sd1", "sd15-lora"), ("sdxl.safetensors", "sdxl-lora"),
        ("diffusers-sdxl", "sdxl-lora"), ("sdxl-v.safetensors", "noob-locon"), ("flux.safetensors", "flux-lora"),
        ("sd3.safetensors", "sd3-lora"), ("lumina.safetensors", "lumina-lora"), ("anima.safetensors", "anima-lora"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("side", [600, 1024])
def test_what_is_written_for_a_model_passes_the_check_without_a_word(
    bed: Bed, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    model: str, template: str, side: int,
) -> None:  # fmt: skip
    _no_questions(monkeypatch)
    _pictures(here.parent / "mine", side)
    assert run(["new", "fox", "--dataset", str(here.parent / "mine"), "--base-model", f"{bed.models}/{model}"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "ready, no errors, no warnings" in said.out
    assert f'extends = "{template}"' in (here / "fox.toml").read_text()
    assert (here.parent / "mine/config.toml").is_file() and (here.parent / "mine/sample-prompts.txt").is_file()
    name = said.out.splitlines()[-1].removeprefix("Train it: kl launch ")
    assert run(["check", "--strict", name]) == 0


@pytest.mark.parametrize(
    ("template", "model"),
    [
        ("sd15-locon", "sd1"), ("textual-inversion", "sd1"), ("sdxl-locon", "sdxl"), ("sdxl-lokr", "sdxl"),
        ("sdxl-finetune", "sdxl"), ("illustrious-lora", "sdxl"), ("pony-locon", "sdxl"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("captions", [".txt", ""])
def test_what_is_written_for_a_template_passes_the_check_without_a_word(
    bed: Bed, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    template: str, model: str, captions: str,
) -> None:  # fmt: skip
    _no_questions(monkeypatch)
    _pictures(here.parent / "mine", 1024, captions=captions)
    words = ["new", "fox", "--dataset", "../mine", "--base-model", f"{bed.models}/{model}.safetensors"]
    assert run([*words, "--template", template, "--output", "fox.yaml"]) == 0
    assert capsys.readouterr().err == ""
    written = (here / "fox.yaml").read_text()
    assert written.startswith("# yaml-language-server: $schema=./kl.schema.json\n")
    assert f'extends: "{template}"' in written
    assert json.loads((here / "kl.schema.json").read_text())["$schema"]


def test_told_nothing_it_asks_for_model_and_pictures(
    bed: Bed, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    questions: list[str] = []
    answers = iter(["", f"{bed.models}/sdxl.safetensors", "../data"])

    def answer(question: str) -> str:
        questions.append(question)
        return next(answers)

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(builtins, "input", answer)
    assert run(["new", "fox"]) == 0
    model = "Base model (a file, a folder, or owner/name on the hub): "
    assert questions == [model, model, "Folder of the pictures: "]
    assert "no errors, no warnings" in capsys.readouterr().out


def test_on_a_real_terminal(bed: Bed, here: Path) -> None:
    kl = pexpect.spawn(
        sys.executable, ["-m", "launcher", "new", "fox"], cwd=str(here), env=bed.environ({"PYTHONPATH": SOURCE}),
        encoding="utf-8", timeout=60, dimensions=(40, 300),
    )  # fmt: skip
    kl.expect_exact("Base model (a file, a folder, or owner/name on the hub): ")
    kl.sendline(f"{bed.models}/sdxl.safetensors")
    kl.expect_exact("Folder of the pictures: ")
    kl.sendeof()
    kl.expect_exact("There is no dataset folder fox in")
    kl.expect(pexpect.EOF)
    kl.close()
    assert kl.exitstatus == 64
    assert list(here.iterdir()) == []


def test_the_name_finds_the_pictures_and_nothing_is_asked(
    bed: Bed, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _no_questions(monkeypatch)
    _pictures(bed.root / "home/datasets/wolf", 1024)
    assert run(["new", "wolf-xl-v2s900", "--base-model", f"{bed.models}/sdxl.safetensors"]) == 0
    assert capsys.readouterr().out.endswith("Train it: kl launch wolf-xl-v2s900\n")
    assert "dataset_folder" not in (here / "wolf-xl.toml").read_text()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["fox", "--dataset", "../data"], 64, "Nothing says which base model to train."),
        (["fox", "--base-model", "{models}/sdxl.safetensors"], 64, "There is no dataset folder fox in"),
        (["fox-x", "--base-model", "{models}/sdxl.safetensors"], 64, "There is no dataset folder fox-x nor fox in"),
        (["fox", "--dataset", "../gone", "--base-model", "{models}/sdxl.safetensors"], 64, "There is no folder"),
        (["fox", "--dataset", ".", "--base-model", "{models}/sdxl.safetensors"], 65, "There are no pictures in"),
        (["fox", "--dataset", "../data", "--base-model", "gone.safetensors"], 64, "There is no base model"),
        (["fox", "--dataset", "../data", "--base-model", "{models}/lora16.safetensors"], 64, "is a LoRA, not a base"),
        (["fox", "--dataset", "../data", "--base-model", "{models}/old.ckpt"], 64, "kl cannot tell what it is"),
        (["fox", "--dataset", "../data", "--base-model", "{models}/sd2.safetensors"], 64, "no template for SD 2"),
        (["fox", "--dataset", "../data", "--base-model", "a/b", "--template", "sdxl"], 64, "There is no template"),
        (
            ["fox", "--dataset", "../data", "--base-model", "{models}/sd1.safetensors", "--template", "sdxl-lora"],
            64,
            "sdxl-lora trains with sdxl_train_network.py, and the base model is one of SD 1.",
        ),
        (["fox", "--output", "fox.txt"], 64, "fox.txt is no name for a spec."),
        (["fox", "--output", "gone/fox.toml"], 73, "There is no folder"),
        (["a b"], 64, "is not a run's name"),
        (["fox", "--template", "sd15-lora", "--set", "x"], 64, "'x' has no =."),
        (["fox", "--set", "seed=1", "--set", "seed=2"], 64, "--set sets seed twice."),
    ],
)
def test_what_is_wrong_is_said_and_nothing_written(
    bed: Bed, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    words: list[str], code: int, said: str,
) -> None:  # fmt: skip
    _no_questions(monkeypatch)
    before = sorted(here.parent.rglob("*"))
    assert run(["new", *(word.replace("{models}", str(bed.models)) for word in words)]) == code
    assert said in capsys.readouterr().err
    assert sorted(here.parent.rglob("*")) == before


def test_parts_that_are_nowhere_are_asked_for_by_name(
    bed: Bed, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _no_questions(monkeypatch)
    flux = write_model(here.parent / "alone/deep/flux.safetensors", MODELS["flux"])
    words = ["new", "fox", "--dataset", "../data", "--base-model", str(flux)]
    given = [f"--set={part}={bed.models}/{file}.safetensors" for part, file in (("clip_l", "clip"), ("ae", "ae"))]
    assert run([*words, *given]) == 64
    assert "flux_train_network.py needs t5xxl, and no such file is beside" in capsys.readouterr().err
    assert run([*words, *given, f"--set=t5xxl={bed.models}/t5.safetensors"]) == 0
    assert (here / "fox.toml").read_text().count("t5xxl") == 1


@pytest.mark.parametrize("there", ["fox.toml", "fox.yaml"])
def test_a_spec_that_is_there_stays(
    bed: Bed, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], there: str
) -> None:
    _no_questions(monkeypatch)
    (here / there).write_text("mine")
    assert run(["new", "fox", "--dataset", "../data", "--base-model", f"{bed.models}/sdxl.safetensors"]) == 73
    assert f"{there} is there already." in capsys.readouterr().err
    assert (here / there).read_text() == "mine"
    assert sorted(path.name for path in (here.parent / "data").iterdir()) == ["img"]


def test_what_the_dataset_has_stays(bed: Bed, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _no_questions(monkeypatch)
    data = here.parent / "data"
    own = (
        f'[[datasets]]\nresolution = 1024\n[[datasets.subsets]]\nimage_dir = "{data}/img"\ncaption_extension = ".txt"\n'
    )
    (data / "config.toml").write_text(own)
    (data / "sample-prompts.txt").write_text("fox\n")
    assert run(["new", "fox", "--dataset", "../data", "--base-model", f"{bed.models}/sdxl.safetensors"]) == 0
    assert (here / "fox.toml").read_text().startswith("#:schema ./kl.schema.json\n")
    assert (data / "config.toml").read_text() == own
    assert (data / "sample-prompts.txt").read_text() == "fox\n"


def test_without_a_checkout_the_files_are_there_and_the_next_step_is_said(
    bed: Bed, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _no_questions(monkeypatch)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(here.parent / "no-config"))
    assert run(["new", "fox", "--dataset", "../data", "--base-model", f"{bed.models}/sdxl.safetensors"]) == 0
    said = capsys.readouterr()
    assert "No checkout of sd-scripts is known." in said.err and "kl setup" in said.err
    assert said.out.splitlines()[-1].startswith("Then: kl check fox-v1s")
    assert not (here / "fox.toml").read_text().startswith("#:schema")  # nobody knows what it would say
    assert not (here / "kl.schema.json").exists()


def test_a_schema_that_is_there_stays(bed: Bed, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _no_questions(monkeypatch)
    (here / "kl.schema.json").write_text("{}")
    assert run(["new", "fox", "--dataset", "../data", "--base-model", f"{bed.models}/sdxl.safetensors"]) == 0
    assert (here / "fox.toml").read_text().startswith("#:schema ./kl.schema.json\n")
    assert (here / "kl.schema.json").read_text() == "{}"


def test_a_users_own_template_is_listed_and_used(
    bed: Bed, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _no_questions(monkeypatch)
    folder = bed.root / "home/.config/kl/templates"
    folder.mkdir(exist_ok=True)
    base = f'[model]\npretrained_model_name_or_path = "{bed.models}/sdxl.safetensors"\n'
    (folder / "house.toml").write_text(f'# Our house.\nextends = "sdxl-locon"\n{base}')
    (folder / "sdxl-lora.toml").write_text("# Hiding.\nextends = 'sdxl-lora'\n")
    try:
        assert run(["templates"]) == 0
        listed = capsys.readouterr().out
        assert (
            "\nhouse              Our house.\n                   yours: ~/.config/kl/templates/house.toml\n" in listed
        )
        assert "yours: ~/.config/kl/templates/sdxl-lora.toml, instead of kl's own\n" in listed
        assert run(["templates", "house"]) == 0
        assert capsys.readouterr().out.startswith('# Our house.\nextends = "sdxl-locon"\n')
        assert run(["new", "fox", "--dataset", "../data", "--template", "house"]) == 0
        assert "pretrained_model_name_or_path" not in (here / "fox.toml").read_text()
    finally:
        for name in ("house.toml", "sdxl-lora.toml"):
            (folder / name).unlink()
