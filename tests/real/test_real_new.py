"""`kl new` on a real base model, real pictures and a real checkout with its environment: the check is silent."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import toml
from real_bed import BASE_MODEL, BED, CHECKOUT, PYTHON, SHAPES, TOKENIZERS, needs

from launcher.cli.main import run

PICTURES = SHAPES / "img"

pytestmark = needs(CHECKOUT, PYTHON, BASE_MODEL, PICTURES)


@pytest.mark.parametrize("template", [None, "sd15-lora", "sd15-locon", "textual-inversion"])
def test_what_is_written_passes_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], template: str | None
) -> None:
    home = tmp_path / "home"
    for name, folder in (("HOME", ""), ("XDG_CONFIG_HOME", ".config"), ("XDG_CACHE_HOME", ".cache")):
        monkeypatch.setenv(name, str(home / folder))
    config = home / ".config/kl/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'[run]\nsd_scripts = "{BED}/sd-scripts"\n[env]\npath = "{BED}/venv"\n')
    shutil.copytree(PICTURES, home / "datasets/shapes/img")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    words = ["new", "shapes", "--base-model", str(BASE_MODEL), "--set", f"tokenizer_cache_dir={TOKENIZERS}"]
    assert run([*words, *(["--template", template] if template else [])]) == 0
    said = capsys.readouterr()
    assert "error" not in said.err
    assert "ready, no errors" in said.out and "on SD 1" in said.out
    spec = toml.loads((tmp_path / "shapes.toml").read_text())
    assert spec["extends"] == (template or "sd15-lora")
    assert (home / "datasets/shapes/config.toml").is_file() and (home / "datasets/shapes/sample-prompts.txt").is_file()
