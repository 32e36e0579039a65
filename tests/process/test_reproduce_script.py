"""reproduce.sh is run: what it fetches, what it starts, and when it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from launching import Bed, make_bed, make_plan

from launcher.base.origin import Origin, Source
from launcher.plan.plan import Argument, Plan, PlannedFile
from launcher.record.manifest import RepositoryRecord
from launcher.record.reproduce_script import REPRODUCE_SCRIPT, reproduce_script

KL = Origin(Source.KL, "kl")
# Writes down how it was started, and trains a file of its own text.
TRAINER = """
import json, os, sys
import helper
words = dict(word[2:].partition("=")[::2] for word in sys.argv[1:] if "=" in word)
out = words["output_dir"]
kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
seen = {"words": sys.argv[1:], "cwd": os.getcwd(), "environ": kept, "helper": helper.WORD}
seen["files"] = sorted(name for name in os.listdir(".") if name[0] not in "._")
open(out + "/seen.json", "w").write(json.dumps(seen))
"""


def git(folder: Path, *words: str) -> str:
    return subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "protocol.file.allow=always", *words],
        cwd=folder, check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip


def repository(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "one")
    return folder


def record(folder: Path, name: str, run: Path, inside: str | None = None, patched: bool = True) -> RepositoryRecord:
    """What a launch records of a repository that has changes, and then of its commit alone."""
    commit = git(folder, "rev-parse", "HEAD")
    git(folder, "add", "-A")
    text = subprocess.run(
        ["git", "diff", "--cached", "--binary", "--full-index", "HEAD"], cwd=folder, check=True, capture_output=True
    ).stdout
    patch = None
    if text and patched:
        patch = f"patches/{name.replace('/', '-')}.patch"
        (run / "patches").mkdir(exist_ok=True)
        (run / patch).write_bytes(text)
    tree = git(folder, "write-tree")
    return RepositoryRecord(name, str(folder), commit, "main", bool(text), tree=tree, patch=patch, inside=inside)


@pytest.fixture
def bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bed:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "an odd 'folder' $HOME `x`"
    folder.mkdir()
    bed = make_bed(folder)
    (bed.checkout / "helper.py").write_text("WORD = 'committed'\n")
    (bed.checkout / "train.py").write_text(TRAINER)
    repository(bed.checkout)
    return bed


def plan_of(bed: Bed, *arguments: tuple[str, str], config: bytes = b"", seed: str | None = "7") -> Plan:
    plan = make_plan(bed, "")
    (bed.checkout / f"{plan.name}.py").unlink()
    own = [("output_dir", str(plan.directory)), ("logging_dir", f"{plan.directory}/logs"),
           ("dataset_config", f"{plan.directory}/config.toml"), *([("seed", seed)] if seed else [])]  # fmt: skip
    return replace(
        plan,
        trainer=replace(plan.trainer, script="train.py"),
        files=(PlannedFile("config.toml", config, KL),),
        arguments=tuple(Argument(name, (f"--{name}={value}",), value, KL) for name, value in (*own, *arguments)),
    )


def written(plan: Plan, *records: RepositoryRecord, **variables: str) -> Path:
    """The script in its run directory, with what else the launch leaves there."""
    plan.directory.mkdir(parents=True, exist_ok=True)
    (plan.directory / "run.json").write_text("{}")
    for file in plan.files:
        (plan.directory / file.name).write_bytes(file.content)
    script = plan.directory / REPRODUCE_SCRIPT
    script.write_bytes(reproduce_script(plan, records, variables))
    return script


def ran(script: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(script)], env={**os.environ, **variables}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def seen(output: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((output / "seen.json").read_text())
    return found


def reproduced(script: Path, **variables: str) -> dict[str, Any]:
    done = ran(script, **variables)
    assert done.returncode == 0, done.stderr
    return seen(Path(variables.get("OUTPUT") or f"{script.parent}-reproduced"))


def test_it_trains_the_recorded_code_with_the_recorded_words(bed: Bed) -> None:
    (bed.checkout / "helper.py").write_text("WORD = 'edited'\n")
    (bed.checkout / "binary.bin").write_bytes(bytes(range(256)))
    odd = 'it\'s "quoted" $HOME `x` \\ \n new line; ü'
    plan = plan_of(bed, ("training_comment", odd), ("resume", f"{bed.root}/fox-v1s4/a state"))
    plan.directory.mkdir(parents=True)
    script = written(plan, record(bed.checkout, "sd-scripts", plan.directory))
    git(bed.checkout, "reset", "-q", "--hard")
    (bed.checkout / "helper.py").write_text("WORD = 'moved on'\n")
    git(bed.checkout, "commit", "-q", "-am", "two")
    moved = bed.root / "moved elsewhere"
    plan.directory.rename(moved)
    before = git(bed.checkout, "status", "--porcelain"), git(bed.checkout, "rev-parse", "HEAD")
    found = reproduced(moved / script.name)
    assert found["helper"] == "edited"
    assert found["files"] == ["binary.bin", "helper.py", "train.py"]
    output = f"{moved}-reproduced"
    assert found["words"] == [
        f"--output_dir={output}", f"--logging_dir={output}/logs", f"--dataset_config={moved}/config.toml", "--seed=7",
        f"--training_comment={odd}", f"--resume={moved}/a state",
    ]  # fmt: skip
    assert found["cwd"] == f"{output}-code/sd-scripts"
    assert (git(bed.checkout, "status", "--porcelain"), git(bed.checkout, "rev-parse", "HEAD")) == before


def test_python_code_and_output_are_chosen_with_variables(bed: Bed, tmp_path: Path) -> None:
    plan = replace(plan_of(bed), environment=replace(plan_of(bed).environment, python=Path("/nowhere/python")))
    plan.directory.mkdir(parents=True)
    script = written(plan, record(bed.checkout, "sd-scripts", plan.directory))
    refused = ran(script)
    assert refused.returncode == 1
    assert "PYTHON names another" in refused.stderr
    elsewhere = bed.checkout.rename(tmp_path / "elsewhere")
    output = str(tmp_path / "new")
    assert "was found in none of" in ran(script, PYTHON=sys.executable, OUTPUT=str(tmp_path / "no code")).stderr
    found = reproduced(script, PYTHON=sys.executable, SD_SCRIPTS=str(elsewhere), OUTPUT=output)
    assert found["words"][0] == f"--output_dir={output}"
    assert found["environ"]["PATH"].startswith(f"{Path(sys.executable).parent}:")


def test_what_is_there_is_never_written_over(bed: Bed) -> None:
    plan = plan_of(bed)
    plan.directory.mkdir(parents=True)
    script = written(plan, record(bed.checkout, "sd-scripts", plan.directory))
    assert ran(script).returncode == 0
    again = ran(script)
    assert again.returncode != 0
    assert "OUTPUT must name a new folder" in again.stderr


def test_a_submodule_and_a_repository_beside_the_checkout(bed: Bed, tmp_path: Path) -> None:
    library = repository(tmp_path / "library", inner="WORD = 1\n")
    git(bed.checkout, "submodule", "add", "-q", str(library), "sub/library")
    git(bed.checkout, "commit", "-q", "-m", "with a submodule")
    submodule = bed.checkout / "sub" / "library"
    (submodule / "inner.py").write_text("WORD = 2\n")
    beside = repository(tmp_path / "beside", helper="WORD = 'beside'\n")
    (beside / "helper.py").write_text("WORD = 'beside, edited'\n")
    (bed.checkout / "helper.py").unlink()
    plan = plan_of(bed)
    plan.directory.mkdir(parents=True)
    records = [
        record(bed.checkout, "sd-scripts", plan.directory),
        record(submodule, "sd-scripts/sub/library", plan.directory, inside="sd-scripts"),
        record(beside, "LyCORIS", plan.directory),
    ]
    script = written(plan, *records)
    found = reproduced(script)
    assert found["helper"] == "beside, edited"
    code = Path(f"{plan.directory}-reproduced-code")
    assert (code / "sd-scripts" / "sub" / "library" / "inner.py").read_text() == "WORD = 2\n"
    assert found["environ"]["PYTHONPATH"] == f"{bed.folder}/path:{code}/LyCORIS"


def test_another_tree_than_the_recorded_one_is_refused(bed: Bed) -> None:
    (bed.checkout / "helper.py").write_text("WORD = 'edited'\n")
    plan = plan_of(bed)
    plan.directory.mkdir(parents=True)
    script = written(plan, record(bed.checkout, "sd-scripts", plan.directory, patched=False))
    done = ran(script)
    assert done.returncode == 1
    assert "does not have the files that were trained with" in done.stderr
    assert not (Path(f"{plan.directory}-reproduced") / "seen.json").exists()


def test_the_code_comes_from_the_remote_when_the_checkout_is_gone(bed: Bed, tmp_path: Path) -> None:
    plan = plan_of(bed)
    plan.directory.mkdir(parents=True)
    recorded = record(bed.checkout, "sd-scripts", plan.directory)
    remote = tmp_path / "remote.git"
    git(tmp_path, "clone", "-q", "--bare", str(bed.checkout), str(remote))
    script = written(plan, replace(recorded, remote=f"file://{remote}"))
    bed.checkout.rename(tmp_path / "hidden")
    assert reproduced(script)["helper"] == "committed"


def test_relative_paths_of_the_dataset_are_those_of_the_checkout(bed: Bed) -> None:
    plan = plan_of(bed, config=b"[[datasets]]\n[[datasets.subsets]]\nimage_dir = 'my img'\n")
    plan.directory.mkdir(parents=True)
    found = reproduced(written(plan, record(bed.checkout, "sd-scripts", plan.directory)))
    output = f"{plan.directory}-reproduced"
    assert f"--dataset_config={output}/config.toml" in found["words"]
    assert f'image_dir = "{bed.checkout}/my img"' in Path(output, "config.toml").read_text()


def test_variables_are_those_of_then(bed: Bed) -> None:
    plan = plan_of(bed)
    plan = replace(plan, variables={**plan.variables, "PATH": "/old", "KL_RUN": "/old/run", "HF_HUB_OFFLINE": "1"})
    plan.directory.mkdir(parents=True)
    recorded = record(bed.checkout, "sd-scripts", plan.directory)
    script = written(plan, recorded, PYTHONHASHSEED="3", HF_HOME="/old/home", CUDA_VISIBLE_DEVICES="1")
    now = {"OMP_NUM_THREADS": "5", "PYTHONHASHSEED": "4", "CUDA_VISIBLE_DEVICES": "0", "KL_RUN": "/other"}
    environ = reproduced(script, **now)["environ"]
    assert (environ["PYTHONHASHSEED"], environ["HF_HOME"], environ["HF_HUB_OFFLINE"]) == ("3", "/old/home", "1")
    assert environ["CUDA_VISIBLE_DEVICES"] == "0"  # the user's own choice
    assert not {"OMP_NUM_THREADS", "KL_RUN"} & environ.keys()
    assert not environ["PATH"].startswith("/old")


def test_a_seed_that_was_not_given_is_that_of_the_model(bed: Bed) -> None:
    plan = plan_of(bed, seed=None)
    plan.directory.mkdir(parents=True)
    script = written(plan, record(bed.checkout, "sd-scripts", plan.directory))
    output = f"{plan.directory}-reproduced"
    done = ran(script)
    assert "SEED names one" in done.stderr
    assert not any(word.startswith("--seed") for word in seen(Path(output))["words"])
    assert reproduced(script, OUTPUT=f"{output}-2", SEED="11")["words"][-1] == "--seed=11"
    (plan.directory / "metadata.json").write_text('{\n  "metadata": {\n    "ss_seed": "4294967296"\n  }\n}\n')
    assert reproduced(script, OUTPUT=f"{output}-3")["words"][-1] == "--seed=4294967296"


def test_the_exit_code_is_the_trainers(bed: Bed) -> None:
    (bed.checkout / "train.py").write_text("raise SystemExit(3)\n")
    plan = plan_of(bed)
    plan.directory.mkdir(parents=True)
    done = ran(written(plan, record(bed.checkout, "sd-scripts", plan.directory)))
    assert done.returncode != 0
    assert "The model is in" not in done.stderr


def test_without_a_commit_it_says_so(bed: Bed) -> None:
    plan = plan_of(bed)
    done = ran(written(plan, RepositoryRecord("sd-scripts", str(bed.checkout), problem="not a git repository")))
    assert done.returncode == 1
    assert "was not recorded" in done.stderr
