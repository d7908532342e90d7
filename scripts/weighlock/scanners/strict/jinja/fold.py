"""What a template's string operations on constants come to, worked out here and not by Jinja: a name built in pieces.

Only operations whose result is bounded by `LENGTH` are worked out; `None` stands for everything else.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import nodes

LENGTH = 4096  # characters of a result, items of a list
_DEPTH = 60  # of operations in operations
_PERCENT = re.compile(r"%[scd]")
_BRACES = re.compile(r"\{\d?\}")

_UNARY: Mapping[str, Callable[[Any], Any]] = {
    "lower": lambda value: value.lower(),
    "upper": lambda value: value.upper(),
    "title": lambda value: value.title(),
    "capitalize": lambda value: value.capitalize(),
    "swapcase": lambda value: value.swapcase(),
    "trim": lambda value: value.strip(),
    "strip": lambda value: value.strip(),
    "reverse": operator.itemgetter(slice(None, None, -1)),
    "first": operator.itemgetter(0),
    "last": operator.itemgetter(-1),
    "list": list,
    **dict.fromkeys(("e", "escape", "safe", "forceescape"), lambda value: value),
}


class Folder:
    """Works out constants, each node once."""

    def __init__(self, values: Mapping[str, nodes.Expr]) -> None:
        """Take the variables that have one value."""
        self._values = values
        self._known: dict[int, Any] = {}

    def constant(self, node: nodes.Node | None, depth: int = _DEPTH) -> Any:
        """Return the node's value, None where it is not constant or too long."""
        if node is None or depth == 0:
            return None
        if id(node) not in self._known:
            self._known[id(node)] = None  # a variable that is defined by itself has no constant
            try:
                value = self._work_out(node, depth - 1)
            except (TypeError, ValueError, IndexError, KeyError, AttributeError, OverflowError):
                value = None
            self._known[id(node)] = value if _short(value) else None
        return self._known[id(node)]

    def _work_out(self, node: nodes.Node, depth: int) -> Any:  # noqa: PLR0911 - one return a kind of node
        match node:
            case nodes.Const():
                return node.value
            case nodes.TemplateData():
                return node.data
            case nodes.Name():
                return self.constant(self._values.get(node.name), depth)
            case nodes.Tuple() | nodes.List():
                items = [self.constant(item, depth) for item in node.items]
                return None if None in items else items
            case nodes.Concat():
                return _joined("", [self.constant(item, depth) for item in node.nodes])
            case nodes.Add() | nodes.Mul() | nodes.Mod():
                return _binary(node, self.constant(node.left, depth), self.constant(node.right, depth))
            case nodes.Filter():
                return self._applied(node.name, self.constant(node.node, depth), node.args, depth)
            case nodes.Call(node=nodes.Getattr(attr=name, node=owner)):
                return self._applied(name, self.constant(owner, depth), node.args, depth)
            case nodes.Getitem():
                return self._item(node, depth)
            case _:
                return None

    def _item(self, node: nodes.Getitem, depth: int) -> Any:
        owner = self.constant(node.node, depth)
        if isinstance(node.arg, nodes.Slice):
            parts = (node.arg.start, node.arg.stop, node.arg.step)
            return owner[slice(*(self.constant(part, depth) for part in parts))]
        index = self.constant(node.arg, depth)
        return owner[index] if isinstance(index, int) else None

    def _applied(self, name: str, value: Any, arguments: list[nodes.Expr], depth: int) -> Any:
        given = [self.constant(item, depth) for item in arguments]
        if value is None or None in given:
            return None
        return _UNARY[name](value) if name in _UNARY and not given else _given(name, value, given)


def _given(name: str, value: Any, given: list[Any]) -> Any:
    match name, value, given:
        case "join", list(), []:
            return _joined("", value)
        case ("join", list() as items, [str() as between]) | ("join", str() as between, [list() as items]):
            return _joined(between, items)
        case "replace", str(), [str() as old, str() as new]:
            return value.replace(old, new) if len(value) * (len(new) + 1) <= LENGTH else None
        case "format", str(), _:
            return _formatted(value, given)
        case _:
            return None


def _joined(between: str, items: list[Any]) -> str | None:
    if not all(isinstance(item, (str, int)) for item in items):
        return None
    texts = [str(item) for item in items]
    return between.join(texts) if sum(len(text) + len(between) for text in texts) <= LENGTH else None


def _binary(node: nodes.BinExpr, left: Any, right: Any) -> Any:
    match node, left, right:
        case nodes.Add(), str(), str():
            return left + right
        case nodes.Add(), list(), list():
            return left + right
        case nodes.Mul(), str(), int():
            return left * right if len(left) * right <= LENGTH else None
        case nodes.Mod(), str(), _:
            return _formatted(left, right if isinstance(right, list) else [right])
        case _:
            return None


def _formatted(value: str, given: list[Any]) -> str | None:
    """Fill plain places; one with a width could be of any length."""
    if not all(isinstance(item, (str, int)) for item in given) or value.count("{") + value.count("%") > 64:
        return None
    if "%" in value:
        return value % tuple(given) if "%" not in _PERCENT.sub("", value) else None
    return value.format(*given) if not set("{}") & set(_BRACES.sub("", value)) else None


def _short(value: Any) -> bool:
    return not isinstance(value, (str, list)) or len(value) <= LENGTH
