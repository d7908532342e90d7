"""Where the file names come from that a TensorFlow graph saves to and restores from.

Each SavedModel holds the operations that save and restore its variables, under a name that the loader gives them. One
that names a file by itself, in a constant, would write or read wherever that says. So each name is traced backwards:
through operations that only join and choose names, through function arguments to the callers, until it comes from a
placeholder (the loader's), an asset of the model, or a relative constant.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from weighlock.scanners import Severity
from weighlock.scanners.reading import UnclearError
from weighlock.scanners.strict.notes import Notes
from weighlock.scanners.strict.tensorflow_graph import Graph, Node

SINKS = {
    "SaveV2": (0,),
    "RestoreV2": (0,),
    "MergeV2Checkpoints": (0, 1),
    "InitializeTableFromTextFile": (1,),
    "InitializeTableFromTextFileV2": (1,),
}
"""Operation to the inputs that name files."""
STEPS = 10_000_000  # from one node to another, in one file
_READERS = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})
_JOINS = frozenset(
    {"Identity", "StringJoin", "ShardedFilename", "Pack", "Select", "SelectV2", "PlaceholderWithDefault"}
)
_GIVEN = frozenset({"Placeholder", "PlaceholderV2", "StaticRegexFullMatch", "Const", "VarHandleOp"})
_CALLS = {
    **dict.fromkeys(("PartitionedCall", "StatefulPartitionedCall", "While", "StatelessWhile", "_While"), 0),
    **dict.fromkeys(("If", "StatelessIf", "_If", "Case", "StatelessCase"), 1),
}
"""Operation that calls a function to the number of inputs that are its own."""


def judge(graphs: Sequence[Graph], assets: Collection[str], captured: Collection[str], notes: Notes) -> None:
    """Trace every file name; `assets` and `captured` are nodes of the main graph, the latter given to functions."""
    trace = _Trace(assets, notes)
    for graph, node in _nodes(graphs):
        for index in SINKS.get(node.op, ()):
            trace.follow(graph, node, index, strict=node.op in _READERS)
        for name in (node.op, *node.calls):
            trace.callers[name].append((graph, node))
    trace.call()
    for graph, node in _nodes(graphs) if trace.arguments else ():
        if not graph.name and node.name in captured and node.name not in assets:
            for text in node.texts:
                trace.constant(text, strict=False)


def _nodes(graphs: Sequence[Graph]) -> Iterator[tuple[Graph, Node]]:
    for graph in graphs:
        for node in graph.nodes.values():
            yield graph, node


@dataclass(slots=True)
class _Trace:
    assets: Collection[str]
    notes: Notes
    arguments: set[tuple[str, int, bool]] = field(default_factory=set)
    """Function, number of the argument, and whether only an asset may be named."""
    variables: dict[int, defaultdict[str, list[str]]] = field(default_factory=dict)
    left: int = STEPS
    callers: defaultdict[str, list[tuple[Graph, Node]]] = field(default_factory=lambda: defaultdict(list))

    def call(self) -> None:
        """Follow the arguments that are file names to where the functions are called, until there is nothing new."""
        done: set[tuple[str, int, bool]] = set()
        while waiting := self.arguments - done:
            for function, index, strict in waiting:
                for graph, node in self.callers[function]:
                    own = 0 if node.op == function else _CALLS.get(node.op)
                    if own is None:
                        self._unclear(f"{node.op} calls {function}, which takes a file name")
                    else:
                        self.follow(graph, node, own + index, strict=strict)
            done |= waiting

    def follow(self, graph: Graph, node: Node, index: int, *, strict: bool) -> None:
        inputs = [name for name in node.inputs if not name.startswith("^")]
        for origin in self._origins(graph, inputs[index : index + 1]):
            if isinstance(origin, int):
                self.arguments.add((graph.name, origin, strict))
            elif origin.op == "Const" and not (not graph.name and origin.name in self.assets):
                for text in origin.texts:
                    self.constant(text, strict=strict)
            elif origin.op not in _GIVEN:
                self._unclear(f"{node.op} takes a file name that {origin.op} computes")

    def _origins(self, graph: Graph, waiting: list[str]) -> Iterator[Node | int]:
        """Yield the nodes that a value comes from, and the arguments of the function by their number."""
        seen: set[str] = set()
        while waiting:
            name = waiting.pop().split(":")[0]
            self.left -= 1
            if self.left < 0:
                raise UnclearError("a TensorFlow graph whose file names take too long to trace")
            if name in seen:
                continue
            seen.add(name)
            node = graph.nodes.get(name)
            if node and node.op in _JOINS and not node.settings.get("separator"):
                waiting += [it for it in node.inputs if not it.startswith("^")]
            elif node and node.op == "ReadVariableOp" and (assigned := self._assigned(graph, node)):
                waiting += assigned
            elif node:
                yield node
            elif name in graph.arguments:
                yield graph.arguments.index(name)

    def _assigned(self, graph: Graph, read: Node) -> list[str]:
        """Return where the values come from that a variable of this graph is given: an asset's name is kept in one."""
        if id(graph) not in self.variables:
            given = self.variables[id(graph)] = defaultdict(list)
            for node in graph.nodes.values():
                if node.op == "AssignVariableOp" and len(node.inputs) > 1:
                    given[node.inputs[0]].append(node.inputs[1])
        return self.variables[id(graph)][read.inputs[0]] if read.inputs else []

    def constant(self, text: bytes, *, strict: bool) -> None:
        shown = text.decode("utf-8", "backslashreplace")
        parts = shown.replace("\\", "/").split("/")
        if strict or ".." in parts or shown[:1] in {"/", "\\", "~"} or ":" in shown:
            self.notes.find(
                "tensorflow.path",
                Severity.CRITICAL,
                f"the graph reads or writes {shown}, which is no file of the model",
            )

    def _unclear(self, message: str) -> None:
        self.notes.find("tensorflow.path", Severity.REVIEW, message)
