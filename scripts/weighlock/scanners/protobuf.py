"""The protobuf wire format, read lazily from a stream: fields one after the other, long ones skipped over.

Source: protobuf.dev "Encoding". Only what models use is accepted: varint, 64-bit, length-delimited, 32-bit; groups
are not.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from weighlock.scanners.reading import UnclearError, exactly

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its number, wire type, value (of varint), and where its content lies in the stream, in bytes."""

    number: int
    wire: int
    value: int
    start: int
    length: int


def fields(stream: BinaryIO, start: int, end: int) -> Iterator[Field]:
    """Yield the fields between two offsets; anything that does not fill them exactly is an `UnclearError`.

    The stream may be moved between two fields.
    """
    position = start
    while position < end:
        stream.seek(position)
        tag, used = _varint(stream)
        number, wire = tag >> 3, tag & 7
        position += used
        value = length = 0
        if wire == VARINT:
            value, length = _varint(stream)
        elif wire == BYTES:
            length, used = _varint(stream)
            position += used
        elif wire in {FIXED64, FIXED32}:
            length = 8 if wire == FIXED64 else 4
        else:
            raise UnclearError(f"a protobuf field of wire type {wire} before byte {position}")
        if not 0 < number < 1 << 29 or position + length > end:
            raise UnclearError(f"a protobuf field at byte {position} that reaches beyond its message")
        yield Field(number, wire, value, position, length)
        position += length


def content(stream: BinaryIO, field: Field, limit: int = 65_536) -> bytes:
    """Return the bytes of a length-delimited field of at most `limit` bytes."""
    stream.seek(field.start)
    return exactly(stream, field.length, f"protobuf field {field.number}", limit)


def is_onnx(stream: BinaryIO, size: int) -> bool:
    """Tell whether the outermost fields are those of an ONNX ModelProto: an IR version, opsets and one graph."""
    seen: list[int] = []
    try:
        for field in fields(stream, 0, size):
            seen.append(field.number)
            if field.number not in {1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26} or len(seen) > 10_000:
                return False
    except UnclearError:
        return False
    stream.seek(0, os.SEEK_SET)
    return seen.count(7) == 1 and 1 in seen and 8 in seen


def _varint(stream: BinaryIO) -> tuple[int, int]:
    value = 0
    for used in range(10):
        byte = exactly(stream, 1, "a protobuf number")[0]
        value |= (byte & 0x7F) << (7 * used)
        if byte < 0x80:
            return value, used + 1
    raise UnclearError("a protobuf number of more than ten bytes")
