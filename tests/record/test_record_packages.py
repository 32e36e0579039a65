"""Packages are read from their metadata: where they came from, and for LyCORIS whether somebody edited them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_packages import unpack, write_wheel

from launcher.record.packages import (
    PackageRecord,
    TorchRecord,
    clean_url,
    installed_packages,
    torch_in,
    without_secrets,
)

GIT = {"vcs": "git", "commit_id": "c0ffee"}


def install(site: Path, name: str, version: str, direct_url: object = None) -> Path:
    information = unpack(write_wheel(site.parent / "wheels", name, version), site)
    if direct_url is not None:
        (information / "direct_url.json").write_text(json.dumps(direct_url))
    return information


def only(site: Path) -> PackageRecord:
    packages, problems = installed_packages([site])
    assert problems == ()
    (package,) = packages
    return package


@pytest.mark.parametrize(
    ("direct_url", "source", "sha256"),
    [
        (None, None, None),
        (
            {"url": "https://git.example/o/r", "vcs_info": {**GIT, "requested_revision": "main"}},
            "git+https://git.example/o/r@c0ffee",
            None,
        ),
        (
            {"url": "ssh://git@git.example/o/r", "vcs_info": GIT, "subdirectory": "sub"},
            "git+ssh://git@git.example/o/r@c0ffee#subdirectory=sub",
            None,
        ),
        (
            {"url": "https://u:ghp_secret@git.example/o/r?token=hush", "vcs_info": GIT},
            "git+https://git.example/o/r@c0ffee",
            None,
        ),
        (
            {"url": "https://host.example/a.whl", "archive_info": {"hashes": {"sha256": "ab" * 32}}},
            "https://host.example/a.whl",
            "ab" * 32,
        ),
        (
            {"url": "https://host.example/a.whl", "archive_info": {"hash": "sha256=" + "cd" * 32}},
            "https://host.example/a.whl",
            "cd" * 32,
        ),
        ({"url": "https://host.example/a.whl", "archive_info": {"hash": "md5=ab"}}, "https://host.example/a.whl", None),
        ({"url": "file:///src/a%20b", "dir_info": {"editable": True}}, "-e file:///src/a%20b", None),
        ({"url": "file:///src/a", "dir_info": {}}, "file:///src/a", None),
    ],
)  # fmt: skip
def test_a_source_is_as_pip_takes_it_and_has_no_credentials(
    tmp_path: Path, direct_url: object, source: str | None, sha256: str | None
) -> None:
    install(tmp_path / "site", "some_package", "1.0", direct_url)
    assert only(tmp_path / "site") == PackageRecord("some_package", "1.0", source, sha256)


def test_what_conda_built_names_no_folder_of_the_machine_that_built_it(tmp_path: Path) -> None:
    information = install(tmp_path / "site", "numpy", "2.0", {"url": "file:///feedstock/work", "dir_info": {}})
    (information / "INSTALLER").write_text("conda\n")
    assert only(tmp_path / "site").source is None


def test_name_and_version_are_those_of_the_metadata(tmp_path: Path) -> None:
    information = tmp_path / "Some.Thing-1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: Some.Thing\nVersion: 1.0+cu128\n\nName: no\n")
    assert only(tmp_path) == PackageRecord("Some.Thing", "1.0+cu128")
    assert only(tmp_path).key == "some-thing"


def test_a_folder_without_metadata_says_its_name_and_version(tmp_path: Path) -> None:
    (tmp_path / "left-2.1.dist-info").mkdir()
    assert only(tmp_path) == PackageRecord("left", "2.1")


def test_what_pip_could_not_remove_is_no_package(tmp_path: Path) -> None:
    (tmp_path / "~orch-2.1.dist-info").mkdir()
    assert installed_packages([tmp_path]) == ((), ())


def test_metadata_of_distutils_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "old-3.egg-info").write_text("Metadata-Version: 1.0\nName: old\nVersion: 3\n")
    assert only(tmp_path) == PackageRecord("old", "3")


def test_a_folder_that_a_pth_file_adds_is_an_editable_installation(tmp_path: Path) -> None:
    source = tmp_path / "lycoris"
    (source / "lycoris_lora.egg-info").mkdir(parents=True)
    (source / "lycoris_lora.egg-info" / "PKG-INFO").write_text("Name: lycoris-lora\nVersion: 3.2\n")
    packages, _ = installed_packages([tmp_path / "site"], [source])
    assert packages == (PackageRecord("lycoris-lora", "3.2", f"-e {source.as_uri()}"),)


def test_of_two_of_one_name_the_first_counts_as_python_finds_it(tmp_path: Path) -> None:
    install(tmp_path / "own", "torch", "2.7.1")
    install(tmp_path / "system", "torch", "2.0")
    packages, _ = installed_packages([tmp_path / "own", tmp_path / "system"])
    assert packages == (PackageRecord("torch", "2.7.1"),)


def test_one_that_is_there_in_two_versions_is_said(tmp_path: Path) -> None:
    for version in ("2.6.0", "2.7.1"):
        install(tmp_path / "site", "torch", version)
    packages, problems = installed_packages([tmp_path / "site"])
    assert [package.name for package in packages] == ["torch"]
    assert problems == (f"torch is twice in {tmp_path / 'site'}: 2.6.0 and 2.7.1",)


def test_a_folder_that_is_not_there_has_no_packages(tmp_path: Path) -> None:
    assert installed_packages([tmp_path / "none"]) == ((), ())


def test_what_cannot_be_read_is_said_and_the_others_are_there(tmp_path: Path) -> None:
    install(tmp_path / "site", "good", "1.0")
    (install(tmp_path / "site", "bad", "1.0") / "direct_url.json").write_text("[" * 100_000)
    (tmp_path / "site" / "nameless.dist-info").mkdir()
    packages, problems = installed_packages([tmp_path / "site"])
    assert [package.name for package in packages] == ["good"]
    assert len(problems) == 2
    assert "bad-1.0.dist-info" in problems[0]
    assert "nameless" in problems[1]


def lycoris(site: Path) -> None:
    files = {"lycoris/__init__.py": "a = 1\n", "lycoris/modules/locon.py": "b = 2\n"}
    unpack(write_wheel(site.parent / "wheels", "lycoris_lora", "4.1.3", files), site)


def test_an_edited_lycoris_is_known_by_its_files(tmp_path: Path) -> None:
    for place in ("here", "elsewhere"):
        lycoris(tmp_path / place)
    here, elsewhere = only(tmp_path / "here"), only(tmp_path / "elsewhere")
    assert here == elsewhere
    assert here.sha256 is not None
    assert here.changed == ()

    (tmp_path / "here" / "lycoris" / "modules" / "locon.py").write_text("b = 3\n")
    (tmp_path / "here" / "lycoris" / "mine.py").write_text("c = 4\n")
    (tmp_path / "here" / "lycoris" / "__pycache__").mkdir()
    (tmp_path / "here" / "lycoris" / "__pycache__" / "x.py").write_text("")
    edited = only(tmp_path / "here")
    assert edited.changed == ("lycoris/mine.py", "lycoris/modules/locon.py")
    assert edited.sha256 not in (None, here.sha256)


def test_a_lost_file_of_lycoris_is_a_change(tmp_path: Path) -> None:
    lycoris(tmp_path / "site")
    (tmp_path / "site" / "lycoris" / "__init__.py").unlink()
    assert only(tmp_path / "site").changed == ("lycoris/__init__.py",)


def test_files_outside_the_folder_of_packages_are_not_looked_at(tmp_path: Path) -> None:
    lycoris(tmp_path / "site")
    before = only(tmp_path / "site")
    record = tmp_path / "site" / "lycoris_lora-4.1.3.dist-info" / "RECORD"
    record.write_text(
        record.read_text() + "../../../etc/passwd,sha256=YQ,1\n/etc/passwd,sha256=YQ,1\n../bin/x,sha256=YQ,1\n"
    )
    assert only(tmp_path / "site") == before


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=400), st.sampled_from(["METADATA", "RECORD", "direct_url.json", "INSTALLER"]))
def test_damaged_metadata_never_ends_in_an_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    site = tmp_path_factory.mktemp("site")
    lycoris(site)
    (site / "lycoris_lora-4.1.3.dist-info" / name).write_bytes(content)
    packages, problems = installed_packages([site])
    assert len(packages) + len(problems) == 1


@settings(deadline=None)
@given(
    st.text(max_size=30),
    st.sampled_from(["me:hun,ter2@host/x", "hunter2@host", "host/x?token=a,hunter2", "git@a:hunter2@b"]),
)
def test_any_text_can_be_cleaned(text: str, secret: str) -> None:
    assert "ter2" not in without_secrets(f"{text} https://{secret} {text}")


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://user:secret@host:80/a?key=b#c", "https://host:80/a"),
        ("https://git@host/a", "https://git@host/a"),
        ("https://git:secret@host/a", "https://host/a"),
        ("https://a@b@host/a", "https://host/a"),
        ("file:///a%20b/c", "file:///a%20b/c"),
    ],
)
def test_a_url_keeps_what_it_takes_to_fetch_it(url: str, clean: str) -> None:
    assert clean_url(url) == clean


def test_torch_says_what_it_was_built_for(tmp_path: Path) -> None:
    version = tmp_path / "torch" / "version.py"
    version.parent.mkdir()
    version.write_text("__version__ = '2.7.1+cu126'\ncuda: Optional[str] = '12.6'\nhip: Optional[str] = None\n")
    assert torch_in([tmp_path / "none", tmp_path]) == TorchRecord("2.7.1+cu126", "12.6", None)
    version.write_text("__version__ = '1.13.1+cpu'\ncuda = None\n")
    assert torch_in([tmp_path]) == TorchRecord("1.13.1+cpu")


@pytest.mark.parametrize("text", ["", "cuda = '1'", "__version__ = f()", "__version__ = ", "\0"])
def test_a_torch_that_says_nothing_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "version.py").write_text(text)
    assert torch_in([tmp_path]) is None
