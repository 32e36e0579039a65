"""uv and pip, as far as kl needs them: a virtual environment of a Python version, and packages in it.

They read the user's own settings: package indexes, mirrors, proxies, certificates. kl names no index.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from launcher.base.words import counted, listed
from launcher.record.environment import PythonRecord, python_record
from launcher.record.packages import PackageRecord, without_secrets
from launcher.record.requirements import last_words, why_not

# Set for another environment, project or repository than those that are made.
_NOT_OURS = frozenset({
    "VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER",
    "PIP_PYTHON", "PIP_DRY_RUN", "UV_PYTHON", "UV_PROJECT", "UV_PROJECT_ENVIRONMENT", "UV_SYSTEM_PYTHON",
    "UV_WORKING_DIR", "__PYVENV_LAUNCHER__", "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE",
})  # fmt: skip
_NOBODY_IS_ASKED = {"PIP_USER": "0", "PIP_NO_INPUT": "1", "GIT_TERMINAL_PROMPT": "0", "NO_COLOR": "1"}


class CannotMakeEnvironment(Exception):  # noqa: N818 - as it is said
    """No environment like the recorded one can be made; the text says why, in whole sentences."""


def surroundings(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables that git, pip and uv get: the user's settings, but for what is about another environment."""
    return {**{name: value for name, value in environ.items() if name not in _NOT_OURS}, **_NOBODY_IS_ASKED}


def make_venv(python: PythonRecord, folder: Path) -> None:
    """Make an empty virtual environment with this Python: of its very version, else of the same minor one.

    By uv where it is there, which may download Python, else by an interpreter of that version that is on the PATH or
    where the run had it. Raises CannotMakeEnvironment.
    """
    version = python.version or ""
    minor = ".".join(version.split(".")[:2])
    present = [each for each in _interpreters(python, minor) if each.implementation == python.implementation]
    exact = [each for each in present if each.version == version]
    near = [each for each in present if (each.version or "").startswith(f"{minor}.")]
    uv = shutil.which("uv")
    kind = "" if python.implementation in (None, "CPython") else f"{str(python.implementation).lower()}@"
    tried: list[str] = []
    candidates: list[PythonRecord | str] = [*exact[:1], f"{kind}{version}", *near[:1]]
    for wanted in candidates:
        command = _venv_command(uv, wanted, folder)
        if command is None:
            continue
        code, output = _run(command)
        if code == 0:
            return
        tried.append(last_words(output))
        shutil.rmtree(folder, ignore_errors=True)
    reason = f" {tried[0]}." if tried else ""
    raise CannotMakeEnvironment(
        f"No Python {version} can be had.{reason} Install it, or uv, which brings it, and have it on the PATH."
    )


def install(folder: Path, lines: Sequence[str], packages: Sequence[PackageRecord], say: Callable[[str], None]) -> None:
    """Install these lines of a requirements file, and nothing that they depend on. Raises CannotMakeEnvironment."""
    answers = []
    with tempfile.TemporaryDirectory(prefix="kl-requirements-") as temporary:
        file = Path(temporary, "requirements.txt")
        for name, command, options in _installers(folder):
            words = map(_for_pip, lines) if name == "pip" else lines
            file.write_text("".join(f"{line}\n" for line in words), encoding="utf-8", errors="surrogateescape")
            say(f"Installing {counted(len(lines), 'package')} with {name}: this may take minutes.")
            code, output = _run([*command, "install", *options, "--no-deps", "-r", str(file)])
            if code == 0:
                return
            answers.append((name, output))
    raise CannotMakeEnvironment(_why(answers, packages))


def uninstall(folder: Path, names: Sequence[str]) -> None:
    """Take packages away that came with the environment."""
    for name, command, options in _installers(folder) if names else ():
        yes = ["-y"] if name == "pip" else []
        if _run([*command, "uninstall", *options, *yes, *names])[0] == 0:
            return


def _interpreters(python: PythonRecord, minor: str) -> Iterator[PythonRecord]:
    """Interpreters that may have the version, with what they say of themselves."""
    root = Path(os.environ.get("PYENV_ROOT") or Path("~/.pyenv").expanduser())
    places = [python.executable, *map(str, sorted(root.glob(f"versions/{minor}.*/bin/python"), reverse=True))]
    for name in (f"python{minor}", "python3", "python"):
        places.append(shutil.which(name) or "")
    for place in dict.fromkeys(filter(None, places)):
        record, problem = python_record(Path(place), surroundings())
        if problem is None:
            yield record


def _venv_command(uv: str | None, wanted: PythonRecord | str, folder: Path) -> list[str] | None:
    """The command that makes a venv; None where only uv knows a Python of this version, and there is no uv."""
    if isinstance(wanted, str):
        return [uv, "venv", "--python", wanted, str(folder)] if uv else None
    if uv:
        return [uv, "venv", "--python", wanted.executable, str(folder)]
    return [wanted.executable, "-m", "venv", str(folder)]


def _installers(folder: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """uv where it is there, and pip: name, command, options. Each may know an index that the other does not."""
    python = str(folder / "bin" / "python")
    uv = shutil.which("uv")
    if uv:
        yield "uv", [uv, "pip"], ["--python", python]
    if _run([python, "-m", "pip", "--version"])[0] == 0 or _run([python, "-m", "ensurepip"])[0] == 0:
        yield "pip", [python, "-m", "pip"], []


def _for_pip(line: str) -> str:
    """A line as pip takes it too: its "NAME @ URL" has to have a host, which a repository of this machine has not."""
    name, at, url = line.partition(" @ ")
    if not at or not url.startswith("git+file:///"):
        return line
    place, _, inside = url.partition("#")
    return f"{place}#egg={name}{f'&{inside}' if inside else ''}"


def _why(answers: Sequence[tuple[str, str]], packages: Sequence[PackageRecord]) -> str:
    """Why nothing could be installed, by what pip, else uv, answered."""
    if not answers:
        return "The packages cannot be installed: there is neither uv nor pip."
    for _, output in reversed(answers):
        package = why_not(output, packages)
        if package is not None:
            local = "+" in package.version
            where = "Such builds are on an index of their maker's: add it" if local else "Add an index that has it"
            names = listed((name for name, _ in answers), "or")
            return f"{package.name} {package.version} cannot be had by {names}. {where} to the settings of pip or uv."
    name, output = answers[-1]
    return f"The packages cannot be installed, {name} says: {last_words(output)}."


def _run(command: Sequence[str]) -> tuple[int, str]:
    """The exit status of a command and what it printed, without credentials. It is never asked for a password."""
    with tempfile.TemporaryDirectory(prefix="kl-installer-") as elsewhere:  # no project's settings are meant
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                cwd=elsewhere,
                env=surroundings(),
                check=False,
            )
        except OSError as error:
            return 127, str(error)
    return done.returncode, without_secrets(done.stdout)
