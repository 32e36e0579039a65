"""conda, mamba and micromamba: which is found, what they are asked, and what becomes of their answers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from conda_bed import KINDS, CondaBed, conda_bed

from launcher.base.errors import ExitCode, KlError
from launcher.setup.conda import HISTORY, CondaProgram, conda_program, environments, install
from launcher.setup.conda_environments import conda_environments


@pytest.fixture(autouse=True)
def only_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launcher.setup.conda_environments._SYSTEM_HOMES", ())
    monkeypatch.setattr("launcher.setup.conda._SYSTEM_FOLDERS", ())


@pytest.fixture(params=KINDS)
def bed(request: pytest.FixtureRequest, tmp_path: Path) -> CondaBed:
    return conda_bed(tmp_path, request.param)


def _program(bed: CondaBed) -> CondaProgram:
    found = conda_program(bed.environ(), bed.home)
    assert found is not None
    return found


def _start(bed: CondaBed, argv: tuple[str, ...]) -> int:
    return subprocess.run(argv, env=bed.environ(), check=False).returncode


def test_it_is_found_though_the_shell_is_not_initialised(bed: CondaBed) -> None:
    found = _program(bed)
    assert (found.path, found.root) == (bed.program, bed.root)
    assert found.kind == bed.program.name
    assert bed.calls() == []


def test_none_is_there(tmp_path: Path) -> None:
    assert conda_program({"PATH": "/nowhere"}, tmp_path) is None
    (tmp_path / "miniforge3" / "bin" / "conda").mkdir(parents=True)
    assert conda_program({"PATH": "", "CONDA_EXE": str(tmp_path)}, tmp_path) is None


def test_the_one_of_the_shell_comes_first(tmp_path: Path) -> None:
    usual = conda_bed(tmp_path, "conda")
    other = conda_bed(tmp_path, "mamba", root=tmp_path / "work" / "forge")
    lone = conda_bed(tmp_path, "micromamba")
    for environ, expected in (
        ({"CONDA_EXE": str(other.program)}, other),
        ({"MAMBA_EXE": str(lone.program)}, lone),
        ({"PATH": str(other.program.parent)}, other),
        ({"MAMBA_ROOT_PREFIX": str(other.root)}, other),
        ({"CONDA_EXE": "/gone/bin/conda"}, usual),
    ):
        found = conda_program(environ, tmp_path)
        assert found is not None and found.path == expected.program


def test_the_base_environment_of_a_lone_file(tmp_path: Path) -> None:
    bed = conda_bed(tmp_path, "micromamba", root=tmp_path / ".local" / "share" / "mamba")
    assert _program(bed).root == bed.root
    chosen = conda_program(bed.environ(MAMBA_ROOT_PREFIX="/data/mamba"), tmp_path)
    assert chosen is not None and chosen.root == Path("/data/mamba")
    (tmp_path / "micromamba").mkdir()  # where version 1 kept it: libmamba looks there first
    assert _program(bed).root == tmp_path / "micromamba"


@pytest.mark.parametrize("old", [False, True])
def test_its_environments(bed: CondaBed, tmp_path: Path, old: bool) -> None:
    bed.environment("lora")
    outside = bed.environment(tmp_path / "elsewhere" / "mine")
    (tmp_path / ".conda").mkdir()
    (tmp_path / ".conda" / "environments.txt").write_text(f"{outside}\n/gone\n")
    more = bed.environment(tmp_path / "more" / "anima")
    environ = bed.environ(CONDA_ENVS_DIRS=str(tmp_path / "more"), **({"STAND_IN_OLD": "1"} if old else {}))
    found = {each.prefix: each.name for each in environments(_program(bed), environ)}
    assert found == {bed.root: "base", bed.root / "envs" / "lora": "lora", outside: None, more: "anima"}
    assert bed.calls()[0] == ["env", "list", "--json"]
    details = bed.kind in ("conda", "mamba1") and not old
    assert bed.calls()[1:] == ([] if details else [["info", "--json"]])
    by_folders = {each.prefix for each in conda_environments(environ, bed.home)}
    assert by_folders == found.keys() - ({bed.root} if bed.program.name == "micromamba" else set())


def test_a_folder_with_a_mark_becomes_an_environment(bed: CondaBed, tmp_path: Path) -> None:
    """With the empty HISTORY it is an environment without packages; `create` would refuse it, or take the mark away."""
    program, prefix = _program(bed), tmp_path / "marked"
    (prefix / HISTORY).parent.mkdir(parents=True)
    (prefix / "mark").touch()
    command = install(program, prefix, ("python=3.10", "pip"))
    assert _start(bed, command) == 1
    (prefix / HISTORY).touch()
    assert _start(bed, command) == 0
    assert (prefix / "mark").exists() and (prefix / "bin" / "python").exists()
    assert bed.calls()[-1] == ["install", "--yes", "--prefix", str(prefix), "python=3.10", "pip"]


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo no such option >&2; exit 2", "no such option"),
        ("exit 3", "exit status 3"),
        ('echo \'{"message": "Not a conda environment", "error": "x"}\'; exit 1', "Not a conda environment"),
        ('echo \'{"log_history": [{"message": "Aborting."}]}\'; exit 1', "Aborting."),
        ("echo no json", "failed"),
        ("echo '[1]'", "failed"),
    ],
)
def test_an_answer_that_is_none(tmp_path: Path, script: str, says: str) -> None:
    broken = tmp_path / "conda"
    broken.write_text(f"#!/bin/sh\n{script}\n")
    broken.chmod(0o755)
    with pytest.raises(KlError, match="env list --json") as caught:
        environments(CondaProgram(broken, "conda"), {})
    assert caught.value.code is ExitCode.ENVIRONMENT_NOT_READY
    assert says in caught.value.message


def test_a_program_that_hangs_or_cannot_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launcher.setup.conda._PATIENCE", 0.2)
    slow = tmp_path / "conda"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    with pytest.raises(KlError, match="did not answer"):
        environments(CondaProgram(slow, "conda"), {"PATH": "/usr/bin:/bin"})
    with pytest.raises(KlError, match="cannot be started"):
        environments(CondaProgram(tmp_path / "gone", "conda"), {})


def test_damaged_answers_name_nothing(tmp_path: Path) -> None:
    odd = tmp_path / "conda"
    odd.write_text('#!/bin/sh\necho \'{"envs": [1, "/a", ""], "envs_details": {"/a": 3}, "envs_dirs": 7}\'\n')
    odd.chmod(0o755)
    assert [(each.prefix, each.name) for each in environments(CondaProgram(odd, "conda"), {})] == [(Path("/a"), None)]


def test_of_two_with_one_name_the_first_is_meant(tmp_path: Path) -> None:
    bed = conda_bed(tmp_path, "conda")
    first, noted = bed.environment("lora"), bed.environment(tmp_path / "other" / "lora")
    (tmp_path / ".conda").mkdir()
    (tmp_path / ".conda" / "environments.txt").write_text(f"{noted}\n{first}\n")
    found = [each.prefix for each in conda_environments(bed.environ(), tmp_path) if each.name == "lora"]
    assert found == [first, noted]


def test_environments_far_from_home_are_found_by_what_the_shell_has(tmp_path: Path) -> None:
    bed = conda_bed(tmp_path / "home", "conda", root=tmp_path / "data" / "forge")
    prefix = bed.environment("lora")
    hints = (
        {"CONDA_EXE": str(bed.program)},
        {"MAMBA_EXE": str(bed.root / "bin" / "mamba")},
        {"MAMBA_ROOT_PREFIX": str(bed.root)},
        {"PATH": f"/usr/bin:{bed.root}/condabin"},
        {"CONDA_PREFIX": str(bed.root)},
        {"CONDA_PREFIX": str(bed.environment("other"))},
    )
    for environ in hints:
        found = {each.name: each.prefix for each in conda_environments(environ, bed.home)}
        assert (found["lora"], found["base"]) == (prefix, bed.root)
    assert conda_environments({}, bed.home) == ()


def test_a_folder_with_a_python_is_no_base_environment(tmp_path: Path) -> None:
    lone = tmp_path / ".local" / "bin"
    lone.mkdir(parents=True)
    (lone / "python").touch()
    assert conda_environments({"MAMBA_EXE": str(lone / "micromamba")}, tmp_path) == ()


@pytest.mark.parametrize("variable", ["MAMBA_ROOT_PREFIX", "CONDA_EXE", "CONDA_PREFIX", "CONDA_ENVS_DIRS", "PATH"])
@pytest.mark.parametrize("value", ["x" * 9000, "/dev/null", "a/b/c/condabin", "/"])
def test_any_surroundings(tmp_path: Path, variable: str, value: str) -> None:
    (tmp_path / ".conda").mkdir()
    (tmp_path / ".conda" / "environments.txt").write_bytes(b"\xff\0\n" + b"y" * 9000 + b"\n/dev/null\n")
    assert conda_environments({variable: value}, tmp_path) == ()
    conda_program({variable: value}, tmp_path)
