"""Looks at the machine, the checkout and the environment, and changes nothing."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from launcher.base.errors import ExitCode, KlError
from launcher.base.places import data_folder, state_folder
from launcher.base.programs import ask
from launcher.record.git import GitError, git
from launcher.record.machine import gpus_here
from launcher.setup.clone import wanted_revision
from launcher.setup.conda import conda_program
from launcher.setup.configuration import is_configured, places_of
from launcher.setup.doctor.folders import nearest_existing
from launcher.setup.facts import CheckoutFacts, Facts, Interpreter, Machine
from launcher.setup.look_environment import look_at_environment
from launcher.setup.made import is_taken, read_mark
from launcher.setup.wishes import Wishes, remembered, source_folder
from launcher.trainer.checkout import open_checkout
from launcher.trainer.commit import head_commit

_PATIENCE = 10.0  # seconds for one question to another program
_OFFLINE = ("UV_OFFLINE", "UV_NO_INDEX", "PIP_NO_INDEX")  # their "no index but mine"
_RELEASE = re.compile(r"v\d+(\.\d+){1,3}")
_QUESTION = "import ensurepip, sys, venv; print(getattr(sys, '_base_executable', ''), *sys.version_info[:2], sep='\\n')"


def checkout_folder(wishes: Wishes) -> Path:
    """Where the checkout is, or comes to."""
    if wishes.checkout_folder is not None:
        return wishes.checkout_folder.expanduser().absolute()
    source = source_folder(wishes)
    return source if wishes.adopt and source is not None else Path.home() / wishes.name


def environment_folder(wishes: Wishes) -> Path:
    """Where the environment is, or comes to: of conda below its root, so that it is activated by its name."""
    if wishes.environment_folder is not None:
        return wishes.environment_folder.expanduser().absolute()
    own = data_folder() / "environments" / wishes.name
    if wishes.kind == "venv" or (wishes.kind is None and os.path.lexists(own)):
        return own
    program = conda_program()
    named = program.root / "envs" / wishes.name if program is not None and program.root is not None else None
    if named is None or not (wishes.kind == "conda" or read_mark(named) is not None):
        return own
    return named if os.access(nearest_existing(named), os.W_OK) else own


def setup_state(wishes: Wishes) -> Path:
    """Where logs and constraints of this set-up are."""
    return state_folder() / "setup" / wishes.name


def remembered_wishes(wishes: Wishes) -> Wishes:
    """The wishes, with those of the times before in the place of what is not said now.

    Raises KlError for a configuration that cannot be read: it is written into at the end.
    """
    wishes = _with_places(wishes)
    return remembered(wishes, read_mark(checkout_folder(wishes)), read_mark(environment_folder(wishes)))


def _with_places(wishes: Wishes) -> Wishes:
    """The wishes, with the folders that kl's configuration has under this name where none are named."""
    checkout, environment = places_of(wishes.name)
    if wishes.checkout_folder is None and checkout is not None and not (wishes.adopt and wishes.source):
        wishes = replace(wishes, checkout_folder=checkout)
    if wishes.environment_folder is None and environment is not None:
        made = read_mark(environment)
        if made is None or wishes.kind in (None, made.kind):
            wishes = replace(wishes, environment_folder=environment)
    return wishes


def look(wishes: Wishes, machine: Machine) -> Facts:
    """Everything that a set-up is planned from. Raises KlError for a source or revision that is not there."""
    # Without git nothing can be said of a checkout, and the plan says that git is missing.
    checkout = look_at_checkout(wishes) if machine.git else CheckoutFacts(checkout_folder(wishes))
    environment = look_at_environment(environment_folder(wishes))
    return Facts(
        machine,
        checkout,
        environment,
        setup_state(wishes),
        is_configured(wishes.name, checkout.folder, environment),
        _accelerate_file(os.environ).exists(),
    )


def look_at_machine(wishes: Wishes, environ: Mapping[str, str] = os.environ) -> Machine:
    """The programs and the GPUs of this machine."""
    found = gpus_here()
    nvidia = shutil.which("nvidia-smi") is not None
    names = tuple(gpu.name for gpu in found.gpus)
    cuda = re.fullmatch(r"(\d+)\.(\d+).*", found.cuda or "")
    return Machine(
        system=platform.system(),
        git=shutil.which("git"),
        uv=_answering(shutil.which("uv")),
        conda=conda_program(environ),
        pythons=tuple(_pythons(wishes.python, environ)),
        gpus=names if nvidia else (),
        driver_cuda=(int(cuda[1]), int(cuda[2])) if cuda else None,
        architectures=tuple(_architectures()) if nvidia and names else (),
        problem=found.problem,
        other_gpus=() if nvidia else names,
        offline=any(environ.get(name, "").lower() in ("1", "true", "yes", "on") for name in _OFFLINE),
    )


def look_at_checkout(wishes: Wishes) -> CheckoutFacts:
    """The checkout as it is, or the clone that it is to be made from. Raises KlError when that has no such revision."""
    folder = checkout_folder(wishes)
    exists = is_taken(folder)
    facts = CheckoutFacts(folder, exists, made=read_mark(folder) if exists else None)
    if not exists:
        return _from_source(wishes, facts)
    try:
        open_checkout(folder)
    except KlError:
        return facts
    facts = replace(facts, is_checkout=True, commit=head_commit(folder))
    status = _git(folder, "status", "--porcelain", "--untracked-files=no")
    facts = replace(
        facts,
        changed=tuple(line[3:] for line in status.splitlines() if line.strip()),
        newer=_newer_release(folder),
    )
    revision = wanted_revision(wishes, facts)
    target = _commit(folder, revision, newest=wishes.update) if revision else facts.commit
    return _with_files(replace(facts, target=target), folder, target)


def _from_source(wishes: Wishes, facts: CheckoutFacts) -> CheckoutFacts:
    source = source_folder(wishes)
    if source is None:
        return facts
    if not source.is_dir() or not _git(source, "rev-parse", "--git-dir"):
        raise KlError(
            f"{source} is no git repository.",
            code=ExitCode.ENVIRONMENT_NOT_READY,
            where="--sd-scripts",
            hint="Name a clone of sd-scripts, or its URL.",
        )
    revision = wanted_revision(wishes, facts)
    target = _commit(source, revision or "HEAD")
    if target is None:
        raise KlError(
            f"{source} has no revision {revision or 'HEAD'}.",
            code=ExitCode.ENVIRONMENT_NOT_READY,
            where="--rev",
            hint=f"Fetch it there: git -C {source} fetch --tags",
        )
    branch = _git(source, "symbolic-ref", "--quiet", "--short", "HEAD").strip() if revision is None else ""
    sparse: tuple[str, ...] = ()
    if _git(source, "config", "core.sparseCheckout").strip() == "true":
        sparse = tuple(_git(source, "sparse-checkout", "list").splitlines())
    changed = bool(_git(source, "status", "--porcelain", "--untracked-files=no").strip())
    facts = replace(facts, target=target, branch=branch or None, sparse=sparse, source_changed=changed)
    return _with_files(facts, source, target)


def _with_files(facts: CheckoutFacts, folder: Path, commit: str | None) -> CheckoutFacts:
    """The facts with the two files as they are at a commit; as they lie there when that is where it stands."""
    texts = []
    for name in ("README.md", "requirements.txt"):
        if commit is None or (facts.exists and commit == facts.commit):
            file = folder / name
            texts.append(file.read_text(encoding="utf-8", errors="replace") if file.is_file() else None)
        else:
            texts.append(_git(folder, "show", f"{commit}:{name}") or None)
    return replace(facts, readme=texts[0], requirements=texts[1])


def _commit(folder: Path, revision: str, *, newest: bool = False) -> str | None:
    """The commit of a revision. A branch is also looked for among those of the remote, and first there if `newest`."""
    names = [revision, f"refs/remotes/origin/{revision}"]
    for name in reversed(names) if newest else names:
        found = _git(folder, "rev-parse", "--quiet", "--verify", "--end-of-options", f"{name}^{{commit}}").strip()
        if found:
            return found
    return None


def _newer_release(folder: Path) -> str | None:
    """The newest release by its number, unless what is checked out has it in it already."""
    tags = [tag for tag in _git(folder, "tag", "--list").split() if _RELEASE.fullmatch(tag)]
    newest = max(tags, key=lambda tag: [int(part) for part in tag[1:].split(".")], default=None)
    return None if newest in (None, *_git(folder, "tag", "--merged", "HEAD").split()) else newest


def _git(folder: Path, *words: str) -> str:
    """What git answers; "" when it refuses."""
    try:
        return git(folder, *words, patience=_PATIENCE).decode("utf-8", "replace")
    except GitError:
        return ""


def _pythons(wished: str | None, environ: Mapping[str, str]) -> Iterator[Interpreter]:
    """The interpreters that venvs can be made of; only the one that is wished, when it is a path."""
    if wished is not None and "/" in wished:
        places = [str(Path(wished).expanduser().absolute())]
    else:
        pyenv = Path(environ.get("PYENV_ROOT") or Path("~/.pyenv").expanduser())
        names = [f"python3.{minor}" for minor in range(10, 15)]
        places = [*(shutil.which(name) or "" for name in (*names, "python3")), sys.executable]
        places += [str(each) for each in sorted(pyenv.glob("versions/3.*/bin/python"))]
    seen = set()
    for place in dict.fromkeys(filter(None, places)):
        answer = _asked(place, "-I", "-c", _QUESTION).splitlines()
        if len(answer) == 3 and answer[1].isdecimal() and answer[2].isdecimal():
            path = Path(answer[0] if os.access(answer[0], os.X_OK) else place)
            if path not in seen:
                seen.add(path)
                yield Interpreter(path, (int(answer[1]), int(answer[2])))


def _architectures() -> Iterator[tuple[int, int]]:
    """The compute capability of each NVIDIA GPU; drivers before 2021 do not tell."""
    for line in _asked("nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader").splitlines():
        found = re.fullmatch(r"\s*(\d+)\.(\d+)\s*", line)
        if found:
            yield int(found[1]), int(found[2])


def _answering(program: str | None) -> str | None:
    """The program, when it runs: a shim of pyenv's may lie on the PATH without one."""
    return program if program and _asked(program, "--version") else None


def _asked(*words: str) -> str:
    try:
        return ask(words, _PATIENCE)
    except (OSError, subprocess.SubprocessError):
        return ""


def _accelerate_file(environ: Mapping[str, str]) -> Path:
    """Where `accelerate launch` looks for its default configuration (accelerate, commands/config/config_args.py)."""
    cache = environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = Path(environ.get("HF_HOME") or Path(cache, "huggingface")).expanduser()
    return home / "accelerate" / "default_config.yaml"
