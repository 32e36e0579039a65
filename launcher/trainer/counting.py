"""How a checkout's training script counts steps when it is resumed, and the same script counting on.

sd-scripts' train_network.py (v0.9.0 to v0.10.1, NetworkTrainer.train) skips what a state has done with
--skip_until_initial_step, but takes whole epochs off the count as well: resumed at step 12 of epochs of 8 steps it
counts from 4, so that names, samples and the end are wrong, and with gradient accumulation it skips too many epochs
(its issues #1999 and #2407). No option mends that, so a resumed run trains with a copy of the script in which the
three places that count are replaced. A fourth, where it is there, numbers the losses of the first epoch: its mean
would otherwise hold a zero for the batch that is passed over (LossRecorder, library/train_util.py).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

# What a script must have for any of this.
SKIP_OPTION = "skip_until_initial_step"
NETWORK_SCRIPT = "train_network.py"
_STEPS, _EPOCH, _GLOBAL = "initial_step", "epoch_to_start", "global_step"


class _Edit(NamedTuple):
    """`text` instead of the bytes from `start` to `end`."""

    start: int
    end: int
    text: str


def counting_on(source: bytes) -> bytes | None:
    """The script, counting steps and epochs on where a state stopped; None when it does not count as is known here."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    places = _Places(source)
    found = [edits for function in _functions(tree) if (edits := _edits(function, places))]
    if len(found) != 1:
        return None
    for edit in sorted(found[0], reverse=True):
        source = source[: edit.start] + edit.text.encode() + source[edit.end :]
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    return source


def imports_network_script(source: bytes) -> bool:
    """Whether a script trains with what train_network.py has: those of other base models build on it."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    module = NETWORK_SCRIPT.removesuffix(".py")
    return any(isinstance(node, ast.Import) and any(alias.name == module for alias in node.names) for node in tree.body)


class _Places:
    """Where the nodes of a source stand in its bytes."""

    def __init__(self, source: bytes) -> None:
        self._lines = [0]
        for line in source.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def start(self, node: ast.stmt | ast.expr) -> int:
        return self._lines[node.lineno - 1] + node.col_offset

    def end(self, node: ast.stmt | ast.expr) -> int:
        return self._lines[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    for node in tree.body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        yield from (each for each in inside if isinstance(each, ast.FunctionDef) and each.name == "train")


def _edits(function: ast.FunctionDef, places: _Places) -> list[_Edit] | None:
    """The three replacements, when each place is there once and nothing else sets the count."""
    nodes = list(ast.walk(function))
    noting = [node for node in nodes if isinstance(node, ast.Assign) and _sets(node, _EPOCH, "0")]
    blocks = [node for node in nodes if isinstance(node, ast.If) and _is_block(node)]
    bars = [node for node in nodes if isinstance(node, ast.Call) and _is_bar(node)]
    others = [node for node in nodes if isinstance(node, ast.Assign) and _targets(node) == [_GLOBAL]]
    if not (len(noting) == len(blocks) == len(bars) == 1) or len(others) != 2:
        return None
    note, block, bar = noting[0], blocks[0], bars[0]
    loader = _loader(block)
    if loader is None or not note.lineno < block.lineno:
        return None
    begins = _GLOBAL if block.lineno < bar.lineno else _STEPS  # v0.9 makes the bar first, when this is not divided yet
    inner = " " * (block.col_offset + 4)
    counted = (
        f"if args.{SKIP_OPTION} and kl_steps_done > 0:  # changed by kl: the count goes on\n"
        f"{inner}kl_steps_per_epoch = -(-len({loader}) // args.gradient_accumulation_steps)\n"
        f"{inner}{_EPOCH} = kl_steps_done // kl_steps_per_epoch\n"
        f"{inner}{_STEPS} = (kl_steps_done - {_EPOCH} * kl_steps_per_epoch) * args.gradient_accumulation_steps\n"
        f"{inner}{_GLOBAL} = kl_steps_done"
    )
    span = bar.args[0]
    return [
        *_numbered(nodes, loader, places),
        _Edit(places.start(note), places.start(note), f"kl_steps_done = {_STEPS}  # by kl\n{' ' * note.col_offset}"),
        _Edit(places.start(block), places.end(block), counted),
        _Edit(places.start(span), places.end(span), f"range(args.max_train_steps), initial={begins}"),
    ]


def _numbered(nodes: list[ast.AST], loader: str, places: _Places) -> Iterator[_Edit]:
    """The first batch after the skipped ones is not trained: the one after it has the number 0."""
    batches = f"skipped_dataloader or {loader}"
    loops = [node.iter for node in nodes if isinstance(node, ast.For)]
    found = [loop for loop in loops if ast.unparse(loop) == f"enumerate({batches})"]
    if len(found) == 1:
        text = f"enumerate({batches}, -1 if skipped_dataloader else 0)"
        yield _Edit(places.start(found[0]), places.end(found[0]), text)


def _sets(node: ast.Assign, name: str, value: str) -> bool:
    return _targets(node) == [name] and ast.unparse(node.value) == value


def _targets(node: ast.Assign) -> list[str]:
    return [ast.unparse(target) for target in node.targets]


def _is_block(node: ast.If) -> bool:
    """The statement that takes skipped epochs off the count, and starts with what is left of it."""
    last = node.body[-1]
    return (
        ast.unparse(node.test) == f"{_STEPS} > 0"
        and isinstance(last, ast.Assign)
        and _sets(last, _GLOBAL, _STEPS)
        and not node.orelse
    )


def _is_bar(node: ast.Call) -> bool:
    """The progress bar over the steps that are left."""
    keywords = {keyword.arg for keyword in node.keywords}
    return (
        isinstance(node.func, ast.Name)
        and node.func.id == "tqdm"
        and len(node.args) == 1
        and ast.unparse(node.args[0]) == f"range(args.max_train_steps - {_STEPS})"
        and not keywords & {"initial", "total"}
    )


def _loader(block: ast.If) -> str | None:
    """The name of what gives the batches: its length is taken off for each epoch."""
    for node in ast.walk(block):
        if isinstance(node, ast.AugAssign) and ast.unparse(node.target) == _STEPS and isinstance(node.op, ast.Sub):
            value = node.value
            if isinstance(value, ast.Call) and ast.unparse(value.func) == "len" and len(value.args) == 1:
                return ast.unparse(value.args[0])
    return None
