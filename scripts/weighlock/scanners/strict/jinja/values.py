"""Where the value of an expression comes from: a number, data of the conversation, or a string that was put together.

A key that was put together can spell any attribute; one that is a number, that a user wrote, or that stands in the
template without underscores cannot, whoever wrote the template.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from jinja2 import nodes

from weighlock.scanners.strict.jinja.flow import Flow

ROUNDS = 20  # until what the definitions say of each other has settled; honest templates take three

_NUMBERS = frozenset({"length", "count", "int", "float", "abs", "round"})
_LOOP = frozenset({"index", "index0", "revindex", "revindex0", "length", "depth", "depth0", "first", "last"})
_NUMERIC = (nodes.Sub, nodes.Div, nodes.FloorDiv, nodes.Pow, nodes.Neg, nodes.Pos, nodes.Not, nodes.Compare, nodes.Test)
_SELECTING = frozenset(
    [
        *(
            "items",
            "keys",
            "values",
            "get",
            "pop",
            "dictsort",
            "list",
            "sort",
            "first",
            "last",
            "unique",
            "batch",
            "slice",
        ),
        *("select", "reject", "selectattr", "rejectattr", "default", "d", "trim", "strip", "lstrip", "rstrip", "min"),
        *("max", "lower", "upper", "split", "rsplit", "splitlines", "random", "copy"),
    ]
)
"""Filters and methods that pick from what they are given and put nothing together."""
_MAKERS = frozenset({"namespace", "range", "dict"})


class Values:
    """Answers for the expressions of one template."""

    def __init__(self, flow: Flow) -> None:
        """Settle which names hold only numbers and which hold only plain values."""
        self.flow = flow
        self.numbers = set(flow.definitions)
        self.held = set(flow.definitions)
        self._settle(self.numbers, self.numeric)
        self._settle(self.held, self.plain)

    def _settle(self, holding: set[str], ask: Callable[[nodes.Node | None], bool]) -> None:
        """Take names out until every name's definitions agree with it; what does not settle holds nothing."""
        for _ in range(ROUNDS):
            failing = {key for key in holding if not all(ask(item) for item in self.flow.definitions[key])}
            if not failing:
                return
            holding -= failing
        holding.clear()

    def numeric(self, node: nodes.Node | None) -> bool:
        """Tell whether the value can only be a number, a truth value or nothing."""
        rule = _NUMERIC_RULES.get(type(node))
        return rule(self, node) if rule else isinstance(node, _NUMERIC)

    def plain(self, node: nodes.Node | None) -> bool:
        """Tell whether the value is a number, a constant without underscores in front, or data of the conversation."""
        if self.numeric(node):
            return True
        rule = _PLAIN_RULES.get(type(node))
        return rule is not None and rule(self, node)

    def all_plain(self, found: Iterable[nodes.Node | None]) -> bool:
        """Tell whether all of these are plain."""
        return all(self.plain(item) for item in found)


def _given(node: nodes.Call | nodes.Filter) -> list[nodes.Node | None]:
    dynamic: list[nodes.Node | None] = [None] if node.dyn_args or node.dyn_kwargs else []
    keywords = [item.value for item in node.kwargs if isinstance(item, nodes.Keyword)]
    return [*node.args, *keywords, *dynamic]


def _numeric_attribute(values: Values, node: nodes.Getattr) -> bool:
    if isinstance(node.node, nodes.Name) and node.node.name == "loop":
        return node.attr in _LOOP and "loop" not in values.flow.definitions
    return f".{node.attr}" in values.numbers


def _plain_constant(_: Values, node: nodes.Const) -> bool:
    return not str(node.value).startswith("_") and "__" not in str(node.value)


def _plain_name(values: Values, node: nodes.Name) -> bool:
    if node.name in values.flow.macros or node.name.endswith("_token"):  # the tokens come with the model
        return False
    return node.name in values.held or node.name not in values.flow.definitions


def _plain_attribute(values: Values, node: nodes.Getattr) -> bool:
    key = f".{node.attr}"
    return values.plain(node.node) and (key in values.held or key not in values.flow.definitions)


def _plain_call(values: Values, node: nodes.Call) -> bool:
    if isinstance(node.node, nodes.Getattr):
        return node.node.attr in _SELECTING and values.all_plain([node.node.node, *_given(node)])
    return isinstance(node.node, nodes.Name) and node.node.name in _MAKERS and values.all_plain(_given(node))


def _without_underscore(values: Values, node: nodes.Node) -> bool:
    """Tell whether this can be put together with other such parts and never spell an underscore."""
    if isinstance(node, nodes.Const):
        return "_" not in str(node.value)
    if isinstance(node, nodes.TemplateData):
        return "_" not in node.data
    if isinstance(node, nodes.Concat):
        return all(_without_underscore(values, part) for part in node.nodes)
    if isinstance(node, nodes.Add):
        return _without_underscore(values, node.left) and _without_underscore(values, node.right)
    return values.numeric(node)


_Rules = dict[type, Callable[[Values, Any], bool]]

_NUMERIC_RULES: _Rules = {
    nodes.Const: lambda _, node: not isinstance(node.value, str),
    nodes.Add: lambda values, node: values.numeric(node.left) or values.numeric(node.right),
    nodes.Mul: lambda values, node: values.numeric(node.left) and values.numeric(node.right),
    nodes.Mod: lambda values, node: values.numeric(node.left),
    nodes.And: lambda values, node: values.numeric(node.left) and values.numeric(node.right),
    nodes.Or: lambda values, node: values.numeric(node.left) and values.numeric(node.right),
    nodes.CondExpr: lambda values, node: values.numeric(node.expr1) and (not node.expr2 or values.numeric(node.expr2)),
    nodes.Filter: lambda _, node: node.name in _NUMBERS,
    nodes.Call: lambda _, node: isinstance(node.node, nodes.Getattr) and node.node.attr in {"find", "rfind", "count"},
    nodes.Getattr: _numeric_attribute,
    nodes.Name: lambda values, node: node.name in values.numbers,
    nodes.For: lambda _, node: (
        isinstance(node.iter, nodes.Call) and isinstance(node.iter.node, nodes.Name) and node.iter.node.name == "range"
    ),
}
_PLAIN_RULES: _Rules = {
    nodes.Const: _plain_constant,
    nodes.Concat: _without_underscore,
    nodes.Add: lambda values, node: (
        _without_underscore(values, node)
        or (
            any(isinstance(item, nodes.List) for item in (node.left, node.right))
            and values.all_plain([node.left, node.right])
        )
    ),
    nodes.Name: _plain_name,
    nodes.For: lambda values, node: values.plain(node.iter),
    nodes.Getattr: _plain_attribute,
    nodes.Getitem: lambda values, node: values.plain(node.node),
    nodes.Filter: lambda values, node: node.name in _SELECTING and values.all_plain([node.node, *_given(node)]),
    nodes.Call: _plain_call,
    nodes.CondExpr: lambda values, node: values.plain(node.expr1) and (not node.expr2 or values.plain(node.expr2)),
    nodes.And: lambda values, node: values.all_plain([node.left, node.right]),
    nodes.Or: lambda values, node: values.all_plain([node.left, node.right]),
    nodes.List: lambda values, node: values.all_plain(node.items),
    nodes.Tuple: lambda values, node: values.all_plain(node.items),
    nodes.Dict: lambda values, node: values.all_plain(part for pair in node.items for part in (pair.key, pair.value)),
}
