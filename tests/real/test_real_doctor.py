"""What the doctor reads from files, against the real environment and real releases of sd-scripts."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from real_bed import CHECKOUT, PYTHON, needs, release_of_bed

from launcher.setup.doctor.diagnose import ENVIRONMENT, diagnose
from launcher.setup.doctor.diagnosis import Status
from launcher.setup.doctor.installation import Installation
from launcher.setup.doctor.needed import imported_at_once
from launcher.setup.doctor.python_itself import named_pythons
from launcher.setup.doctor.seen_environment import see_environment
from launcher.setup.doctor.tokenizers import tokenizers_of

pytestmark = needs(CHECKOUT, PYTHON)

ASK = """
import json, torch, numpy, cv2
print(json.dumps([torch.__version__, torch.version.cuda, torch._C._cuda_getArchFlags().split(), numpy.__version__]))
"""
CLIP = "openai/clip-vit-large-patch14"
BIG_G = "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k"


def test_the_bed_is_sound() -> None:
    found = diagnose(Installation(CHECKOUT, PYTHON), patience=None)
    assert [each for each in found if each.status in (Status.WRONG, Status.UNKNOWN)] == []
    fine = {each.subject for each in found if each.status is Status.FINE}
    assert {"git", "checkout", "Python", "torch", "torchvision", "xformers", "bitsandbytes", "requirements.txt"} <= fine


def test_torch_says_of_itself_what_was_read() -> None:
    done = subprocess.run([str(PYTHON), "-c", ASK], capture_output=True, text=True, check=True)
    version, cuda, flags, numpy = json.loads(done.stdout.splitlines()[-1])
    seen = see_environment(PYTHON, os.environ)
    assert seen.torch is not None and (seen.torch.version, seen.torch.cuda) == (version, cuda)
    assert list(seen.architectures) == flags and flags
    assert numpy.startswith("2.") and seen.packages["numpy"] == numpy
    assert not seen.needs_old_numpy("torch/lib/libtorch_python.so") and not seen.needs_old_numpy("cv2/cv2*.so")


def test_torch_computes() -> None:
    found = diagnose(Installation(CHECKOUT, PYTHON), deep=True, subjects=(ENVIRONMENT,), patience=None)
    assert [each for each in found if each.status is Status.WRONG] == []
    assert [each.status for each in found if each.subject == "device"] == [Status.FINE]


@pytest.mark.parametrize(
    ("release", "pythons"),
    [
        ("v0.7.0", ("3.10",)),
        ("v0.8.7", ("3.10",)),
        ("v0.9.1", ("3.10", "3.11", "3.12")),
        ("v0.10.1", ("3.10", "3.11", "3.12")),
    ],
)
def test_other_releases_are_read_too(release: str, pythons: tuple[str, ...], tmp_path: Path) -> None:
    release_of_bed(release, tmp_path, "library", "networks", "README.md", "train_network.py")
    assert tokenizers_of(tmp_path, "sdxl_train_network.py") == (CLIP, BIG_G)
    assert tokenizers_of(tmp_path, "train_network.py") == (CLIP,)
    assert tokenizers_of(tmp_path, "train_network.py", v2=True) == ("stabilityai/stable-diffusion-2",)
    assert named_pythons((tmp_path / "README.md").read_text()) == pythons
    assert {"accelerate", "transformers", "diffusers", "cv2", "voluptuous"} <= imported_at_once(tmp_path)
    assert not {"xformers", "bitsandbytes", "lion_pytorch", "lycoris"} & imported_at_once(tmp_path)


def test_what_the_newest_scripts_take_from_the_hub() -> None:
    t5, gemma = "google/t5-v1_1-xxl", "google/gemma-2-2b"
    assert tokenizers_of(CHECKOUT, "flux_train_network.py") == (CLIP, t5)
    assert tokenizers_of(CHECKOUT, "sd3_train_network.py") == (CLIP, BIG_G, t5)
    assert tokenizers_of(CHECKOUT, "lumina_train_network.py") == (gemma,)
    assert tokenizers_of(CHECKOUT, "hunyuan_image_train_network.py") == (
        "google/byt5-small",
        "Qwen/Qwen2.5-VL-7B-Instruct",
    )
