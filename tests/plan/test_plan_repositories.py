"""run.repositories: other repositories to record."""

from __future__ import annotations

from pathlib import Path

from plan_bed import NEEDED, plan_of

from launcher.base.findings import Severity


def test_folders_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    for folder in ("mine", "home/my-lycoris"):
        (tmp_path / folder).mkdir(parents=True)
    text = f'{NEEDED}[run]\nrepositories = ["mine", "$PLACE/my-lycoris"]\n'
    plan = plan_of(tmp_path, text, environ={"PLACE": str(tmp_path / "home")})
    assert plan.repositories == (tmp_path / "mine", tmp_path / "home" / "my-lycoris")
    assert not plan.errors


def test_none_is_usual(tmp_path: Path) -> None:
    assert plan_of(tmp_path, NEEDED).repositories == ()


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    plan = plan_of(tmp_path, f'{NEEDED}[run]\nrepositories = ["gone", "file", "$NOT_SET/x"]\n')
    messages = [finding.message for finding in plan.findings if finding.severity is Severity.ERROR]
    assert messages == [
        f"run.repositories names {tmp_path / 'gone'}, which is not a folder.",
        f"run.repositories names {tmp_path / 'file'}, which is not a folder.",
        "The environment variable 'NOT_SET' is not set, in '$NOT_SET/x'.",
    ]
    assert plan.repositories == ()


def test_one_name_is_no_list(tmp_path: Path) -> None:
    (error,) = plan_of(tmp_path, f'{NEEDED}[run]\nrepositories = "mine"\n').errors
    assert error.code == "wrong-type" and "run.repositories is wrong" in error.message
