"""ONNX: every message of the file walked by the published schema; tensors are skipped by their length.

Complete means: every field of every message is one that onnx.proto defines, in the model, its graphs, subgraphs,
functions and training parts; operators come from domains whose kernels only compute; external data lies in a file of
the model. Source: onnx/onnx.proto3 of IR version 13.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from weighlock.scanners import Blob, Severity
from weighlock.scanners.protobuf import BYTES, Field, content, fields
from weighlock.scanners.reading import UnclearError
from weighlock.scanners.strict.notes import Notes

DEPTH = 40  # of graphs in graphs, counted in messages
FIELDS = 10_000_000  # in one file

_SCHEMA: Mapping[str, Mapping[int, str]] = {
    "Model": {
        **dict.fromkeys((1, 2, 3, 4, 5, 6, 26), ""),
        7: "Graph",
        8: "OperatorSet",
        14: "Entry",
        20: "Training",
        25: "Function",
    },
    "Graph": {
        1: "Node",
        2: "",
        5: "Tensor",
        10: "",
        **dict.fromkeys((11, 12, 13), "ValueInfo"),
        14: "Quantization",
        15: "SparseTensor",
        16: "Entry",
    },
    "Node": {**dict.fromkeys((1, 2, 3, 4, 6, 7, 8, 10), ""), 5: "Attribute", 9: "Entry"},
    "Attribute": {
        **dict.fromkeys((1, 2, 3, 4, 7, 8, 9, 13, 14, 15, 20, 21), ""),
        **dict.fromkeys((5, 10), "Tensor"),
        **dict.fromkeys((6, 11), "Graph"),
        **dict.fromkeys((22, 23), "SparseTensor"),
    },
    "Tensor": {**dict.fromkeys((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14), ""), 13: "Entry", 16: "Entry"},
    "SparseTensor": {1: "Tensor", 2: "Tensor", 3: ""},
    "Function": {
        **dict.fromkeys((1, 4, 5, 6, 8, 10, 13), ""),
        7: "Node",
        9: "OperatorSet",
        11: "Attribute",
        12: "ValueInfo",
        14: "Entry",
    },
    "Training": {1: "Graph", 2: "Graph", 3: "Entry", 4: "Entry"},
    "Quantization": {1: "", 2: "Entry"},
    "ValueInfo": {1: "", 2: "", 3: "", 4: "Entry"},
    "OperatorSet": {1: "", 2: ""},
    "Entry": {1: "", 2: ""},
}
_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview.training", "com.microsoft"})
_PYTHON = frozenset({"PyOp", "PythonOp", "PythonOpGrad"})
_FOREIGN = frozenset({"EPContext", "ATen"})
_NAMING = {"Node": {4: "name", 7: "domain", 8: "overload"}, "Function": {1: "name", 10: "domain", 13: "overload"}}
_OPERATORS = 100_000  # of other domains, in one file


def onnx(blob: Blob, stream: BinaryIO, notes: Notes) -> None:
    """Walk the model."""
    walk = _Walk(blob, stream, notes)
    walk.message("Model", 0, blob.size, DEPTH)
    for domain in sorted({operator.domain for operator in walk.operators - walk.functions}):
        notes.gap(f"it uses operators of {domain}, which come from a library outside ONNX")


def external(blob: Blob, stream: BinaryIO, notes: Notes) -> list[tuple[str, int, int | None]]:
    """Return the parts of other files that hold tensors: path in the model, offset and, where it is said, length."""
    walk = _Walk(blob, stream, notes)
    walk.message("Model", 0, blob.size, DEPTH)
    return [(path, _count(more.get("offset")) or 0, _count(more.get("length"))) for path, more in walk.external]


def _count(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise UnclearError("external data whose offset or length is no number")
    return int(text)


@dataclass(frozen=True, slots=True)
class _Operator:
    """What a node calls, and what a function defines: only the one with all three the same answers to the other."""

    name: str = ""
    domain: str = ""
    overload: str = ""


@dataclass(slots=True)
class _Walk:
    blob: Blob
    stream: BinaryIO
    notes: Notes
    operators: set[_Operator] = field(default_factory=set)
    """Those that nodes call, of domains that are not ONNX's own."""
    functions: set[_Operator] = field(default_factory=set)
    external: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Path, and what else is said of the tensor that lies there."""
    left: int = FIELDS

    def message(self, kind: str, start: int, end: int, depth: int) -> None:
        """Walk one message and all inside it."""
        if depth == 0:
            raise UnclearError("ONNX graphs are nested too deeply")
        schema, naming = _SCHEMA[kind], _NAMING.get(kind, {})
        names: dict[str, str] = {}
        for item in fields(self.stream, start, end):
            self.left -= 1
            inner = schema.get(item.number)
            if inner is None or self.left < 0:
                raise UnclearError(f"an ONNX {kind} with the unknown field {item.number} at byte {item.start}")
            if inner:
                if item.wire != BYTES:
                    raise UnclearError(f"an ONNX {kind} with a broken field {item.number} at byte {item.start}")
                self.message(inner, item.start, item.start + item.length, depth - 1)
            if item.number in naming:
                names[naming[item.number]] = self._text(item)
            self._look(kind, item)
        if naming:
            self._called(kind, _Operator(**names))

    def _look(self, kind: str, item: Field) -> None:
        match kind, item.number:
            case ("Node", 7) | ("OperatorSet", 1):
                self._domain(self._text(item))
            case "Node", 4:
                self._operator(self._text(item))
            case "Tensor", 13:
                self._external(item)
            case _:
                pass

    def _text(self, item: Field) -> str:
        return content(self.stream, item).decode("utf-8", "backslashreplace")

    def _called(self, kind: str, operator: _Operator) -> None:
        if kind == "Function":
            self.functions.add(operator)
        elif operator.domain not in _DOMAINS:
            self.operators.add(operator)
        if len(self.operators) + len(self.functions) > _OPERATORS:
            raise UnclearError(f"an ONNX model with more than {_OPERATORS} operators of its own")

    def _domain(self, domain: str) -> None:
        if domain.startswith("ai.onnx.contrib"):
            self.notes.find(
                "onnx.python", Severity.CRITICAL, f"imports the domain {domain}, whose operators run Python code"
            )

    def _operator(self, name: str) -> None:
        if name in _PYTHON:
            self.notes.find("onnx.python", Severity.CRITICAL, f"the operator {name} runs Python code")
        elif name in _FOREIGN:
            self.notes.gap(f"the operator {name} runs what another library compiled or registered")

    def _external(self, item: Field) -> None:
        entry = {part.number: self._text(part) for part in fields(self.stream, item.start, item.start + item.length)}
        if entry.get(1) != "location":
            if self.external:
                self.external[-1][1][entry.get(1, "")] = entry.get(2, "")
            return
        location = entry.get(2, "")
        parts = location.split("/")
        if (
            not location
            or location.startswith("/")
            or ".." in parts
            or "\\" in location
            or ":" in parts[0]
            or "\0" in location
        ):
            message = f"external data at {location}: the loader would read outside the model"
            self.notes.find("onnx.external-data", Severity.CRITICAL, message, item.start)
            return
        path = posixpath.normpath(posixpath.join(posixpath.dirname(self.blob.path), location))
        if self.blob.member or path not in self.blob.beside:
            self.notes.gap(f"external data at {location}, which is not in the model")
        else:
            self.external.append((path, {}))
