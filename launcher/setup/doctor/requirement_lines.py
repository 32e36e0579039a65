"""Requirements against what is installed: those of a file, and those of the packages that it brings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

from launcher.setup.doctor.seen_environment import SeenEnvironment
from launcher.trainer.packages import normal_name


@dataclass(frozen=True)
class Unmet:
    """A requirement that is not met. `have` is the version that is there, None when none is; `by` who requires it."""

    requirement: str
    name: str
    wanted: str
    have: str | None
    by: str = "requirements.txt"


def unmet(lines: Iterable[str], seen: SeenEnvironment) -> Iterator[Unmet]:
    """The lines of a requirements file that are not met."""
    for line in lines:
        requirement = _read(line)
        if requirement is not None and _holds_here(requirement, seen):
            yield from _against(requirement, seen, "requirements.txt")


def unmet_by(lines: Iterable[str], seen: SeenEnvironment) -> Iterator[Unmet]:
    """What is not met of the requirements of installed packages, from those that the lines name to the last."""
    waiting: list[tuple[str, frozenset[str]]] = []
    for line in lines:
        requirement = _read(line)
        if requirement is not None:
            waiting.append((normal_name(requirement.name), frozenset(requirement.extras)))
    done: set[tuple[str, frozenset[str]]] = set()
    said: set[tuple[str, str]] = set()
    while waiting:
        each = waiting.pop()
        if each in done or each[0] not in seen.packages:
            continue
        done.add(each)
        package, extras = each
        for requirement in _required(package, extras, seen):
            name = normal_name(requirement.name)
            if (package, name) in said:
                continue
            said.add((package, name))
            yield from _against(requirement, seen, package)
            waiting.append((name, frozenset(requirement.extras)))


def _required(package: str, extras: frozenset[str], seen: SeenEnvironment) -> Iterator[Requirement]:
    for line in seen.requires(package):
        if "extra ==" in line and not extras:
            continue
        requirement = _read(line)
        if requirement is not None and any(_holds_here(requirement, seen, extra) for extra in ("", *extras)):
            yield requirement


def _against(requirement: Requirement, seen: SeenEnvironment, by: str) -> Iterator[Unmet]:
    name = normal_name(requirement.name)
    have = seen.packages.get(name)
    wanted = str(requirement.specifier)
    plain = f"{requirement.name}{f'[{_list(requirement)}]' if requirement.extras else ''}{wanted}"
    if have is None:
        yield Unmet(
            plain if requirement.url is None else f"{requirement.name} @ {requirement.url}", name, wanted, None, by
        )
        return
    try:
        met = requirement.url is not None or requirement.specifier.contains(Version(have), prereleases=True)
    except InvalidVersion:
        return
    if not met:
        yield Unmet(plain, name, wanted, have, by)


def _list(requirement: Requirement) -> str:
    return ",".join(sorted(requirement.extras))


def _holds_here(requirement: Requirement, seen: SeenEnvironment, extra: str = "") -> bool:
    """Whether its marker is true in this environment; it may be another Python than kl's."""
    if requirement.marker is None:
        return extra == ""
    variables = {"extra": extra}
    if seen.version and seen.minor:
        variables |= {"python_version": seen.minor, "python_full_version": seen.version}
    try:
        return requirement.marker.evaluate(variables)
    except Exception:  # a marker of a kind that is not known here
        return False


def _read(line: str) -> Requirement | None:
    try:
        return Requirement(line)
    except InvalidRequirement:
        return None
