"""The interpreter that trains: whether it is there, and whether its version is one for these packages."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from launcher.base.words import listed, some_of
from launcher.setup.conda import conda_program, install
from launcher.setup.doctor.diagnosis import Diagnosis, advice, fine, unknown, wrong
from launcher.setup.doctor.mends import relink
from launcher.setup.doctor.seen_environment import SeenEnvironment

PYTHON = "Python"
_NAMED = re.compile(r"\b(3)\.(\d+)\.x\b")
_PATCH = re.compile(r"\bPython (3)\.(\d+)\.\d+")


def judge_python(seen: SeenEnvironment, readme: str, packages: Iterable[str]) -> Iterator[Diagnosis]:
    """The interpreter. `readme` is the checkout's, `packages` are those whose metadata may name other Pythons."""
    if seen.version is None:
        installed = installed_for(seen.prefix)
        mend = _mend(seen, installed)
        said = seen.problem or "it does not say its version"
        yield wrong(PYTHON, f"{seen.python} does not work: {said}.", mend) if mend else _without(seen, said)
        return
    other = installed_for(seen.prefix)
    if other is not None and seen.minor not in versions_installed(seen.prefix):
        message = f"{seen.python} is Python {seen.version}, and the packages beside it are for {other}: it sees none."
        yield wrong(PYTHON, message, _mend(seen, other))
        return
    refusing = list(_refusing(seen, packages))
    if refusing:
        message = f"{seen.version} is none that {some_of(refusing)} {'take' if len(refusing) > 1 else 'takes'}."
        yield wrong(PYTHON, message, new_environment(readme))
        return
    named = named_pythons(readme)
    if named and seen.minor not in named:
        message = f"{seen.version}: sd-scripts' README names {listed(named)}. Some packages may not be had for others."
        yield advice(PYTHON, message, new_environment(readme))
        return
    if belongs_to_the_system(seen.prefix):
        message = f"{seen.python} belongs to the system, which lets nothing be installed into it."
        yield advice(PYTHON, message, new_environment(readme))
        return
    yield fine(PYTHON, f"{seen.version}, {seen.python}.")


def belongs_to_the_system(prefix: Path) -> bool:
    """Whether pip refuses to install into it (PEP 668); environments that are made of it are free."""
    made = (prefix / "pyvenv.cfg").is_file() or (prefix / "conda-meta").is_dir()
    return not made and any(prefix.glob("lib/python3*/EXTERNALLY-MANAGED"))


def named_pythons(readme: str) -> tuple[str, ...]:
    """The versions that a README names: "3.10"."""
    found = [f"{major}.{minor}" for major, minor in (*_NAMED.findall(readme), *_PATCH.findall(readme))]
    return tuple(sorted(dict.fromkeys(found), key=lambda text: int(text.partition(".")[2])))


def new_environment(readme: str) -> str:
    """Make another environment, with the Python that sd-scripts is written for."""
    named = named_pythons(readme) or ("3.10",)
    return f"kl setup --env venv --python {named[0]}"


def versions_installed(prefix: Path) -> tuple[str, ...]:
    """The Pythons that packages below an environment were installed for."""
    folders = [folder for folder in prefix.glob("lib/python3*/site-packages") if any(folder.glob("*.dist-info"))]
    return tuple(dict.fromkeys(folder.parent.name.removeprefix("python") for folder in sorted(folders)))


def installed_for(prefix: Path) -> str | None:
    """The one Python that packages of a venv were installed for; None where that is not one, or it is no venv."""
    versions = versions_installed(prefix) if (prefix / "pyvenv.cfg").is_file() else ()
    return versions[0] if len(versions) == 1 else None


def _mend(seen: SeenEnvironment, version: str | None) -> str | None:
    if (seen.prefix / "conda-meta").is_dir():
        program = conda_program()
        wanted = versions_installed(seen.prefix)[:1] or ("3.10",)
        return shlex.join(install(program, seen.prefix, [f"python={wanted[0]}"])) if program else None
    if version is None:
        return None
    return relink(seen.prefix, version) or f"uv python install {version}"


def _without(seen: SeenEnvironment, said: str) -> Diagnosis:
    if seen.python.exists():
        return unknown(PYTHON, f"{seen.python}: {said}.")
    return wrong(PYTHON, f"{seen.python}: {said}.", "kl setup --env venv")


def _refusing(seen: SeenEnvironment, packages: Iterable[str]) -> Iterator[str]:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415 - 30 ms

    for package in packages:
        wanted = seen.requires_python(package) if package in seen.packages else None
        try:
            if wanted and seen.version and not SpecifierSet(wanted).contains(seen.version, prereleases=True):
                yield f"{package} {seen.packages[package]} ({wanted})"
        except InvalidSpecifier:
            continue
