"""Whether packages are what requirements ask for, by their names and versions alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

from launcher.trainer.packages import normal_name


def unsatisfied(text: str, packages: Mapping[str, str], python: tuple[int, int] | None = None) -> tuple[str, ...]:
    """The lines of a requirements.txt that these packages do not satisfy: names as indexes compare them → versions.

    Options, editable folders and lines that cannot be read are passed over. `python` decides what holds only for
    some Pythons.
    """
    return tuple(line for line in requirement_lines(text) if not _holds(line, packages, python))


def satisfied(requirements: Iterable[str], packages: Mapping[str, str]) -> bool:
    """Whether these packages satisfy every requirement."""
    return all(_holds(each, packages, None) for each in requirements)


def named(requirement: str) -> str:
    """The name that a requirement begins with, as indexes compare it."""
    try:
        return normal_name(Requirement(requirement).name)
    except InvalidRequirement:
        return requirement


def requirement_lines(text: str) -> Iterator[str]:
    """The requirements of a requirements.txt: without comments, options and folders."""
    for line in text.replace("\\\n", " ").splitlines():
        plain = line.split(" #")[0].split(" --")[0].strip()
        if plain and not plain.startswith(("#", "-", ".", "/")):
            yield plain


def _holds(text: str, packages: Mapping[str, str], python: tuple[int, int] | None) -> bool:
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return True
    if requirement.marker is not None:
        version = ".".join(map(str, python)) if python else None
        try:
            if not requirement.marker.evaluate({"python_version": version} if version else None):
                return True
        except Exception:  # a marker of a kind that is not known here
            return True
    have = packages.get(normal_name(requirement.name))
    if have is None:
        return False
    try:
        return requirement.url is not None or requirement.specifier.contains(Version(have), prereleases=True)
    except InvalidVersion:
        return True
