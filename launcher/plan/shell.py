"""A plan as a script for a POSIX shell: pasted there, it does what `kl launch` would start."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from launcher.plan.plan import Plan, PlannedFile


def as_shell(plan: Plan) -> str:
    """The run directory with its files, then the trainer. Stops at the first failure, such as a run that exists."""
    return "\n".join(_lines(plan)) + "\n"


def _lines(plan: Plan) -> Iterator[str]:
    quote = quoted
    directory = str(plan.directory)
    yield f"mkdir -p {quote(str(plan.directory.parent))} &&"
    yield f"mkdir {quote(directory)} &&"
    for file in plan.files:
        yield f"{_write(file, f'{directory}/{file.name}')} &&"
    yield f"cd {quote(str(plan.trainer.checkout))} &&"
    if plan.environment.secrets:
        yield f"# not shown, for they are secret: {', '.join(plan.environment.secrets)}. Set them before."
    if plan.environment.unset:
        yield f"unset {' '.join(plan.environment.unset)} &&"
    variables = {**plan.environment.variables, **plan.variables}
    words = ["env", *(f"{key}={value}" for key, value in variables.items()), *plan.argv]
    yield " \\\n  ".join(quote(word) for word in words)


def _write(file: PlannedFile, target: str) -> str:
    if file.source is not None:
        return f"cp {quoted(str(file.source))} {quoted(target)}"
    return f"printf %s {quoted(file.content.decode())} > {quoted(target)}"


def quoted(word: str) -> str:
    """A word for the shell. Control characters are spelled out: they never reach a terminal that shows this."""
    pieces = re.split(r"([^\n -~]+)", word)
    if all(piece.isprintable() for piece in pieces[1::2]):
        return shlex.quote(word)
    return "".join(_spelled(piece) if odd % 2 else shlex.quote(piece) for odd, piece in enumerate(pieces) if piece)


def _spelled(piece: str) -> str:
    codes = "".join(f"\\{byte:03o}" for byte in piece.encode("utf-8", "surrogateescape"))
    return f"\"$(printf '{codes}')\""
