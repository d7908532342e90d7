"""What defines the names of a template, without regard to order or scope.

A variable is all that is assigned to its name anywhere, a namespace's attribute all that is assigned to that attribute
of any namespace, and a macro's argument all that the macro is called with.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from jinja2 import nodes

Definitions = list["nodes.Node | None"]


class Flow:
    """The definitions: by name, and by attribute with a dot in front; None is something that was built."""

    def __init__(self, every: Iterable[nodes.Node]) -> None:
        """Collect the definitions among all nodes of a template."""
        every = list(every)
        self.definitions: dict[str, Definitions] = defaultdict(list)
        self.macros = {node.name: node for node in every if isinstance(node, nodes.Macro)}
        for node in every:
            self._collect(node)

    def single(self) -> dict[str, nodes.Expr]:
        """Return the names with exactly one definition that is an expression."""
        found = {name: made[0] for name, made in self.definitions.items() if len(made) == 1}
        return {name: made for name, made in found.items() if isinstance(made, nodes.Expr)}

    def _collect(self, node: nodes.Node) -> None:
        match node:
            case nodes.For():
                self._assign(node.target, node)
            case nodes.Assign():
                self._assign(node.target, node.node)
            case nodes.AssignBlock():
                self._assign(node.target, _captured(node))
            case nodes.With():
                for target, value in zip(node.targets, node.values, strict=True):
                    self._assign(target, value)
            case nodes.CallBlock() | nodes.Macro():
                self._parameters(node)
            case nodes.Call():
                self._call(node)
            case _:
                pass

    def _assign(self, target: nodes.Node, value: nodes.Node | None) -> None:
        if isinstance(target, nodes.NSRef):
            self.definitions[f".{target.attr}"].append(value)
        for name in [target] if isinstance(target, nodes.Name) else target.find_all(nodes.Name):
            self.definitions[name.name].append(value)

    def _parameters(self, node: nodes.Macro | nodes.CallBlock) -> None:
        names = [item.name for item in node.args]
        for name, value in zip(reversed(names), reversed(node.defaults), strict=False):
            self.definitions[name].append(value)
        for name in names:
            self.definitions[name].extend([None] if isinstance(node, nodes.CallBlock) else [])

    def _call(self, node: nodes.Call) -> None:
        called = node.node.name if isinstance(node.node, nodes.Name) else ""
        if called == "namespace":
            for keyword in node.kwargs:
                self.definitions[f".{keyword.key}"].append(keyword.value)
        elif called in self.macros:
            names = [item.name for item in self.macros[called].args]
            given: list[tuple[str, nodes.Node | None]] = list(zip(names, node.args, strict=False))
            given += [(keyword.key, keyword.value) for keyword in node.kwargs if keyword.key in names]
            given += [(name, None) for name in names] if node.dyn_args or node.dyn_kwargs else []
            for name, value in given:
                self.definitions[name].append(value)


def _captured(node: nodes.AssignBlock) -> nodes.Node | None:
    """Return what a block assignment comes to, where it is nothing but output."""
    if node.filter is not None or not all(isinstance(item, nodes.Output) for item in node.body):
        return None
    return nodes.Concat([part for item in node.body if isinstance(item, nodes.Output) for part in item.nodes])
