"""A question to whoever sits at the terminal."""

from __future__ import annotations

import sys

from launcher.base.errors import ExitCode, KlError


def asked(question: str, *, missing: str, otherwise: str) -> str:
    """The answer to a question, asked until there is one.

    Raises KlError (usage) with what is `missing` and how to give it `otherwise` where nobody can be asked, and when the
    input ends.
    """
    if not sys.stdin.isatty():
        raise KlError(missing, code=ExitCode.USAGE, hint=otherwise)
    while True:
        try:
            answer = input(f"{question}: ").strip()
        except EOFError:
            print()
            raise KlError(missing, code=ExitCode.USAGE, hint=otherwise) from None
        if answer:
            return answer
