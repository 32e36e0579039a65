"""Lays out the demo: a checkout with a trainer, a dataset and a spec, as a user of sd-scripts would have them."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from launcher.base.errors import ExitCode, KlError
from launcher.base.files import write_whole
from launcher.demo.pictures import pictures

NAME = "shapes-v1s60"
CHECKOUT = "sd-scripts-demo"
PACKAGES = ("accelerate", "torch", "lycoris", "safetensors", "tensorboard", "PIL")
SOURCES = Path(__file__).parent / "checkout"
TEXTS = Path(__file__).parent / "texts"
AUTHOR = "kl demo"
EMAIL = "demo@kl.invalid"
DATE = "2026-01-01T00:00:00+00:00"  # fixed, with the author: the same files make the same commit


@dataclass(frozen=True)
class Demo:
    """Where the demo's parts lie, and the name it is launched under."""

    checkout: Path
    spec: Path
    dataset: Path
    name: str


def missing_packages() -> tuple[str, ...]:
    """Which packages of the demo's training environment the current interpreter lacks; imports none of them."""
    return tuple(name for name in PACKAGES if importlib.util.find_spec(name) is None)


def lay_out(folder: Path) -> Demo:
    """Write the demo into `folder`. What is there already is used as it is: it may hold a user's changes.

    One exception: a checkout that an earlier version of kl laid out and nobody touched is brought up to date.
    Raises KlError when git is missing, when the folder cannot be written, or when something else is in the way.
    """
    folder = folder.resolve()
    demo = Demo(folder / CHECKOUT, folder / "specs" / "shapes.toml", folder / "datasets" / "shapes", NAME)
    try:
        for parent in (folder, demo.spec.parent, demo.dataset.parent):
            parent.mkdir(parents=True, exist_ok=True)
        _lay_out_checkout(demo.checkout)
        if not demo.dataset.exists():
            _build_aside(demo.dataset, lambda made: _write_dataset(made, demo.dataset))
        if not demo.spec.exists():
            write_whole(demo.spec, (TEXTS / "shapes.toml").read_bytes())
    except OSError as error:
        raise KlError(
            f"The demo cannot be laid out in {folder}: {error.strerror or error}",
            code=ExitCode.OUTPUT_UNAVAILABLE,
            where=str(error.filename or folder),
            hint="Name another folder, or make room there.",
        ) from error
    return demo


def _lay_out_checkout(checkout: Path) -> None:
    if not checkout.exists():
        _build_aside(checkout, _write_checkout)
        return
    if not (checkout / "train_network.py").is_file():
        raise KlError(
            f"{checkout} is there already and is not the demo's checkout.",
            code=ExitCode.OUTPUT_UNAVAILABLE,
            where=str(checkout),
            hint="Move it away, or name another folder.",
        )
    if _is_untouched(checkout) and not _is_current(checkout):
        _build_aside(checkout, _write_checkout)


def _build_aside(target: Path, build: Callable[[Path], None]) -> None:
    """Build a folder beside its place and move it there: whoever looks sees all of it or nothing."""
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as aside:
        made = Path(aside) / "made"
        made.mkdir()
        build(made)
        if target.exists():
            target.rename(Path(aside) / "replaced")
        made.rename(target)


def _write_checkout(checkout: Path) -> None:
    for source, name in _sources():
        target = checkout / name
        target.parent.mkdir(exist_ok=True)
        # Copied as bytes and not with shutil.copy: an installed package may be read-only, the copy must not be.
        target.write_bytes(source.read_bytes())
    _git(checkout, "init", "--quiet", "--template=", ".")
    _git(checkout, "symbolic-ref", "HEAD", "refs/heads/main")
    _git(checkout, "add", "--all")
    _git(checkout, "commit", "--quiet", "--no-verify", "--message=Lay out kl's demo trainer")


def _sources() -> Iterator[tuple[Path, Path]]:
    """The trainer's files and their names in the checkout; not what Python compiled beside them."""
    for path in sorted(SOURCES.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path, path.relative_to(SOURCES)


def _is_untouched(checkout: Path) -> bool:
    """Whether the checkout is as kl laid it out: one commit, by kl, and nothing changed or added since."""
    if not (checkout / ".git").is_dir():
        return False
    return (
        _git(checkout, "log", "--format=%ae %P") == EMAIL
        and not _git(checkout, "status", "--porcelain")
        and not _git(checkout, "stash", "list")
    )


def _is_current(checkout: Path) -> bool:
    wanted = {name.as_posix(): source.read_bytes() for source, name in _sources()}
    tracked = _git(checkout, "ls-files", "-z").split("\0")
    return {name for name in tracked if name} == set(wanted) and all(
        (checkout / name).read_bytes() == content for name, content in wanted.items()
    )


def _write_dataset(made: Path, place: Path) -> None:
    images = made / "img"
    images.mkdir()
    for picture in pictures():
        (images / f"{picture.name}.png").write_bytes(picture.png)
        (images / f"{picture.name}.txt").write_text(picture.caption + "\n", encoding="utf-8")
    # A JSON string is a TOML string. The folder's full name: sd-scripts takes a short one from where it is started.
    config = (TEXTS / "dataset.toml").read_text(encoding="utf-8")
    config = config.replace('"IMAGE_DIR"', json.dumps(str(place / "img"), ensure_ascii=False))
    (made / "config.toml").write_text(config, encoding="utf-8")
    shutil.copyfile(TEXTS / "sample-prompts.txt", made / "sample-prompts.txt")


def _git(checkout: Path, *arguments: str) -> str:
    """Run git on the demo's checkout, untouched by the user's configuration, hooks and signing."""
    git = shutil.which("git")
    if git is None:
        raise KlError(
            "git is not installed, and kl records every run with it.",
            code=ExitCode.ENVIRONMENT_NOT_READY,
            hint="Install git: `apt install git`, `brew install git`, or https://git-scm.com/downloads.",
        )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": AUTHOR,
        "GIT_AUTHOR_EMAIL": EMAIL,
        "GIT_AUTHOR_DATE": DATE,
        "GIT_COMMITTER_NAME": AUTHOR,
        "GIT_COMMITTER_EMAIL": EMAIL,
        "GIT_COMMITTER_DATE": DATE,
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    # File modes are left out of it: they differ by umask and file system, and would change the commit.
    neutral = ("-c", "core.fileMode=false", "-c", "core.autocrlf=false", "-c", f"core.hooksPath={os.devnull}")
    done = subprocess.run(
        [git, "-C", str(checkout), *neutral, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise KlError(
            f"git {arguments[0]} failed in {checkout}: {done.stderr.strip()}",
            code=ExitCode.OUTPUT_UNAVAILABLE,
            where=str(checkout),
            hint="Move the folder away, or name another one.",
        )
    return done.stdout.strip()
