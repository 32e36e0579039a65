"""An environment is made as it was recorded, whole or not at all: with real pip and uv, and no package index."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_packages import commit_all, unpack, write_project, write_wheel

from launcher.record.environment import EnvironmentRecord, PythonRecord, python_record, read_environment
from launcher.record.environment_differences import differences_of
from launcher.record.installers import CannotMakeEnvironment
from launcher.record.packages import PackageRecord, installed_packages
from launcher.record.requirements import why_not
from launcher.record.same_environment import environment_folder, make_environment
from launcher.trainer.packages import site_packages

PYTHON, _ = python_record(Path(sys.executable), os.environ)


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that pip and uv take in place of an index; without the settings of this machine."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    settings = {
        "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder), "UV_NO_CONFIG": "1",
        "UV_NO_INDEX": "1", "UV_FIND_LINKS": str(folder), "UV_OFFLINE": "1", "UV_PYTHON_DOWNLOADS": "never",
        "UV_CACHE_DIR": str(tmp_path / "uv-cache"), "PIP_CACHE_DIR": str(tmp_path / "pip-cache"),
    }  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return folder


@pytest.fixture(params=["pip", "uv"])
def installer(request: pytest.FixtureRequest, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """With uv, and as on a machine that has only pip."""
    if request.param == "uv" and shutil.which("uv") is None:
        pytest.skip("uv is not there")
    if request.param == "pip":
        folders = os.environ["PATH"].split(os.pathsep)
        monkeypatch.setenv("PATH", os.pathsep.join(each for each in folders if not Path(each, "uv").exists()))
    return str(request.param)


def record_of(*packages: PackageRecord) -> EnvironmentRecord:
    return EnvironmentRecord(python=PYTHON, packages=packages)


def make(record: EnvironmentRecord, folder: Path) -> list[str]:
    """Make the environment, and return what was said of differences."""
    said: list[str] = []
    python = make_environment(record, folder, said.append)
    assert python == folder / "bin" / "python"
    assert run(python, "print('runs')") == "runs"
    return [line for line in said if not line.startswith(("Making", "Installing"))]


def run(python: Path, script: str) -> str:
    return subprocess.run([python, "-c", script], check=True, capture_output=True, text=True).stdout.strip()


def packages_of(folder: Path) -> tuple[PackageRecord, ...]:
    return installed_packages(site_packages(folder / "bin" / "python"))[0]


def versions(folder: Path) -> dict[str, str]:
    return {package.name: package.version for package in packages_of(folder) if package.key not in ("pip", "wheel")}


def left_behind(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.parent.glob(f"*{folder.name}*") if path.suffix != ".lock")


def test_every_kind_of_package_is_as_it_was_recorded(installer: str, wheels: Path, tmp_path: Path) -> None:
    write_wheel(wheels, "plain", "1.0")
    write_wheel(wheels, "plain", "1.0+cpu")
    write_wheel(wheels, "plain", "2.0")
    write_wheel(wheels, "built_for", "1.0+cu128")
    local = write_wheel(tmp_path / "mine", "local", "0.3")
    repository = write_project(tmp_path / "repository", "from_git", "0.5")
    commit = commit_all(repository)
    (repository / "version.txt").write_text("from_git 0.6\n")
    folder = write_project(tmp_path / "a folder", "from_folder", "0.7")
    editable = write_project(tmp_path / "editable", "edited", "0.9")
    before = sorted(path for source in (folder, editable) for path in source.rglob("*"))
    record = record_of(
        PackageRecord("plain", "1.0"),
        PackageRecord("built-for", "1.0+cu128"),
        PackageRecord("local", "0.3", local.as_uri()),
        PackageRecord("from_git", "0.5", f"git+{repository.as_uri()}@{commit}"),
        PackageRecord("from_folder", "0.7", folder.as_uri()),
        PackageRecord("edited", "0.9", f"-e {editable.as_uri()}"),
        PackageRecord("pip", "1.2.3"),
    )
    made = tmp_path / "made"

    assert make(record, made) == []

    assert versions(made) == {
        "plain": "1.0", "built_for": "1.0+cu128", "local": "0.3", "from_git": "0.5", "from_folder": "0.7",
        "edited": "0.9",
    }  # fmt: skip
    now, _ = read_environment(made / "bin" / "python", {"PYTHONPATH": ""})
    assert [each for each in differences_of(record, now) if each.kind in ("python", "packages")] == []
    # The interpreter writes what it has compiled beside the source; what is looked for is what kl writes there.
    code = (
        "import sys; sys.dont_write_bytecode = True; import edited, from_git; print(edited.__file__, from_git.version)"
    )
    assert run(made / "bin" / "python", code) == f"{editable}/edited/__init__.py 0.5"
    assert sorted(path for source in (folder, editable) for path in source.rglob("*")) == before


def test_one_that_is_there_is_used_again_and_a_changed_one_is_not(wheels: Path, tmp_path: Path) -> None:
    write_wheel(wheels, "plain", "1.0")
    record = record_of(PackageRecord("plain", "1.0"))
    made = tmp_path / "made"
    make(record, made)
    (made / "kept").touch()
    make(record, made)
    assert (made / "kept").exists()

    unpack(write_wheel(tmp_path / "mine", "intruder", "1.0"), next(site_packages(made / "bin" / "python")))
    with pytest.raises(CannotMakeEnvironment, match=r"is not as kl made it: intruder 1\.0\. Remove the folder"):
        make(record, made)
    assert (made / "kept").exists()  # something may run in it


def test_the_environment_of_another_record_stays(wheels: Path, tmp_path: Path) -> None:
    write_wheel(wheels, "plain", "1.0")
    make(record_of(PackageRecord("plain", "1.0")), tmp_path / "made")
    with pytest.raises(CannotMakeEnvironment, match="of another record"):
        make(record_of(PackageRecord("plain", "2.0")), tmp_path / "made")
    assert versions(tmp_path / "made") == {"plain": "1.0"}


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"key": 1, "parts": 2, "said": 3}'])
def test_a_damaged_mark_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "kl-environment.json").write_text(content)
    with pytest.raises(CannotMakeEnvironment, match="cannot be read"):
        make(record_of(PackageRecord("plain", "1.0")), tmp_path / "made")


@pytest.mark.parametrize("version", ["1.0+cu999", "9.9"])
def test_a_package_that_no_index_has_is_named_and_nothing_is_left(
    installer: str, wheels: Path, tmp_path: Path, version: str
) -> None:
    write_wheel(wheels, "plain", "1.0")
    write_wheel(wheels, "other", "1.0")
    made = tmp_path / "made"
    with pytest.raises(CannotMakeEnvironment, match=rf"^plain {version.replace('+', '.')} cannot be had") as refused:
        make(record_of(PackageRecord("other", "1.0"), PackageRecord("plain", version)), made)
    assert "settings of pip or uv" in str(refused.value)
    assert ("index of their maker" in str(refused.value)) is ("+" in version)
    assert left_behind(made) == []


def test_what_is_gone_or_was_changed_is_said(wheels: Path, tmp_path: Path) -> None:
    write_wheel(wheels, "local", "0.3")
    write_wheel(wheels, "lycoris_lora", "4.1.3", {"lycoris/__init__.py": "a = 1\n"})
    record = record_of(
        PackageRecord("local", "0.3", (tmp_path / "gone" / "local-0.3-py3-none-any.whl").as_uri()),
        PackageRecord("lycoris_lora", "4.1.3", None, "ab" * 32, ("lycoris/__init__.py",)),
        PackageRecord("edited", "0.9", f"-e {(tmp_path / 'away').as_uri()}"),
    )
    expected = [
        f"local comes from a package index: {tmp_path}/gone/local-0.3-py3-none-any.whl is not there",
        "lycoris_lora 4.1.3 is as it was published: lycoris/__init__.py had been changed",
        f"edited is left out: its folder {tmp_path}/away is not there",
    ]
    assert make(record, tmp_path / "made") == expected
    assert make(record, tmp_path / "made") == expected  # also when it is used again
    assert versions(tmp_path / "made") == {"local": "0.3", "lycoris_lora": "4.1.3"}


def test_another_content_of_lycoris_is_said(wheels: Path, tmp_path: Path) -> None:
    write_wheel(wheels, "lycoris_lora", "4.1.3", {"lycoris/__init__.py": "a = 1\n"})
    record = record_of(PackageRecord("lycoris_lora", "4.1.3", None, "ab" * 32))
    (said,) = make(record, tmp_path / "made")
    assert said.startswith("lycoris_lora: 4.1.3 (sha256 abababababab) → 4.1.3 (sha256 ")


def test_a_source_that_gives_another_version_is_refused(wheels: Path, tmp_path: Path) -> None:
    folder = write_project(tmp_path / "folder", "moved_on", "2.0")
    record = record_of(PackageRecord("moved_on", "1.0", folder.as_uri()))
    with pytest.raises(CannotMakeEnvironment, match=r"moved-on 2\.0 instead of 1\.0"):
        make(record, tmp_path / "made")
    assert left_behind(tmp_path / "made") == []


def test_another_patch_release_of_python_is_said(wheels: Path, tmp_path: Path) -> None:
    write_wheel(wheels, "plain", "1.0")
    minor = ".".join(str(PYTHON.version).split(".")[:2])
    record = replace(
        record_of(PackageRecord("plain", "1.0")), python=PythonRecord(PYTHON.executable, f"{minor}.99", "CPython")
    )
    assert make(record, tmp_path / "made") == [f"python: CPython {minor}.99 → CPython {PYTHON.version}"]


def test_a_python_that_is_not_to_be_had_is_refused(wheels: Path, tmp_path: Path) -> None:
    record = replace(
        record_of(PackageRecord("plain", "1.0")), python=PythonRecord(PYTHON.executable, "3.4.99", "CPython")
    )
    with pytest.raises(CannotMakeEnvironment, match=r"No Python 3\.4\.99 can be had"):
        make(record, tmp_path / "made")
    assert left_behind(tmp_path / "made") == []


@pytest.mark.parametrize(
    "record",
    [
        EnvironmentRecord(),
        EnvironmentRecord(python=PYTHON),
        EnvironmentRecord(packages=(PackageRecord("plain", "1.0"),)),
        record_of(PackageRecord("--index-url=https://evil.example", "1.0")),
        record_of(PackageRecord("plain", "1.0\n--index-url https://evil.example")),
        record_of(PackageRecord("plain", "1.0", "https://h/x.whl --index-url https://evil.example")),
        record_of(PackageRecord("", "")),
    ],
)
def test_a_record_that_names_no_packages_is_refused(tmp_path: Path, record: EnvironmentRecord) -> None:
    with pytest.raises(CannotMakeEnvironment):
        make_environment(record, tmp_path / "made", print)
    assert left_behind(tmp_path / "made") == []


def test_a_folder_that_holds_something_else_stays(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "thesis.txt").write_text("mine")
    for _ in range(2):
        with pytest.raises(CannotMakeEnvironment, match="no environment that kl made"):
            make_environment(record_of(PackageRecord("plain", "1.0")), tmp_path / "made", print)
    assert (tmp_path / "made" / "thesis.txt").read_text() == "mine"


def test_what_a_killed_kl_left_half_made_is_made_anew(wheels: Path, tmp_path: Path) -> None:
    write_wheel(wheels, "plain", "1.0")
    (tmp_path / "made" / "bin").mkdir(parents=True)
    (tmp_path / ".made.making").touch()
    make(record_of(PackageRecord("plain", "1.0")), tmp_path / "made")
    assert left_behind(tmp_path / "made") == ["made"]


def test_one_that_is_interrupted_leaves_nothing(wheels: Path, tmp_path: Path) -> None:
    write_wheel(wheels, "plain", "1.0")

    def interrupt_then(line: str) -> None:
        if line.startswith("Installing"):
            assert (tmp_path / "made").exists()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_environment(record_of(PackageRecord("plain", "1.0")), tmp_path / "made", interrupt_then)
    assert left_behind(tmp_path / "made") == []


def test_two_that_make_the_same_do_it_once(wheels: Path, tmp_path: Path) -> None:
    write_wheel(wheels, "plain", "1.0")
    said: list[str] = []
    record = record_of(PackageRecord("plain", "1.0"))
    threads = [
        threading.Thread(target=make_environment, args=(record, tmp_path / "made", said.append)) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(line.startswith("Making") for line in said) == 1
    assert versions(tmp_path / "made") == {"plain": "1.0"}


def test_settings_of_another_environment_do_not_lead_it_astray(
    installer: str, wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wheel(wheels, "plain", "1.0")
    for name in ("PIP_TARGET", "PIP_PREFIX", "PYTHONPATH", "VIRTUAL_ENV"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    monkeypatch.setenv("PIP_USER", "1")
    make(record_of(PackageRecord("plain", "1.0")), tmp_path / "made")
    assert not (tmp_path / "elsewhere").exists()
    assert versions(tmp_path / "made") == {"plain": "1.0"}


def test_the_folder_is_that_of_the_packages() -> None:
    one = record_of(PackageRecord("plain", "1.0"), PackageRecord("pip", "1"))
    assert environment_folder(one) == environment_folder(replace(one, host="other", variables={"OMP_NUM_THREADS": "1"}))
    assert environment_folder(one) == environment_folder(record_of(PackageRecord("plain", "1.0")))
    assert environment_folder(one) != environment_folder(record_of(PackageRecord("plain", "1.1")))


@pytest.mark.parametrize(
    ("output", "named"),
    [
        ("ERROR: No matching distribution found for torch===2.7.1+cu999", "torch"),
        ("  cause: Because there is no version of torch==2.7.1+cu999 and you require it", "torch"),
        ("  × Because lycoris-lora was not found in the package registry and you require lycoris-lora", "lycoris_lora"),
        ("error: torch could not be downloaded: connection refused", None),
        ("", None),
    ],
)
def test_what_cannot_be_had_is_read_from_the_answer(output: str, named: str | None) -> None:
    packages: Sequence[PackageRecord] = (PackageRecord("lycoris_lora", "1"), PackageRecord("torch", "2"))
    found = why_not(output, packages)
    assert (found.name if found else None) == named
