"""TensorFlow Lite: the whole FlatBuffer by its schema, and the operators that are not TensorFlow Lite's own.

The built-in operators only compute. A custom operator is code of the application or of a library, one that begins with
Flex is TensorFlow's own and is judged as in a graph of TensorFlow. Source: tensorflow/compiler/mlir/lite/schema.
"""

from __future__ import annotations

from typing import BinaryIO

from weighlock.scanners import Blob, Severity
from weighlock.scanners.reading import UnclearError
from weighlock.scanners.strict.flatbuffer import Table, Unions, Walk
from weighlock.scanners.strict.notes import Notes
from weighlock.scanners.strict.schema import data, messages
from weighlock.scanners.strict.tensorflow import operations

_SHIPPED = frozenset({"AudioSpectrogram", "Mfcc", "TFLite_Detection_PostProcess", "NumericVerify"})
"""Custom operators that TensorFlow Lite itself registers (kernels/register.cc); they only compute."""


def tflite(blob: Blob, stream: BinaryIO, notes: Notes) -> None:
    """Walk the model."""

    def look(table: Table) -> None:
        match table.kind:
            case "OperatorCode" if 1 in table.places:
                _operator(walk.text(table.places[1]).decode("utf-8", "backslashreplace"), notes)
            case "StablehloCustomCallOptions":
                notes.find("tflite.operator", Severity.REVIEW, "it calls a function that a library registers")
            case "ExternalBufferGroup" | "ExternalBuffer":
                raise UnclearError("a TensorFlow Lite model whose weights lie in another file")
            case "Buffer":
                _apart(walk, table, 1, 2)
            case "Operator":
                _apart(walk, table, 9, 10)
            case _:
                pass

    walk = Walk(stream, blob.size, messages("tflite"), _unions(), look)
    walk.root("Model")


def _unions() -> Unions:
    unions = data("tflite")["unions"]
    return {name: {int(number): member for number, member in members.items()} for name, members in unions.items()}


def _apart(walk: Walk, table: Table, offset: int, size: int) -> None:
    """Note what lies outside the FlatBuffer's own parts, in files of more than two gigabytes."""
    place, length = (walk.number(table.places[slot], 8) if slot in table.places else 0 for slot in (offset, size))
    if length and place > 1:
        walk.part(place, length, "weights")


def _operator(name: str, notes: Notes) -> None:
    _, outside = operations()
    base = name.removeprefix("Flex")
    if name.startswith("Flex") and base in outside:
        notes.find("tflite.operator", Severity.CRITICAL, f"the operator {name} {outside[base]}")
    elif name and name not in _SHIPPED:
        message = f"the operator {name} is not one of TensorFlow Lite's own: what it does is in a library"
        notes.find("tflite.operator", Severity.REVIEW, message)
