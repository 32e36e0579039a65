"""Tokenizers from the hub: which, where they are, and how they get here."""

from __future__ import annotations

from pathlib import Path

import pytest
from doctor_bed import Bed, Package, make_bed, make_checkout, make_environment
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.setup.doctor.diagnosis import Diagnosis, Status
from launcher.setup.doctor.installation import Installation
from launcher.setup.doctor.tokenizers import look_at_tokenizers, tokenizers_of

CLIP = "openai/clip-vit-large-patch14"
SD2 = "stabilityai/stable-diffusion-2"
# Before v0.9 a loop hands the constants on (library/sdxl_train_util.py, load_tokenizers).
OLD_SDXL = """
TOKENIZER1_PATH = "openai/clip-vit-large-patch14"
TOKENIZER2_PATH = "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k"
DEFAULT_NOISE_OFFSET = 0.0357

def load_tokenizers(args):
    original_paths = [TOKENIZER1_PATH, TOKENIZER2_PATH]
    for i, original_path in enumerate(original_paths):
        tokenizer = CLIPTokenizer.from_pretrained(original_path)
"""
# Puts into the hub's cache what snapshot_download would.
HUB = """
import os
from pathlib import Path

def snapshot_download(name, allow_patterns):
    assert "*.json" in allow_patterns and "HF_HUB_OFFLINE" not in os.environ
    folder = Path(os.environ["HF_HOME"], "hub", "models--" + name.replace("/", "--"))
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("abc")
    (folder / "snapshots" / "abc").mkdir(parents=True)
    (folder / "snapshots" / "abc" / "vocab.json").write_text("{}")
"""


@pytest.fixture
def bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bed:
    bed = make_bed(tmp_path / "bed", monkeypatch)
    monkeypatch.setenv("HF_HOME", str(bed.folder / "hf"))
    make_checkout(bed.folder / "sd-scripts")
    return bed


def look(bed: Bed, script: str | None = None, python: Path | None = None, **options: object) -> Diagnosis:
    (found,) = look_at_tokenizers(Installation(bed.folder / "sd-scripts", python, script=script, options=options))
    return found


def test_a_tokenizer_that_will_be_fetched_is_advice(bed: Bed) -> None:
    found = look(bed)
    assert found.status is Status.ADVICE
    assert found.message == f"{CLIP} is not on this machine: the first training fetches what it needs."


def test_a_tokenizer_that_may_not_be_fetched_is_wrong_and_is_fetched(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    hub = Package("huggingface_hub", "0.34.3", files={"huggingface_hub/__init__.py": HUB})
    python = make_environment(bed.folder / "venv", (hub,))
    assert look(bed).status is Status.ADVICE  # whether a run needs it is not known
    found = look(bed, "train_network.py", python)
    assert found.status is Status.WRONG and "HF_HUB_OFFLINE forbids" in found.message and found.mend
    bed.run(found.mend)
    assert look(bed, "train_network.py", python).status is Status.FINE


def test_a_run_may_be_offline_by_its_own_variables(bed: Bed) -> None:
    place = Installation(bed.folder / "sd-scripts", script="train_network.py", variables={"TRANSFORMERS_OFFLINE": "1"})
    (found,) = look_at_tokenizers(place)
    assert found.status is Status.WRONG


def test_the_cache_of_a_run_counts(bed: Bed) -> None:
    (bed.folder / "cache" / CLIP.replace("/", "_")).mkdir(parents=True)
    assert look(bed, "train_network.py", tokenizer_cache_dir=str(bed.folder / "cache")).status is Status.FINE
    assert look(bed, "train_network.py", tokenizer_cache_dir=str(bed.folder / "other")).status is Status.ADVICE


def test_a_snapshot_without_the_tokenizer_is_none(bed: Bed) -> None:
    folder = bed.folder / "hf" / "hub" / f"models--{CLIP.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("abc")
    (folder / "snapshots" / "abc").mkdir(parents=True)
    assert look(bed).status is Status.ADVICE
    (folder / "snapshots" / "abc" / "tokenizer_config.json").write_text("{}")
    assert look(bed).status is Status.FINE


def test_v2_takes_another_one(bed: Bed) -> None:
    checkout = bed.folder / "sd-scripts"
    assert tokenizers_of(checkout, "train_network.py") == (CLIP,)
    assert tokenizers_of(checkout, "train_network.py", v2=True) == (SD2,)


def test_each_script_has_its_own(bed: Bed) -> None:
    checkout = bed.folder / "sd-scripts"
    (checkout / "library" / "sdxl_train_util.py").write_text(OLD_SDXL)
    both = (CLIP, "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k")
    assert tokenizers_of(checkout, "sdxl_train_network.py") == both
    assert tokenizers_of(checkout, None) == both
    assert tokenizers_of(checkout, "flux_train_network.py") == tokenizers_of(checkout, "anima_train.py") == ()


def test_a_checkout_that_names_none_is_nothing_to_say(bed: Bed) -> None:
    (bed.folder / "sd-scripts" / "library" / "strategy_sd.py").unlink()
    assert list(look_at_tokenizers(Installation(bed.folder / "sd-scripts"))) == []
    assert list(look_at_tokenizers(Installation())) == []


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200) | st.text(alphabet="_load_tokenizer(TID=\"'/,) \n", max_size=400))
def test_any_source_is_read(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    checkout = tmp_path_factory.mktemp("checkout")
    (checkout / "library").mkdir()
    (checkout / "library" / "strategy_sd.py").write_text(text, encoding="utf-8", errors="replace")
    assert all("/" in name for name in tokenizers_of(checkout, "train_network.py"))
