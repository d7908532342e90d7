"""The three forms in which R writes the same stream: big-endian (X), the machine's own (B), and text (A)."""

from __future__ import annotations

from typing import BinaryIO, Literal, Protocol

from weighlock.scanners.reading import UnclearError, exactly

_TEXT = 64 * 1024 * 1024  # bytes of one text
_LINE = 400_000_000  # bytes of one line: a text in which each byte is escaped


class Reader(Protocol):
    """Reads the parts of a stream one after the other; what does not fit is an `UnclearError`."""

    @property
    def place(self) -> int:
        """Return the offset in bytes."""

    def integer(self) -> int:
        """Return a signed integer of 32 bits."""

    def text(self, length: int) -> str:
        """Return text of `length` bytes; -1 is R's missing value."""

    def numbers(self, count: int, width: int) -> None:
        """Pass over `count` numbers of `width` bytes."""

    def raw(self, count: int) -> None:
        """Pass over `count` bytes."""

    def end(self) -> None:
        """Make sure that nothing follows."""


def reader(stream: BinaryIO, size: int) -> Reader:
    """Return a reader for what follows the magic of a workspace, if there is one, and of the form."""
    magic = exactly(stream, 2, "an R object")
    if magic == b"RD":
        exactly(stream, 3, "an R workspace")
        magic = exactly(stream, 2, "an R object")
    if magic == b"A\n":
        return _Text(stream)
    if magic not in {b"X\n", b"B\n"}:
        raise UnclearError("an R workspace of an old form")
    return _Binary(stream, size, little=magic == b"B\n")


class _Binary:
    def __init__(self, stream: BinaryIO, size: int, *, little: bool) -> None:
        self._stream = stream
        self._size = size
        self._little = little

    @property
    def place(self) -> int:
        return self._stream.tell()

    def integer(self) -> int:
        order: Literal["little", "big"] = "little" if self._little else "big"
        return int.from_bytes(exactly(self._stream, 4, "an R number"), order, signed=True)

    def text(self, length: int) -> str:
        if length < -1:
            raise UnclearError("an R text of negative length")
        return exactly(self._stream, max(length, 0), "an R text", _TEXT).decode("utf-8", "backslashreplace")

    def numbers(self, count: int, width: int) -> None:
        self.raw(count * width)

    def raw(self, count: int) -> None:
        if self._stream.tell() + count > self._size:
            raise UnclearError("an R vector that is cut short")
        self._stream.seek(count, 1)

    def end(self) -> None:
        if self._stream.tell() != self._size:
            raise UnclearError(f"bytes follow the R object, which ends at byte {self._stream.tell()}")


class _Text:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    @property
    def place(self) -> int:
        return self._stream.tell()

    def _line(self) -> bytes:
        line = self._stream.readline(_LINE)
        if not line.endswith(b"\n"):
            raise UnclearError("an R object in text that is cut short")
        return line[:-1]

    def integer(self) -> int:
        word = self._line()
        if word == b"NA":
            return -(2**31)
        if not word.removeprefix(b"-").isdigit() or len(word) > 11:
            raise UnclearError("an R object in text with something that is no number")
        return int(word)

    def text(self, length: int) -> str:
        if length == -1:
            return ""
        return self._line().decode("utf-8", "backslashreplace")  # with its escapes, which are compared with nothing

    def numbers(self, count: int, width: int) -> None:
        for _ in range(count * 2 if width == 16 else count):
            word = self._line()
            if len(word) > 40 or word.strip(b"0123456789+-.eEInfNAa"):
                raise UnclearError("an R object in text with something that is no number")

    def raw(self, count: int) -> None:
        for _ in range(count):
            if self._line().strip(b"0123456789abcdef"):
                raise UnclearError("an R object in text with something that is no byte")

    def end(self) -> None:
        if self._stream.read(1):
            raise UnclearError("something follows the R object in text")
