"""The release that `kl setup` takes, against real sd-scripts; and a whole set-up that then trains.

The clone of the bed needs its tags. The whole set-up installs 6 GB from the package index of this machine, into a
temporary folder, and trains four steps there: it takes ten minutes, and only runs with KL_REALSETUP set as well.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from real_bed import CHECKOUT, PYTHON, kl_words, lora_spec, needs, options_tool

import launcher
from launcher.setup.satisfied import requirement_lines
from launcher.setup.torch_build import USUAL, torch_said
from launcher.setup.wishes import RELEASE
from launcher.trainer.checkout import Checkout, open_checkout

SCRIPTS = ("train_network.py", "sdxl_train_network.py", "flux_train_network.py", "sd3_train_network.py")

pytestmark = needs(CHECKOUT / ".git", PYTHON)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The release that kl sets up by itself."""
    folder = tmp_path_factory.mktemp("release") / "sd-scripts"
    subprocess.run(["git", "clone", "-q", "--no-checkout", CHECKOUT, folder], check=True)
    listed = subprocess.run(
        ["git", "-C", CHECKOUT, "sparse-checkout", "list"], capture_output=True, text=True, check=False
    )
    if listed.returncode == 0:  # a bed without the largest files
        words = ["sparse-checkout", "set", "--no-cone", *listed.stdout.splitlines()]
        subprocess.run(["git", "-C", folder, *words], check=True)
    subprocess.run(["git", "-C", folder, "checkout", "-q", RELEASE], check=True)
    return open_checkout(folder)


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_release_has_the_options_that_are_read(release: Checkout, script: str, tmp_path: Path) -> None:
    result = options_tool().compare(release, script, str(PYTHON), "stub", tmp_path)
    assert result.differences == () and result.options > 50


def test_its_readme_says_the_torch_that_kl_knows(release: Checkout) -> None:
    said = torch_said((release.path / "README.md").read_text())
    assert said is not None and said.base is not None
    assert (said.torch, said.vision, said.build, said.newest_gpus) == (
        USUAL.torch, USUAL.vision, USUAL.build, USUAL.newest_gpus,
    )  # fmt: skip


def test_its_requirements_are_read(release: Checkout) -> None:
    text = (release.path / "requirements.txt").read_text()
    lines = [*requirement_lines(text)]
    assert "accelerate" in " ".join(lines) and "diffusers" in " ".join(lines) and len(lines) > 15
    assert "\n-e ." in text


@pytest.mark.skipif(not os.environ.get("KL_REALSETUP"), reason="installs 6 GB: set KL_REALSETUP=1 as well")
def test_a_fresh_home_trains_after_kl_setup_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "KL_"))}
    environ |= {"HOME": str(home), "PYTHONPATH": str(Path(launcher.__file__).parent.parent)}

    def kl(*words: str) -> str:
        done = subprocess.run(kl_words(*words), cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    kl("setup", "--sd-scripts", str(CHECKOUT), "--env", "venv", "--cuda", "cpu", "--yes")
    assert "Nothing is left to do." in kl("setup")
    (tmp_path / "shapes.toml").write_text(lora_spec(installed=True))
    kl("launch", "shapes-v1s4")
    manifest = json.loads((tmp_path / "output" / "shapes-v1s4" / "run.json").read_text())
    assert manifest["outcome"] == "succeeded"
    assert manifest["trainer"]["checkout"] == str(home / "sd-scripts")
