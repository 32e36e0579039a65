"""The training states of a run: which are whole, and how far each had come."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from launcher.data.safetensors_header import Header, read_header

TRAIN_STATE = "train_state.json"
_LARGEST_TRAIN_STATE = 1 << 16  # bytes; a real one has fifty
_MODEL = re.compile(r"(?:model|pytorch_model)(?:_\d+)?\.(?:safetensors|bin)")
# accelerate saves in this order, train_state.json before and the random states last: accelerate/checkpointing.py,
# save_accelerator_state. All but the first are written by torch.save, as zip files.
_NEEDED = (("optimizer", ".bin"), ("scheduler", ".bin"), ("random_states_", ".pkl"))
_ZIPPED = (".bin", ".pt", ".pkl")
_ZIP_START = b"PK\x03\x04"
_STEP_IN_NAME = re.compile(r"-step(\d+)-state$")


@dataclass(frozen=True)
class State:
    """A state that training can go on from. `step` and `epoch` are those that were done when it was saved."""

    path: Path
    step: int
    epoch: int | None


@dataclass(frozen=True)
class BrokenState:
    """A state that cannot be loaded; `reason` continues a sentence that begins with its name."""

    path: Path
    reason: str


@dataclass(frozen=True)
class States:
    """The states of a run: the whole ones, the newest first, and the others."""

    whole: tuple[State, ...] = ()
    broken: tuple[BrokenState, ...] = ()


def find_states(directory: Path, name: str) -> States:
    """The states NAME-…-state in a run directory. Nothing is unpickled, and nothing raised for what is damaged."""
    looked = [look_at_state(path) for path in _folders(directory, name)]
    whole = sorted((state for state in looked if isinstance(state, State)), key=_age, reverse=True)
    return States(tuple(whole), tuple(state for state in looked if isinstance(state, BrokenState)))


def look_at_state(path: Path) -> State | BrokenState:
    """Whether a state is there to its last byte, as far as the ends of its files say."""
    try:
        names = sorted(entry.name for entry in path.iterdir())
    except OSError as error:
        return BrokenState(path, f"cannot be read: {error.strerror}")
    reason = _lacks(names) or next(filter(None, (_cut_off(path / name) for name in names)), None)
    if reason:
        return BrokenState(path, reason)
    counted = _train_state(path / TRAIN_STATE)
    if isinstance(counted, str):
        return BrokenState(path, counted)
    step, epoch = counted
    named = _STEP_IN_NAME.search(path.name)
    if named and int(named[1]) != step:
        return BrokenState(path, f"is of step {step} by its {TRAIN_STATE}")
    return State(path, step, epoch)


def _folders(directory: Path, name: str) -> Iterator[Path]:
    try:
        entries = sorted(directory.iterdir())
    except OSError:
        return
    for path in entries:
        ours = path.name == f"{name}-state" or (path.name.startswith(f"{name}-") and path.name.endswith("-state"))
        try:
            if ours and path.is_dir():
                yield path
        except OSError:
            continue


def _age(state: State) -> tuple[int, bool, str]:
    """Of two states of one step that at the end of the epoch or of the training was saved later."""
    return state.step, _STEP_IN_NAME.search(state.path.name) is None, state.path.name


def _lacks(names: list[str]) -> str | None:
    if not any(_MODEL.fullmatch(name) for name in names):
        return "has no weights"
    for start, end in _NEEDED:
        if not any(name.startswith(start) and name.endswith(end) for name in names):
            return f"has no {start.strip('_')}{end}"
    return None if TRAIN_STATE in names else f"has no {TRAIN_STATE}"


def _cut_off(file: Path) -> str | None:
    """What a file of a state lacks; None when it is whole, or of a kind that nothing can be said about."""
    try:
        if file.suffix == ".safetensors":
            header = read_header(file)
            if not isinstance(header, Header):
                return f"is damaged: {file.name} {header.message}"
            return f"is not whole: {file.name} lacks {header.missing} bytes" if header.missing else None
        if file.suffix in _ZIPPED and not _is_whole_zip(file):
            return f"is not whole: {file.name} breaks off"
    except OSError as error:
        return f"cannot be read: {file.name}: {error.strerror}"
    return None


def _is_whole_zip(file: Path) -> bool:
    """Whether a file of torch.save has its end: a zip's directory stands there. Raises OSError."""
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        return opened.read(len(_ZIP_START)) == _ZIP_START and zipfile.is_zipfile(opened)


def _train_state(file: Path) -> tuple[int, int | None] | str:
    """The step and the epoch that train_state.json holds, or what is wrong with it."""
    try:
        if not file.is_file():  # a pipe would be waited for
            return f"has no {TRAIN_STATE}"
        with file.open("rb") as opened:
            text = opened.read(_LARGEST_TRAIN_STATE)
        data = json.loads(text)
    except OSError as error:
        return f"cannot be read: {TRAIN_STATE}: {error.strerror}"
    except (ValueError, RecursionError):
        return f"is not whole: {TRAIN_STATE} is no JSON"
    step, epoch = (data.get("current_step"), data.get("current_epoch")) if isinstance(data, dict) else (None, None)
    counted = _count(step)
    return f"has no step in its {TRAIN_STATE}" if counted is None else (counted, _count(epoch))


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
