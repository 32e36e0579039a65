"""The bed that KL_REALBED names, a folder with real sd-scripts and what it trains with, and kl working on it.

CONTRIBUTING.md says what a bed holds. Where there is none, the tests that need one are skipped and say so.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from launcher.base.words import listed

BED = Path(os.environ.get("KL_REALBED") or "/nonexistent")
CHECKOUT, PYTHON = BED / "sd-scripts", BED / "venv/bin/python"
BASE_MODEL, TOKENIZERS, SHAPES = BED / "base-model", BED / "tokenizers", BED / "datasets/shapes"

_SPEC = """
[run]
script = "train_network.py"
dataset_folder = "{dataset}"
output_root = "output"
{installation}
[env.variables]
HF_HUB_OFFLINE = "1"
[accelerate]
cpu = true
[model]
pretrained_model_name_or_path = "{model}"
tokenizer_cache_dir = "{tokenizers}"
[network]
network_module = "lycoris.kohya"
network_dim = 4
[network_args]
algo = "locon"
preset = "attn-mlp"
[training]
mixed_precision = "no"
max_data_loader_n_workers = 0
sdpa = true
{options}
"""


def needs(*paths: Path) -> pytest.MarkDecorator:
    """Skip the tests of a module where the bed lacks one of these."""
    names = listed(str(path.relative_to(BED)) for path in paths)
    reason = f"needs a bed of real sd-scripts: set KL_REALBED to a folder with {names}"
    return pytest.mark.skipif(not all(path.exists() for path in paths), reason=reason)


def site_packages() -> Path:
    """Where the packages of the bed's environment are."""
    (found,) = (BED / "venv" / "lib").glob("python3*/site-packages")
    return found


def release_of_bed(release: str, folder: Path, *paths: str) -> Path:
    """The files of a release of sd-scripts at `paths`, in a folder; the test is skipped without that release."""
    words = ["git", "-C", str(CHECKOUT), "archive", release, "--", *paths]
    archive = subprocess.run(words, capture_output=True, check=False)
    if archive.returncode != 0:
        pytest.skip(f"the checkout does not have {release}")
    folder.mkdir(exist_ok=True)
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder


@cache
def options_tool() -> ModuleType:
    """benchmarks/compare_options.py, which asks the real parsers of scripts."""
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "compare_options.py"
    spec = importlib.util.spec_from_file_location("compare_options", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def lora_spec(
    options: str = "", *, checkout: Path = CHECKOUT, dataset: Path | str = SHAPES, installed: bool = False
) -> str:
    """A spec of a small LoRA of the bed's base model, trained by the processor, with more options.

    Where kl is `installed`, its own configuration says which checkout and which environment.
    """
    installation = f'sd_scripts = "{checkout}"\n[env]\nkind = "venv"\npath = "{BED}/venv"'
    return _SPEC.format(
        dataset=dataset, installation="" if installed else installation, model=BASE_MODEL, tokenizers=TOKENIZERS,
        options=options,
    )  # fmt: skip


def kl_words(*words: str) -> list[str]:
    """The real command."""
    return [sys.executable, "-m", "launcher", *words]


def kl_environ(home: Path) -> dict[str, str]:
    """Its surroundings: a home of its own, and no GPU."""
    homes = {name: str(home / name) for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")}
    return {**os.environ, **homes, "HOME": str(home), "CUDA_VISIBLE_DEVICES": ""}


def kl(folder: Path, *words: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the real command in a folder to its end; its home is below that folder unless told otherwise."""
    environ = kl_environ(home or folder / "home")
    return subprocess.run(kl_words(*words), cwd=folder, env=environ, capture_output=True, text=True, check=False)
