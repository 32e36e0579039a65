"""Paths as people write them in a spec: `~`, variables, relative to the file that says them; and hub ids."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from launcher.base.errors import ExitCode, KlError
from launcher.base.origin import Origin

_VARIABLE = re.compile(r"\$(?:\{(?P<braced>[^}]*)\}|(?P<plain>[A-Za-z_][A-Za-z0-9_]*))")
_HUB_PART = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_LONGEST_HUB_ID = 96
# The hub would allow these too, but who writes them means a file.
_MODEL_ENDINGS = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".sft", ".gguf")
_TEXT_ENDINGS = (".txt", ".json", ".jsonl", ".toml", ".yaml", ".yml", ".py")
_IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp")


def expand(text: str, base: Path, *, environ: Mapping[str, str] = os.environ, origin: Origin | None = None) -> str:
    """Turn a path as written into an absolute one: `$VAR`, `${VAR}` and `~` expanded, relative to `base`.

    The result is normalised by its text alone (`a/../b` is `b`); nothing on disk is looked at. Empty text stays
    empty: it names no path. Raises KlError (spec refused) for a variable that is not set or empty, which would
    silently turn `$DATA/img` into `/img`, and for a `~user` that is not known.
    """
    if not text:
        return text
    filled = _VARIABLE.sub(lambda match: _variable(match, text, environ, origin), text)
    if filled.startswith("~"):
        at_home = os.path.expanduser(filled)  # noqa: PTH111 - pathlib raises a bare RuntimeError
        if at_home.startswith("~"):
            user = filled[1:].partition("/")[0]
            raise _refused(
                f"The home folder of {user!r} is not known, in {text!r}." if user else f"~ is not known, in {text!r}.",
                "Write the whole path, or ./~… for a name that really begins with ~.",
                origin,
            )
        filled = at_home
    return os.path.abspath(os.path.join(base, filled))  # noqa: PTH100, PTH118 - pathlib cannot normalise by text


def looks_like_hub_id(text: str) -> bool:
    """Whether `text` may be the id of a repository on the hub, `owner/name`. A local path of that name comes first."""
    owner, slash, name = text.partition("/")
    return (
        bool(slash)
        and len(text) <= _LONGEST_HUB_ID
        and all(_HUB_PART.fullmatch(part) and "--" not in part and ".." not in part for part in (owner, name))
        and not name.lower().endswith(_MODEL_ENDINGS + _TEXT_ENDINGS + _IMAGE_ENDINGS)
    )


def _variable(match: re.Match[str], text: str, environ: Mapping[str, str], origin: Origin | None) -> str:
    name: str = match["plain"] or match["braced"] or ""
    value = environ.get(name, "") if name else ""
    if not value:
        how = "is empty" if name in environ else "is not set"
        raise _refused(
            f"The environment variable {name!r} {how}, in {text!r}.",
            f"Set it before starting kl (export {name or 'NAME'}=…), or write the path out.",
            origin,
        )
    return value


def _refused(message: str, hint: str, origin: Origin | None) -> KlError:
    return KlError(message, code=ExitCode.SPEC_REFUSED, where=str(origin) if origin else None, hint=hint)
