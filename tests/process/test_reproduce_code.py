"""The code of a run trained once more: changes of every kind, a submodule, a repository that Python imports."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from launching import Bed, make_bed, make_plan, own_home

from launcher.base.errors import ExitCode, KlError
from launcher.base.origin import Origin, Source
from launcher.plan.plan import Argument, Plan
from launcher.record.manifest import Manifest, read_manifest
from launcher.run.launch import launch
from launcher.run.outcome import Outcome
from launcher.run.reproduce import Reproduction, prepare
from launcher.run.reproduced_weights import compare_models
from launcher.run.screen import NullScreen

KL = Origin(Source.KL, "kl")
# The weights it "trains" are made of the code that it has.
TRAINER = """
import os, sys
from pathlib import Path
import helper
sys.path.insert(0, "sub/library")
import inner
words = dict(word[2:].partition("=")[::2] for word in sys.argv[1:])
text = helper.WORD.encode() + inner.WORD.encode() + Path("picture.bin").read_bytes()
text += b"link" if os.path.islink("link") else b"file"
text += b"x" if os.access("tool", os.X_OK) else b"-"
text += "".join(sorted(name for name in os.listdir(".") if name[0] not in "._")).encode()
header = b'{"a":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}' % (len(text), len(text))
file = Path(words["output_dir"], words["output_name"] + ".safetensors")
file.write_bytes(len(header).to_bytes(8, "little") + header + text)
"""


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "protocol.file.allow=always", *words],
        cwd=folder, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.strip()


def repository(folder: Path) -> None:
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "one")


@pytest.fixture
def bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bed:
    own_home(tmp_path, monkeypatch)
    bed = make_bed(tmp_path)
    for folder, name in (("beside", "helper.py"), ("library", "inner.py")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text("WORD = 'committed'\n")
        repository(tmp_path / folder)
    (bed.checkout / "train.py").write_text(TRAINER)
    (bed.checkout / "tool").write_text("#!/bin/sh\n")
    (bed.checkout / "link").write_text("a file\n")
    (bed.checkout / "old name.txt").write_text("to be renamed\n" * 20)
    (bed.checkout / ".gitignore").write_text("__pycache__/\n")
    repository(bed.checkout)
    git(bed.checkout, "submodule", "add", "-q", str(tmp_path / "library"), "sub/library")
    git(bed.checkout, "commit", "-q", "-m", "two")
    return bed


def edit(bed: Bed) -> None:
    """Staged, unstaged, untracked, binary, renamed, mode changed, a link in place of a file; submodule and beside."""
    (bed.checkout / "picture.bin").write_bytes(bytes(range(256)))
    git(bed.checkout, "mv", "old name.txt", "new name.txt")
    (bed.checkout / "tool").chmod(0o755)
    (bed.checkout / "link").unlink()
    (bed.checkout / "link").symlink_to("tool")
    (bed.checkout / "staged.txt").write_text("staged\n")
    git(bed.checkout, "add", "staged.txt")
    (bed.checkout / "staged.txt").write_text("and changed again\n")
    (bed.checkout / "sub" / "library" / "inner.py").write_text("WORD = 'edited submodule'\n")
    (bed.folder / "beside" / "helper.py").write_text("WORD = 'edited beside'\n")


def planned(bed: Bed) -> Plan:
    plan = make_plan(bed, "")
    (bed.checkout / f"{plan.name}.py").unlink()
    values = {"output_dir": str(plan.directory), "output_name": plan.name, "seed": "7"}
    return replace(
        plan,
        trainer=replace(plan.trainer, script="train.py"),
        arguments=tuple(Argument(name, (f"--{name}={value}",), value, KL) for name, value in values.items()),
        variables={"PYTHONPATH": f"{bed.folder}/path:{bed.folder}/beside"},
        repositories=(bed.folder / "beside",),
    )


@pytest.fixture
def run(bed: Bed) -> tuple[Path, Manifest]:
    """A run of edited code, all of which is otherwise now."""
    edit(bed)
    plan = planned(bed)
    assert launch(plan, NullScreen()).outcome is Outcome.SUCCEEDED
    for folder in (bed.checkout / "sub" / "library", bed.folder / "beside", bed.checkout):
        git(folder, "reset", "-q", "--hard")
        git(folder, "clean", "-q", "-f")
    (bed.checkout / "train.py").write_text("raise SystemExit(3)\n")
    git(bed.checkout, "commit", "-q", "-am", "three")
    (bed.folder / "beside" / "helper.py").write_text("raise SystemExit(4)\n")
    return plan.directory, read_manifest(plan.directory)


def trained(reproduction: Reproduction, run: tuple[Path, Manifest]) -> bool | None:
    result = launch(reproduction.plan, NullScreen(), None, reproduction.reproduces)
    assert result.outcome is Outcome.SUCCEEDED, result.failure
    plan = reproduction.plan
    return compare_models(run[0], run[1].final, plan.directory, plan.outputs.final).identical


def test_code_of_every_kind_comes_again(run: tuple[Path, Manifest]) -> None:
    reproduction = prepare(*run, "again-v1s4")
    assert reproduction.unlike == ()
    assert trained(reproduction, run) is True
    new = read_manifest(reproduction.plan.directory)
    trees = {record.name: (record.commit, record.tree) for record in run[1].repositories}
    assert {record.name: (record.commit, record.tree) for record in new.repositories} == trees
    script = run[0] / "reproduce.sh"
    environ = {**os.environ, "OUTPUT": str(run[0].parent / "by hand"), "PYTHON": sys.executable}
    done = subprocess.run(["sh", str(script)], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    model = (run[0].parent / "by hand" / run[1].final[0]).read_bytes()
    assert model == (run[0] / run[1].final[0]).read_bytes()


def test_the_reproduction_comes_again_from_the_first_run_when_the_cache_is_gone(
    run: tuple[Path, Manifest], bed: Bed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare(*run, "again-v1s4")
    assert trained(first, run)
    (tmp_path / "home" / "cache").rename(tmp_path / "gone")
    place = first.plan.directory
    again = prepare(place, read_manifest(place), "again-v2s4")
    assert trained(again, run) is True


def test_a_change_that_is_not_in_the_patch_refuses_it(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not so large files beside the code, which are told."""
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef")
    edit(bed)
    (bed.checkout / "sub" / "library" / "inner.py").write_text("WORD = '0123456789abcdef'\n")
    (bed.checkout / "large.bin").write_bytes(bytes(2 << 20))
    plan = planned(bed)
    assert launch(plan, NullScreen()).outcome is Outcome.SUCCEEDED
    run = plan.directory, read_manifest(plan.directory)
    with pytest.raises(KlError) as refused:
        prepare(*run, "again-v1s4")
    said = [finding.message for finding in refused.value.findings]
    assert said == [
        "changes of sd-scripts/sub/library are not in its patch: inner.py: it holds the value of WANDB_API_KEY"
    ]
    allowed = prepare(*run, "again-v1s4", allowed=("code",))
    assert [note for note in allowed.notes if "large.bin" in note]
    assert any("inner.py" in each for each in allowed.reproduces.differences)


def test_packages_that_nobody_can_read_any_more_refuse_it(run: tuple[Path, Manifest]) -> None:
    (run[0] / "environment.json").write_text("{")
    with pytest.raises(KlError) as refused:
        prepare(*run, "again-v1s4")
    assert "--allow packages" in (refused.value.hint or "")
    assert prepare(*run, "again-v1s4", allowed=("packages",)).unlike


def test_a_repository_that_is_lost_is_named(run: tuple[Path, Manifest], bed: Bed) -> None:
    (bed.folder / "beside").rename(bed.folder / "moved")
    with pytest.raises(KlError) as refused:
        prepare(*run, "again-v1s4")
    assert refused.value.code == ExitCode.SPEC_REFUSED
    assert any("beside" in finding.message for finding in refused.value.findings)
    assert "--allow code" in (refused.value.hint or "")
