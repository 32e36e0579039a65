"""The steps that make the environment and put into it what training needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from launcher.base.errors import ExitCode, KlError
from launcher.base.words import listed, some_of
from launcher.setup.conda import HISTORY, install
from launcher.setup.facts import EnvironmentFacts, Facts, Interpreter
from launcher.setup.made import Made
from launcher.setup.satisfied import named, satisfied, unsatisfied
from launcher.setup.step import Command, Name, Step, Way
from launcher.setup.torch_build import TorchBuild, lycoris_for
from launcher.setup.wishes import Wishes

# sd-scripts' README: written for 3.10, and 3.11 and 3.12 will work.
VERSIONS = ((3, 10), (3, 11), (3, 12))
LYCORIS = "lycoris-lora"
_ITSELF = re.compile(r"^(-e|--editable)[ =]+\.", re.MULTILINE)  # the line by which sd-scripts installs itself
_OWN = frozenset({"library", "pip", "setuptools", "wheel"})  # of every environment, or of the checkout


def environment_steps(wishes: Wishes, facts: Facts, torch: TorchBuild) -> Iterator[Step]:
    """The environment, torch for this machine, xformers for that torch, sd-scripts' requirements with LyCORIS.

    Raises KlError for an environment that kl did not make and was not told to adopt.
    """
    yield _environment(wishes, facts)
    if is_half_made(facts.environment):  # nothing of it stays
        facts = replace(facts, environment=EnvironmentFacts(facts.environment.folder))
    yield _torch(wishes, facts, torch)
    yield from _xformers(wishes, facts, torch)
    yield _requirements(wishes, facts, torch)


def is_half_made(environment: EnvironmentFacts) -> bool:
    """Whether kl was interrupted so that the environment has to be made anew: before it was whole, or in a package."""
    made = environment.made
    if made is None or made.adopted:
        return False
    return not made.whole or environment.python is None or bool(environment.broken)


def _environment(wishes: Wishes, facts: Facts) -> Step:
    environment = facts.environment
    kind = wishes.kind or (environment.made.kind if environment.made else "venv")
    if environment.exists and not is_half_made(environment):
        _refuse_foreign(wishes, environment, kind)
        version = ".".join(map(str, environment.version or ()))
        return Step(Name.ENVIRONMENT, "The environment", done=f"{kind} {environment.folder}, Python {version}")
    half = " It was left half made, and is made anew." if environment.exists else ""
    files: tuple[tuple[Path, bytes], ...] = ()
    if kind == "conda":
        python, ways = _conda(wishes, facts)
        files = ((environment.folder / HISTORY, b""),)  # with the mark in it, it is an environment without packages
    else:
        python, ways = _venv(wishes, facts)
    return Step(
        Name.ENVIRONMENT,
        f"Make the {kind} environment {environment.folder} with Python {python}",
        "sd-scripts is written for Python 3.10" if not wishes.python else "",
        ways=ways,
        makes=environment.folder,
        made=Made(kind=kind, name=wishes.name),
        files=files,
        notes=(half.strip(),) if half else (),
    )


def _conda(wishes: Wishes, facts: Facts) -> tuple[str, tuple[Way, ...]]:
    """The Python in words, and the ways to a conda environment of it, with the user's own channels first."""
    program, folder = facts.machine.conda, facts.environment.folder
    if program is None:
        raise KlError(
            "Neither conda nor mamba nor micromamba is there.",
            code=ExitCode.ENVIRONMENT_NOT_READY,
            hint="Install one of them, or take --env venv.",
        )
    python = wishes.python or "3.10"
    if "/" in python:
        raise KlError(
            "A conda environment gets a Python of its own.", code=ExitCode.USAGE, hint="Write a version: --python 3.10"
        )
    packages = (f"python={python}", "pip")
    ways = [Way((Command(install(program, folder, packages), folder),))]
    if program.kind == "micromamba":  # below 2.0 it has no channel of its own
        own = Command(install(program, folder, packages, channel="conda-forge"), folder)
        ways.append(Way((own,), "from conda-forge"))
    return f"{python}, by {program.path}", tuple(ways)


def _venv(wishes: Wishes, facts: Facts) -> tuple[str, tuple[Way, ...]]:
    """The Python in words, and the ways to a venv of it: by uv where it is there, which may download Python."""
    machine, folder = facts.machine, facts.environment.folder
    found = _interpreter(wishes.python, machine.pythons)
    if found is None and wishes.python and "/" in wishes.python:
        raise KlError(
            f"{wishes.python} is no Python that a venv can be made of.",
            code=ExitCode.ENVIRONMENT_NOT_READY,
            where="--python",
            hint="Name an interpreter that has the modules venv and ensurepip (on Debian python3-venv), or a version.",
        )
    ways = []
    if machine.uv:
        wanted = str(found.path) if found else wishes.python or "3.10"
        pip = Command((str(folder / "bin" / "python"), "-m", "ensurepip"), folder)
        make = Command((machine.uv, "venv", "--allow-existing", "--python", wanted, str(folder)), folder)
        ways += [Way((make, pip)), Way((make,), "without pip")]
    if found:
        make = Command((str(found.path), "-m", "venv", str(folder)), folder)
        ways.append(Way((make,), "with the standard library"))
    if not ways:
        raise KlError(
            f"No Python {wishes.python or '3.10, 3.11 or 3.12'} is there.",
            code=ExitCode.ENVIRONMENT_NOT_READY,
            hint="Install it (on Debian with python3-venv), or uv, which brings it; or name one: --python FILE",
        )
    version = ".".join(map(str, found.version)) if found else wishes.python or "3.10"
    return f"{version}, {found.path}" if found else f"{version}, which uv finds or downloads", tuple(ways)


def _interpreter(wished: str | None, pythons: Sequence[Interpreter]) -> Interpreter | None:
    if wished is not None and "/" in wished:
        return next(iter(pythons), None)  # no other was looked at
    if wished is not None:
        minor = tuple(int(part) for part in wished.split(".")[:2] if part.isdecimal())
        return next((each for each in pythons if each.version == minor), None)
    return next((each for version in VERSIONS for each in pythons if each.version == version), None)


def _refuse_foreign(wishes: Wishes, environment: EnvironmentFacts, kind: str) -> None:
    folder = environment.folder
    if environment.made is None and not wishes.adopt:
        raise KlError(
            f"{folder} is there already, and kl did not make it.",
            code=ExitCode.ENVIRONMENT_NOT_READY,
            hint="--adopt installs into it; --environment-folder or --name takes another folder.",
        )
    if environment.python is None:
        raise KlError(
            f"{folder} is no environment: it has no bin/python of its own.",
            code=ExitCode.ENVIRONMENT_NOT_READY,
            hint="Name another with --environment-folder.",
        )
    version = ".".join(map(str, environment.version or ()))
    if wishes.python and "/" not in wishes.python and version and not _same_minor(wishes.python, version):
        raise KlError(
            f"{folder} has Python {version} already, not {wishes.python}.",
            code=ExitCode.ENVIRONMENT_NOT_READY,
            hint="Take another --name for one with that Python, or leave out --python.",
        )
    if environment.made is not None and environment.made.kind != kind:
        raise KlError(
            f"{folder} is a {environment.made.kind} environment already.",
            code=ExitCode.ENVIRONMENT_NOT_READY,
            hint=f"--env {environment.made.kind}, or another --name.",
        )
    if environment.broken:
        raise KlError(
            f"{some_of(environment.broken)} in {folder} were left half installed, and kl did not make it.",
            code=ExitCode.ENVIRONMENT_NOT_READY,
            hint="Make it anew, or let kl make one of its own: without --environment-folder.",
        )


def _same_minor(wished: str, version: str) -> bool:
    parts = wished.split(".")[:2]
    return version.split(".")[: len(parts)] == parts


def _torch(wishes: Wishes, facts: Facts, torch: TorchBuild) -> Step:
    environment = facts.environment
    says = f"Install {' and '.join(torch.pins).replace('==', ' ')}{f', {torch.build}' if torch.build else ''}"
    done, there = None, satisfied(torch.pins, environment.packages)
    if there:
        asked_before = environment.made is not None and environment.made.torch == torch.asked
        if asked_before or torch.build in (None, environment.build):
            done = f"torch {environment.packages['torch']}, {environment.build or 'its build is not known'}"
    again = done is None and there  # the version is right, the build is not
    return Step(Name.TORCH, says, torch.why, done, _torch_ways(wishes, facts, torch, torch.pins, again=again))


def _torch_ways(
    wishes: Wishes, facts: Facts, torch: TorchBuild, words: Sequence[str], *, again: bool = False
) -> tuple[Way, ...]:
    """Where the build is looked for: the index that was named, else uv's for it or the README's, else the user's own.

    With `again` what is there already is replaced.
    """
    every: list[Way] = []
    if wishes.torch_index:
        return _installs(facts, (*words, "--index-url", wishes.torch_index), again=again)
    if torch.build and not facts.machine.offline:
        if facts.machine.uv:
            every.append(_by_uv(facts, (*words, "--torch-backend", torch.build), again=again))
        if torch.base:
            by = _by_uv if facts.machine.uv else _by_pip
            index = by(facts, (*words, "--index-url", f"{torch.base}{torch.build}"), again=again)
            every.append(Way(index.commands, f"from the index that the README names, {index.says}"))
    own = "from your own package index: which build that has is seen then"
    return (*every, *(Way(way.commands, f"{own}, {way.says}") for way in _installs(facts, tuple(words), again=again)))


def _xformers(wishes: Wishes, facts: Facts, torch: TorchBuild) -> Iterator[Step]:
    """xformers of the version that was built for this torch. Training works without it, so it may be missing."""
    if any(named(each) == "xformers" for each in wishes.extras):
        return
    if torch.build == "cpu":
        return
    environment = facts.environment
    have = environment.packages.get("xformers")
    if not satisfied(environment.xformers_wants, {**environment.packages, "torch": torch.torch}):
        have = None
    words = ("xformers", "--only-binary", "xformers", "-c", str(constraints_file(facts)))
    yield Step(
        Name.XFORMERS,
        "Install xformers",
        f"built for torch {torch.torch}",
        f"xformers {have}" if have else None,
        _torch_ways(wishes, facts, torch, words),
        files=((constraints_file(facts), constraints(wishes, facts, torch)),),
        optional=True,
    )


def _requirements(wishes: Wishes, facts: Facts, torch: TorchBuild) -> Step:
    """One installation for all of it, so that the versions go together. It runs inside the checkout, for `-e .`."""
    environment, checkout = facts.environment, facts.checkout
    own = any(named(each) == LYCORIS for each in wishes.extras)
    more = wishes.extras if own else (lycoris_for(torch.torch), *wishes.extras)
    done = None
    if checkout.exists and checkout.requirements is not None:
        missing = unsatisfied(checkout.requirements, environment.packages, environment.version)
        itself = _ITSELF.search(checkout.requirements) is None or environment.library == checkout.folder.resolve()
        more_too = satisfied((*more, *_pins_of_before(wishes, facts)), environment.packages)
        if not missing and itself and more_too:
            done = f"{len(environment.packages)} packages, all that it asks for"
    words = ("-r", "requirements.txt", *more, "-c", str(constraints_file(facts)))
    file = (constraints_file(facts), constraints(wishes, facts, torch))
    says = f"Install sd-scripts' requirements.txt with {listed(more)}"
    return Step(Name.REQUIREMENTS, says, f"torch stays {torch.torch}", done, _installs(facts, words), files=(file,))


def constraints(wishes: Wishes, facts: Facts, torch: TorchBuild) -> bytes:
    """What holds the versions where they are: torch's, and those of before when it goes back."""
    pins = [pin for pin in torch.pins if "==" in pin]
    known = {named(pin) for pin in pins}
    pins += [pin for pin in _pins_of_before(wishes, facts) if named(pin) not in known]
    return "".join(f"{pin}\n" for pin in pins).encode()


def constraints_file(facts: Facts) -> Path:
    """The file of constraints, in kl's state folder."""
    return facts.state / "constraints.txt"


def _pins_of_before(wishes: Wishes, facts: Facts) -> tuple[str, ...]:
    made = facts.checkout.made
    if not wishes.back or made is None or not made.before:
        return ()
    present = facts.environment.packages
    return tuple(
        f"{name}=={version.partition('+')[0]}"
        for name, version in made.before[-1].packages.items()
        if name in present and name not in _OWN
    )


def _installs(facts: Facts, words: tuple[str, ...], *, again: bool = False) -> tuple[Way, ...]:
    """By uv where it is there, and by pip: each may know an index that the other does not."""
    by_pip = _by_pip(facts, words, again=again)
    return (_by_uv(facts, words, again=again), by_pip) if facts.machine.uv else (by_pip,)


def _by_pip(facts: Facts, words: tuple[str, ...], *, again: bool) -> Way:
    options = ("--disable-pip-version-check", "--progress-bar", "off", *(("--force-reinstall",) if again else ()))
    argv = (_python(facts), "-m", "pip", "install", *options, *words)
    return Way((Command(argv, facts.checkout.folder),), "by pip")


def _by_uv(facts: Facts, words: tuple[str, ...], *, again: bool) -> Way:
    options = ("--no-progress", "--python", _python(facts), *(("--reinstall",) if again else ()))
    return Way((Command((str(facts.machine.uv), "pip", "install", *options, *words), facts.checkout.folder),), "by uv")


def _python(facts: Facts) -> str:
    return str(facts.environment.folder / "bin" / "python")
