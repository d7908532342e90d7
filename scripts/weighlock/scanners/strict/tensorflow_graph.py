"""The nodes of a TensorFlow graph and of its functions, read from the wire without TensorFlow.

Source: tensorflow/core/protobuf/{saved_model,meta_graph}.proto, tensorflow/core/framework/{graph,function,node_def,
attr_value}.proto. The file is walked by its schema first, so that what is read here is what is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from weighlock.scanners.protobuf import BYTES, Field, content, fields
from weighlock.scanners.reading import UnclearError

NODES = 2_000_000  # in one file

_STRING = 7  # of enum DataType

_GRAPHS: Mapping[str, tuple[int, ...]] = {"SavedModel": (2, 2), "MetaGraphDef": (2,), "GraphDef": ()}
"""The fields that lead from the outermost message to its graphs."""


@dataclass(frozen=True, slots=True)
class Node:
    """An operation: where its inputs come from, the functions it calls, its text settings, its text if it is a constant."""

    name: str
    op: str
    inputs: tuple[str, ...]
    calls: tuple[str, ...]
    settings: Mapping[str, bytes]
    texts: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """The main graph, whose name is empty, or a function with its arguments."""

    name: str = ""
    arguments: tuple[str, ...] = ()
    nodes: dict[str, Node] = field(default_factory=dict)


def graphs(stream: BinaryIO, root: str, size: int) -> Iterator[Graph]:
    """Yield the graphs of a file whose outermost message is `root`, and their functions."""
    reader = _Reader(stream)
    for graph in reader.down(Field(0, BYTES, 0, 0, size), *_GRAPHS[root]):
        yield reader.graph("", (), reader.down(graph, 1))
        for function in reader.down(graph, 2, 1):
            signatures = list(reader.down(function, 1))
            if len(signatures) != 1:
                raise UnclearError(f"a TensorFlow function with {len(signatures)} signatures")
            arguments = tuple(reader.last(it, 1) for it in reader.down(signatures[0], 2))
            yield reader.graph(reader.last(signatures[0], 1) or "?", arguments, reader.down(function, 3))


@dataclass(slots=True)
class _Reader:
    stream: BinaryIO
    left: int = NODES

    def down(self, parent: Field, *path: int) -> Iterator[Field]:
        """Yield the fields at the end of a path of field numbers."""
        if not path:
            yield parent
            return
        for item in fields(self.stream, parent.start, parent.start + parent.length):
            if item.number == path[0]:
                yield from self.down(item, *path[1:])

    def last(self, parent: Field, number: int) -> str:
        """Return a text field; of several, protobuf's readers take the last."""
        return ([""] + [self.text(item) for item in self.down(parent, number)])[-1]

    def text(self, item: Field) -> str:
        return content(self.stream, item, 1024 * 1024).decode("utf-8", "backslashreplace")

    def graph(self, name: str, arguments: tuple[str, ...], nodes: Iterator[Field]) -> Graph:
        found = Graph(name, arguments)
        for item in nodes:
            self.left -= 1
            if self.left < 0:
                raise UnclearError(f"a TensorFlow graph of more than {NODES} nodes")
            node = self.node(item)
            if found.nodes.setdefault(node.name, node) is not node:
                raise UnclearError(f"two nodes of a TensorFlow graph are named {node.name}")
        return found

    def node(self, item: Field) -> Node:
        texts: dict[int, str] = {}
        inputs: list[str] = []
        calls: list[str] = []
        strings: list[bytes] = []
        settings: dict[str, bytes] = {}
        for part in fields(self.stream, item.start, item.start + item.length):
            if part.number == 3:
                inputs.append(self.text(part))
            elif part.number == 5:
                self.attribute(part, calls, settings, strings)
            elif part.number in {1, 2}:
                texts[part.number] = self.text(part)
        return Node(texts.get(1, ""), texts.get(2, ""), tuple(inputs), tuple(calls), settings, tuple(strings))

    def attribute(self, entry: Field, calls: list[str], settings: dict[str, bytes], strings: list[bytes]) -> None:
        key = self.last(entry, 1)
        for value in self.down(entry, 2):
            for item in fields(self.stream, value.start, value.start + value.length):
                if item.number == 2 and item.length <= 65_536:
                    settings[key] = content(self.stream, item)
                elif item.number == 10:
                    calls.extend(self.text(it) for it in self.down(item, 1))
                elif item.number == 1:
                    calls.extend(self.text(it) for it in self.down(item, 9, 1))
                elif item.number == 8:
                    strings.extend(self.strings(item))

    def strings(self, tensor: Field) -> Iterator[bytes]:
        """Yield the elements of a constant of type text, an empty one for each that is longer than any file name."""
        parts = list(fields(self.stream, tensor.start, tensor.start + tensor.length))
        if any(it.number == 1 and it.value == _STRING for it in parts):
            for item in parts:
                if item.number == 4 and item.length:
                    raise UnclearError("a TensorFlow constant whose text is packed as bytes")
                if item.number == 8:
                    yield content(self.stream, item) if item.length <= 65_536 else b""
