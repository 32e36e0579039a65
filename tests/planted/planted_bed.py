"""Lays out a case, checks it in this process, and says what came out otherwise than it has to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from fake_models import write_models
from mistake import BY_EDIT, SPEC, Change, Edit, Planted, Write
from sound_specs import BY_ID, Sound

from launcher.base.findings import Finding, Severity
from launcher.cli.prepare import Request, check
from launcher.trainer.packages import Packages, site_packages


@dataclass(frozen=True)
class Bed:
    """A checkout with its environment, and a home in which kl finds both."""

    root: Path
    checkout: Path
    environment: Path

    @property
    def models(self) -> Path:
        return self.root / "models"

    def environ(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """What a command of this bed starts from: nothing of the machine's own settings."""
        home = self.root / "home"
        return {
            "PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8", "XDG_CONFIG_HOME": f"{home}/.config",
            "XDG_CACHE_HOME": f"{home}/.cache", "XDG_STATE_HOME": f"{home}/.state", "HF_HOME": f"{home}/.huggingface",
            **(more or {}),
        }  # fmt: skip


@contextmanager
def open_bed(root: Path, checkout: Path, environment: Path) -> Iterator[Bed]:
    """A bed in the empty folder `root`. While it is open, kl's configuration and cache are this bed's own."""
    bed = Bed(root, checkout, environment)
    config = root / "home/.config/kl/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(
        f'[run]\nsd_scripts = "{checkout}"\noutput_root = "{root}/output"\n[env]\npath = "{environment}"\n'
    )
    write_models(bed.models)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in bed.environ().items():
            patch.setenv(name, value)
        yield bed


def lay_out(bed: Bed, folder: Path, base: Sound, changes: Sequence[Change] = ()) -> None:
    """Write the files of a case, changed. An edit that changes nothing is a mistake of the table."""
    files: dict[str, bytes | str] = {SPEC: base.spec, **base.files}
    for change in changes:
        if isinstance(change, Write):
            gone = [file for file in files if file == change.file or file.startswith(change.file + "/")]
            assert gone or change.content is not None, f"there is no {change.file} to remove"
            for file in gone:
                del files[file]
            if change.content is not None:
                files[change.file] = change.content
        else:
            before = files[change.file]
            assert isinstance(before, str)
            assert before.count(change.old) == 1 or not change.old, f"{change.old!r} {before.count(change.old)} times"
            files[change.file] = before.replace(change.old, change.new) if change.old else before + change.new
    for file, content in files.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(_filled(content, bed, folder), encoding="utf-8")


def _filled(text: str, bed: Bed, folder: Path) -> str:
    return text.replace("{models}", str(bed.models)).replace("{here}", str(folder))


def findings_of(
    bed: Bed, folder: Path, name: str, environ: Mapping[str, str], sets: Sequence[str], arguments: Sequence[str]
) -> tuple[Finding, ...]:
    """All errors and warnings of the spec in `folder`."""
    request = Request(str(folder / SPEC), sets, arguments, name)
    plan, _ = check(request, bed.environ(environ))
    return tuple(each for each in plan.findings if each.severity is not Severity.ADVICE)


def reports(bed: Bed, folder: Path, sound: Sound) -> list[str]:
    """What is said about a sound spec; nothing is right."""
    lay_out(bed, folder, sound)
    return [_shown(each) for each in findings_of(bed, folder, sound.name, sound.environ, (), sound.arguments)]


def has_modules(bed: Bed, sound: Sound) -> bool:
    """Whether the bed's environment has all that a sound spec needs."""
    packages = Packages(bed.checkout, tuple(site_packages(bed.environment / "bin" / "python")))
    return all(packages.find(module) for module in sound.modules)


def complaints(bed: Bed, folder: Path, planted: Planted) -> list[str]:
    """What is otherwise than the table says; nothing for a mistake that is named as it has to be."""
    base = BY_ID[planted.base]
    lay_out(bed, folder, base, planted.changes)
    environ = {**base.environ, **planted.environ}
    sets = [_filled(text, bed, folder) for text in planted.sets]
    arguments = [*base.arguments, *(_filled(text, bed, folder) for text in planted.arguments)]
    found = findings_of(bed, folder, planted.name or base.name, environ, sets, arguments)
    meant = [each for each in found if each.code == planted.code]
    said = [f"{planted.code} is not said"] if not meant else []
    said += [f"also said: {_shown(each)}" for each in found if each.code not in (planted.code, *planted.follows)]
    said += [text for each in meant[:1] for text in _differs(each, planted, bed, folder)]
    said += [f"said {len(meant)} times: {_shown(each)}" for each in meant[1:]]
    return said


def _differs(found: Finding, planted: Planted, bed: Bed, folder: Path) -> Iterator[str]:
    if found.severity is not planted.severity:
        yield f"is {found.severity.value}, not {planted.severity.value}: {_shown(found)}"
    if planted.message not in found.message:
        yield f"does not say {planted.message!r}: {_shown(found)}"
    if planted.hint not in (found.hint or ""):
        yield f"does not hint {planted.hint!r}: {_shown(found)}"
    if planted.at is not None and not _is_at(found.where, planted, bed, folder):
        yield f"is not at {planted.at!r}: {_shown(found)}"


def _is_at(where: str | None, planted: Planted, bed: Bed, folder: Path) -> bool:
    if where is None:
        return False
    if where == planted.at:
        return True
    file, _, number = where.rpartition(":")
    path = folder / file
    if not number.isdecimal() or not path.is_file():
        return planted.at is not None and where.endswith(planted.at)
    line = path.read_text(encoding="utf-8").split("\n")[int(number) - 1]
    if planted.at == BY_EDIT:
        return any(_holds(_filled(new, bed, folder), line) for new in _put_in(planted.changes))
    return planted.at is not None and planted.at in line


def _holds(new: str, line: str) -> bool:
    """Whether a line is of the text that an edit put in, or has all of it."""
    lines = new.split("\n")
    return bool(line.strip()) and (line in lines or new.strip() in line or lines[0] in line)


def _put_in(changes: Iterable[Change]) -> list[str]:
    return [change.new if isinstance(change, Edit) else str(change.content) for change in changes]


def _shown(found: Finding) -> str:
    return f"[{found.severity.value} {found.code} at {found.where}] {found.message} — {found.hint}"
