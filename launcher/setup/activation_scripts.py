"""conda's activation scripts: run by one shell, which tells what they leave behind."""

from __future__ import annotations

import os
import re
import selectors
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from launcher.plan.secrets import secrets_in
from launcher.record.packages import without_secrets

PATIENCE = 10.0  # seconds for all scripts together
_MOST_WORDS = 64 * 1024  # bytes of what they print that are kept; the rest is read and forgotten
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OF_THE_SHELL = frozenset({"_", "SHLVL", "PWD", "OLDPWD", "PS1", "SHELLOPTS", "BASHOPTS", "kl_status"})
_READ_AT_START = frozenset({"BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS"})  # would change the shell that runs them
_ENDED = b"kl-ended "  # no variable: those have an equals sign


@dataclass(frozen=True)
class Ran:
    """What the scripts leave: the whole environment, and what went wrong. `whole`: none of them had to be ended."""

    environ: Mapping[str, str]
    problems: tuple[str, ...] = ()
    whole: bool = True


def shell(environ: Mapping[str, str]) -> str:
    """The shell that runs them: bash where it is there, as conda itself chooses."""
    path = environ.get("PATH", os.defpath)
    return shutil.which("bash", path=path) or shutil.which("sh", path=path) or "/bin/sh"


def run_scripts(
    scripts: Sequence[Path],
    environ: Mapping[str, str],
    folder: Path,
    patience: float = PATIENCE,
    ends: float | None = None,
) -> Ran:
    """Run the scripts one after another, as activation does: in one shell, which is only started anew after a script
    that ended it. What they print is not shown.

    `folder` is where they run. They have `patience` seconds, until `ends` when others ran before them. A script counts
    as failed when it said why; many end with a status that means nothing.
    """
    ends = time.monotonic() + patience if ends is None else ends
    state, left, problems = dict(environ), list(scripts), []
    while left:
        blocks, words, status = _run(left, state, folder, ends)
        for script, (code, environment), said in zip(left, blocks, words, strict=False):
            state = _merged(state, environment)
            if code != "0" and said:
                problems.append(_problem(script, f"failed: {said}", state))
        left = left[len(blocks) :]
        if not left:
            break
        script, *left = left
        if status is None:
            rest = f"; {', '.join(each.name for each in left)} did not run" if left else ""
            problems.append(_problem(script, f"took more than {patience:g} s{rest}", state))
            return Ran(state, tuple(problems), whole=False)
        said = words[len(blocks)] if len(blocks) < len(words) else ""
        problems.append(_problem(script, f"ended its shell: {said or f'status {status}'}", state))
    return Ran(state, tuple(problems))


def _run(
    scripts: Sequence[Path], environ: Mapping[str, str], folder: Path, ends: float
) -> tuple[list[tuple[str, dict[str, str]]], list[str], int | None]:
    """For each script that ended: its status with the environment after it, and the last line it said; the shell's
    exit status, None when it had to be ended.
    """
    argv = [shell(environ), "-c", _program(scripts, environ)]
    if os.path.basename(argv[0]) == "bash":  # noqa: PTH119
        argv[1:1] = ["--noprofile", "--norc"]
    given = {name: value for name, value in environ.items() if name not in _READ_AT_START}
    try:
        process = subprocess.Popen(
            argv,
            env=given,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return [], [getattr(error, "strerror", None) or str(error)], 127
    with process:
        told, said, in_time = _read(process, ends)
        if not in_time:
            with suppress(OSError):  # its whole session; not reaped before, so the id is its own
                os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
    words = [_last_line(part) for part in said.split(b"\0")]
    return list(_blocks(told)), words, status if in_time else None


def _program(scripts: Iterable[Path], environ: Mapping[str, str]) -> str:
    """Sources each script, then tells status and environment. `||` keeps a `set -e` in a script to itself."""
    env = shlex.quote(shutil.which("env", path=environ.get("PATH", os.defpath)) or "/usr/bin/env")
    return "\n".join(
        f"kl_status=0; . {shlex.quote(str(script))} >/dev/null || kl_status=$?\n"
        f"{env} -0; printf 'kl-ended %s\\0' \"$kl_status\"; printf '\\0' >&2"
        for script in scripts
    )


def _read(process: subprocess.Popen[bytes], ends: float) -> tuple[bytes, bytes, bool]:
    """What the shell tells and says, until it has told everything; and whether it did so in time.

    A program that a script left running may hold the other end of what is said: that is not waited for.
    """
    told, said = bytearray(), bytearray()
    with selectors.DefaultSelector() as waiting:
        for stream, kept in ((process.stdout, told), (process.stderr, said)):
            if stream is not None:  # both are pipes
                waiting.register(stream, selectors.EVENT_READ, kept)
        while any(key.data is told for key in waiting.get_map().values()):
            left = ends - time.monotonic()
            if left <= 0:
                return bytes(told), bytes(said), False
            for key, _ in waiting.select(left):
                piece = os.read(key.fd, 65536)
                if not piece:
                    waiting.unregister(key.fileobj)
                elif key.data is told or len(said) < _MOST_WORDS:
                    key.data.extend(piece)
    return bytes(told), bytes(said), True


def _blocks(told: bytes) -> Iterable[tuple[str, dict[str, str]]]:
    found: dict[str, str] = {}
    for item in told.split(b"\0"):
        name, equals, value = item.partition(b"=")
        if equals:
            if _NAME.fullmatch(name.decode("latin-1")):
                found[name.decode()] = os.fsdecode(value)
        elif item.startswith(_ENDED):
            yield item[len(_ENDED) :].decode("latin-1"), found
            found = {}


def _merged(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """The environment after a script, without what is the shell's own doing, and what it was not given."""
    kept = {name: value for name, value in before.items() if name in _OF_THE_SHELL | _READ_AT_START}
    odd = {name: value for name, value in before.items() if not _NAME.fullmatch(name)}
    return {**{name: value for name, value in after.items() if name not in _OF_THE_SHELL}, **kept, **odd}


def _last_line(text: bytes) -> str:
    lines = [line for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
    line = lines[-1].strip() if lines else ""
    return "".join(each if each.isprintable() else "?" for each in line)[:300]


def _problem(script: Path, what: str, environ: Mapping[str, str]) -> str:
    if secrets_in(what, environ):
        what = f"{what.partition(':')[0]}, and its words hold a secret"
    return f"{script} {without_secrets(what.replace(f': {script}: ', ': '))}"
