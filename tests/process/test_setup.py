"""`kl setup` from a fresh home to an environment, with real git, venv and pip, and tiny wheels from a folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pexpect
import pytest
from setting_up import (
    REQUIREMENTS,
    SetupBed,
    commit,
    kl_setup,
    make_setup_bed,
    real_uv,
    start_setup,
    state_of,
    wait_for,
)


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> SetupBed:
    """Set up once; the tests below go on from there, each from what the one before left."""
    bed = make_setup_bed(tmp_path_factory.mktemp("setup") / "bed")
    done = kl_setup(bed, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    return bed


def test_a_fresh_home_has_all_that_trains(bed: SetupBed) -> None:
    state = state_of(bed)
    assert {"torch-2.6.0.dist-info", "lycoris_lora-4.0.0.dist-info", "library-0.0.0.dist-info"} <= {*state["packages"]}
    assert not any(name.startswith("xformers") for name in state["packages"])  # there is none for the CPU
    assert state["at home"] == [".config", ".local", "sd-scripts"]
    assert 'kind = "venv"' in state["config"] and "sd_scripts" in state["config"]
    logs = bed.home / ".local" / "state" / "kl" / "setup" / "sd-scripts"
    assert "torch==2.6.0" in (logs / "05-torch.log").read_text()
    assert "CUDA None not usable" in (logs / "08-check.log").read_text()


def test_repeated_it_has_nothing_to_do(bed: SetupBed) -> None:
    before = state_of(bed)
    done = kl_setup(bed)
    assert done.returncode == 0 and "Nothing is left to do." in done.stdout, done.stdout + done.stderr
    assert "\nto do" not in done.stdout and state_of(bed) == before


def test_what_is_wished_later_is_added_and_stays_wished(bed: SetupBed) -> None:
    assert kl_setup(bed, "--with", "prodigyopt", "--yes").returncode == 0
    assert "prodigyopt-1.0.dist-info" in state_of(bed)["packages"]
    assert "Nothing is left to do." in kl_setup(bed).stdout


def test_a_package_that_went_missing_is_put_back(bed: SetupBed) -> None:
    site = next(bed.environment.glob("lib/python3*/site-packages"))
    (site / "toml-1.0.dist-info").rename(bed.folder / "taken")
    done = kl_setup(bed, "--dry-run")
    assert "to do requirements" in done.stdout and "done  torch" in done.stdout
    assert kl_setup(bed, "--yes").returncode == 0
    assert (site / "toml-1.0.dist-info").is_dir()


def test_to_a_newer_release_and_back(bed: SetupBed) -> None:
    first = state_of(bed)
    (bed.source / "requirements.txt").write_text(REQUIREMENTS.replace("accelerate==1.6.0", "accelerate==1.7.0"))
    newer = commit(bed.source, "newer", "v0.11.0")
    done = kl_setup(bed, "--update", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert state_of(bed)["head"] == newer and "accelerate-1.7.0.dist-info" in state_of(bed)["packages"]
    assert "Nothing is left to do." in kl_setup(bed).stdout

    (bed.checkout / "train_network.py").write_text("# mine\n")
    refused = kl_setup(bed, "--back", "--yes")
    assert refused.returncode == 69 and "uncommitted changes: train_network.py" in refused.stderr
    (bed.checkout / "train_network.py").write_text("def setup_parser():\n    pass\n")

    done = kl_setup(bed, "--back", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert state_of(bed) == first
    again = kl_setup(bed, "--back", "--yes")
    assert again.returncode == 69 and "Nothing is noted to go back to" in again.stderr


def test_a_package_that_was_left_half_installed_has_the_environment_made_anew(bed: SetupBed) -> None:
    before = state_of(bed)
    site = next(bed.environment.glob("lib/python3*/site-packages"))
    (site / "toml-1.0.dist-info" / "RECORD").unlink()
    stray = site / "stray.py"
    stray.touch()
    assert kl_setup(bed, "--yes").returncode == 0
    assert stray.exists()  # nobody was interrupted: such a package may be anybody's
    mark = bed.environment / "kl-made.json"
    mark.write_text(json.dumps({**json.loads(mark.read_text()), "running": "requirements"}))
    done = kl_setup(bed, "--yes")
    assert done.returncode == 0 and "made anew" in done.stdout, done.stdout + done.stderr
    assert not stray.exists() and state_of(bed) == before


def test_uv_is_used_where_it_is(tmp_path: Path) -> None:
    if real_uv() is None:
        pytest.skip("uv is not installed")
    bed = make_setup_bed(tmp_path / "bed", uv=True)
    done = kl_setup(bed, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "else by pip" in done.stdout and "That did not work" not in done.stdout
    assert "torch-2.6.0.dist-info" in state_of(bed)["packages"]


def test_without_a_terminal_it_does_nothing_unasked(tmp_path: Path) -> None:
    bed = make_setup_bed(tmp_path / "bed")
    done = kl_setup(bed)
    assert done.returncode == 64 and "--yes" in done.stderr
    shown = kl_setup(bed, "--dry-run")
    assert shown.returncode == 0 and "to do clone" in shown.stdout
    assert not list(bed.home.iterdir())


def test_on_a_terminal_it_asks_once(tmp_path: Path) -> None:
    bed = make_setup_bed(tmp_path / "bed")
    words = ["-m", "launcher", "setup", "--sd-scripts", str(bed.source), "--python", sys.executable]
    child = pexpect.spawn(sys.executable, words, env={**bed.variables, "TERM": "dumb"}, encoding="utf-8", timeout=60)
    child.expect_exact("Do this? [Y/n]")
    child.sendline("n")
    child.expect_exact("Nothing was done.")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 64 and not list(bed.home.iterdir())


def test_what_kl_did_not_make_is_left_alone(tmp_path: Path) -> None:
    bed = make_setup_bed(tmp_path / "bed")
    bed.checkout.mkdir()
    (bed.checkout / "mine.txt").write_text("mine")
    done = kl_setup(bed, "--yes")
    assert done.returncode == 69 and "kl did not make it" in done.stderr and "--adopt" in done.stderr
    elsewhere = bed.home / "elsewhere"
    (bed.environment / "bin").mkdir(parents=True)
    (bed.environment / "mine.txt").write_text("mine")
    done = kl_setup(bed, "--yes", "--checkout-folder", str(elsewhere))
    assert done.returncode == 69 and str(bed.environment) in done.stderr and not elsewhere.exists()
    assert (bed.checkout / "mine.txt").read_text() == (bed.environment / "mine.txt").read_text() == "mine"


def test_a_link_to_an_empty_folder_is_left_alone(tmp_path: Path) -> None:
    bed = make_setup_bed(tmp_path / "bed")
    (tmp_path / "disk").mkdir()
    bed.checkout.symlink_to(tmp_path / "disk")
    done = kl_setup(bed, "--yes")
    assert done.returncode == 69 and "kl did not make it" in done.stderr
    assert bed.checkout.is_symlink() and not any((tmp_path / "disk").iterdir())


def test_what_comes_in_the_way_meanwhile_is_named(tmp_path: Path) -> None:
    bed = make_setup_bed(tmp_path / "bed")
    (bed.folder / "slow-clone").touch()
    process = start_setup(bed, "--yes")
    wait_for(bed.folder / "began-clone", process)
    bed.checkout.mkdir()
    (bed.checkout / "mine.txt").touch()
    (bed.folder / "slow-clone").unlink()
    said = process.communicate()[0]
    assert process.returncode == 69 and "Traceback" not in said
    assert f"{bed.checkout}: Directory not empty." in said


def test_a_checkout_of_the_users_own_is_used_in_place_when_told(tmp_path: Path) -> None:
    bed = make_setup_bed(tmp_path / "bed")
    bed.config.parent.mkdir(parents=True)
    bed.config.write_text('[run]\nsd_scripts = "~/another"\n')
    done = kl_setup(bed, "--adopt", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not bed.checkout.exists() and 'name = "sd-scripts" in [env]' in done.stdout
    assert bed.config.read_text().startswith('[run]\nsd_scripts = "~/another"\n')
    site = next(bed.environment.glob("lib/python3*/site-packages"))
    assert (site / "library.pth").read_text().strip() == str(bed.source)
    assert not (bed.source / ".git" / "kl-made.json").exists()


def test_a_step_that_fails_says_why_and_where_the_rest_is(tmp_path: Path) -> None:
    bed = make_setup_bed(tmp_path / "bed")
    for wheel in bed.wheels.glob("torchvision*"):
        wheel.unlink()
    done = kl_setup(bed, "--yes")
    assert done.returncode == 69 and "torchvision" in done.stderr and "05-torch.log" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and not bed.config.exists()
    revision = kl_setup(bed, "--rev", "v9", "--checkout-folder", str(bed.home / "other"))
    assert revision.returncode == 69 and "has no revision v9" in revision.stderr


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    bed = make_setup_bed(tmp_path / "bed")
    (bed.folder / "full").touch()
    done = kl_setup(bed, "--yes")
    assert done.returncode == 73 and "fatal: cannot write: No space left on device." in done.stderr
    assert "Make room on the disk" in done.stderr and not bed.checkout.exists()
    (bed.folder / "full").unlink()
    again = kl_setup(bed, "--dry-run")
    assert again.returncode == 0 and "to do clone" in again.stdout


def test_a_conda_environment_gets_the_same_packages(tmp_path: Path) -> None:
    bed = make_setup_bed(tmp_path / "bed")
    program = bed.folder / "path" / "micromamba"  # makes a venv: what comes afterwards is the same
    program.write_text(
        f"#!{sys.executable}\nimport subprocess, sys\n"
        'assert sys.argv[1:4] == ["install", "--yes", "--prefix"] and "python=3" in sys.argv[5][:8]\n'
        f"subprocess.check_call([{sys.executable!r}, '-m', 'venv', sys.argv[4]])\n"
    )
    program.chmod(0o755)
    python = ".".join(map(str, sys.version_info[:2]))
    done = kl_setup(bed, "--env", "conda", "--python", python, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    state = state_of(bed)
    assert 'kind = "conda"' in state["config"] and state["mark"]["kind"] == "conda"
    assert "torch-2.6.0.dist-info" in state["packages"] and (bed.environment / "conda-meta" / "history").exists()
    assert "Nothing is left to do." in kl_setup(bed, "--python", python).stdout
    refused = kl_setup(bed, "--env", "venv", "--python", python)
    assert refused.returncode == 69 and "is a conda environment already" in refused.stderr
