"""Weights compared tensor by tensor, against values that struct or the formats' definitions give."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.data.safetensors_header import Unreadable
from launcher.data.weights import _PIECE, Largest, WeightsComparison, _values, compare_weights

LETTERS = {"F64": "d", "F32": "f", "F16": "e", "I64": "q", "U64": "Q", "I32": "i", "I16": "h", "I8": "b", "U8": "B"}


def safetensors(tensors: dict[str, tuple[str, list[int], bytes]], metadata: dict[str, str] | None = None) -> bytes:
    """A file of tensors: type, shape and bytes of each, in this order."""
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    at = 0
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(content)]}
        at += len(content)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + b"".join(content for _, _, content in tensors.values())


def compared(folder: Path, first: bytes, second: bytes) -> WeightsComparison:
    found = compared_or_not(folder, first, second)
    assert isinstance(found, WeightsComparison)
    return found


def compared_or_not(folder: Path, first: bytes, second: bytes) -> WeightsComparison | Unreadable:
    (folder / "first.safetensors").write_bytes(first)
    (folder / "second.safetensors").write_bytes(second)
    return compare_weights(folder / "first.safetensors", folder / "second.safetensors")


def f32(*values: float) -> tuple[str, list[int], bytes]:
    return "F32", [len(values)], struct.pack(f"<{len(values)}f", *values)


def test_the_same_tensors_are_identical_whatever_metadata_and_order_say(tmp_path: Path) -> None:
    first = safetensors({"a": f32(1, 2), "b": f32(math.nan)}, {"ss_steps": "4"})
    second = safetensors({"b": f32(math.nan), "a": f32(1, 2)}, {"ss_training_started_at": "1"})
    found = compared(tmp_path, first, second)
    assert found.identical
    assert found == WeightsComparison(2)


def test_the_largest_difference_has_its_tensor_and_both_values(tmp_path: Path) -> None:
    first = safetensors({"a": f32(1, 2, 3), "b": f32(5, 5), "c": f32(0)})
    second = safetensors({"a": f32(1, 2.25, 3), "b": f32(5, 4), "c": f32(0)})
    found = compared(tmp_path, first, second)
    assert not found.identical
    assert found.differing == ("a", "b")
    assert found.largest == Largest(1.0, "b", 5.0, 4.0)


def test_names_and_forms_that_only_one_side_has_are_named(tmp_path: Path) -> None:
    first = safetensors({"gone": f32(1), "shape": f32(1, 2), "type": f32(1), "same": f32(1)})
    second = safetensors({
        "new": f32(1), "shape": ("F32", [2, 1], f32(1, 2)[2]), "type": ("F16", [1], b"ab"), "same": f32(1),
    })  # fmt: skip
    found = compared(tmp_path, first, second)
    assert (found.only_in_first, found.only_in_second, found.tensors) == (("gone",), ("new",), 1)
    assert found.other_forms == ("shape: F32 [2] and F32 [2, 1]", "type: F32 [1] and F16 [1]")
    assert found.largest is None
    assert not found.identical


def test_zero_and_minus_zero_differ_in_bits_and_not_in_value(tmp_path: Path) -> None:
    found = compared(tmp_path, safetensors({"a": f32(0.0)}), safetensors({"a": f32(-0.0)}))
    assert (found.differing, found.largest, found.identical) == (("a",), None, False)


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_on_one_side_is_the_largest_difference(tmp_path: Path, odd: float) -> None:
    found = compared(tmp_path, safetensors({"a": f32(9, 1)}), safetensors({"a": f32(1, odd)}))
    assert found.not_numbers == 1
    assert found.largest is not None
    assert (found.largest.difference, found.largest.first) == (math.inf, 1.0)


def test_two_that_are_no_numbers_do_not_differ_in_value(tmp_path: Path) -> None:
    bits = [b"\x01\x00\xc0\x7f", b"\x02\x00\xc0\x7f"]  # both nan
    first, second = (safetensors({"a": ("F32", [1], content)}) for content in bits)
    found = compared(tmp_path, first, second)
    assert (found.differing, found.largest, found.not_numbers) == (("a",), None, 0)


def test_a_type_that_is_not_known_is_compared_by_its_bytes(tmp_path: Path) -> None:
    first, second = (safetensors({"a": ("F8_E8M0", [2], content)}) for content in (b"ab", b"ac"))
    found = compared(tmp_path, first, second)
    assert (found.differing, found.unread, found.largest) == (("a",), ("F8_E8M0",), None)
    assert compared(tmp_path, first, first).identical


def test_a_tensor_of_many_pieces_is_compared_to_its_end(tmp_path: Path) -> None:
    number = _PIECE // 4 + 3
    content = bytearray(4 * number)
    other = bytearray(content)
    other[-4:] = struct.pack("<f", 0.5)
    other[_PIECE - 4 : _PIECE] = struct.pack("<f", 0.25)
    first, second = (safetensors({"a": ("F32", [number], bytes(each))}) for each in (content, other))
    assert compared(tmp_path, first, second).largest == Largest(0.5, "a", 0.0, 0.5)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), dtype=st.sampled_from(sorted(LETTERS)))
def test_every_type_of_struct_is_read_as_struct_reads_it(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, dtype: str
) -> None:
    each = struct.calcsize(f"<{LETTERS[dtype]}")
    one, other = (data.draw(st.binary(min_size=4 * each, max_size=4 * each)) for _ in range(2))
    folder = tmp_path_factory.mktemp("weights")
    found = compared(folder, safetensors({"a": (dtype, [4], one)}), safetensors({"a": (dtype, [4], other)}))
    assert found.identical == (one == other)
    pairs = zip(*(struct.unpack(f"<4{LETTERS[dtype]}", each) for each in (one, other)), strict=True)
    differences = [abs(a - b) for a, b in pairs if a != b and not (math.isnan(a) and math.isnan(b))]
    differences = [size if math.isfinite(size) else math.inf for size in differences]
    assert (found.largest.difference if found.largest else None) == (max(differences) if differences else None)
    assert found.not_numbers == differences.count(math.inf)


@pytest.mark.parametrize(
    ("byte", "value"),
    [(0x00, 0.0), (0x01, 2.0**-9), (0x07, 7 * 2.0**-9), (0x08, 2.0**-6), (0x38, 1.0), (0x3C, 1.5), (0x7E, 448.0),
     (0xB8, -1.0), (0xFE, -448.0)],
)  # fmt: skip
def test_e4m3_as_it_is_defined(byte: int, value: float) -> None:
    assert _values("F8_E4M3", bytes([byte])) == [value]


def test_e4m3_has_two_patterns_that_are_no_number() -> None:
    values = _values("F8_E4M3", bytes(range(256)))
    assert values is not None
    assert [number for number, value in enumerate(values) if math.isnan(value)] == [0x7F, 0xFF]
    assert not any(map(math.isinf, values))


@pytest.mark.parametrize(("byte", "value"), [(0x3C, 1.0), (0x7B, 57344.0), (0x01, 2.0**-16), (0xFC, -math.inf)])
def test_e5m2_as_it_is_defined(byte: int, value: float) -> None:
    assert _values("F8_E5M2", bytes([byte])) == (value,)


def test_bf16_is_the_upper_half_of_a_float(tmp_path: Path) -> None:
    values = [1.0, -2.5, 0.0, 3.140625, math.inf, 2.0**-126]
    content = b"".join(struct.pack("<f", value)[2:] for value in values)
    assert _values("BF16", content) == tuple(values)


def test_all_small_types_as_torch_reads_them() -> None:
    torch = pytest.importorskip("torch")
    for dtype, name, width in (("F8_E4M3", "float8_e4m3fn", 1), ("F8_E5M2", "float8_e5m2", 1), ("BF16", "bfloat16", 2)):
        content = b"".join(number.to_bytes(width, "little") for number in range(256**width))
        raw = torch.frombuffer(bytearray(content), dtype=torch.uint8).view(getattr(torch, name))
        expected = raw.to(torch.float64).tolist()
        values = _values(dtype, content)
        assert values is not None
        assert [*map(repr, values)] == [*map(repr, expected)], dtype


def test_a_file_that_is_none_or_cut_off_is_named(tmp_path: Path) -> None:
    whole = safetensors({"a": f32(1, 2)})
    for broken, words in ((whole[:-1], "is cut off"), (b"PK\x03\x04" + bytes(60), "is a pickle"), (b"abc", "3 bytes")):
        found = compared_or_not(tmp_path, whole, broken)
        assert isinstance(found, Unreadable)
        assert str(tmp_path / "second.safetensors") in found.message
        assert words in found.message
    assert isinstance(compare_weights(tmp_path / "none.safetensors", tmp_path / "first.safetensors"), Unreadable)


@pytest.mark.parametrize("offsets", [[4, 0], [-4, 8], [0, 4], [1.0, 9], ["0", 8], [0, int("9" * 30)], [None, 8]])
def test_offsets_that_do_not_fit_the_shape_are_damage(tmp_path: Path, offsets: list[Any]) -> None:
    text = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": offsets}}).encode()
    broken = len(text).to_bytes(8, "little") + text + bytes(8)
    assert isinstance(compared_or_not(tmp_path, broken, broken), Unreadable)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 200))
def test_hostile_files_are_refused_or_compared_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int
) -> None:
    whole = safetensors({"a": f32(1, 2, 3), "b": ("BF16", [2, 2], bytes(8))})
    hostile = whole[:at] + noise + whole[at + len(noise) :]
    found = compared_or_not(tmp_path_factory.mktemp("hostile"), hostile, whole)
    assert isinstance(found, (WeightsComparison, Unreadable))
