"""Tokenizers that the trainer takes from the hub, and whether they are on this machine."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from launcher.base.words import listed
from launcher.data.model_files import cached_snapshot, hub_is_offline
from launcher.setup.doctor.diagnosis import Diagnosis, advice, fine, wrong
from launcher.setup.doctor.installation import Installation

TOKENIZERS = "tokenizers"
# The files that say which tokenizers a script loads, by how its name begins; of several the first that says any.
_FILES = {
    "flux": ("library/strategy_flux.py",),
    "sd3": ("library/strategy_sd3.py",),
    "sdxl": ("library/strategy_sdxl.py", "library/sdxl_train_util.py"),
    "lumina": ("library/strategy_lumina.py",),
    "hunyuan_image": ("library/hunyuan_image_text_encoder.py",),
    "anima": (),  # from files that are named
    "": ("library/strategy_sd.py", "library/train_util.py"),
}
_USUAL = ("", "sdxl")
_CONSTANT = re.compile(r"^(\w+)\s*=\s*[\"']([\w.-]+/[\w.-]+)[\"']", re.MULTILINE)
_LOADED = re.compile(r"(?:_load_tokenizer|Tokenizer\w*\.from_pretrained|load_tokenizer)\(\s*([^)]*)\)")
_OF_SD2 = "stable-diffusion-2"  # for models of v2 alone (library/strategy_sd.py)
_PARTS = ("tokenizer_config.json", "tokenizer.json", "vocab.json", "spiece.model")
_WANTED = ["*.json", "*.txt", "*.model"]  # of the hub's repository: no weights


@dataclass(frozen=True)
class Wanted:
    """A tokenizer by its name on the hub, and where it is: None when it is nowhere on this machine."""

    name: str
    place: Path | None


def look_at_tokenizers(installation: Installation) -> Iterator[Diagnosis]:
    """The tokenizers of the script that is known, else of those that are used most."""
    if installation.checkout is None:
        return
    names = tokenizers_of(installation.checkout, installation.script, v2=installation.options.get("v2") is True)
    cache = installation.options.get("tokenizer_cache_dir")
    folder = Path(cache).expanduser() if isinstance(cache, str) and cache else None
    found = [Wanted(name, place_of(name, installation.environ, folder)) for name in names]
    if found:
        yield judge_tokenizers(found, installation)


def judge_tokenizers(found: Iterable[Wanted], installation: Installation) -> Diagnosis:
    """What it means where they are."""
    every = list(found)
    missing = [each.name for each in every if each.place is None]
    if not missing:
        return fine(TOKENIZERS, f"{listed(each.name for each in every)} {_are(len(every))} on this machine.")
    mend = fetch(missing, installation.python) if installation.python else None
    if not _is_offline(installation.environ):
        message = (
            f"{listed(missing)} {_are(len(missing))} not on this machine: the first training fetches what it needs."
        )
        return advice(TOKENIZERS, message, mend)
    message = (
        f"{listed(missing)} {_are(len(missing))} not on this machine, and HF_HUB_OFFLINE forbids to fetch anything."
    )
    return (wrong if installation.script else advice)(TOKENIZERS, message, mend)


def tokenizers_of(checkout: Path, script: str | None, *, v2: bool = False) -> tuple[str, ...]:
    """The names on the hub, as the checkout's own source has them."""
    families = _USUAL if script is None else (_family(script),)
    names: list[str] = []
    for family in families:
        files = (_text(checkout / file) for file in _FILES[family])
        names += next(filter(None, map(_names, files)), ())
    return tuple(dict.fromkeys(name for name in names if (_OF_SD2 in name) == v2 or not (v2 or _OF_SD2 in name)))


def place_of(name: str, environ: Mapping[str, str], cache: Path | None) -> Path | None:
    """Where a tokenizer is: in tokenizer_cache_dir as the trainer keeps it there, else in the hub's cache."""
    if cache is not None:
        kept = cache / name.replace("/", "_")
        if kept.exists():
            return kept
    snapshot = cached_snapshot(name, environ)
    if snapshot is None:
        return None
    there = any((folder / part).exists() for folder in (snapshot, snapshot / "tokenizer") for part in _PARTS)
    return snapshot if there else None


def fetch(names: Iterable[str], python: Path) -> str:
    """Fetch tokenizers into the hub's cache, as the trainer would."""
    program = (
        "from huggingface_hub import snapshot_download as fetch; "
        f"[fetch(name, allow_patterns={json.dumps(_WANTED)}) for name in {json.dumps(list(names))}]"
    )
    return f"env -u HF_HUB_OFFLINE -u TRANSFORMERS_OFFLINE {shlex.join([str(python), '-c', program])}"


def _family(script: str) -> str:
    return next(family for family in _FILES if Path(script).name.startswith(family))


def _names(source: str) -> tuple[str, ...]:
    constants = dict(_CONSTANT.findall(source))
    words = re.findall(r"\w+", " ".join(_LOADED.findall(source)))
    used = [name for name in constants if name in words]
    # Before v0.10 they are handed on by other names: all that are named so count then.
    handed_on = [name for name, text in constants.items() if "TOKENIZER" in name or _OF_SD2 in text]
    return tuple(constants[name] for name in used or handed_on)


def _is_offline(environ: Mapping[str, str]) -> bool:
    return hub_is_offline(environ) or hub_is_offline({"HF_HUB_OFFLINE": environ.get("TRANSFORMERS_OFFLINE", "")})


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
