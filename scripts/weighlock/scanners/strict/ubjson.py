"""Universal Binary JSON, in which XGBoost keeps its models: walked to the last byte, numbers passed over.

Objects, arrays, text and numbers are data; there is nothing in it that could be called. Source: ubjson.org, draft 12;
xgboost, src/common/json.cc, whose typed arrays are those of the draft.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from weighlock.scanners import Blob
from weighlock.scanners.reading import UnclearError, exactly
from weighlock.scanners.strict.notes import Notes

DEPTH = 200  # of objects and arrays in each other
VALUES = 50_000_000  # in one file, without those of typed arrays

_WIDTHS = {b"i": 1, b"U": 1, b"C": 1, b"I": 2, b"l": 4, b"d": 4, b"L": 8, b"D": 8, b"Z": 0, b"T": 0, b"F": 0}
_INTEGERS = frozenset(b"iUIlL")
_CLOSING = {b"[": b"]", b"{": b"}"}


def ubjson(blob: Blob, stream: BinaryIO, _notes: Notes) -> None:
    """Walk the document, which must be one object that ends where the file ends."""
    walk = _Walk(stream, blob.size)
    if exactly(stream, 1, "a UBJSON document") != b"{":
        raise UnclearError("a UBJSON document that is no object")
    walk.container(b"{", DEPTH)
    if stream.tell() != blob.size:
        raise UnclearError(f"bytes follow the UBJSON document, which ends at byte {stream.tell()}")


@dataclass(slots=True)
class _Walk:
    stream: BinaryIO
    size: int
    left: int = VALUES

    def value(self, kind: bytes, depth: int) -> None:
        self.left -= 1
        if self.left < 0:
            raise UnclearError("a UBJSON document with too many values")
        if kind in _WIDTHS:
            self.skip(_WIDTHS[kind])
        elif kind in {b"S", b"H"}:
            self.skip(self.length())
        elif kind in _CLOSING:
            self.container(kind, depth - 1)
        else:
            raise UnclearError(f"a UBJSON value of unknown type before byte {self.stream.tell()}")

    def container(self, opening: bytes, depth: int) -> None:
        if not depth:
            raise UnclearError("a UBJSON document that is nested too deeply")
        mark = self.mark()
        kind = self.mark() if mark == b"$" else b""
        mark = self.mark() if mark == b"$" else mark
        if kind and mark != b"#":
            raise UnclearError(f"a typed UBJSON array without its length before byte {self.stream.tell()}")
        if mark == b"#":
            self.counted(opening, kind, depth)
            return
        while mark != _CLOSING[opening]:
            if opening == b"{":
                self.skip(self.length(mark))
                mark = self.mark()
            self.value(mark, depth)
            mark = self.mark()

    def counted(self, opening: bytes, kind: bytes, depth: int) -> None:
        count = self.length()
        if opening == b"[" and kind in _WIDTHS:
            self.skip(count * _WIDTHS[kind])
            return
        for _ in range(count):
            if opening == b"{":
                self.skip(self.length())
            self.value(kind or self.mark(), depth)

    def length(self, kind: bytes = b"") -> int:
        kind = kind or self.mark()
        if kind[0] not in _INTEGERS:
            raise UnclearError(f"a UBJSON length that is no integer before byte {self.stream.tell()}")
        length = int.from_bytes(exactly(self.stream, _WIDTHS[kind], "a UBJSON length"), "big", signed=kind != b"U")
        if length < 0:
            raise UnclearError("a UBJSON length below zero")
        return length

    def mark(self) -> bytes:
        return exactly(self.stream, 1, "a UBJSON document")

    def skip(self, count: int) -> None:
        if self.stream.tell() + count > self.size:
            raise UnclearError("a UBJSON document that is cut short")
        self.stream.seek(count, 1)
