"""YAML 1.2 text to a tree of plain values with their lines.

ruamel.yaml parses, yaml_nodes keeps the lines, yaml_scalars says what a word means; here nodes become values:
text, numbers, booleans, null, lists and mappings, and nothing else.
"""

from __future__ import annotations

from launcher.base.settings import Value
from launcher.spec.tree import DEEPEST, MOST_VALUES, KeyPath, Tree, name_of, refused, too_deep, too_many, trouble_with
from launcher.spec.yaml_nodes import ListNode, MappingNode, Node, ScalarNode, read_nodes
from launcher.spec.yaml_scalars import STANDARD, scalar, shown_tag

_MERGE = "<<"

# A mapping's pairs by key, each with the line of the key; keys that were merged in come first.
_Pairs = dict[str, tuple[int, Node]]


def parse_yaml(text: str, label: str) -> Tree:
    """Read YAML.

    Raises KlError (spec refused), with the line, for broken YAML, several documents, the same key twice, keys that
    are not text, tags other than the standard ones, anchors that contain themselves or expand without end, integers
    beyond 64 bits, text that cannot be passed on, and more values or a deeper nesting than any spec has.
    """
    root = read_nodes(text, label)
    if root is None:
        return Tree({}, {})
    build = _Build(label)
    values = build.value(root, ())
    if values is None:
        return Tree({}, {})
    if not isinstance(values, dict):
        hint = "Write one `key: value` per line, with a space after the colon."
        raise refused("The file is not a mapping of keys to values.", label, root.line, hint)
    return Tree(values, build.lines)


class _Build:
    """Turns nodes into values. Aliases are expanded, so what comes out is counted, not what goes in."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.lines: dict[KeyPath, int] = {}
        self._count = 0
        self._pairs_of: dict[MappingNode, _Pairs] = {}

    def value(self, node: Node, path: KeyPath) -> Value:
        self._count_one(node.line)
        if len(path) > DEEPEST:
            raise too_deep(self.label, node.line)
        if isinstance(node, ScalarNode):
            return self._scalar(node, name_of(path) or "The file")
        self._check_tag(node)
        if isinstance(node, ListNode):
            items: list[Value] = []
            for index, item in enumerate(node.items):
                here: KeyPath = (*path, index)
                self.lines[here] = item.line
                items.append(self.value(item, here))
            return items
        values: dict[str, Value] = {}
        for key, (line, item) in self._pairs(node, 0).items():
            here = (*path, key)
            self.lines[here] = line
            values[key] = self.value(item, here)
        return values

    def _pairs(self, node: MappingNode, depth: int) -> _Pairs:
        if node not in self._pairs_of:
            if depth > DEEPEST:
                raise too_deep(self.label, node.line)
            own: _Pairs = {}
            merged: _Pairs = {}
            merge_seen = False
            for key_node, value_node in zip(node.items[::2], node.items[1::2], strict=True):
                if _is_merge(key_node):
                    if merge_seen:
                        raise self._twice(_MERGE, key_node.line, "Write one, with a list: `<<: [*first, *second]`.")
                    merge_seen = True
                    merged = self._merged(value_node, depth)
                    continue
                key = self._key(key_node)
                if key in own:
                    raise self._twice(key, key_node.line, f"It stands in line {own[key][0]} too; keep one of them.")
                own[key] = (key_node.line, value_node)
            self._pairs_of[node] = {**merged, **own}
        return self._pairs_of[node]

    def _merged(self, node: Node, depth: int) -> _Pairs:
        """The pairs that `<<` takes over: of one mapping, or of several, of which the earlier wins."""
        sources = node.items if isinstance(node, ListNode) else [node]
        merged: _Pairs = {}
        for source in sources:
            if not isinstance(source, MappingNode):
                hint = "Give it an alias of a mapping, as in `<<: *base`, or put the key in quotes."
                raise refused("The key << merges mappings, and this is not one.", self.label, node.line, hint)
            for key, pair in self._pairs(source, depth + 1).items():
                self._count_one(node.line)
                merged.setdefault(key, pair)
        return merged

    def _key(self, node: Node) -> str:
        key = self._scalar(node, "A key") if isinstance(node, ScalarNode) else None
        if isinstance(key, str):
            return key
        shown = f"{node.text!r}, which is not text" if isinstance(node, ScalarNode) else "a list or a mapping"
        raise refused(f"A key is {shown}.", self.label, node.line, "Keys are text; put it in quotes if it is meant.")

    def _scalar(self, node: ScalarNode, name: str) -> Value:
        try:
            value = scalar(node.text, tag=node.tag, plain=node.plain)
        except ValueError as error:
            raise refused(f"{name} cannot be used. {error}", self.label, node.line, "Put text in quotes.") from None
        trouble = trouble_with(value) if isinstance(value, (str, int)) else None
        if trouble:
            raise refused(f"{name} cannot be used. {trouble}", self.label, node.line, "Put text in quotes.")
        return value

    def _check_tag(self, node: ListNode | MappingNode) -> None:
        expected = STANDARD + ("seq" if isinstance(node, ListNode) else "map")
        if node.tag not in (None, "!", expected):
            hint = "Remove the tag."
            raise refused(f"The tag {shown_tag(str(node.tag))} means nothing in a spec.", self.label, node.line, hint)

    def _twice(self, key: str, line: int, hint: str) -> Exception:
        return refused(f"The key {key!r} stands twice.", self.label, line, hint)

    def _count_one(self, line: int) -> None:
        self._count += 1
        if self._count > MOST_VALUES:
            raise too_many(self.label, line)


def _is_merge(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.plain and node.text == _MERGE and node.tag is None
