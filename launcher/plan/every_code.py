"""Every kind of finding there is, by the module that makes it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Collection, Iterator

import launcher.plan
from launcher.base.errors import ExitCode, KlError
from launcher.base.findings import Code, Finding
from launcher.base.nearest import nearest
from launcher.plan.checks.rules.rule import Rule


def every_code() -> dict[str, Code]:
    """All kinds of findings by name, sorted. Loads every check: only for commands that ask for a code by name."""
    codes = {code.name: code for code in _codes()}
    return dict(sorted(codes.items()))


def code_named(name: str) -> Code:
    """The kind of finding of this name. Raises KlError (wrong usage) for one there is not, with the nearest name."""
    codes = every_code()
    if name not in codes:
        near = nearest(name, codes)
        hint = f"Did you mean {near}?" if near else "kl findings lists them."
        raise KlError(f"There is no finding {name}.", code=ExitCode.USAGE, hint=hint)
    return codes[name]


def let_through(findings: Collection[Finding], allowed: Collection[str]) -> tuple[list[Finding], list[Finding]]:
    """The findings that still count, and those that the user lets through by their codes.

    Raises KlError (wrong usage) for a code that is none, and for one without which nothing could be launched.
    """
    for name in allowed:
        if not code_named(name).can_be_allowed:
            hint = "Correct what it points at."
            message = f"{name} cannot be allowed: nothing could be launched with it, or must not be."
            raise KlError(message, code=ExitCode.USAGE, hint=hint)
    counting = [finding for finding in findings if finding.code not in allowed]
    return counting, [finding for finding in findings if finding.code in allowed]


def _codes() -> Iterator[Code]:
    for module in pkgutil.walk_packages(launcher.plan.__path__, "launcher.plan."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Code):
                yield value
            elif isinstance(value, Rule):
                yield value.code
