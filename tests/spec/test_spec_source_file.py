"""A spec file as bytes and text: whatever stands at its path is read or refused, and nothing hangs."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from launcher.base.errors import ExitCode, KlError
from launcher.spec.reader import read_settings
from launcher.spec.source_file import LARGEST, LARGEST_YAML, file_label


def _refusal(path: Path) -> KlError:
    with pytest.raises(KlError) as caught:
        read_settings(path)
    error = caught.value
    assert error.code is ExitCode.SPEC_REFUSED
    assert error.where is not None
    assert error.hint
    "".join((error.message, error.where, error.hint)).encode()  # can be printed
    return error


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_missing_file_names_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "fox-noob.toml").touch()
    error = _refusal(Path("fox-nob.toml"))
    assert error.message == "There is no file fox-nob.toml."
    assert error.hint == "Did you mean fox-noob.toml?"
    assert _refusal(Path("./fox-noob")).hint == "Did you mean fox-noob.toml?"
    assert _refusal(Path("zebra.toml")).hint == "Give a .toml, .yaml or .yml file."
    assert _refusal(Path("no/where/x.toml")).hint == "There is no folder no/where either."
    assert "no file fox-noob.toml/x.toml" in _refusal(Path("fox-noob.toml/x.toml")).message


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fox.toml").mkdir()
    assert _refusal(Path("fox.toml")).message == "fox.toml is a folder, not a spec."


def test_a_pipe_a_socket_and_a_device_are_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    assert _refusal(Path("pipe.toml")).message == "pipe.toml is not a regular file."
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.toml")
        assert "not a regular file" in _refusal(Path("socket.toml")).message
    (tmp_path / "null.toml").symlink_to(os.devnull)
    assert "not a regular file" in _refusal(Path("null.toml")).message


def test_links_that_lead_nowhere_or_back_to_themselves(tmp_path: Path) -> None:
    (tmp_path / "a.toml").symlink_to("b.toml")
    (tmp_path / "b.toml").symlink_to("a.toml")
    assert "leads back to itself" in _refusal(Path("a.toml")).message
    (tmp_path / "c.toml").symlink_to("gone.toml")
    said = _refusal(Path("c.toml"))
    assert said.message == f"c.toml is a link to {tmp_path / 'gone.toml'}, which is not there."
    assert said.hint == "Put the file there, or remove the link."


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "fox.toml"
    path.touch(mode=0)
    assert "cannot be read: permission denied" in _refusal(path).message


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fox.toml").touch()

    def deny(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", deny)
    error = _refusal(Path("fox.toml"))
    assert error.message == "fox.toml cannot be read: permission denied."
    assert error.hint is not None and "chmod u+r" in error.hint


@pytest.mark.parametrize("name", ["a\0b.toml", "x" * 300 + ".toml", "f\udcff.toml", "a\nb.toml"])
def test_names_that_no_file_can_have_or_that_cannot_be_printed(name: str) -> None:
    _refusal(Path(name))


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fox.ini").touch()
    error = _refusal(Path("fox.ini"))
    assert "neither TOML nor YAML" in error.message
    assert error.hint == "Name it .toml, .yaml or .yml, for what it is."


@pytest.mark.parametrize(("suffix", "largest"), [(".toml", LARGEST), (".yaml", LARGEST_YAML), (".yml", LARGEST_YAML)])
def test_the_largest_file_is_read_and_the_next_one_refused(tmp_path: Path, suffix: str, largest: int) -> None:
    path = tmp_path / f"fox{suffix}"
    path.write_bytes(b"#" * largest)
    assert read_settings(path).settings == ()
    path.write_bytes(b"#" * (largest + 1))
    error = _refusal(path)
    assert error.message == f"The file is larger than {largest // 1024} KiB."
    assert error.hint is not None and "right file" in error.hint


@pytest.mark.parametrize("suffix", [".toml", ".yaml"])
def test_not_utf8_says_line_and_byte(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"fox{suffix}"
    path.write_bytes("# a\n# ü\n# ".encode() + b"\xfc\n")
    error = _refusal(path)
    assert error.message == "The file is not UTF-8: byte 11 is 0xfc."
    assert error.where == f"fox{suffix}:3"


@pytest.mark.parametrize("suffix", [".toml", ".yaml"])
def test_a_nul_is_refused_and_utf16_is_guessed(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"fox{suffix}"
    path.write_bytes(b"# a\n# \0\n")
    error = _refusal(path)
    assert error.message == "Byte 6 is a NUL."
    assert error.where == f"fox{suffix}:2"
    path.write_bytes("a = 1".encode("utf-16-le"))
    assert "UTF-16" in (_refusal(path).hint or "")


@pytest.mark.parametrize(
    ("suffix", "text"), [(".toml", "# c\r\na = 1\r\nb = 2\r\n"), (".yaml", "# c\r\na: 1\r\nb: 2\r\n")]
)
def test_a_byte_order_mark_and_windows_line_ends_are_fine_and_the_bytes_are_kept(
    tmp_path: Path, suffix: str, text: str
) -> None:
    path = tmp_path / f"fox{suffix}"
    content = b"\xef\xbb\xbf" + text.encode()
    path.write_bytes(content)
    document = read_settings(path)
    assert [(s.key, s.value, s.origin.line) for s in document.settings] == [("a", 1, 2), ("b", 2, 3)]
    assert document.content == content


def test_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    (home / "work").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home / "work")
    assert file_label(Path("fox.toml")) == "fox.toml"
    assert file_label(home / "work" / "specs" / "fox.toml") == "specs/fox.toml"
    assert file_label(Path("../fox.toml")) == "~/fox.toml"
    assert file_label(home.parent / "fox.toml") == str(home.parent / "fox.toml")
    assert file_label(Path("a\x1b\udcff写.toml")) == "a\\x1b\\udcff写.toml"


def test_a_current_folder_that_was_removed_is_no_reason_to_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    (tmp_path / "fox.toml").write_text("a = 1")
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert read_settings(tmp_path / "fox.toml").settings[0].value == 1
    _refusal(tmp_path / "nothing.toml")
    _refusal(Path("nothing.toml"))
