"""`kl doctor` and what a failed launch says, by the real command."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from doctor_bed import Bed, Package, instead, make_bed, make_checkout, make_environment, without

import launcher

SOURCE = Path(launcher.__file__).resolve().parent.parent
CONFIG = """[run]
sd_scripts = "{checkout}"
output_root = "{out}"

[env]
kind = "venv"
path = "{venv}"
"""
SPEC = """[run]
script = "train_network.py"

[network]
network_module = "lycoris.kohya"
"""
# Fails as the trainer does when it lacks a module.
ACCELERATE = """
import argparse

def launch_command_parser():
    parser = argparse.ArgumentParser()
    parser.add_argument("--num_processes", type=int)
    parser.add_argument("--num_machines", type=int)
    parser.add_argument("--mixed_precision")
    parser.add_argument("--dynamo_backend")
    parser.add_argument("--num_cpu_threads_per_process", type=int)
    return parser

if __name__ == "__main__":
    import voluptuous
"""
TRAIN = """
import argparse

def setup_parser():
    parser = argparse.ArgumentParser()
    for name in ("pretrained_model_name_or_path", "train_data_dir", "output_dir", "output_name", "logging_dir"):
        parser.add_argument(f"--{name}", type=str)
    parser.add_argument("--max_train_steps", type=int, default=1600)
    return parser
"""


@pytest.fixture
def bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bed:
    bed = make_bed(tmp_path / "bed", monkeypatch)
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    monkeypatch.setenv("XDG_STATE_HOME", str(bed.folder / "state"))
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX", "SD_REPO", "OUTPUT_DIR", "TRAINING_DIR", "SD_SCRIPT", "STEPS", "DEBUG"):
        monkeypatch.delenv(name, raising=False)
    return bed


def kl(bed: Bed, *words: str) -> subprocess.CompletedProcess[str]:
    # sys.path as it is here: kl's own interpreter may be a venv whose packages PYTHONPATH does not name.
    command = [sys.executable, "-m", "launcher", *words]
    return subprocess.run(
        command, cwd=bed.folder, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


def configure(bed: Bed, packages: tuple[Package, ...] | None = None) -> None:
    venv = bed.folder / "venv"
    make_environment(venv, packages if packages is not None else without())
    folder = bed.folder / "home" / ".config" / "kl"
    folder.mkdir(parents=True)
    out = bed.folder / "out"
    (folder / "config.toml").write_text(CONFIG.format(checkout=bed.folder / "sd-scripts", out=out, venv=venv))


def data(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_a_sound_installation_ends_with_0(bed: Bed) -> None:
    make_checkout(bed.folder / "sd-scripts")
    configure(bed)
    done = kl(bed, "doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "Nothing is wrong."
    found = data(kl(bed, "doctor", "--json"))
    assert found["ready"] is True
    subjects = [each["subject"] for each in found["diagnoses"]]
    assert subjects[:2] == ["git", "checkout"] and {"Python", "torch", "output root", "datasets"} <= set(subjects)
    assert all(set(each) == {"subject", "status", "message", "mend"} for each in found["diagnoses"])


def test_what_is_wrong_stands_with_its_command_in_one_line(bed: Bed) -> None:
    make_checkout(bed.folder / "sd-scripts")
    configure(bed, (*without("accelerate", "voluptuous"), Package("pip", "25.0")))
    done = kl(bed, "doctor")
    assert done.returncode == 69 and done.stdout.splitlines()[-1] == "2 things are wrong."
    python = bed.folder / "venv" / "bin" / "python"
    assert f"         {python} -m pip install accelerate==1.6.0" in done.stdout.splitlines()
    found = data(kl(bed, "doctor", "--json"))
    assert found["ready"] is False
    assert [each["mend"] for each in found["diagnoses"] if each["status"] == "wrong"] == [
        f"{python} -m pip install accelerate==1.6.0",
        f"{python} -m pip install voluptuous==0.15.2",
    ]


def test_nothing_is_configured(bed: Bed) -> None:
    found = data(kl(bed, "doctor", "--json"))
    said = {each["subject"]: each for each in found["diagnoses"] if each["status"] == "wrong"}
    assert said["checkout"]["mend"] == "kl setup"


def test_a_name_that_stands_for_nothing_is_made_or_corrected(bed: Bed) -> None:
    make_checkout(bed.folder / "sd-scripts")
    configure(bed, without())
    asked = ("--set", "env.name=flux", "--set", "run.sd_scripts=sd4")
    text = (bed.folder / "home" / ".config" / "kl" / "config.toml").read_text()
    (bed.folder / "home" / ".config" / "kl" / "config.toml").write_text(
        f'{text}\n[checkouts]\nsd3-branch = "{bed.folder}"\n[environments.sdxl]\npath = "{bed.folder}"\n'
    )
    wanted = {"environment": "kl setup --name flux", "checkout": "kl setup --name sd4"}
    said = {each["subject"]: each["mend"] for each in data(kl(bed, "doctor", "--json", *asked))["diagnoses"]}
    assert {name: said[name] for name in wanted} == wanted
    near = ("--set", "env.name=sdx", "--set", "run.sd_scripts=sd3-branc")
    found = data(kl(bed, "doctor", "--json", *near))["diagnoses"]
    for subject, name in (("environment", "sdxl"), ("checkout", "sd3-branch")):
        (one,) = (each for each in found if each["subject"] == subject)
        assert f"Did you mean {name}?" in one["message"] and one["mend"] is None


def test_a_spec_says_what_is_looked_at(bed: Bed) -> None:
    make_checkout(bed.folder / "sd-scripts")
    configure(bed, without("lycoris_lora"))
    assert kl(bed, "doctor").returncode == 0
    (bed.folder / "fox-v1s10.toml").write_text(SPEC)
    done = kl(bed, "doctor", "fox-v1s10.toml", "--json")
    assert done.returncode == 69
    assert [each["subject"] for each in data(done)["diagnoses"] if each["status"] == "wrong"] == ["lycoris_lora"]
    other = kl(bed, "doctor", "fox-v1s10.toml", "--set", "run.script=sdxl_train_network.py", "--json")
    assert "has no sdxl_train_network.py" in other.stdout
    (bed.folder / "fox").mkdir()
    given = data(kl(bed, "doctor", "fox-v1s10.toml", "--set", "run.dataset_folder=fox", "--json"))
    assert f"{bed.folder / 'fox'} is empty." in [each["message"] for each in given["diagnoses"]]


def test_a_spec_that_is_not_there(bed: Bed) -> None:
    done = kl(bed, "doctor", "fox-v1s10.toml")
    assert done.returncode != 0 and "error: " in done.stderr and "Traceback" not in done.stderr


def test_an_environment_that_is_gone(bed: Bed) -> None:
    make_checkout(bed.folder / "sd-scripts")
    configure(bed)
    (bed.folder / "venv").rename(bed.folder / "moved")
    done = kl(bed, "doctor", "--json")
    said = [each for each in data(done)["diagnoses"] if each["status"] == "wrong"]
    assert [each["subject"] for each in said] == ["Python"] and "is not there" in said[0]["message"]


def test_a_failed_launch_says_what_the_doctor_finds(bed: Bed) -> None:
    checkout = make_checkout(bed.folder / "sd-scripts")
    (checkout / "train_network.py").write_text(f"{TRAIN}\nif __name__ == '__main__':\n    import voluptuous\n")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "a release")):
        identity = ("-c", "user.name=t", "-c", "user.email=t@t.invalid")
        subprocess.run(["git", *identity, "-C", str(checkout), *words], check=True)
    files = {"accelerate/__init__.py": "", "accelerate/commands/__init__.py": ""}
    accelerate = Package("accelerate", "1.6.0", files={**files, "accelerate/commands/launch.py": ACCELERATE})
    installed = [each for each in instead(accelerate) if each.name != "voluptuous"]
    configure(bed, (*installed, Package("pip", "25.0")))
    (bed.folder / "img").mkdir()
    (bed.folder / "fox-v1s10.toml").write_text(
        '[run]\nscript = "train_network.py"\n[model]\ntrain_data_dir = "img"\npretrained_model_name_or_path = "o/m"\n'
    )
    python = bed.folder / "venv" / "bin" / "python"
    done = kl(bed, "launch", "fox-v1s10.toml", "--plain", "--set", "run.no_clean=true")
    assert done.returncode == 1, done.stderr
    assert "error: kl doctor: requirements.txt: voluptuous is not installed." in done.stderr
    assert f"  {python} -m pip install voluptuous==0.15.2" in done.stderr.splitlines()
    assert "transformers" not in done.stderr
    again = kl(bed, "reproduce", "fox-v1s10", "--plain", "--allow", "dataset", "--allow", "model")
    assert again.returncode == 1, again.stderr
    assert f"  {python} -m pip install voluptuous==0.15.2" in again.stderr.splitlines()


@pytest.fixture
def small_disk(bed: Bed) -> Iterator[Path]:
    disk = bed.folder / "small"
    disk.mkdir()
    mount = shutil.which("mount", path="/usr/bin:/bin:/sbin:/usr/sbin")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("only root may mount a small file system")
    words = [mount, "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(words, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    yield disk
    subprocess.run([str(Path(mount).with_name("umount")), "-l", str(disk)], check=True)


def test_a_full_disk_is_left_by_the_command_that_is_said(bed: Bed, small_disk: Path) -> None:
    if shutil.disk_usage(bed.folder).free < 11_000_000_000:
        pytest.skip("no other disk here has room for runs")
    make_checkout(bed.folder / "sd-scripts")
    configure(bed)
    file = bed.folder / "home" / ".config" / "kl" / "config.toml"
    file.write_text(file.read_text().replace(str(bed.folder / "out"), str(small_disk)))
    (small_disk / "older").write_bytes(b"x" * 65536)
    done = kl(bed, "doctor", "--json")
    (found,) = [each for each in data(done)["diagnoses"] if each["status"] == "wrong"]
    assert done.returncode == 69 and found["subject"] == "output root" and "its disk is full" in found["message"]
    assert found["mend"].startswith("kl config set run.output_root ")
    program = bed.programs / "kl"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m launcher "$@"\n')
    program.chmod(0o755)
    named = data(kl(bed, "doctor", "--json", "--set", f"run.output_root={small_disk}"))["diagnoses"]
    assert [each["mend"].split("=")[0] for each in named if each["status"] == "wrong"] == ["export OUTPUT_DIR"]
    if kl(bed, "config", "--help").returncode != 0:
        pytest.skip("kl config is not there yet")
    bed.run(found["mend"])
    assert kl(bed, "doctor").returncode == 0


def test_the_language_of_help(bed: Bed) -> None:
    assert "Ends with 69 when something is wrong" in " ".join(kl(bed, "doctor", "--help").stdout.split())
    assert os.environ["PATH"] == str(bed.programs)
