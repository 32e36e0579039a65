"""A question to another program, which may not answer."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence


def ask(
    words: Sequence[str], patience: float, environ: Mapping[str, str] | None = None, *, with_errors: bool = False
) -> str:
    """What a program prints, with what it says on its standard error when asked for; it is given no input.

    `patience` is in seconds. Raises OSError when it cannot be started, subprocess.SubprocessError when it fails or
    takes longer.
    """
    done = subprocess.run(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if with_errors else subprocess.PIPE,
        timeout=patience,
        check=True,
        text=True,
        errors="replace",
        env=None if environ is None else dict(environ),
    )
    return done.stdout
