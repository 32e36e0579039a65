"""Where the user's checkout of sd-scripts is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from launcher.base.errors import ExitCode, KlError
from launcher.base.findings import Finding
from launcher.base.nearest import nearest
from launcher.base.origin import Source
from launcher.base.settings import Setting
from launcher.plan.codes import NAMED_TWICE
from launcher.plan.tables import RUN, OwnTables, written_path
from launcher.setup.user_config import UserConfig, is_name, read_user_config
from launcher.spec.environment import from_environment

# Looked at when nothing names a checkout, in this order.
USUAL_PLACES = ("~/source/repos/sd-scripts", "~/sd-scripts")
_KEY = f"{RUN}.sd_scripts"


@dataclass(frozen=True)
class FoundCheckout:
    """Its folder, which is not looked at, and what there is to say of how it was found."""

    path: Path
    findings: tuple[Finding, ...] = ()


def checkout_of(tables: OwnTables, config: UserConfig) -> FoundCheckout:
    """The checkout of a run: the folder or the configured name in `run.sd_scripts`, else the only one configured, else
    in a usual place.

    Raises KlError: for a name that is not configured, with those that are, and when there is none (environment not
    ready); for a path that cannot be expanded (spec refused).
    """
    if tables.run.sd_scripts is None:
        return FoundCheckout(unnamed_checkout(config))
    return _named(tables.origins[_KEY], config)


def find_checkout(explicit: Path | None) -> Path:
    """The checkout a command works on: the one given, else SD_REPO, the user's configuration, the usual places.

    Raises KlError (environment not ready) when none is named and none is there. What is named is not looked at.
    """
    config = read_user_config()
    if explicit is not None:
        by_name = config.checkouts.get(str(explicit))
        return written_path(by_name) if by_name and not os.path.lexists(explicit) else explicit
    for setting in (*from_environment(os.environ), *config.settings):
        if setting.path == _KEY and isinstance(setting.value, str):
            return _named(setting, config).path
    return unnamed_checkout(config)


def usual_checkout() -> Path:
    """The checkout in one of the usual places. Raises KlError (environment not ready) when there is none."""
    for place in USUAL_PLACES:
        path = Path(place).expanduser()
        if path.is_dir():
            return path
    raise KlError(
        "No checkout of sd-scripts is known.",
        code=ExitCode.ENVIRONMENT_NOT_READY,
        hint="Make one: kl setup. Or name yours: sd_scripts in [run], or SD_REPO.",
    )


def unnamed_checkout(config: UserConfig) -> Path:
    """The checkout of whoever names none. Raises KlError (environment not ready) when there is none, or a choice."""
    if len(config.checkouts) == 1:
        return written_path(next(iter(config.checkouts.values())))
    try:
        return usual_checkout()
    except KlError as error:
        if not config.checkouts:
            raise
        hint = f"Configured are: {', '.join(sorted(config.checkouts))}. Write one of them: sd_scripts in [run]."
        raise KlError("No checkout of sd-scripts is named.", code=error.code, hint=hint) from None


def _named(setting: Setting, config: UserConfig) -> FoundCheckout:
    """SD_REPO is always a path. Elsewhere a configured name comes before a folder of that name."""
    text = str(setting.value)
    path = written_path(setting)
    if setting.origin.source is Source.ENVIRONMENT:
        return FoundCheckout(path)
    if text in config.checkouts:
        meant = written_path(config.checkouts[text])
        return FoundCheckout(meant, _said(setting, meant, path, config.checkouts))
    if is_name(text) and config.checkouts and not os.path.lexists(path):
        near = nearest(text, config.checkouts)
        there = f"Configured are: {', '.join(sorted(config.checkouts))}."
        raise KlError(
            f"There is no checkout called {text}, and no folder {path}.",
            code=ExitCode.ENVIRONMENT_NOT_READY,
            where=str(setting.origin),
            hint=f"Did you mean {near}? {there}" if near else there,
        )
    return FoundCheckout(path)


def _said(setting: Setting, meant: Path, path: Path, checkouts: Mapping[str, Setting]) -> tuple[Finding, ...]:
    if not os.path.isdir(path) or os.path.realpath(path) == os.path.realpath(meant):  # noqa: PTH112 - never raises
        return ()
    text = str(setting.value)
    message = f"{text} is {meant}, the checkout of that name in {checkouts[text].origin}, and not the folder {path}."
    return (NAMED_TWICE.at(str(setting.origin), message, f"For the folder write ./{text}."),)
