"""What came of a reproduction: its final model beside that of the run it repeats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher.base.words import counted, some_of
from launcher.data.safetensors_header import Unreadable
from launcher.data.weights import Largest, WeightsComparison, compare_weights
from launcher.record.hashes import HashError, file_hash, folder_hash, weights_hash


@dataclass(frozen=True)
class ModelsCompared:
    """Two final models. `identical` is None when that cannot be told; `lines` say it, the first of them in short.

    `weights` is there when both are safetensors files.
    """

    identical: bool | None
    lines: tuple[str, ...]
    weights: WeightsComparison | None = None


def compare_models(
    old: Path, old_names: Sequence[str], new: Path, new_names: Sequence[str], recorded: Mapping[str, str] | None = None
) -> ModelsCompared:
    """Compare the final models in two run directories, by the names that each may have.

    `recorded` are hashes of weights by the names of files in the old one, for a model that was moved away.
    """
    before, after = _there(old, old_names), _there(new, new_names)
    known = next((name for name in old_names if name in (recorded or {})), None)
    if before is None and after is not None and recorded and known is not None:
        return _by_hash(known, recorded[known], after)
    for found, directory in ((before, old), (after, new)):
        if found is None:
            return ModelsCompared(None, (f"{directory} has no final model to compare.",))
    if before is None or after is None:
        return ModelsCompared(None, ())
    try:
        if before.suffix == after.suffix == ".safetensors":
            return _weights(before, after)
        return _bytes(before, after)
    except (OSError, HashError) as error:
        reason = getattr(error, "strerror", None) or error
        return ModelsCompared(None, (f"{after.name} and {before.name} cannot be compared: {reason}.",))


def _there(directory: Path, names: Sequence[str]) -> Path | None:
    return next((directory / name for name in names if (directory / name).exists()), None)


def _by_hash(name: str, recorded: str, after: Path) -> ModelsCompared:
    try:
        found = weights_hash(after)
    except (OSError, HashError) as error:
        return ModelsCompared(None, (f"{after.name} cannot be read: {getattr(error, 'strerror', None) or error}.",))
    if found == recorded:
        said = f"{after.name} is identical to {name}, by the hash of its weights: the file itself is gone."
        return ModelsCompared(True, (said,))
    said = f"{after.name} is not identical to {name}, of which only the hash is left: how far apart is not known."
    return ModelsCompared(False, (said,))


def _weights(before: Path, after: Path) -> ModelsCompared:
    found = compare_weights(before, after)
    if isinstance(found, Unreadable):
        return ModelsCompared(None, (f"The models cannot be compared: {found.message}.",))
    if found.identical:
        number = counted(found.tensors, "tensor")
        return ModelsCompared(True, (f"{after.name} is identical to {before.name}, bit for bit: {number}.",), found)
    return ModelsCompared(False, (f"{after.name} is not identical to {before.name}.", *_differences(found)), found)


def _differences(found: WeightsComparison) -> Iterator[str]:
    for names, where in ((found.only_in_first, "gone"), (found.only_in_second, "new")):
        if names:
            yield f"{counted(len(names), 'tensor')} {'is' if len(names) == 1 else 'are'} {where}: {some_of(names)}"
    if found.other_forms:
        yield f"of another type or shape, then and now: {some_of(found.other_forms)}"
    if found.differing:
        yield f"{len(found.differing)} of {counted(found.tensors, 'tensor')} differ: {some_of(found.differing)}"
        yield _largest(found.largest)
    if found.not_numbers:
        yield f"{counted(found.not_numbers, 'value')} are infinite or no number on one side"
    if found.unread:
        yield f"compared by their bytes alone: {', '.join(found.unread)}"


def _largest(largest: Largest | None) -> str:
    if largest is None:
        return "their values do not differ, as far as they can be read: 0 and -0 are two bit patterns"
    values = f"{largest.first:.9g} then, {largest.second:.9g} now"
    return f"the largest difference is {largest.difference:.3g}, in {largest.tensor}: {values}"


def _bytes(before: Path, after: Path) -> ModelsCompared:
    """Whether two models of another format are the same to the byte. Nothing in them is unpickled."""
    hashes = [(folder_hash(path) if path.is_dir() else file_hash(path)).sha256 for path in (before, after)]
    if hashes[0] == hashes[1]:
        return ModelsCompared(True, (f"{after.name} is identical to {before.name}, byte for byte.",))
    said = f"{after.name} and {before.name} are not the same bytes; only the weights of safetensors files are compared."
    return ModelsCompared(None, (said,))
