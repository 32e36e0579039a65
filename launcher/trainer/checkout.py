"""A checkout of sd-scripts: where it is, what commit it stands at, which training scripts it has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from launcher.base.errors import ExitCode, KlError
from launcher.base.nearest import nearest
from launcher.trainer.commit import head_commit

SD_SCRIPTS = "https://github.com/kohya-ss/sd-scripts"


@dataclass(frozen=True)
class Checkout:
    """The user's clone of sd-scripts. `scripts` are the training scripts at its root, by file name, sorted.

    `commit` is None when it is not a git repository.
    """

    path: Path
    commit: str | None
    scripts: tuple[str, ...]


def open_checkout(path: Path) -> Checkout:
    """Look at a checkout: a folder that holds `library/train_util.py`, or a training script with a `setup_parser`.

    Raises KlError (ENVIRONMENT_NOT_READY) when `path` is missing, not a folder, unreadable, or something else.
    """
    try:
        folder = path.expanduser()
    except RuntimeError as error:  # "~nobody"
        raise _not_ready(f"{path} cannot be found: {error}.", path) from None
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except FileNotFoundError:
        raise _not_ready(f"There is no folder {folder}.", folder) from None
    except NotADirectoryError:
        raise _not_ready(f"{folder} is a file, not a checkout of sd-scripts.", folder) from None
    except (OSError, ValueError) as error:
        raise _not_ready(f"{folder} cannot be read: {getattr(error, 'strerror', None) or error}.", folder) from None
    scripts = tuple(name for name in names if _is_training_script(folder / name))
    if not scripts and not (folder / "library" / "train_util.py").is_file():
        raise _not_ready(f"{folder} is not a checkout of sd-scripts: it has no training scripts.", folder)
    return Checkout(path=folder.resolve(), commit=head_commit(folder), scripts=scripts)


def script_path(checkout: Checkout, script: str) -> Path:
    """The file of a script of the checkout; the `.py` may be left out.

    Raises KlError (SPEC_REFUSED) when there is no such script, with the nearest right name, or when the path
    leaves the checkout.
    """
    if not script or "\0" in script or PureWindowsPath(script).is_absolute() or script.startswith(("/", "~")):
        raise _refused(checkout, script, "A script is named by its file name in the checkout.")
    for name in (script, f"{script}.py"):
        path = checkout.path / name
        if ".." in path.parts:
            raise _refused(checkout, script, "The path leaves the checkout.")
        try:
            found = path.suffix == ".py" and path.is_file()
        except OSError:
            found = False
        if found:
            return path
    raise _refused(checkout, script, f"There is no script {script!r} in {checkout.path}.")


def _is_training_script(path: Path) -> bool:
    # sd-scripts' own naming: `fine_tune.py`, everything else has "train" in its name.
    if path.suffix != ".py" or not ("train" in path.stem or path.stem == "fine_tune"):
        return False
    try:
        # `train_controlnet.py` takes its `setup_parser` from another script, and before v0.5.4 there was none.
        return path.is_file() and any(word in path.read_bytes() for word in (b"setup_parser", b"ArgumentParser"))
    except OSError:
        return False


def _not_ready(message: str, folder: Path) -> KlError:
    return KlError(
        message,
        code=ExitCode.ENVIRONMENT_NOT_READY,
        where=str(folder),
        hint=f"Name the folder of your clone with --sd-scripts, or clone it: git clone {SD_SCRIPTS}",
    )


def _refused(checkout: Checkout, script: str, message: str) -> KlError:
    near = nearest(script.removesuffix(".py"), (name.removesuffix(".py") for name in checkout.scripts))
    listed = ", ".join(checkout.scripts) or "none"
    hint = f"Did you mean {near}.py?" if near is not None else f"Its training scripts: {listed}."
    return KlError(message, code=ExitCode.SPEC_REFUSED, where=script, hint=hint)
