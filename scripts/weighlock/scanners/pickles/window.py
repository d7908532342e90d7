"""A window onto a stream, from which short things are read and over which long ones are passed; constant memory."""

from __future__ import annotations

import os
import sys
from typing import BinaryIO, ClassVar

from weighlock.scanners.reading import LimitError, UnclearError

LITERAL = 4096  # bytes of a string or a line that is kept
LONGEST = 1 << 40  # bytes; seeking further fails in ways of its own
_WINDOW = 256 * 1024  # bytes read at once
_AHEAD = 16  # bytes that an operation of fixed width may have


class Window:
    """Some bytes of a stream, and how far they have been read: up to `at`."""

    NEVER: ClassVar[int] = sys.maxsize

    def __init__(self, stream: BinaryIO, start: int) -> None:
        """Read `stream` from its current position, which is called `start` in offsets."""
        self._stream = stream
        self._data = b""
        self._base = start
        self._ended = False
        self.at = 0

    @property
    def position(self) -> int:
        """Return the offset of the next byte."""
        return self._base + self.at

    def view(self, frame_end: int | None) -> tuple[bytes, int, int, int, int]:
        """Return the window, with the next bytes in it: data, offset of the first one, `at`, and two places in it.

        Up to the first, an operation of fixed width is there as a whole, behind it perhaps; at the second, a frame ends.
        """
        self._fill(_AHEAD)
        safe = len(self._data) - _AHEAD
        end = self.NEVER if frame_end is None else frame_end - self._base
        return self._data, self._base, self.at, safe, end

    def at_end(self) -> bool:
        """Tell whether no byte is left."""
        return not self._fill(1)

    def number(self, width: int, *, signed: bool = False) -> int:
        """Return the next number of `width` bytes."""
        return int.from_bytes(self.take(width), "little", signed=signed)

    def take(self, count: int) -> bytes:
        """Return the next bytes, `LITERAL` at most."""
        if self._fill(count) < count:
            raise UnclearError(f"the operation before byte {self.position} is cut short")
        self.at += count
        return self._data[self.at - count : self.at]

    def skip(self, count: int) -> None:
        """Pass over the next bytes without reading them, but for the last one, which proves that they are there."""
        if count > LONGEST:
            raise LimitError(f"a string of {count} bytes before byte {self.position}")
        there = len(self._data) - self.at
        if count > there + 1:
            self._stream.seek(count - 1 - there, os.SEEK_CUR)
            self._base += self.at + count - 1
            self._data, self.at, count = b"", 0, 1
            self._ended = False
        if count:
            self.at += count - 1
            self.take(1)

    def counted(self, width: int, *, signed: bool = False) -> bytes | None:
        """Return the bytes behind a length of `width` bytes, None for too many of them."""
        count = self.number(width, signed=signed)
        if count < 0:
            raise UnclearError(f"a negative length before byte {self.position}")
        if count <= LITERAL:
            return self.take(count)
        self.skip(count)
        return None

    def line(self) -> bytes | None:
        """Return a line without its last character, None for a long one; pickle.py takes the end of the file for one, too."""
        if not self._fill(LITERAL):
            raise UnclearError(f"the line at byte {self.position} is missing")
        start = self.at
        found = self._data.find(b"\n", start, start + LITERAL)
        if found >= 0 or len(self._data) - start < LITERAL:
            self.at = found + 1 if found >= 0 else len(self._data)
            return self._data[start : self.at - 1]
        while found < 0 and self._fill(1):
            found = self._data.find(b"\n", self.at)
            self.at = found + 1 if found >= 0 else len(self._data)
        return None

    def _fill(self, count: int) -> int:
        """Have `count` bytes in the window behind `at`, and return how many there are, which is less at the end only."""
        there = len(self._data) - self.at
        if there >= count or self._ended:
            return there
        pieces = [self._data[self.at :]]
        while there < count:
            piece = self._stream.read(_WINDOW)
            if not piece:
                self._ended = True
                break
            pieces.append(piece)
            there += len(piece)
        self._base += self.at
        self._data, self.at = b"".join(pieces), 0
        return there
