"""Which words of a command are the training script, and what the words before it say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from launcher.spec.shell_values import Field

_PYTHON = re.compile(r"python[0-9.]*")
_STARTERS = ("accelerate", "torchrun", "run_training_script", "accelerate.commands.launch", "deepspeed")
_SYSTEM = ("/usr/bin", "/usr/local/bin", "/bin")
_CONDAS = ("conda", "mamba", "micromamba")


def script_at(fields: Sequence[Field]) -> int | None:
    """Which word is the training script; None when this is no training command."""
    for index, each in enumerate(fields):
        name = each.text.rpartition("/")[2]
        # sd-scripts' own naming: fine_tune.py, everything else has "train" in its name.
        if name.endswith(".py") and ("train" in name or name == "fine_tune.py"):
            return index if index == 0 or any(map(_starts, fields[:index])) else None
    names = [each.text for each in fields]
    launches = names[:1] == ["run_training_script"] or ["accelerate", "launch"] in (names[0:2], names[1:3])
    unknown = [index for index, each in enumerate(fields) if each.why and not each.text.startswith("-")]
    return unknown[0] if launches and unknown else None


def _starts(word: Field) -> bool:
    name = word.text.rpartition("/")[2]
    return name in _STARTERS or bool(_PYTHON.fullmatch(name)) or bool(word.why)


def known_end(script: Field) -> str | None:
    """The script's path, or its name alone where only that is known."""
    if not script.why:
        return script.text
    name = script.text.rpartition("/")[2]
    return name if name.endswith(".py") and "$" not in name and "/" in script.text else None


def of_accelerate(before: Sequence[Field]) -> Sequence[Field]:
    """The words between `accelerate launch` and the script."""
    for index, each in enumerate(before):
        if each.text == "accelerate.commands.launch":
            return before[index + 1 :]
        if each.text == "launch" and index and before[index - 1].text.rpartition("/")[2] == "accelerate":
            return before[index + 1 :]
    return ()


def env_words(before: Sequence[Field]) -> list[tuple[str, Field]]:
    """`env NAME=value … python`."""
    if not any(each.text == "env" for each in before[:2]):
        return []
    matches = [(re.fullmatch(r"([A-Za-z_]\w*)=(.*)", each.text, re.DOTALL), each) for each in before]
    return [(match[1], Field(match[2], each.line, each.why)) for match, each in matches if match]


def environment_of(before: Sequence[Field]) -> Mapping[str, str]:
    """What the command itself says of the environment: a program's whole path, `conda run -n NAME`."""
    texts = [each.text for each in before]
    if texts[:1] and texts[0] in _CONDAS and "run" in texts[1:2]:
        for flag, name in pairwise(texts):
            if flag in ("-n", "--name", "-p", "--prefix"):
                return {"kind": "conda", "path" if "p" in flag.strip("-")[:1] else "name": name}
    for each in before:
        folder, _, name = each.text.rpartition("/")
        if folder.startswith("/") and not each.why and folder not in _SYSTEM:
            if _PYTHON.fullmatch(name):
                return {"path": each.text}
            if name == "accelerate" and folder.endswith("/bin"):
                return {"path": folder.removesuffix("/bin")}
    return {}
