"""What of the doctor's findings explains a failure: what belongs to its cause, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from doctor_bed import Bed, Package, bitsandbytes, instead, make_bed, make_checkout, make_environment, torch, without

from launcher.run.causes import CAUSES
from launcher.setup.doctor.explains import _EXPLAINS, explaining
from launcher.setup.doctor.installation import Installation


@pytest.fixture
def bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bed:
    bed = make_bed(tmp_path / "bed", monkeypatch)
    make_checkout(bed.folder / "sd-scripts")
    return bed


def explained(bed: Bed, packages: tuple[Package, ...], cause: str | None, text: str = "") -> list[tuple[str, bool]]:
    """Subjects, and whether there is a command that mends it."""
    place = Installation(bed.folder / "sd-scripts", make_environment(bed.folder / "venv", packages), bed.folder / "out")
    return [(each.subject, each.mend is not None) for each in explaining(cause, text, (text,), place)]


def test_every_cause_that_is_explained_is_one() -> None:
    assert set(_EXPLAINS) <= {cause.name for cause in CAUSES}


@pytest.mark.parametrize(
    ("gone", "cause", "text", "subject"),
    [
        ("voluptuous", "module-missing", "ModuleNotFoundError: No module named 'voluptuous'", "requirements.txt"),
        ("opencv-python", "module-missing", "ModuleNotFoundError: No module named 'cv2'", "requirements.txt"),
        ("torchvision", "module-missing", "ModuleNotFoundError: No module named 'torchvision.ops'", "torchvision"),
        ("lycoris_lora", "lycoris-missing", "ModuleNotFoundError: No module named 'lycoris'", "lycoris_lora"),
        ("lion-pytorch", "optimizer-missing", "ImportError: No lion_pytorch / lion_pytorch がない", "requirements.txt"),
        ("bitsandbytes", "optimizer-missing", "ImportError: No bitsandbytes / …", "bitsandbytes"),
    ],
)
def test_a_missing_module(gone: str, cause: str, text: str, subject: str, bed: Bed) -> None:
    assert explained(bed, without(gone, "accelerate"), cause, text) == [(subject, True)]


def test_a_module_that_is_there_is_not_explained(bed: Bed) -> None:
    text = "ModuleNotFoundError: No module named 'my_network'"
    assert explained(bed, without("accelerate"), "module-missing", text) == []


@pytest.mark.parametrize(("cause", "package"), [("wandb-missing", "wandb"), ("optimizer-missing", "dadaptation")])
def test_what_nothing_asks_for_is_installed_all_the_same(cause: str, package: str, bed: Bed) -> None:
    text = f"ImportError: No {package} / {package}"
    assert explained(bed, (*without(), Package("pip", "25.0")), cause, text) == [(package, True)]


def test_python_itself_finds_no_accelerate(bed: Bed) -> None:
    text = (
        "/venv/bin/python: Error while finding module specification for 'accelerate.commands.launch' "
        "(ModuleNotFoundError: No module named 'accelerate')"
    )
    assert explained(bed, without("accelerate", "voluptuous"), None, text) == [("accelerate", True)]


def test_a_torch_without_cuda(bed: Bed) -> None:
    bed.gpu()
    packages = instead(torch("2.6.0+cpu"), bitsandbytes("0.40.0", "118"))
    assert explained(bed, packages, "torch-without-cuda", "AssertionError: …") == [("torch", True)]


def test_a_lycoris_for_a_newer_torch(bed: Bed) -> None:
    text = "ValueError: infer_schema(func): Parameter shape has unsupported type list[int]."
    packages = instead(Package("lycoris_lora", "4.1.3"))
    assert explained(bed, packages, "lycoris-torch", text) == [("lycoris_lora", True)]


def test_a_sound_environment_explains_nothing(bed: Bed) -> None:
    bed.gpu()
    assert explained(bed, without(), "torch-without-cuda", "AssertionError: …") == []


def test_a_tokenizer_that_was_not_there(bed: Bed) -> None:
    assert explained(bed, without(), "hub-tokenizer", "OSError: Can't load tokenizer for …") == [("tokenizers", True)]


def test_a_model_that_was_not_there_is_no_matter_of_tokenizers(bed: Bed) -> None:
    assert explained(bed, without(), "hub-offline", "OSError: Cannot load model owner/model: …") == []


def test_a_tokenizer_that_could_not_be_fetched(bed: Bed) -> None:
    text = "OSError: We couldn't connect to load openai/clip-vit-large-patch14 …"
    assert explained(bed, without(), "hub-not-reached", text) == [("tokenizers", True)]


@pytest.mark.parametrize("cause", ["loss-nan", None, "gpu-memory"])
def test_other_causes_are_not_looked_into(cause: str | None, bed: Bed) -> None:
    assert explained(bed, (), cause, "ModuleNotFoundError: No module named 'torch'") == []
