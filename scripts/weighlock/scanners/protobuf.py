"""The protobuf wire format, read lazily from a stream: fields one after the other, long ones skipped over.

Source: protobuf.dev "Encoding". Only what models use is accepted: varint, 64-bit, length-delimited, 32-bit; groups
are not.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from weighlock.scanners.reading import UnclearError, exactly

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_WHOLE = 64 * 1024  # bytes of a message that is read at once; from a longer one, its fields are read one by one
_WIDTHS = {FIXED64: 8, FIXED32: 4}
_LOOK = 64  # fields at the start of a message that tell what it is


class Field(NamedTuple):
    """A field: its number, wire type, value (of varint), and where its content lies in the stream, in bytes.

    A named tuple, since a model has millions of them and a dataclass takes three times as long to make.
    """

    number: int
    wire: int
    value: int
    start: int
    length: int


def fields(stream: BinaryIO, start: int, end: int) -> Iterator[Field]:
    """Yield the fields between two offsets; anything that does not fill them exactly is an `UnclearError`.

    The stream may be moved between two fields.
    """
    if 0 < end - start <= _WHOLE:
        stream.seek(start)
        yield from _fields(exactly(stream, end - start, "a protobuf message"), start)
        return
    position = start
    while position < end:
        stream.seek(position)
        head = stream.read(min(20, end - position))  # a tag and a number are of ten bytes each at most
        field, after = _field(head, 0, position, end)
        yield field
        position = after


def _fields(data: bytes, start: int) -> Iterator[Field]:
    position, end = 0, start + len(data)
    while position < len(data):
        field, after = _field(data, position, start, end)
        yield field
        position = after - start


def _field(data: bytes, position: int, base: int, end: int) -> tuple[Field, int]:
    """Return the field at `position` of `data`, which lies at `base` in the stream, and where the next one begins."""
    tag, position = varint(data, position)
    number, wire = tag >> 3, tag & 7
    value = 0
    if wire == VARINT:
        value, after = varint(data, position)
        length = after - position
    elif wire == BYTES:
        length, position = varint(data, position)
    elif wire in _WIDTHS:
        length = _WIDTHS[wire]
    else:
        raise UnclearError(f"a protobuf field of wire type {wire} before byte {base + position}")
    start = base + position
    if not 0 < number < 1 << 29 or start + length > end:
        raise UnclearError(f"a protobuf field at byte {start} that reaches beyond its message")
    return Field(number, wire, value, start, length), start + length


def content(stream: BinaryIO, field: Field, limit: int = 65_536) -> bytes:
    """Return the bytes of a length-delimited field of at most `limit` bytes."""
    stream.seek(field.start)
    return exactly(stream, field.length, f"protobuf field {field.number}", limit)


@dataclass(frozen=True, slots=True)
class _Shape:
    """How a format's outermost message looks: wire types by field number, fields that must be there, a look inside."""

    wires: Mapping[int, int]
    needs: frozenset[int]
    inside: int
    """The field whose first occurrence is a message that has to look so, too; 0 for none."""
    inner: Mapping[int, int]
    inner_needs: frozenset[int]


_MANY = dict.fromkeys(range(1, 8), BYTES)
_GRAPH = {1: BYTES, 2: BYTES, 3: VARINT, 4: BYTES, 5: BYTES}
_COREML = {1: VARINT, 2: BYTES, 10: VARINT, **dict.fromkeys(range(200, 3001), BYTES)}
_SHAPES: Mapping[str, tuple[_Shape, ...]] = {
    "tensorflow": (
        _Shape({1: VARINT, 2: BYTES}, frozenset({1, 2}), 2, _MANY, frozenset({2})),  # SavedModel
        _Shape({2: BYTES}, frozenset({2}), 2, _MANY, frozenset({2})),
        _Shape(_MANY, frozenset({1, 2}), 1, {**_MANY, 7: VARINT, 8: BYTES}, frozenset({5})),  # MetaGraphDef
        _Shape(_MANY, frozenset({2}), 2, _GRAPH, frozenset({1})),
        _Shape(_GRAPH, frozenset({1}), 1, _MANY, frozenset({1, 2})),  # GraphDef
        _Shape({**_GRAPH, 2: BYTES}, frozenset({2, 4}), 2, {1: BYTES, 2: BYTES, 3: BYTES}, frozenset({1})),
    ),
    "tensorflow fingerprint": (
        _Shape({**dict.fromkeys(range(1, 6), VARINT), 6: BYTES, 7: BYTES}, frozenset({1, 2}), 0, {}, frozenset()),
    ),
    "keras metadata": (_Shape({1: BYTES}, frozenset({1}), 1, {**_MANY, 2: VARINT}, frozenset({4, 5})),),
    "coreml": (_Shape(_COREML, frozenset({1, 2}), 0, {}, frozenset()),),
    "sentencepiece": (
        _Shape(dict.fromkeys(range(1, 6), BYTES), frozenset({1}), 1, {1: BYTES, 2: FIXED32, 3: VARINT}, frozenset({1})),
    ),
}


def kind(stream: BinaryIO, size: int) -> str:
    """Return the word for the format whose outermost fields these are, else ``unknown``; a rule reads the rest."""
    if is_onnx(stream, size):
        return "onnx"
    for strict in (True, False):
        for word, shapes in _SHAPES.items() if strict else [("tensorflow", _SHAPES["tensorflow"])]:
            if any(_fits(stream, size, shape, strict=strict) for shape in shapes):
                return word
    return "unknown"


def _fits(stream: BinaryIO, size: int, shape: _Shape, *, strict: bool) -> bool:
    """Tell whether the fields fit; those with an unknown number do if not `strict`, since readers pass over them."""
    try:
        found = list(itertools.islice(fields(stream, 0, size), _LOOK))
        inside = next((field for field in found if field.number == shape.inside), None)
        span = (inside.start, inside.start + inside.length) if inside else (0, 0)
        inner = list(itertools.islice(fields(stream, *span), _LOOK))
    except UnclearError:
        return False
    return _all(found, shape.wires, shape.needs, strict=strict) and _all(
        inner, shape.inner, shape.inner_needs, strict=strict
    )


def _all(found: list[Field], wires: Mapping[int, int], needs: frozenset[int], *, strict: bool) -> bool:
    known = [field for field in found if strict or field.number in wires]
    return all(wires.get(field.number) == field.wire for field in known) and needs <= {field.number for field in known}


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


def varint(data: bytes, position: int) -> tuple[int, int]:
    """Return the number at `position`, and where it ends."""
    if position < len(data) and data[position] < 0x80:
        return data[position], position + 1  # nearly all are so short
    value = 0
    for used, byte in enumerate(data[position : position + 10]):
        value |= (byte & 0x7F) << (7 * used)
        if byte < 0x80:
            return value, position + used + 1
    raise UnclearError("a protobuf number that is cut short or has more than ten bytes")
