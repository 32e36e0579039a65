"""One model file that an option names: whether it is there, whole, and of a form that the trainer opens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from launcher.base.findings import Code, Finding, Severity
from launcher.base.nearest import nearest
from launcher.data.safetensors_header import Header, Unreadable, Why, read_header

MODEL_MISSING = Code(
    "model-missing",
    Severity.ERROR,
    "The trainer opens its model files after it has imported everything and, for most of them, after it has read the "
    "dataset. A file that is not there is taken for a repository on the hub, or ends the run then.",
    "library/train_util.py, _load_target_model; train_network.py, NetworkTrainer.train",
)
MODEL_DAMAGED = Code(
    "model-damaged",
    Severity.ERROR,
    "safetensors refuses a file whose header cannot be read, or that is shorter than its header says: the download or "
    "copy was cut off.",
    "safetensors, SafeTensors.read_metadata",
)
MODEL_PICKLE = Code(
    "model-pickle",
    Severity.WARNING,
    "A checkpoint written by torch.save is a pickle, and opening one runs whatever code it holds. kl does not open it, "
    "so nothing about it is checked; the trainer will open it.",
    "kl",
)
MODEL_FORM = Code(
    "model-form",
    Severity.ERROR,
    "The trainer chooses how to read a model file by the end of its name, or reads safetensors only: a file of the "
    "other form ends the run when it is opened.",
    "library/model_util.py, is_safetensors; library/safetensors_utils.py, load_safetensors",
)
SAFETENSORS = ".safetensors"


def check_model_file(
    option: str, path: Path, where: str | None, *, by_suffix: bool = True, name: str | None = None
) -> Iterator[Finding]:
    """What is wrong with a file that the trainer opens as a model. A folder that is there is not looked at.

    `by_suffix`: the trainer reads .safetensors as such, and unpickles any other file; otherwise it reads safetensors
    only. `name` is the name by which it does so, where that is not the path's own.
    """
    header = read_header(path)
    if isinstance(header, Unreadable):
        yield from _unreadable(option, path, where, header, by_suffix)
        return
    if header.missing:
        message = f"{option}: {path} is cut off: {size_text(header.missing)} are missing at its end."
        yield MODEL_DAMAGED.at(where, message, "Download or copy it again.")
    opened = name or path.name
    if by_suffix and Path(opened).suffix.lower() != SAFETENSORS:
        message = (
            f"{option}: {path} is safetensors, but the trainer opens it as {opened} and will take it for a pickle."
        )
        yield MODEL_FORM.at(where, message, f"Give it a name that ends in {SAFETENSORS}.")


def header_of(path: Path | None) -> Header | None:
    """The header of a safetensors file, None where there is none that can be read."""
    found = read_header(path) if path else None
    return found if isinstance(found, Header) else None


def missing(option: str, path: Path, where: str | None) -> Finding:
    """The finding for a path that is not there, with the nearest name beside it."""
    folder = path.parent
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError:
        return MODEL_MISSING.at(where, f"{option}: there is no {path}, nor a folder {folder}.", "Correct the path.")
    near = nearest(path.name, names)
    hint = f"Did you mean {folder / near}?" if near else "Correct the path. A relative one counts from the spec."
    return MODEL_MISSING.at(where, f"{option}: there is no {path}.", hint)


def size_text(number: int) -> str:
    """Bytes as people read them, in steps of a thousand."""
    for unit, size in (("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number} bytes"


def _unreadable(option: str, path: Path, where: str | None, found: Unreadable, by_suffix: bool) -> Iterator[Finding]:
    pickle_expected = by_suffix and path.suffix.lower() != SAFETENSORS
    if found.why is Why.MISSING:
        yield missing(option, path, where)
    elif found.why is Why.UNREADABLE or (found.why is Why.NOT_A_FILE and not path.is_dir()):
        yield MODEL_DAMAGED.at(where, f"{option}: {path} {found.message}.", "Look at its permissions.")
    elif found.why in (Why.PICKLE, Why.DAMAGED) and pickle_expected:
        message = f"{option}: {path} is not opened by kl, and not checked: to open a pickle is to run code."
        yield MODEL_PICKLE.at(where, message, f"Use the model's {SAFETENSORS} file where there is one.")
    elif found.why is Why.PICKLE:
        message = f"{option}: {path} {found.message}, and the trainer reads it as safetensors."
        hint = "Give it the name .ckpt." if by_suffix else "Convert it to safetensors."
        yield MODEL_FORM.at(where, message, hint)
    elif found.why is Why.DAMAGED:
        yield MODEL_DAMAGED.at(where, f"{option}: {path} {found.message}.", "Download or copy it again.")
