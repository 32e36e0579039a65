"""One question to git: plumbing commands only, and nothing of the repository's own is run."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

# What of the user's own GIT_… variables is kept: how to reach others. The rest would ask another repository, or
# write traces.
_KEPT = re.compile(
    r"GIT_(SSH|SSH_COMMAND|SSH_VARIANT|EXEC_PATH|SSL_\w+|HTTP_\w+|PROXY_\w+|ALLOW_PROTOCOL|PROTOCOL_FROM_USER"
    r"|CONFIG_(GLOBAL|SYSTEM|NOSYSTEM|COUNT|KEY_\d+|VALUE_\d+)|CEILING_DIRECTORIES|DISCOVERY_ACROSS_FILESYSTEM)"
)
_OWN = {
    "GIT_TERMINAL_PROMPT": "0",  # nobody is there to type a password
    "GIT_ASKPASS": "true",  # … nor to see a window that asks for one
    "SSH_ASKPASS": "true",
    "GIT_OPTIONAL_LOCKS": "0",  # the user's index is not even refreshed
    "GIT_NO_REPLACE_OBJECTS": "1",  # a commit is what its hash says
    "GIT_NO_LAZY_FETCH": "1",  # a partial clone is not filled by looking at it
    "LC_ALL": "C",
}
_SETTINGS = ("core.fsmonitor=false", "core.hooksPath=/dev/null", "core.quotePath=true", "protocol.version=2")

# Names, passwords and tokens before a host. `git@`, which every public server has, says nothing and is needed for ssh.
_CREDENTIALS = re.compile(r"([a-zA-Z][\w+.-]*://)(?!git@[^@/\s]*(?:[/\s]|$))[^/\s]*@")
_QUERY = re.compile(r"([a-zA-Z][\w+.-]*://[^\s?'\"]*)\?[^\s'\"]*")  # such as ?access_token=…


class GitError(Exception):
    """Git is not there, did not answer in time, or refused. The text says why, without credentials."""


def git(
    folder: Path,
    *words: str,
    stdin: bytes | None = None,
    variables: Mapping[str, str] | None = None,
    patience: float = 5.0,
    also_fine: Collection[int] = (),
) -> bytes:
    """What `git words` prints in `folder`. `variables` are set over the cleaned environment, which has no GIT_DIR.

    `patience` is in seconds; `also_fine` are exit codes that mean an answer as well. Raises GitError.
    """
    command = ["git", *(word for setting in _SETTINGS for word in ("-c", setting)), *words]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or _kept(name)}
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**environment, **_OWN, **(variables or {})},
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # ssh cannot ask the terminal then, and all that git starts ends with it
        )
    except (OSError, ValueError) as error:
        raise GitError(_not_started(error, folder)) from None
    try:
        answer, complaint = process.communicate(stdin, timeout=patience)
    except BaseException as error:
        _end(process)
        if isinstance(error, subprocess.TimeoutExpired):
            raise GitError(f"git {words[0]} took longer than {patience:g} seconds") from None
        raise
    if process.returncode != 0 and process.returncode not in also_fine:
        raise GitError(said(complaint) or f"git {words[0]} ended with {process.returncode}")
    return answer


def without_credentials(url: str) -> str:
    """The URL of a remote, or a text with URLs in it, without name and password before a host and what follows "?"."""
    return _QUERY.sub(r"\1", _CREDENTIALS.sub(r"\1", url))


def said(text: bytes) -> str:
    """What git complained of, in one line without credentials."""
    return without_credentials(" ".join(text.decode("utf-8", "replace").split())[:300])


def _kept(name: str) -> bool:
    return _KEPT.fullmatch(name) is not None


def _not_started(error: Exception, folder: Path) -> str:
    if isinstance(error, FileNotFoundError):
        return "git is not installed" if folder.is_dir() else f"{folder} is not there"
    return f"git cannot be started: {getattr(error, 'strerror', None) or error}"


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):  # the session that it leads: git's own children, nobody else's
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with suppress(OSError):  # what was left to be written to it
                pipe.close()
