"""Which torch is chosen: by the README, the driver, the GPU and what was wished."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.base.errors import ExitCode, KlError
from launcher.setup.facts import Machine
from launcher.setup.torch_build import USUAL, TorchSaid, build_of, choose_torch, lycoris_for, torch_said

SAID = TorchSaid("2.6.0", "0.21.0", "https://packages.invalid/whl/", "cu124", "2.8.0")
README = """
Some words about torch==1.0.

    pip install torch==2.6.0 torchvision==0.21.0 --index-url https://packages.invalid/whl/cu124

For other CUDA: `pip install torch==2.6.0 torchvision==0.21.0 --index-url https://packages.invalid/whl/cu121`.
For RTX 50 series GPUs, PyTorch 2.8.0 with CUDA 12.8/12.9 should be used.
"""


def _machine(cuda: tuple[int, int] | None, *architectures: tuple[int, int]) -> Machine:
    return Machine(gpus=("NVIDIA of this test",), driver_cuda=cuda, architectures=architectures)


def test_the_readme_says_it() -> None:
    assert torch_said(README) == SAID
    older = "pip install torch==2.1.2 torchvision==0.16.2 --index-url https://packages.invalid/whl/cu118"
    assert torch_said(older) == TorchSaid("2.1.2", "0.16.2", "https://packages.invalid/whl/", "cu118")


@pytest.mark.parametrize("text", ["", "pip install torch", "pip install -r requirements.txt", "torch==2.6.0"])
def test_a_readme_without_it(text: str) -> None:
    assert torch_said(text) is None


@given(st.text())
def test_any_readme_is_read(text: str) -> None:
    torch_said(text)
    torch_said(f"pip install torch=={text} --index-url {text}/cu124")


@pytest.mark.parametrize(
    ("machine", "torch", "build"),
    [
        (_machine((12, 4), (8, 6)), "2.6.0", "cu124"),  # the README's own
        (_machine((13, 0), (8, 9)), "2.6.0", "cu124"),  # newer drivers know older CUDA
        (_machine((12, 2), (8, 6)), "2.6.0", "cu118"),  # an older driver: the newest that it knows
        (_machine((12, 8), (12, 0)), "2.8.0", "cu128"),  # an RTX 50
        (_machine((12, 9), (12, 0)), "2.8.0", "cu129"),
        (_machine((12, 4), (6, 1)), "2.6.0", "cu124"),
        (Machine(), "2.6.0", "cpu"),
        (Machine(system="Darwin"), "2.6.0", None),
    ],
)
def test_what_fits_the_machine(machine: Machine, torch: str, build: str | None) -> None:
    chosen = choose_torch(None, None, SAID, machine)
    assert (chosen.torch, chosen.build, chosen.base) == (torch, build, SAID.base)
    assert chosen == choose_torch(None, "auto", SAID, machine)
    assert chosen.vision == {"2.6.0": "0.21.0", "2.8.0": "0.23.0"}[torch]


def test_a_driver_that_is_too_old_is_refused_before_anything_is_installed() -> None:
    for machine in (_machine((11, 4), (8, 6)), _machine((12, 4), (12, 0))):
        with pytest.raises(KlError) as caught:
            choose_torch(None, None, SAID, machine)
        assert caught.value.code is ExitCode.ENVIRONMENT_NOT_READY and "driver knows CUDA" in caught.value.message
        assert choose_torch(None, "cpu", SAID, machine).build == "cpu"


def test_an_older_gpu_gets_no_build_without_its_code() -> None:
    assert choose_torch("2.8.0", None, SAID, _machine((12, 9), (6, 1))).build == "cu126"
    assert choose_torch("2.8.0", None, SAID, _machine((12, 9), (8, 6))).build == "cu129"


def test_what_is_wished_counts() -> None:
    chosen = choose_torch("2.7.1", "cu126", SAID, Machine())
    assert (chosen.torch, chosen.vision, chosen.build) == ("2.7.1", "0.22.1", "cu126")
    unknown = choose_torch("3.1.4", None, SAID, _machine((12, 4)))
    assert (unknown.vision, unknown.build) == (None, None)  # the index decides
    assert unknown.pins == ("torch==3.1.4", "torchvision")


def test_a_driver_that_does_not_answer_is_said() -> None:
    chosen = choose_torch(None, None, SAID, Machine(problem="GPUs: nvidia-smi says nothing"))
    assert chosen.build == "cu124" and "nvidia-smi says nothing" in chosen.why


def test_without_a_readme() -> None:
    chosen = choose_torch(None, None, None, Machine())
    assert (chosen.torch, chosen.vision, chosen.base) == (USUAL.torch, USUAL.vision, None)
    assert "http" not in repr(USUAL)  # no index is named by kl


def test_lycoris_that_can_be_loaded() -> None:
    assert lycoris_for("2.1.2") == "lycoris_lora<4"
    assert lycoris_for("2.6.0+cu124") == "lycoris_lora<4.1"
    assert lycoris_for("2.7.0") == lycoris_for("2.10.0") == "lycoris_lora"


def test_a_build_by_what_torch_says_of_itself() -> None:
    assert (build_of("12.4", None), build_of(None, None), build_of(None, "6.2")) == ("cu124", "cpu", "rocm6.2")
