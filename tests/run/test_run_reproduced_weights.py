"""What is said of two final models."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from launcher.record.hashes import weights_hash
from launcher.run.reproduced_weights import ModelsCompared, compare_models


def model(path: Path, tensors: dict[str, tuple[float, ...]], note: str = "") -> None:
    header: dict[str, object] = {"__metadata__": {"note": note}}
    at = 0
    for name, values in tensors.items():
        header[name] = {"dtype": "F32", "shape": [len(values)], "data_offsets": [at, at + 4 * len(values)]}
        at += 4 * len(values)
    text = json.dumps(header).encode()
    content = b"".join(struct.pack(f"<{len(values)}f", *values) for values in tensors.values())
    path.write_bytes(len(text).to_bytes(8, "little") + text + content)


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    return tmp_path / "old", tmp_path / "new"


def compared(places: tuple[Path, Path], ending: str = ".safetensors") -> ModelsCompared:
    return compare_models(places[0], [f"a{ending}"], places[1], [f"b{ending}"])


def test_identical(places: tuple[Path, Path]) -> None:
    for place, name in zip(places, "ab", strict=True):
        model(place / f"{name}.safetensors", {"x": (1.0, 2.0)}, note=name)
    found = compared(places)
    assert found.identical is True
    assert found.lines == ("b.safetensors is identical to a.safetensors, bit for bit: 1 tensor.",)


def test_how_far_apart(places: tuple[Path, Path]) -> None:
    model(places[0] / "a.safetensors", {"x": (1.0, 2.0), "y": (0.5,), "gone": (1.0,), "z": (1.0,)})
    model(places[1] / "b.safetensors", {"x": (1.0, 2.5), "y": (0.5,), "z": (1.0, 1.0)})
    found = compared(places)
    assert found.identical is False
    assert found.lines == (
        "b.safetensors is not identical to a.safetensors.",
        "1 tensor is gone: gone",
        "of another type or shape, then and now: z: F32 [1] and F32 [2]",
        "1 of 2 tensors differ: x",
        "the largest difference is 0.5, in x: 2 then, 2.5 now",
    )


def test_what_is_not_there_or_damaged_cannot_be_told(places: tuple[Path, Path]) -> None:
    assert compared(places).identical is None
    assert f"{places[0]} has no final model" in compared(places).lines[0]
    model(places[0] / "a.safetensors", {"x": (1.0,)})
    assert f"{places[1]} has no final model" in compared(places).lines[0]
    (places[1] / "b.safetensors").write_bytes(b"x")
    found = compared(places)
    assert found.identical is None
    assert "b.safetensors" in found.lines[0]


def test_other_formats_are_compared_by_their_bytes(places: tuple[Path, Path]) -> None:
    (places[0] / "a.ckpt").write_bytes(b"\x80\x02one")
    (places[1] / "b.ckpt").write_bytes(b"\x80\x02one")
    assert compared(places, ".ckpt").identical is True
    (places[1] / "b.ckpt").write_bytes(b"\x80\x02other")
    found = compared(places, ".ckpt")
    assert found.identical is None
    assert "only the weights of safetensors files" in found.lines[0]


def test_folders_are_compared_by_their_files(places: tuple[Path, Path]) -> None:
    for place, name in zip(places, "ab", strict=True):
        (place / name).mkdir()
        (place / name / "model_index.json").write_text("{}")
    assert compared(places, "").identical is True


@pytest.mark.parametrize("same", [True, False])
def test_a_model_that_was_moved_away_is_compared_by_its_recorded_weights(places: tuple[Path, Path], same: bool) -> None:
    model(places[0] / "a.safetensors", {"x": (1.0, 2.0)}, note="then")
    recorded = {"a.safetensors": str(weights_hash(places[0] / "a.safetensors"))}
    (places[0] / "a.safetensors").unlink()
    model(places[1] / "b.safetensors", {"x": (1.0, 2.0 if same else 3.0)}, note="now")
    found = compare_models(places[0], ["a.safetensors"], places[1], ["b.safetensors"], recorded)
    assert found.identical is same
    assert "hash" in found.lines[0]
    assert compare_models(places[0], ["a.ckpt"], places[1], ["b.safetensors"], recorded).identical is None
