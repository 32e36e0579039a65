"""A run in a conda environment goes on, and is trained once more, in another shell: with what its activation did then,
and its secrets of now."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from launching import Bed, kl_environ, kl_words

from launcher.demo.layout import Demo, lay_out, missing_packages

NAME = "shapes-v1s20"
TOKEN = "hf_abcdefghij0123456789"

pytestmark = pytest.mark.skipif(bool(missing_packages()), reason="the demo's packages are not installed")


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    (tmp_path / "home").mkdir()
    return Bed(tmp_path)


@pytest.fixture
def demo(bed: Bed) -> Demo:
    demo = lay_out(bed.folder / "demo")
    spec = demo.spec.read_text().replace("save_every_n_steps = 20", "save_every_n_steps = 3")
    demo.spec.write_text(f'{spec}\n[env]\nkind = "conda"\npath = "{_environment(bed.folder)}"\n')
    return demo


def _environment(folder: Path) -> Path:
    """The interpreter that runs these tests, in a conda environment; each of its processes says what it was given."""
    prefix = folder / "forge" / "envs" / "lora"
    packages = prefix / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    packages.mkdir(parents=True)
    (prefix / "bin").mkdir()
    (prefix / "bin" / "python").symlink_to(sys.executable)
    own = Path(sys.prefix)
    for each in (own / packages.relative_to(prefix)).iterdir():
        (packages / each.name).symlink_to(each)
    if (own / "pyvenv.cfg").is_file():
        (prefix / "pyvenv.cfg").write_bytes((own / "pyvenv.cfg").read_bytes())
    line = f"import os, json; open({str(folder / 'said.txt')!r}, 'a').write(json.dumps(dict(os.environ)) + chr(10))\n"
    (packages / "says.pth").write_text(line)
    scripts = prefix / "etc" / "conda" / "activate.d"
    scripts.mkdir(parents=True)
    (scripts / "a.sh").write_text(f'export FROM_SCRIPT="$THEN" HF_TOKEN={TOKEN}\nunset NOISE\n')
    return prefix


def _kl(bed: Bed, demo: Demo, *words: str, **more: str) -> tuple[int, list[dict[str, str]]]:
    said = bed.folder / "said.txt"
    said.unlink(missing_ok=True)
    done = subprocess.run(
        kl_words(*words), env={**kl_environ(bed), "NOISE": "x", **more}, cwd=demo.spec.parent,
        stdin=subprocess.DEVNULL, capture_output=True, check=False,
    )  # fmt: skip
    trainers = [json.loads(line) for line in said.read_text().splitlines()] if said.exists() else []
    return done.returncode, [each for each in trainers if "KL_RUN" in each]


def test_it_goes_on_in_another_shell(bed: Bed, demo: Demo) -> None:
    crashed = _kl(bed, demo, "launch", NAME, "--plain", KL_DEMO_FAIL_AT_STEP="8", THEN="1")
    went_on = _kl(bed, demo, "resume", NAME, "--plain", THEN="2")
    again = _kl(bed, demo, "reproduce", NAME, "--plain", THEN="3")
    assert (crashed[0], went_on[0], again[0]) == (1, 0, 0)
    for _, trainers in (crashed, went_on, again):
        assert trainers
        for environ in trainers:
            assert environ["FROM_SCRIPT"] == "1", "as it was recorded"
            assert environ["HF_TOKEN"] == TOKEN and "NOISE" not in environ
            assert environ["CONDA_PREFIX"].endswith("/envs/lora")
    for name in (NAME, f"{NAME}-reproduced"):
        text = (bed.root / name / "run.json").read_text()
        assert TOKEN not in text and json.loads(text)["variables"]["FROM_SCRIPT"] == "1"
