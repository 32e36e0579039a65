"""What a script of a checkout takes from sample prompts: the flags of a line, the keys of a table, what it does next.

Read from the source of its prompt reader (library/train_util.py: line_to_prompt_dict, or sample_images in old releases)
and of the functions that draw the samples (sample_image_inference of each family).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from launcher.trainer.cache import remembered
from launcher.trainer.sampling_functions import ENTRY, Function, sampling_functions
from launcher.trainer.static.sources import Sources

SEPARATOR = " --"
_KIND = "prompt-flags"
_PATTERN = re.compile(r"\^?(\w+) \((.+)\)\$?")  # a name, one blank, one value
_MULTIPLE = ("width", "height")


@dataclass(frozen=True)
class PromptFlag:
    """One flag of a prompt line, `--NAME VALUE`, and the key it sets.

    `pattern` is the trainer's own: it is matched at the text behind the dashes, whatever the case, and what follows
    the match is dropped. `kind` is int, float or text; a number is then brought between `least` and `most`.
    """

    name: str
    key: str
    pattern: str
    kind: str
    least: int | None = None
    most: int | None = None


@dataclass(frozen=True)
class PromptKey:
    """One key that the sampling function looks up. `converted`: through int() or float(), so that text will do."""

    name: str
    default: int | float | str | None
    converted: bool


@dataclass(frozen=True)
class PromptReader:
    """How one script reads sample prompts. `flags` are in the order in which they are tried.

    `complete`: all of the reader was understood, so that a flag not in `flags` is none. `tables`: it reads .toml and
    .json too. Sizes are brought to a `multiple`, and to `smallest` at least (None: not known). `samplers` are the
    names that mean something; any other means ddim. `spread`: the processes share the prompts out.
    `opens_image`: a controlnet_image is opened. `seed_above_zero`: it insists on that. `pipelines` are the files of
    the pipelines that cut a prompt into chunks of CLIP tokens; the words of any other model are not counted so.
    """

    flags: tuple[PromptFlag, ...]
    complete: bool
    tables: bool
    keys: tuple[PromptKey, ...]
    multiple: int | None
    smallest: int | None
    samplers: tuple[str, ...]
    spread: bool
    opens_image: bool
    seed_above_zero: bool
    pipelines: tuple[str, ...]

    def flag(self, name: str) -> PromptFlag | None:
        """The flag of this name, whatever its case."""
        return next((flag for flag in self.flags if flag.name == name.lower()), None)

    def flag_of(self, key: str) -> PromptFlag | None:
        """The flag that sets a key."""
        return next((flag for flag in self.flags if flag.key == key), None)

    def key(self, name: str) -> PromptKey | None:
        """The key that is looked up under this name."""
        return next((key for key in self.keys if key.name == name), None)


@dataclass(frozen=True)
class Part:
    """One piece of a prompt line between two separators: the flag it matched, the value taken, what was dropped."""

    text: str
    flag: PromptFlag | None = None
    value: str = ""
    rest: str = ""

    def number(self) -> int | float | None:
        """The value as the trainer converts it, before it is brought between limits; None when it cannot be."""
        try:
            return int(self.value) if self.flag and self.flag.kind == "int" else float(self.value)
        except ValueError:
            return None


def parts_of(line: str, flags: Sequence[PromptFlag], most: int = -1) -> list[Part]:
    """A prompt line as the trainer takes it apart: the prompt first, which it tries for a flag as well.

    `most` ends the cutting after so many separators.
    """
    return [_part(text, flags) for text in line.split(SEPARATOR, most)]


def _part(text: str, flags: Sequence[PromptFlag]) -> Part:
    for flag in flags:
        match = _compiled(flag.pattern).match(text)
        if match:
            return Part(text, flag, match[1], text[match.end() :])
    return Part(text)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def read_prompt_reader(root: Path, script: str, *, cache: Path | None = None) -> PromptReader | None:
    """How a script of the checkout in `root` reads sample prompts; None where that cannot be followed.

    A script that draws no samples has no reader either.
    """
    return remembered(
        _KIND, root, [script], lambda sources: _read(sources, script), encode=_encode, decode=_decode, cache=cache
    )  # fmt: skip


def _encode(reader: PromptReader | None) -> Any:
    return asdict(reader) if reader else None


def _decode(kept: Any) -> PromptReader | None:
    if kept is None:
        return None
    flags = tuple(PromptFlag(**flag) for flag in kept["flags"])
    for flag in flags:
        _compiled(flag.pattern)
    lists = {name: tuple(kept[name]) for name in ("samplers", "pipelines")}
    return PromptReader(**{**kept, **lists, "flags": flags, "keys": tuple(PromptKey(**key) for key in kept["keys"])})


def _read(sources: Sources, script: str) -> PromptReader | None:
    functions = sampling_functions(sources, script)
    nodes = [node for function in functions for node in ast.walk(function.node)]
    flags = tuple(flag for function in functions for flag in _flags(function.node))
    if not flags or not _splits(nodes):
        return None
    multiple, smallest = _multiple(nodes)
    return PromptReader(
        flags=flags,
        complete=len(flags) == sum(_is_call(node, "match") for node in nodes),
        tables=_has_text(nodes, ".toml") and _has_text(nodes, ".json"),
        keys=tuple(_keys(nodes)),
        multiple=multiple,
        smallest=smallest,
        samplers=tuple(dict.fromkeys(_samplers(nodes))),
        spread=any(isinstance(node, ast.Attribute) and node.attr == "split_between_processes" for node in nodes),
        opens_image=any(_is_call(node, "open") and "controlnet_image" in _names(node) for node in nodes),
        seed_above_zero=any(isinstance(node, ast.Assert) and "seed > 0" in ast.unparse(node.test) for node in nodes),
        pipelines=tuple(_pipelines(functions)),
    )


def _flags(function: ast.AST) -> Iterator[PromptFlag]:
    """Each `m = re.match(PATTERN, …)` with the `if m:` behind it."""
    for node in ast.walk(function):
        for body in (getattr(node, "body", None), getattr(node, "orelse", None)):
            statements = body if isinstance(body, list) else []
            for first, second in pairwise(statements):
                if isinstance(first, ast.Assign) and isinstance(second, ast.If) and _is_call(first.value, "match"):
                    flag = _flag(first.value, second)
                    if flag:
                        yield flag


def _flag(match: ast.expr, found: ast.If) -> PromptFlag | None:
    pattern = match.args[0] if isinstance(match, ast.Call) and match.args else None
    text = pattern.value if isinstance(pattern, ast.Constant) else None
    parsed = _PATTERN.fullmatch(text) if isinstance(text, str) else None
    assigned = next((statement for statement in found.body if isinstance(statement, ast.Assign)), None)
    if parsed is None or assigned is None or not isinstance(text, str):
        return None
    target = assigned.targets[0]
    key: object = target.id if isinstance(target, ast.Name) else None
    if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
        key = target.slice.value
    try:
        groups = re.compile(text, re.IGNORECASE).groups
    except re.error:
        return None
    if not isinstance(key, str) or groups != 1:
        return None
    called = _names(assigned.value)
    kind = "int" if "int" in called else "float" if "float" in called else "text"
    limits = {name: _limit(assigned.value, name) for name in ("max", "min")}
    return PromptFlag(parsed[1].lower(), key, text, kind, limits["max"], limits["min"])


def _limit(expression: ast.expr, function: str) -> int | None:
    for node in ast.walk(expression):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function:
            numbers = [each.value for each in node.args if isinstance(each, ast.Constant)]
            return next((number for number in numbers if type(number) is int), None)
    return None


def _keys(nodes: Sequence[ast.AST]) -> Iterator[PromptKey]:
    """Every `prompt_dict.get("KEY", DEFAULT)`, each key once."""
    converted = {
        id(node.args[0])
        for node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("int", "float")
        if node.args
    }
    seen: set[str] = set()
    for node in nodes:
        if not (isinstance(node, ast.Call) and _is_call(node, "get") and isinstance(node.func, ast.Attribute)):
            continue
        key = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
        if isinstance(key, str) and key not in seen and _holder(node.func.value).startswith("prompt"):
            seen.add(key)
            default = node.args[1].value if len(node.args) > 1 and isinstance(node.args[1], ast.Constant) else None
            plain = default if isinstance(default, (int, float, str)) else None
            yield PromptKey(key, plain, id(node) in converted)


def _holder(expression: ast.expr) -> str:
    """The name of what is looked into: `prompt_dict`, or `prompt_dicts` of `prompt_dicts[0]`."""
    while isinstance(expression, ast.Subscript):
        expression = expression.value
    return expression.id if isinstance(expression, ast.Name) else ""


def _multiple(nodes: Sequence[ast.AST]) -> tuple[int | None, int | None]:
    """The number that sizes are divided by, and the least size: of `max(64, height - height % 8)`."""
    found: dict[str, set[tuple[int, int]]] = {name: set() for name in _MULTIPLE}
    for node in nodes:
        for name in _MULTIPLE:
            shape = rf"max\((\d+), {name} - {name} % (\d+)\)"
            match = re.fullmatch(shape, ast.unparse(node)) if _is_named(node, "max") else None
            if match:
                found[name].add((int(match[2]), int(match[1])))
    both = found["width"] & found["height"]
    return both.pop() if len(both) == 1 and found["width"] == found["height"] else (None, None)


def _samplers(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """The names that sample_sampler is compared with (get_my_scheduler)."""
    for node in nodes:
        if isinstance(node, ast.Compare) and len(node.comparators) == 1 and isinstance(node.ops[0], ast.Eq):
            name = node.comparators[0].value if isinstance(node.comparators[0], ast.Constant) else None
            if isinstance(name, str) and ast.unparse(node.left).rpartition(".")[2] == "sample_sampler":
                yield name


def _pipelines(functions: Sequence[Function]) -> Iterator[str]:
    """The files of the pipelines that the functions which start the sampling name in their calls."""
    for function in functions:
        if not function.node.name.startswith(ENTRY):
            continue
        for node in ast.walk(function.node):
            if isinstance(node, ast.Call):
                for part in (node.func, *node.args):
                    name = part.id if isinstance(part, ast.Name) else ""
                    if name.endswith("LongPromptWeightingPipeline") and name in function.module.names:
                        yield function.module.names[name][0]


def _splits(nodes: Sequence[ast.AST]) -> bool:
    cuts = [node.args for node in nodes if isinstance(node, ast.Call) and _is_call(node, "split")]
    return any(args and isinstance(args[0], ast.Constant) and args[0].value == SEPARATOR for args in cuts)


def _is_call(node: ast.AST, method: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method


def _is_named(node: ast.AST, function: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _has_text(nodes: Sequence[ast.AST], text: str) -> bool:
    return any(isinstance(node, ast.Constant) and node.value == text for node in nodes)
