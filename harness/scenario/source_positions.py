"""Find the line of each value in a TOML or YAML file, for error messages."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tree_sitter import Node

# The path to a value consists of table keys and list positions.
Path = tuple[str | int, ...]
Lines = dict[Path, int]


def toml_lines(text: str) -> Lines:
    """Return the line number, counted from 1, of every key and list item in a valid TOML document."""
    import tree_sitter_toml
    from tree_sitter import Language, Parser

    tree = Parser(Language(tree_sitter_toml.language())).parse(text.encode())
    return _Toml().read(tree.root_node)


class _Toml:
    def __init__(self) -> None:
        self._lines: Lines = {}
        # The number of tables found so far in each array of tables.
        self._tables: dict[Path, int] = {}

    def read(self, document: Node) -> Lines:
        for node in document.named_children:
            if node.type == "pair":
                self._pair((), node)
            elif node.type in {"table", "table_array_element"}:
                head, *pairs = node.named_children
                where = self._header(_keys(head), appends=node.type == "table_array_element")
                self._lines[where] = head.start_point.row + 1
                for pair in pairs:
                    self._pair(where, pair)
        return self._lines

    def _header(self, keys: list[str], *, appends: bool) -> Path:
        """Return a TOML table's path, in which an array of tables is followed by the index of its last table so far."""
        where: Path = ()
        for number, key in enumerate(keys):
            where = (*where, key)
            if appends and number == len(keys) - 1:
                self._tables[where] = self._tables.get(where, 0) + 1
            if where in self._tables:
                where = (*where, self._tables[where] - 1)
        return where

    def _pair(self, parent: Path, pair: Node) -> None:
        if pair.type != "pair":
            return
        key, value = pair.named_children[:2]
        where = (*parent, *_keys(key))
        self._lines[where] = key.start_point.row + 1
        self._value(where, value)

    def _value(self, where: Path, value: Node) -> None:
        if value.type == "inline_table":
            for pair in value.named_children:
                self._pair(where, pair)
        elif value.type == "array":
            items = [item for item in value.named_children if item.type != "comment"]
            for number, item in enumerate(items):
                self._lines[(*where, number)] = item.start_point.row + 1
                self._value((*where, number), item)


def _keys(node: Node) -> list[str]:
    if node.type == "dotted_key":
        return [key for child in node.named_children for key in _keys(child)]
    text = (node.text or b"").decode()
    if node.type == "quoted_key":
        return list(tomllib.loads(f"{text} = 0"))
    return [text]


def yaml_lines(value: Any, parent: Path = ()) -> Lines:
    """Return the line number, counted from 1, of each YAML key and list item whose position ruamel.yaml stores."""
    lines: Lines = {}
    mapping = isinstance(value, dict)
    items = value.items() if mapping else enumerate(value) if isinstance(value, list) else ()
    rows = getattr(getattr(value, "lc", None), "data", None) or {}
    for key, item in items:
        where = (*parent, key)
        # ruamel.yaml does not store line numbers for merged keys (<<) or for values that a tag turns into a plain list.
        if (at := rows.get(key)) is not None:
            lines[where] = at[0] + 1
        lines |= yaml_lines(item, where)
    return lines
