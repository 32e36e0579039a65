from __future__ import annotations

import json
import os
import pickle
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_shapes import write_model

from launcher.data.safetensors_header import Header, Unreadable, Why, read_header


def _file(folder: Path, content: bytes) -> Path:
    path = folder / "model.safetensors"
    path.write_bytes(content)
    return path


def _framed(header: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header


def _why(path: Path) -> Why | None:
    found = read_header(path)
    return found.why if isinstance(found, Unreadable) else None


def test_names_types_shapes_and_metadata(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.safetensors", {"a.weight": (2, 3), "b": ()}, metadata={"made": "here"})
    found = read_header(path)
    assert isinstance(found, Header)
    assert {name: (tensor.dtype, tensor.shape) for name, tensor in found.tensors.items()} == {
        "a.weight": ("F16", (2, 3)),
        "b": ("F16", ()),
    }
    assert found.metadata == {"made": "here"}
    assert found.shape("a.weight") == (2, 3)
    assert found.shape("c") == ()
    assert found.missing == 0


def test_what_a_cut_off_file_lacks(tmp_path: Path) -> None:
    found = read_header(write_model(tmp_path / "a.safetensors", {"a": (100,)}, cut=30))
    assert isinstance(found, Header)
    assert found.missing == 30


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.safetensors", {"a": (1,)})
    read_header(path)
    write_model(path, {"another": (7, 7)})
    found = read_header(path)
    assert isinstance(found, Header)
    assert list(found.tensors) == ["another"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x01\x00",
        struct.pack("<Q", 4 << 30),
        struct.pack("<Q", (1 << 64) - 1) + b"{}",
        struct.pack("<Q", 50) + b"{}",
        _framed(b"\xff\xfe not text"),
        _framed(b"[" * 200_000),
        _framed(b'{"a":' * 200_000),
        _framed(b"[]"),
        _framed(b"3"),
        _framed(b'{"a": 1}'),
        _framed(b'{"a": {"dtype": "F16", "shape": [-1], "data_offsets": [0, 2]}}'),
        _framed(b'{"a": {"dtype": "F16", "shape": [1.5], "data_offsets": [0, 2]}}'),
        _framed(b'{"a": {"dtype": "F16", "shape": [1], "data_offsets": [0]}}'),
        _framed(b'{"a": {"dtype": [], "shape": [1], "data_offsets": [0, 2]}}'),
        _framed(b'{"a": {"dtype": "F16", "shape": [' + b"9" * 1_000_000 + b'], "data_offsets": [0, 2]}}'),
        _framed(b'{"__metadata__": 7}'),
    ],
)
def test_a_damaged_file_says_so(tmp_path: Path, content: bytes) -> None:
    assert _why(_file(tmp_path, content)) is Why.DAMAGED


def test_a_header_too_large_to_look_at_is_not_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "large.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", 50_000_000))
        file.truncate(60_000_000)
    assert _why(path) is Why.TOO_LARGE


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "harm"),)

    assert _why(_file(tmp_path, pickle.dumps(Harm()))) is Why.PICKLE
    assert _why(_file(tmp_path, b"PK\x03\x04" + bytes(100))) is Why.PICKLE
    assert not (tmp_path / "harm").exists()


def test_what_is_no_file(tmp_path: Path) -> None:
    assert _why(tmp_path / "none.safetensors") is Why.MISSING
    assert _why(tmp_path) is Why.NOT_A_FILE
    os.mkfifo(tmp_path / "pipe")
    assert _why(tmp_path / "pipe") is Why.NOT_A_FILE
    assert _why(Path("nul\0l")) is Why.UNREADABLE


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_ENTRY = st.fixed_dictionaries({"dtype": _JSON, "shape": _JSON, "data_offsets": _JSON})


@pytest.mark.parametrize("length", [0x280, 0x480, 0x10380])
def test_a_length_that_looks_like_a_pickle(tmp_path: Path, length: int) -> None:
    header = b'{"__metadata__":{"format":"pt"}}'
    found = read_header(_file(tmp_path, _framed(header.ljust(length))))
    assert isinstance(found, Header) and found.metadata == {"format": "pt"}


@given(st.dictionaries(st.text(max_size=8) | st.just("__metadata__"), _ENTRY | _JSON, max_size=4))
def test_any_json_gives_a_header_or_a_reason(tmp_path_factory: pytest.TempPathFactory, content: object) -> None:
    path = _file(tmp_path_factory.mktemp("any"), _framed(json.dumps(content).encode()))
    found = read_header(path)
    if isinstance(found, Header):
        assert all(min(tensor.shape, default=0) >= 0 for tensor in found.tensors.values())
    else:
        assert found.why is Why.DAMAGED


@given(st.binary(max_size=200))
def test_any_bytes_give_a_header_or_a_reason(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    assert isinstance(read_header(_file(tmp_path_factory.mktemp("any"), content)), (Header, Unreadable))
