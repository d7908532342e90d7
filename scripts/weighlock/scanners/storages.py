"""Files of raw numbers, told as such by the file beside them that says where each tensor lies.

Numbers look like nothing, or like anything. A file is accepted unread as tensor storage if another file of the model,
which a rule understands, describes all of it, but for zeros between tensors; its loader then hands the bytes to
tensors and to nothing else. One that shows a format of its own keeps it, or a graph could hide any file by naming it.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from weighlock.scanners import Blob
from weighlock.scanners.reading import UnclearError
from weighlock.scanners.strict.checkpoint import Index, read
from weighlock.scanners.strict.notes import Notes
from weighlock.scanners.strict.onnx import external
from weighlock.scanners.strict.xml import constants

ALIGNMENT = 64 * 1024  # bytes of zeros that may stand between two tensors

STORAGE = "tensor storage"
SETTLED = frozenset({STORAGE})
"""Formats of files that the content of others tells."""

Span = tuple[str, int, int | None]
"""A path in the model, an offset and a length in bytes; None for all that follows."""


def settled(blobs: Sequence[Blob]) -> list[Blob]:
    """Return the files of a model with the format of those that others describe as tensors."""
    described: defaultdict[str, list[tuple[int, int | None]]] = defaultdict(list)
    for blob in blobs:
        for path, start, length in _spans(blob):
            described[path].append((start, length))
    return [
        replace(blob, format=STORAGE)
        if blob.format == "unknown" and blob.path in described and _covers(described[blob.path], blob)
        else blob
        for blob in blobs
    ]


def _spans(blob: Blob) -> Iterator[Span]:
    stem = posixpath.splitext(blob.path)[0]
    try:
        with blob.open() as stream:
            match blob.format:
                case "onnx":
                    yield from external(blob, stream, Notes())
                case "xml":
                    yield from ((f"{stem}.bin", start, length) for start, length in constants(stream))
                case "tensorflow index":
                    yield from _shards(stem, read(stream, blob.size))
                case _:
                    pass
    except UnclearError:
        return  # it is told where the file itself is judged


def _shards(stem: str, index: Index) -> Iterator[Span]:
    for number, spans in index.spans.items():
        name = f"{stem}.data-{number:05d}-of-{index.shards:05d}"
        yield from ((name, start, length) for start, length in spans)


def _covers(spans: list[tuple[int, int | None]], blob: Blob) -> bool:
    end = 0
    with blob.open() as stream:
        for start, length in [*sorted(spans, key=lambda span: span[0]), (blob.size, 0)]:
            if start - end > ALIGNMENT:
                return False
            if start > end:
                stream.seek(end)
                if stream.read(start - end).strip(b"\0"):
                    return False
            end = max(end, blob.size if length is None else start + length)
    return end == blob.size
