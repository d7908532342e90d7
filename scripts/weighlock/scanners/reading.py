"""Reading hostile content: bounded reads that fail by name, and windows onto a part of a stream."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from typing_extensions import Buffer

CHUNK = 1024 * 1024  # bytes a read


class UnclearError(Exception):
    """Content that does not follow the rule of its format; the text says how, and may hold hostile strings."""


class LimitError(UnclearError):
    """Content that a loader might well go on with, where we stop: nothing may be concluded from it."""


def exactly(stream: BinaryIO, count: int, what: str, limit: int = 100_000_000) -> bytes:
    """Return the next `count` bytes; more than `limit` of them are refused before anything is allocated."""
    if count > limit:
        raise UnclearError(f"{what} claims {count} bytes, the limit is {limit}")
    data = stream.read(count)
    if len(data) != count:
        raise UnclearError(f"{what} is cut short: {count} bytes announced, {len(data)} there")
    return data


def number(stream: BinaryIO, width: int, what: str) -> int:
    """Return the next unsigned little-endian integer of `width` bytes."""
    return int.from_bytes(exactly(stream, width, what), "little")


def pieces(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the rest of the stream in pieces of `CHUNK` bytes."""
    while piece := stream.read(CHUNK):
        yield piece


class Section(io.RawIOBase):
    """A read-only window of `length` bytes onto a seekable stream, with a position of its own.

    Closing it leaves the stream open, so that many sections can share one; they must not be read concurrently.
    """

    def __init__(self, stream: BinaryIO, start: int, length: int) -> None:
        """Show the bytes of `stream` from `start` on."""
        super().__init__()
        self._stream = stream
        # BinaryIO does not promise it, and a SpooledTemporaryFile has it from Python 3.11 on. Without it each read
        # takes memory from the system and gives it back, which costs more than hashing the bytes.
        self._fill: Callable[[memoryview], int] | None = getattr(stream, "readinto", None)
        self._start = start
        self._length = length
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to `offset`, which may lie beyond the end, as in a file."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._length}[whence]
        if base + offset < 0:
            raise ValueError("negative seek position")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Return the position from the start of the window."""
        return self._position

    def readinto(self, buffer: Buffer) -> int:
        """Fill `buffer` from the window and return the number of bytes, 0 at its end."""
        view = memoryview(buffer).cast("B")
        count = max(0, min(len(view), self._length - self._position))
        self._stream.seek(self._start + self._position)
        if self._fill:
            done = self._fill(view[:count])
        else:
            data = self._stream.read(count)
            done = len(data)
            view[:done] = data
        self._position += done
        return done


def section(stream: BinaryIO, start: int, length: int) -> BinaryIO:
    """Return a buffered window onto `stream`."""
    return io.BufferedReader(Section(stream, start, length))
