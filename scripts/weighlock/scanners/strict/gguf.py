"""GGUF: header, key-values and tensor descriptions must account for every byte; tensors themselves are skipped.

Chat templates are judged as Jinja, under whatever key they stand. Versions 2 and 3, little-endian. Source: ggml's
docs/gguf.md, gguf-py/gguf/constants.py (block sizes, gguf 0.17).
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import BinaryIO

from weighlock.scanners import Blob
from weighlock.scanners.reading import UnclearError, exactly, number
from weighlock.scanners.strict import jinja
from weighlock.scanners.strict.notes import Notes

ENTRIES = 1_000_000  # key-values, and tensors
ITEMS = 50_000_000  # of one array of numbers
STRINGS = 5_000_000  # of all arrays of strings; a large vocabulary has 300,000
NAME = 65_535  # bytes of a key or a tensor's name
DIMENSIONS = 4
ALIGNMENT = 65_536  # bytes, at most

_STRING, _ARRAY = 8, 9
_WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of each type of value; strings and arrays have none."""

_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 40), 10: (256, 84),
    11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292), 16: (256, 66), 17: (256, 74),
    18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2),
    26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
    40: (64, 36), 41: (128, 18),
}  # fmt: skip
"""Tensor type to (elements, bytes) of a block."""


def gguf(blob: Blob, stream: BinaryIO, notes: Notes) -> None:
    """Walk the file; its tensors have to lie one behind the other, as they are described."""
    exactly(stream, 4, "the GGUF magic")
    version = number(stream, 4, "the GGUF version")
    if version not in {2, 3}:
        raise UnclearError(f"GGUF version {version} is unknown, or big-endian")
    tensors, pairs = number(stream, 8, "the GGUF header"), number(stream, 8, "the GGUF header")
    if max(tensors, pairs) > ENTRIES:
        raise UnclearError(f"GGUF with {max(tensors, pairs)} entries, the limit is {ENTRIES}")
    walk = _Walk(blob, stream, notes)
    walk.pairs(pairs)
    spans = sorted(walk.tensor() for _ in range(tensors))
    walk.places(spans)


@dataclass(slots=True)
class _Walk:
    blob: Blob
    stream: BinaryIO
    notes: Notes
    alignment: int = 32
    strings: int = STRINGS

    def pairs(self, count: int) -> None:
        """Walk the key-values."""
        seen: set[bytes] = set()
        for _ in range(count):
            key = self._text(NAME, "a GGUF key")
            if key in seen:
                raise UnclearError(f"the GGUF key {key.decode('utf-8', 'backslashreplace')} stands twice")
            seen.add(key)
            self._value(key.decode("utf-8", "backslashreplace"), number(self.stream, 4, "a GGUF type"))

    def tensor(self) -> tuple[int, int]:
        """Read a tensor's description and return its start and end, in bytes of the data."""
        name = self._text(NAME, "a tensor's name").decode("utf-8", "backslashreplace")
        count = number(self.stream, 4, "a tensor's dimensions")
        if count > DIMENSIONS:
            raise UnclearError(f"tensor {name} has {count} dimensions")
        shape = [number(self.stream, 8, "a tensor's shape") for _ in range(count)]
        kind = number(self.stream, 4, "a tensor's type")
        elements, size = _BLOCKS.get(kind, (0, 0))
        if not elements:
            raise UnclearError(f"tensor {name} has the unknown type {kind}")
        if (shape[0] if shape else 1) % elements:
            raise UnclearError(f"tensor {name} does not fill its blocks")
        start = number(self.stream, 8, "a tensor's offset")
        return start, start + math.prod(shape) // elements * size

    def places(self, spans: list[tuple[int, int]]) -> None:
        """Check that tensors and padding fill the rest of the file, and that the padding is empty."""
        described = self.stream.tell()
        data = self._padded(described)
        if not spans and described == self.blob.size:
            return
        self._padding(described, min(data, self.blob.size))
        end = 0
        for start, stop in spans:
            if start != self._padded(end):
                raise UnclearError(f"a tensor at {start}, the one before ends at {end}: a hole or an overlap")
            if data + stop > self.blob.size:
                raise UnclearError("a tensor reaches beyond the file")
            self._padding(data + end, data + start)
            end = stop
        if self.blob.size not in {data + end, data + self._padded(end)}:
            raise UnclearError(f"the GGUF ends at byte {data + end}, the file has {self.blob.size}")
        self._padding(data + end, self.blob.size)

    def _padded(self, position: int) -> int:
        return -(-position // self.alignment) * self.alignment

    def _padding(self, start: int, end: int) -> None:
        self.stream.seek(start)
        if exactly(self.stream, end - start, "GGUF padding", ALIGNMENT).strip(b"\0"):
            raise UnclearError(f"bytes that belong to no tensor stand at byte {start}")

    def _value(self, key: str, kind: int) -> None:
        template = "template" in key.lower()
        if kind == _STRING:
            if template:
                self._template(key)
            else:
                self._skip(self._length())
        elif kind == _ARRAY:
            self._array(key, number(self.stream, 4, "a GGUF type"), template=template)
        elif key == "general.alignment" and kind in {4, 10}:
            self.alignment = number(self.stream, _WIDTHS[kind], "the GGUF alignment")
            if not 0 < self.alignment <= ALIGNMENT or self.alignment % 8:
                raise UnclearError(f"GGUF aligned to {self.alignment} bytes")
        else:
            self._skip(self._width(kind))

    def _array(self, key: str, kind: int, *, template: bool) -> None:
        count = self._length()
        if kind != _STRING:
            if count > ITEMS:
                raise UnclearError(f"a GGUF array of {count} items, the limit is {ITEMS}")
            self._skip(count * self._width(kind))
            return
        self.strings -= count
        if self.strings < 0:
            raise UnclearError(f"GGUF with more than {STRINGS} strings")
        for _ in range(count):
            if template:
                self._template(key)
            else:
                self._skip(self._length())

    def _template(self, key: str) -> None:
        source = self._text(4 * jinja.LIMIT, f"the template {key}")
        jinja.judge(source.decode("utf-8", "backslashreplace"), key, self.notes)

    def _width(self, kind: int) -> int:
        if kind not in _WIDTHS:
            raise UnclearError(f"a GGUF value of type {kind}, unknown or an array in an array, at {self.stream.tell()}")
        return _WIDTHS[kind]

    def _length(self) -> int:
        return number(self.stream, 8, "a GGUF length")

    def _text(self, limit: int, what: str) -> bytes:
        return exactly(self.stream, self._length(), what, limit)

    def _skip(self, count: int) -> None:
        position = self.stream.tell()
        if position + count > self.blob.size:
            raise UnclearError(f"a GGUF value at byte {position} reaches beyond the file")
        self.stream.seek(count, os.SEEK_CUR)
