"""A run directory that is recorded ahead of its launch, as training scripts do, and the launch that goes on in it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from launcher import __version__
from launcher.base.errors import ExitCode, KlError
from launcher.base.findings import Finding
from launcher.base.origin import Origin, Source
from launcher.base.times import now
from launcher.base.words import some_of
from launcher.plan.from_script import CALLER, caller_file, typed_path
from launcher.plan.plan import Plan, PlannedFile
from launcher.record.archive import REPOSITORIES, write_files
from launcher.record.manifest import MANIFEST, Manifest, ManifestError, read_manifest, write_manifest
from launcher.record.repositories import RecordedCode
from launcher.run.cleanup import survey
from launcher.run.directory import Taken, exists_already, give_back, held, take, unavailable
from launcher.run.roots import remember_root


@dataclass(frozen=True)
class RecordedAhead:
    """What was recorded: repositories by their folders, and the copy of the script that launches the run."""

    repositories: tuple[Path, ...]
    caller: PlannedFile | None


def record_ahead(
    directory: Path, code: RecordedCode, files: Sequence[PlannedFile], not_recorded: Sequence[str], *, no_clean: bool
) -> Manifest:
    """Take a run directory, and write the repositories and copies that a launch can go on with.

    Raises KlError (OUTPUT_UNAVAILABLE) when it is there already or cannot be written; nothing is left behind then.
    """
    taken = take(directory)
    try:
        with held(directory):
            remember_root(directory.parent)
            begun = Manifest(kl_version=__version__, name=directory.name, created=now(), no_clean=no_clean)
            write_manifest(begun, directory)  # first: a directory without a manifest would be nobody's
            manifest = Manifest(
                kl_version=__version__,
                name=directory.name,
                created=begun.created,
                no_clean=no_clean,
                files=write_files(directory, files, code, {}),
                repositories=code.repositories,
                not_recorded=tuple(not_recorded),
            )
            write_manifest(manifest, directory)
            return manifest
    except BaseException as error:
        give_back(taken, (*(file.name for file in files), *code.patches, REPOSITORIES, MANIFEST))
        if isinstance(error, OSError):
            raise unavailable(directory, error) from None
        raise


def is_recorded_ahead(manifest: Manifest) -> bool:
    """Whether this is the manifest of `kl record`: there are files, and nothing says yet what is to be started."""
    return bool(manifest.files) and not (manifest.argv or manifest.attempts or manifest.artifacts)


def recorded_ahead(directory: Path) -> RecordedAhead | None:
    """What `kl record` has recorded in a run directory; None when it was not it that made the directory."""
    try:
        manifest = read_manifest(directory / MANIFEST)
        if not is_recorded_ahead(manifest):
            return None
        repositories = tuple(Path(each.path) for each in manifest.repositories if each.inside is None)
        copy = next((file for file in manifest.files if file.name.startswith(f"{CALLER}.")), None)
        if copy is None:
            return RecordedAhead(repositories, None)
        source = Path(copy.source) if copy.source else None
        origin = Origin(Source.ARGUMENT, "the calling script", source)
        content = (directory / copy.name).read_bytes()
    except (OSError, ManifestError, ValueError, TypeError, AttributeError):  # anything may stand in a foreign run.json
        return None
    return RecordedAhead(repositories, PlannedFile(copy.name, content, origin, source))


def going_on(plan: Plan, caller: str | None, repositories: Sequence[str], environ: Mapping[str, str]) -> Plan:
    """The plan of a run without a spec, with what belongs to it besides: the script that launches it, and the
    repositories that are recorded too. Both are also taken from what was recorded ahead.
    """
    before = recorded_ahead(plan.directory)
    findings: tuple[Finding, ...] = ()
    if caller is not None:
        copy, findings = caller_file(typed_path(caller), environ)
    else:
        copy = before.caller if before else None
    return replace(
        plan,
        files=(*plan.files, *([copy] if copy else [])),
        repositories=(*plan.repositories, *map(typed_path, repositories), *(before.repositories if before else ())),
        findings=(*plan.findings, *findings),
        goes_on=True,
    )


def take_or_go_on(directory: Path) -> Taken:
    """Create a run directory, or clear the one that `kl record` has made, so that a launch finds it empty.

    Raises KlError (OUTPUT_UNAVAILABLE) when it cannot be had: somebody else's, or with files in it that `kl record`
    has not written or that were changed since.
    """
    if not os.path.lexists(directory):
        return take(directory)
    try:
        with held(directory) as mine:
            manifest = read_manifest(directory / MANIFEST) if mine else Manifest()
            if not is_recorded_ahead(manifest):
                raise exists_already(directory)
            _clear(directory, manifest, _its_files(directory, manifest))
    except (OSError, ManifestError, TypeError, AttributeError):
        raise exists_already(directory) from None
    return Taken(directory, ())


def _its_files(directory: Path, manifest: Manifest) -> list[str]:
    """The names of the files that `kl record` wrote. Raises KlError when one was changed, or there are others."""
    found = survey(directory, manifest)
    names = {file.name for file in manifest.files} | {MANIFEST}
    there = ["/".join(known.path) for known in found.files]
    others = sorted({kept.path for kept in found.kept} | (set(there) - names))
    if others:
        raise KlError(
            f"The run directory {directory} was changed since kl record made it: {some_of(others)}.",
            code=ExitCode.OUTPUT_UNAVAILABLE,
            hint="Move away what you put there, or give the run another name.",
        )
    return [name for name in there if name != MANIFEST]


def _clear(directory: Path, manifest: Manifest, names: Sequence[str]) -> None:
    try:
        # From here on it is a launch that was only begun: no other one goes on in it, too.
        write_manifest(Manifest(kl_version=__version__, name=manifest.name, created=manifest.created), directory)
        for name in names:
            (directory / name).unlink()
    except OSError as error:
        raise unavailable(directory, error) from None
    for folder in {Path(name).parent for name in names} - {Path()}:
        with suppress(OSError):
            (directory / folder).rmdir()
