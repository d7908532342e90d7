"""Core ML: the model walked by Apple's schema, and the file of weights beside it.

Complete means: every field is one that the schema has, and weights lie in a file of the model package. Models and
layers that an application implements itself, and models that are linked from elsewhere, are for a person to review.
The weights are blob after blob, each behind a header of 64 bytes, in the second version of that format.

Source: apple/coremltools, mlmodel/format/*.proto and mlmodel/src/MILBlob/Blob/StorageFormat.hpp.
"""

from __future__ import annotations

from typing import BinaryIO

from weighlock.scanners import Blob, Severity
from weighlock.scanners.protobuf import Field, content
from weighlock.scanners.reading import UnclearError, exactly, number
from weighlock.scanners.strict.notes import Notes
from weighlock.scanners.strict.schema import Walk, messages

_ALIGNMENT = 64  # bytes; where a header and its data begin
_SENTINEL = 0xDEADBEEF
_FOREIGN = {
    "CustomModel": "a custom model, which the application implements",
    "CustomLayerParams": "a custom layer, which the application implements",
    "LinkedModel": "a linked model, which lies outside this one",
    "SerializedModel": "a serialized model of a kind that only its library knows",
}
_PACKAGE = "@model_path/"


def coreml(blob: Blob, stream: BinaryIO, notes: Notes) -> None:
    """Walk the model."""

    def look(kind: str, item: Field) -> None:
        if kind in _FOREIGN:
            notes.find("coreml.foreign", Severity.REVIEW, f"it holds {_FOREIGN[kind]}")
        elif (kind, item.number) == ("Value.BlobFileValue", 1):
            _file(content(stream, item).decode("utf-8", "backslashreplace"), notes)
        elif (kind, item.number) == ("Operation", 1) and b"custom" in content(stream, item).lower():
            notes.find("coreml.foreign", Severity.REVIEW, "it holds a custom operation, which a library implements")

    Walk(stream, messages("coreml"), look).message("Model", 0, blob.size)


def _file(path: str, notes: Notes) -> None:
    if not path.startswith(_PACKAGE) or ".." in path.split("/") or "\\" in path or "\0" in path:
        message = f"weights at {path}: the loader would read outside the model"
        notes.find("coreml.path", Severity.CRITICAL, message)


def weights(blob: Blob, stream: BinaryIO, _notes: Notes) -> None:
    """Walk the blobs, which must follow each other to the end of the file."""
    count, version = number(stream, 4, "the header of the weights"), number(stream, 4, "the header of the weights")
    if version != 2 or exactly(stream, _ALIGNMENT - 8, "the header of the weights").strip(b"\0"):
        raise UnclearError("Core ML weights with a header of another version")
    end = _ALIGNMENT
    for _ in range(count):
        stream.seek(-(-end // _ALIGNMENT) * _ALIGNMENT)
        start = stream.tell() + _ALIGNMENT
        sentinel, _kind = number(stream, 4, "a blob's header"), number(stream, 4, "a blob's header")
        size, offset = number(stream, 8, "a blob's header"), number(stream, 8, "a blob's header")
        if sentinel != _SENTINEL or offset != start:
            raise UnclearError(f"Core ML weights without a blob at byte {start - _ALIGNMENT}")
        end = offset + size
        if end > blob.size:
            raise UnclearError(f"Core ML weights whose blob at byte {offset} is cut short")
    if not end <= blob.size <= -(-end // _ALIGNMENT) * _ALIGNMENT:
        raise UnclearError(f"the Core ML weights end at byte {end}, the file has {blob.size}")
