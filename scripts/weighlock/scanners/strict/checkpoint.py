"""The index of a TensorFlow checkpoint: a table that says where in the data files each variable lies.

Complete means: the file is one table of LevelDB's format from its first byte to its footer, uncompressed, as
TensorFlow writes it, and every value follows TensorFlow's schema. `spans` says which bytes of the data files it
describes, so that they can be told as tensors (`weighlock.scanners.storages`).

Source: google/leveldb, doc/table_format.md; tensorflow/core/util/tensor_bundle.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from weighlock.scanners import Blob
from weighlock.scanners.protobuf import fields, varint
from weighlock.scanners.reading import UnclearError, exactly
from weighlock.scanners.strict.notes import Notes
from weighlock.scanners.strict.schema import Walk, messages

LIMIT = 256 * 1024 * 1024  # bytes of an index
_FOOTER = 48  # bytes
_TRAILER = 5  # bytes behind each block: the kind of compression, a checksum


@dataclass(frozen=True, slots=True)
class Index:
    """How many data files there are, and the parts of each that are described: offset and size in bytes."""

    shards: int
    spans: Mapping[int, list[tuple[int, int]]]


def checkpoint(blob: Blob, stream: BinaryIO, _notes: Notes) -> None:
    """Read the whole index."""
    read(stream, blob.size)


def read(stream: BinaryIO, size: int) -> Index:
    """Return what the index describes; what is no whole table is an `UnclearError`."""
    table = exactly(stream, size, "a checkpoint's index", LIMIT)
    shards, spans = 0, defaultdict(list)
    for key, value in _table(table):
        kind = "BundleEntryProto" if key else "BundleHeaderProto"
        inner = io.BytesIO(value)
        Walk(inner, messages("tensorflow")).message(kind, 0, len(value))
        numbers = {field.number: field.value for field in fields(inner, 0, len(value))}
        if not key:
            shards = numbers.get(1, 0)
        elif 7 not in numbers:  # an entry with slices only lists other entries
            spans[numbers.get(3, 0)].append((numbers.get(4, 0), numbers.get(5, 0)))
    return Index(shards, spans)


def _table(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values; the blocks must fill the table without a gap."""
    footer = len(table) - _FOOTER
    if footer < 0:
        raise UnclearError("a checkpoint's index that is cut short")
    meta, position = _place(table, footer)
    index, position = _place(table, position)
    if table[position : footer + 40].strip(b"\0"):
        raise UnclearError("a checkpoint's index with bytes hidden in its footer")
    blocks = [_place(handle, 0)[0] for _, handle in _block(table, index)]
    end = 0
    for start, length in [*blocks, meta, index]:
        if start != end:
            raise UnclearError(f"a checkpoint's index with a hole or an overlap at byte {end}")
        end = start + length + _TRAILER
    if end != footer or any(_block(table, meta)):
        raise UnclearError("a checkpoint's index with bytes that belong to no block")
    for block in blocks:
        yield from _block(table, block)


def _place(data: bytes, position: int) -> tuple[tuple[int, int], int]:
    start, position = varint(data, position)
    length, position = varint(data, position)
    return (start, length), position


def _block(table: bytes, place: tuple[int, int]) -> Iterator[tuple[bytes, bytes]]:
    """Yield the entries of one block, each of which shares the start of its key with the one before."""
    start, length = place
    data = table[start : start + length]
    if len(data) != length or length < 4 or table[start + length : start + length + 1] != b"\0":
        raise UnclearError(f"a checkpoint's index whose block at byte {start} is compressed or cut short")
    end = length - 4 - 4 * int.from_bytes(data[-4:], "little")
    position, key = 0, b""
    while position < end:
        shared, position = varint(data, position)
        rest, position = varint(data, position)
        size, position = varint(data, position)
        if shared > len(key) or position + rest + size > end:
            raise UnclearError(f"a checkpoint's index whose block at byte {start} is broken")
        key = key[:shared] + data[position : position + rest]
        yield key, data[position + rest : position + rest + size]
        position += rest + size
    if position != end:
        raise UnclearError(f"a checkpoint's index whose block at byte {start} is broken")
