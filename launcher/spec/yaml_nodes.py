"""YAML text to a graph of nodes, each with its line; aliases point at the node they name.

ruamel.yaml turns the text into events. Its own composer is not used: it gives up by RecursionError on deep nesting
and takes several documents, and its constructor has types that no option takes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from launcher.base.errors import KlError
from launcher.spec.tree import DEEPEST, MOST_VALUES, refused, too_deep, too_many


@dataclass(eq=False)
class ScalarNode:
    """A piece of text. `plain` says that it stood without quotes, so its form decides what it means."""

    line: int
    tag: str | None
    text: str
    plain: bool


@dataclass(eq=False)
class ListNode:
    """A sequence."""

    line: int
    tag: str | None
    items: list[Node] = field(default_factory=list)


@dataclass(eq=False)
class MappingNode:
    """A mapping, keys and values in turn, as they stand in the text."""

    line: int
    tag: str | None
    items: list[Node] = field(default_factory=list)


Node = ScalarNode | ListNode | MappingNode


def read_nodes(text: str, label: str) -> Node | None:
    """Read the one document of a YAML text, or None when there is none.

    Raises KlError (spec refused) with the line for broken YAML, a second document, another version of YAML than 1.2,
    a nesting that is too deep, and an alias without or inside its own anchor.
    """
    # ruamel.yaml also ends lines at U+0085, U+2028 and U+2029, which no editor does; so lines are counted here.
    text = text.replace("\r", "\n")
    line_ends = [i for i, c in enumerate(text) if c == "\n"]
    root: Node | None = None
    count = 0
    open_nodes: list[ListNode | MappingNode] = []
    anchors: dict[str, Node] = {}
    for event in _events(text, label):
        kind = type(event).__name__
        line = bisect_right(line_ends, event.start_mark.index - 1) + 1
        if kind in ("SequenceEndEvent", "MappingEndEvent"):
            open_nodes.pop()
            continue
        if kind == "DocumentStartEvent":
            _check_document(event, root, label, line)
        node = _node(kind, event, line, anchors, label)
        if node is None:
            continue
        count += 1
        if count > 2 * MOST_VALUES:  # a value in a mapping is two nodes
            raise too_many(label, line)
        if kind == "AliasEvent" and any(node is parent for parent in open_nodes):
            raise refused(f"The alias *{event.anchor} stands inside its own anchor.", label, line, "Write it out.")
        if open_nodes:
            open_nodes[-1].items.append(node)
        else:
            root = node
        if kind in ("SequenceStartEvent", "MappingStartEvent") and not isinstance(node, ScalarNode):
            open_nodes.append(node)
            if len(open_nodes) > DEEPEST:
                raise too_deep(label, line)
    return root


def _node(kind: str, event: Any, line: int, anchors: dict[str, Node], label: str) -> Node | None:
    node: Node
    if kind == "AliasEvent":
        if event.anchor not in anchors:
            hint = f"Mark a value as &{event.anchor} above this line, or put the text in quotes."
            raise refused(f"There is no anchor for the alias *{event.anchor}.", label, line, hint)
        return anchors[event.anchor]
    tag = None if getattr(event, "tag", None) is None else str(event.tag)
    if kind == "ScalarEvent":
        node = ScalarNode(line, tag, event.value, plain=not event.style)
    elif kind == "SequenceStartEvent":
        node = ListNode(line, tag)
    elif kind == "MappingStartEvent":
        node = MappingNode(line, tag)
    else:
        return None
    if event.anchor is not None:
        anchors[event.anchor] = node
    return node


def _check_document(event: Any, root: Node | None, label: str, line: int) -> None:
    if root is not None:
        raise refused("The file has more than one YAML document.", label, line, "Remove the line `---`.")
    version = getattr(event, "version", None)
    if version is not None and tuple(version) != (1, 2):
        said = ".".join(str(part) for part in version)
        hint = "Remove the %YAML line; note that `no` and `off` are words in YAML 1.2."
        raise refused(f"The file asks for YAML {said}; kl reads YAML 1.2.", label, line, hint)


def _events(text: str, label: str) -> Iterator[Any]:
    from ruamel.yaml import YAML  # noqa: PLC0415 - slow to import, and most specs are TOML

    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except Exception as error:
        # Text that is not YAML makes the parser raise more than its own errors (ValueError, IndexError, …).
        raise _broken(error, text, label) from None


def _broken(error: Exception, text: str, label: str) -> KlError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    # A mark has an index, and a ReaderError, for characters that YAML does not allow, a position.
    index = getattr(mark, "index", None) if mark is not None else getattr(error, "position", None)
    problem = " ".join(str(getattr(error, "problem", None) or getattr(error, "reason", None) or error).split())
    context = " ".join(str(getattr(error, "context", None) or "").split())
    message = f"This is not YAML: {context + ': ' if context else ''}{problem or type(error).__name__}"
    if not isinstance(index, int):
        return refused(f"{message}.", label)
    line = text.count("\n", 0, index) + 1
    column = index - (text.rfind("\n", 0, index) + 1) + 1
    return refused(f"{message} (line {line}, column {column}).", label, line, _hint(text[index : index + 1]))


def _hint(character: str) -> str:
    if character == "\t":
        return "YAML indents with spaces, not with tabs."
    if character and not character.isprintable() and character != "\n":
        return f"Remove the character U+{ord(character):04X}, which YAML does not allow."
    return "Check the indentation; text with `: ` or ` #` in it, or a sign at its start, must be in quotes."
