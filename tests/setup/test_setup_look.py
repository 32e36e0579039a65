"""What is seen of a checkout, of the clone it is to be made from, and of an environment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from launcher.base.errors import KlError
from launcher.setup.facts import Machine
from launcher.setup.look import (
    checkout_folder,
    environment_folder,
    look,
    look_at_checkout,
    look_at_machine,
    remembered_wishes,
)
from launcher.setup.look_environment import broken_packages, look_at_environment
from launcher.setup.made import Made, write_mark
from launcher.setup.wishes import Wishes


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "CONDA_EXE", "MAMBA_EXE", "MAMBA_ROOT_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of a made-up sd-scripts: v0.9.0, v0.10.0, and main one commit further."""
    folder = tmp_path / "clone"
    (folder / "library").mkdir(parents=True)
    (folder / "library" / "train_util.py").touch()
    _git(folder, "init", "-q", "-b", "main")
    for tag in ("v0.9.0", "v0.10.0", None):
        (folder / "README.md").write_text(f"pip install torch==2.{tag} --index-url https://packages.invalid/whl/cu124")
        (folder / "requirements.txt").write_text(f"# {tag}\n")
        _git(folder, "add", "-A")
        _git(folder, "-c", "user.name=t", "-c", "user.email=t@t.invalid", "commit", "-q", "-m", str(tag))
        if tag:
            _git(folder, "tag", tag)
    return folder


def _git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", folder, *words], capture_output=True, text=True, check=True).stdout.strip()


def test_a_folder_that_is_to_be_cloned(clone: Path, home: Path) -> None:
    facts = look_at_checkout(Wishes(source=str(clone)))
    assert (facts.folder, facts.exists, facts.branch) == (home / "sd-scripts", False, "main")
    assert facts.target == _git(clone, "rev-parse", "HEAD") and facts.requirements == "# None\n"
    older = look_at_checkout(Wishes(source=str(clone), revision="v0.9.0"))
    assert older.target == _git(clone, "rev-parse", "v0.9.0") and older.readme and "v0.9.0" in older.readme
    assert older.branch is None and not older.source_changed
    (clone / "README.md").write_text("changed")
    assert look_at_checkout(Wishes(source=str(clone))).source_changed


def test_a_clone_of_a_part(clone: Path) -> None:
    assert look_at_checkout(Wishes(source=str(clone))).sparse == ()
    _git(clone, "sparse-checkout", "set", "--no-cone", "/*", "!/big/")
    assert look_at_checkout(Wishes(source=str(clone))).sparse == ("/*", "!/big/")


def test_a_source_or_revision_that_is_not_there(clone: Path, tmp_path: Path) -> None:
    with pytest.raises(KlError, match="is no git repository"):
        look_at_checkout(Wishes(source=str(tmp_path / "none")))
    with pytest.raises(KlError, match="has no revision v9"):
        look_at_checkout(Wishes(source=str(clone), revision="v9"))
    assert look_at_checkout(Wishes()).target is None  # of a URL nothing is known yet


def test_a_checkout_in_place(clone: Path) -> None:
    wishes = Wishes(source=str(clone), adopt=True)
    assert checkout_folder(wishes) == clone
    facts = look_at_checkout(wishes)
    assert facts.exists and facts.is_checkout and facts.commit == facts.target and facts.newer is None
    _git(clone, "checkout", "-q", "v0.9.0")
    (clone / "requirements.txt").write_text("changed\n")
    facts = look_at_checkout(wishes)
    assert facts.newer == "v0.10.0" and facts.changed == ("requirements.txt",) and facts.requirements == "changed\n"
    (clone / "library" / "train_util.py").unlink()
    (clone / "library").rmdir()
    assert not look_at_checkout(wishes).is_checkout


def test_a_branch_of_the_remote_counts_when_something_newer_is_wanted(clone: Path, tmp_path: Path) -> None:
    mine = tmp_path / "home" / "sd-scripts"
    _git(tmp_path, "clone", "-q", str(clone), str(mine))
    old = _git(mine, "rev-parse", "HEAD")
    (clone / "new").touch()
    _git(clone, "add", "-A")
    _git(clone, "-c", "user.name=t", "-c", "user.email=t@t.invalid", "commit", "-q", "-m", "new")
    _git(mine, "fetch", "-q", "origin")
    assert look_at_checkout(Wishes(revision="main")).target == old
    assert look_at_checkout(Wishes(revision="main", update=True)).target == _git(clone, "rev-parse", "HEAD")


def test_environments_have_a_place_of_kls_own(home: Path) -> None:
    own = home / ".local" / "share" / "kl" / "environments" / "sd3"
    if sys.platform != "darwin":
        assert environment_folder(Wishes(name="sd3")) == own
    assert environment_folder(Wishes(environment_folder=Path("~/x"))) == home / "x"


def test_a_name_keeps_its_places(home: Path, tmp_path: Path) -> None:
    code, venv = tmp_path / "my code", tmp_path / "my venv"
    config = home / ".config" / "kl" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'[checkouts]\nsd3 = "{code}"\n[environments.sd3]\nkind = "venv"\npath = "{venv}"\n')
    (code / ".git").mkdir(parents=True)
    write_mark(code, Made(kind="checkout", name="sd3", source="/from/here"))
    venv.mkdir()
    write_mark(venv, Made(kind="venv", name="sd3", wished_cuda="cpu"))
    found = remembered_wishes(Wishes(name="sd3", update=True))
    assert (found.checkout_folder, found.environment_folder) == (code, venv)
    assert (found.source, found.cuda) == ("/from/here", "cpu")
    said = Wishes(name="sd3", checkout_folder=home / "a", environment_folder=home / "b")
    assert remembered_wishes(said) == said, "what is said now wins"
    in_place = remembered_wishes(Wishes(name="sd3", source=str(tmp_path / "own"), adopt=True, kind="conda"))
    assert in_place.checkout_folder is None and in_place.environment_folder is None
    assert remembered_wishes(Wishes(name="another")) == Wishes(name="another")


def test_a_configuration_that_cannot_be_read_is_said_before_anything(home: Path) -> None:
    config = home / ".config" / "kl" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("[run\n")
    with pytest.raises(KlError, match="This is not TOML"):
        remembered_wishes(Wishes())


def test_without_git_nothing_is_said_of_the_source(clone: Path) -> None:
    facts = look(Wishes(source=str(clone)), Machine(git=None))
    assert not facts.checkout.exists and facts.checkout.target is None


def test_a_link_is_a_place_of_somebody_elses(home: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (home / "sd-scripts").symlink_to(tmp_path / "empty")
    assert look_at_checkout(Wishes()).exists and look_at_environment(home / "sd-scripts").exists


def test_an_interpreter_of_another_environment_is_none(tmp_path: Path) -> None:
    """pip would install into the other one."""
    (tmp_path / "mine" / "bin").mkdir(parents=True)
    python = tmp_path / "mine" / "bin" / "python"
    python.symlink_to(sys.executable)
    assert look_at_environment(tmp_path / "mine").python is None
    python.unlink()
    python.with_name("python3.10").write_text("#!/bin/sh\n")
    python.with_name("python3.10").chmod(0o755)
    python.symlink_to("python3.10")
    assert look_at_environment(tmp_path / "mine").python == python, "as conda has it"


def _package(site: Path, name: str, *, record: str | None = "") -> Path:
    information = site / f"{name}-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Dist: torch==2.6.0\n"
    )
    (site / f"{name}.py").write_text("four")
    if record is not None:
        (information / "RECORD").write_text(record or f"{name}.py,sha256=x,4\n{name}-1.0.dist-info/RECORD,,\n")
    return information


def test_an_environment_by_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "venv"
    site = folder / "lib" / "python3.10" / "site-packages"
    _package(site, "xformers")
    (folder / "bin").mkdir()
    (folder / "bin" / "python").symlink_to(sys.executable)
    (folder / "pyvenv.cfg").write_text("include-system-site-packages = false\n")
    (site / "torch").mkdir()
    (site / "torch" / "version.py").write_text("__version__ = '2.6.0+cu124'\ncuda = '12.4'\n")
    editable = _package(site, "library")
    (editable / "direct_url.json").write_text('{"url": "file:///some/sd%20scripts", "dir_info": {"editable": true}}')
    facts = look_at_environment(folder)
    assert facts.exists and facts.python == folder / "bin" / "python" and facts.version == (3, 10)
    assert facts.packages == {"library": "1.0", "xformers": "1.0"} and facts.build == "cu124"
    assert facts.library == Path("/some/sd scripts") and facts.xformers_wants == ("torch==2.6.0",)
    (site / "xformers.py").unlink()
    assert look_at_environment(folder).broken == ()  # nobody was interrupted: it is as its owner wants it
    write_mark(folder, Made(kind="venv", name="x", whole=True, running="torch"))
    assert look_at_environment(folder).broken == ("xformers",)


def test_no_environment(tmp_path: Path) -> None:
    assert not look_at_environment(tmp_path / "none").exists
    (tmp_path / "empty").mkdir()
    assert not look_at_environment(tmp_path / "empty").exists
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    facts = look_at_environment(tmp_path / "other")
    assert facts.exists and facts.python is None


def test_what_an_installation_was_broken_off_in(tmp_path: Path) -> None:
    _package(tmp_path, "whole")
    _package(tmp_path, "unlisted", record=None)
    _package(tmp_path, "short", record="short.py,sha256=x,5\n")
    _package(tmp_path, "gone", record="gone/__init__.py,sha256=x,5\n")
    _package(tmp_path, "strange", record="\x00,,\n,,x\n")
    of_conda = _package(tmp_path, "conda", record=None)
    (of_conda / "INSTALLER").write_text("conda\n")
    assert [*broken_packages([tmp_path])] == ["gone", "short", "strange", "unlisted"]


def test_this_machine() -> None:
    machine = look_at_machine(Wishes(python=sys.executable), {})
    assert machine.git and [each.version for each in machine.pythons] == [sys.version_info[:2]]
    assert not machine.offline
    assert look_at_machine(Wishes(python="/none"), {"PIP_NO_INDEX": "1"}).offline
    assert look_at_machine(Wishes(python="/none/python"), {}).pythons == ()
