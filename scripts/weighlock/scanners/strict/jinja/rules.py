"""What a template may name, build and call."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jinja2 import nodes

from weighlock.scanners import Severity
from weighlock.scanners.reading import UnclearError
from weighlock.scanners.strict.jinja.dialect import FUNCTIONS
from weighlock.scanners.strict.jinja.flow import Flow
from weighlock.scanners.strict.jinja.fold import Folder
from weighlock.scanners.strict.jinja.values import Values
from weighlock.scanners.strict.jinja.words import (
    BY_ATTRIBUTE,
    CODE,
    DUNDER,
    INTROSPECTION,
    KNOWN_FILTERS,
    METHODS,
    REACHING,
    SERVED,
)
from weighlock.scanners.strict.notes import Notes

NODES = 200_000  # of one template

_LOADING = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)


def judge(tree: nodes.Template, where: str, notes: Notes) -> None:
    """Judge every node of the template that stands at `where`."""
    every = list(_walk(tree))
    judge = _Judge(where, notes, Flow(every))
    for node in every:
        judge.look(node)


class _Judge:
    def __init__(self, where: str, notes: Notes, flow: Flow) -> None:
        self._where = where
        self._notes = notes
        self._flow = flow
        self._values = Values(flow)
        self._folder = Folder(flow.single())

    def look(self, node: nodes.Node) -> None:
        """Judge one node, without those inside it."""
        match node:
            case nodes.Name(ctx="load"):
                self._name(node.name)
            case nodes.Getattr(attr=name):
                self._attribute(name)
                self._owner(node.node)
            case nodes.NSRef(attr=name):
                self._attribute(name)
            case nodes.Getitem():
                self._item(node)
                self._owner(node.node)
            case nodes.Filter():
                self._filter(node)
            case nodes.Call():
                self._call(node)
            case _ if isinstance(node, _LOADING):
                self._unsafe("loads another template")
            case _:
                pass
        self._strings(node)

    def _strings(self, node: nodes.Node) -> None:
        """Judge what the node spells or puts together; text that is only written out matters nowhere."""
        match node:
            case nodes.Const(value=str() as text) | nodes.Keyword(key=text):
                self._string(text, "spells")
            case nodes.Concat() | nodes.BinExpr() | nodes.Filter() | nodes.Call() | nodes.Getitem():
                built = self._folder.constant(node)
                if isinstance(built, str):
                    self._string(built, "builds")
            case nodes.Macro() | nodes.AssignBlock() | nodes.CallBlock() | nodes.FilterBlock():
                text = "".join(data.data for data in node.find_all(nodes.TemplateData))
                if found := DUNDER.search(text):
                    self._unsafe(f"spells {found[0]}")
            case _:
                pass

    def _string(self, value: str, verb: str) -> None:
        if found := DUNDER.search(value):
            self._unsafe(f"{verb} {found[0]}")
        elif "__" in value and (verb == "builds" or value.strip("_") == ""):
            self._unclear(f"{verb} the string {value}, which is a part of Python's special names")

    def _name(self, name: str) -> None:
        own = name in self._flow.definitions or name in self._flow.macros
        if name in REACHING or DUNDER.search(name) or (not own and name in CODE | SERVED):
            self._unsafe(f"uses {name}")

    def _attribute(self, name: str) -> None:
        if INTROSPECTION.match(name) or name in {"popen", "subclasses", "builtins", "globals"}:
            self._unsafe(f"reads the attribute {name}")

    def _owner(self, node: nodes.Expr) -> None:
        """Judge whose attribute or item is read: a function of the loader is there to be called."""
        if isinstance(node, nodes.Name) and node.name in FUNCTIONS - {"loop", "dict"} - set(self._flow.definitions):
            self._unsafe(f"looks into {node.name}")

    def _item(self, node: nodes.Getitem) -> None:
        match node.arg:
            case nodes.Const(value=str() as name):
                self._attribute(name)
            case nodes.Slice() | nodes.Const():
                pass
            case _ if not self._values.plain(node.arg):
                self._key(node.arg)
            case _:
                pass

    def _key(self, node: nodes.Node) -> None:
        """Tell of a key that was built; one with an underscore in a part of it is taken for what it seems."""
        constant = self._folder.constant(node)
        if isinstance(constant, str) and "_" not in constant:
            return
        parts = [item.value for item in [node, *node.find_all(nodes.Const)] if isinstance(item, nodes.Const)]
        if any(isinstance(part, str) and part.startswith("_") for part in parts) or isinstance(constant, str):
            self._unsafe("reads an attribute whose name it builds")
        else:
            self._unclear("reads an item by a key that it computes")

    def _filter(self, node: nodes.Filter) -> None:
        dynamic = bool(node.dyn_args or node.dyn_kwargs)
        named = [pair.value for pair in node.kwargs if isinstance(pair, nodes.Keyword) and pair.key == "attribute"]
        if node.name == "attr":
            self._attribute_argument(node.args[0] if node.args and not dynamic else None)
        elif node.name not in KNOWN_FILTERS:
            self._unclear(f"uses the filter {node.name}, which is none of Jinja's")
        elif node.name in BY_ATTRIBUTE or node.name == "join":
            for item in [*node.args[node.name == "join" :], *named]:
                self._by_attribute(item)
            if dynamic:
                self._unsafe("reads an attribute whose name it builds")
        elif node.name == "format":
            self._format(node.node)

    def _by_attribute(self, node: nodes.Expr) -> None:
        if isinstance(node, nodes.Const) and isinstance(node.value, str):
            for part in node.value.split("."):
                self._attribute(part)
            if node.value == "attr":
                self._unsafe("reads an attribute through a filter that is named in a string")
        elif not self._values.plain(node):
            self._key(node)

    def _attribute_argument(self, node: nodes.Expr | None) -> None:
        if isinstance(node, nodes.Const) and isinstance(node.value, str):
            self._attribute(node.value)
        else:
            self._unsafe("reads an attribute whose name it builds")

    def _call(self, node: nodes.Call) -> None:
        match node.node:
            case nodes.Name(name=name):
                self._function(name)
            case nodes.Getattr(attr=name, node=owner) | nodes.Getitem(arg=nodes.Const(value=str() as name), node=owner):
                self._method(name, owner)
            case _:
                self._unsafe("calls something that it computes")

    def _function(self, name: str) -> None:
        made = self._flow.definitions.get(name)
        if made is None:
            if name not in FUNCTIONS | CODE | REACHING and name not in self._flow.macros:
                self._unclear(f"calls {name}, which is not known")
        elif not all(isinstance(item, nodes.Call) and _maker(item) for item in made):
            self._unsafe(f"calls {name}, which it computes")

    def _method(self, name: str, owner: nodes.Expr) -> None:
        if name in {"format", "format_map"}:
            self._format(owner)
        elif name in CODE:
            self._unsafe(f"calls {name}")
        elif name not in METHODS:
            self._unclear(f"calls the method {name}, which is not known")

    def _format(self, owner: nodes.Node | None) -> None:
        """Judge a string that is filled: its places may name attributes, such as ``{0.name}``."""
        value = self._folder.constant(owner)
        if not isinstance(value, str):
            self._unclear("fills a string that it computes")
        elif re.search(r"\{[^{}]*[.\[][^{}]*_", value):
            self._unsafe("reads attributes through a string that it fills")

    def _unsafe(self, what: str) -> None:
        self._notes.find(
            "jinja.code", Severity.CRITICAL, f"the template {self._where} {what}: rendering it could run code"
        )

    def _unclear(self, what: str) -> None:
        self._notes.find("jinja.unclear", Severity.REVIEW, f"the template {self._where} {what}")


def _maker(node: nodes.Call) -> bool:
    return isinstance(node.node, nodes.Name) and node.node.name in {"joiner", "cycler"}


def _walk(tree: nodes.Template) -> Iterator[nodes.Node]:
    waiting: list[nodes.Node] = [tree]
    count = 0
    while waiting:
        node = waiting.pop()
        count += 1
        if count > NODES:
            raise UnclearError(f"a template of more than {NODES} parts")
        yield node
        waiting.extend(node.iter_child_nodes())
