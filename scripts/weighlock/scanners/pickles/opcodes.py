"""The opcodes of pickle protocols 0 to 5, read from a stream in constant memory.

Strings longer than `LITERAL` bytes are skipped over, not read, and come as `LONG`: nothing that decides a verdict (a
module, a name, a storage key) is that long. Source: CPython's ``pickletools`` for the table, ``pickle.py`` for what a
loader accepts. Where unpicklers are lenient, so is this (a number in hexadecimal, a string with blanks behind it): a
stream that any of them would run must not pass for text. Where they differ on frames, neither reading is accepted.
"""

from __future__ import annotations

import codecs
import os
import pickletools  # the table of opcodes only
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from weighlock.scanners.reading import LimitError, UnclearError

LITERAL = 4096  # bytes of a string that is kept
LONGEST = 1 << 40  # bytes; seeking further fails in ways of its own
LONG = object()
Operation = tuple[str, Any, int]  # opcode's name, argument, offset in bytes

_WIDTHS = {
    **dict.fromkeys(("BININT1", "BINGET", "BINPUT", "EXT1", "PROTO"), 1),
    **dict.fromkeys(("BININT2", "EXT2"), 2),
    **dict.fromkeys(("BININT", "LONG_BINGET", "LONG_BINPUT", "EXT4"), 4),
    "FRAME": 8,
}
_SIGNED = frozenset({"BININT", "EXT4"})
_TABLE = {
    code.code.encode("latin-1"): (code.name, _WIDTHS.get(code.name, 0), code.name in _SIGNED)
    for code in pickletools.opcodes
}
"""Opcode to its name, the width in bytes of its argument where that is a number, and whether it is signed."""


class Operations:
    """Reads one pickle stream after the other; `position` is the offset of the next byte, in bytes."""

    def __init__(self, stream: BinaryIO, start: int = 0) -> None:
        """Read `stream` from its current position, which is called `start` in offsets."""
        self._stream = stream
        self.position = start
        self._frame_end: int | None = None
        self._arguments = self._readers()

    def at_end(self) -> bool:
        """Tell whether no byte is left."""
        byte = self._stream.read(1)
        self._stream.seek(-len(byte), os.SEEK_CUR)
        return not byte

    def stream(self) -> Iterator[Operation]:
        """Yield operations up to STOP; `UnclearError` for what no unpickler, or not every one, would read like this."""
        self._frame_end = None
        read = self._stream.read
        name = ""
        while name != "STOP":
            offset = self.position
            code = read(1)
            if code not in _TABLE:
                raise UnclearError(f"byte {offset} is no pickle opcode" if code else "a pickle without STOP")
            name, width, signed = _TABLE[code]
            self.position = offset + 1
            argument: Any = None
            if width:
                argument = int.from_bytes(self._take(width), "little", signed=signed)
            elif name in self._arguments:
                argument = self._arguments[name]()
            if self._frame_end is not None or name == "FRAME":
                self._check_frame(name, argument, offset)
            yield name, argument, offset

    def _readers(self) -> dict[str, Callable[[], Any]]:
        return {
            "INT": lambda: _decimal(self._line()),
            "LONG": lambda: _decimal(self._line()),
            "FLOAT": lambda: _float(self._line()),
            "STRING": lambda: _quoted(self._line()),
            "UNICODE": lambda: _text(self._line(), "raw-unicode-escape"),
            "GLOBAL": lambda: (_text(self._line()), _text(self._line())),
            "INST": lambda: (_text(self._line()), _text(self._line())),
            "PERSID": lambda: _text(self._line(), "latin-1"),
            "GET": lambda: _decimal(self._line()),
            "PUT": lambda: _decimal(self._line()),
            "LONG1": lambda: _integer(self._counted(1)),
            "LONG4": lambda: _integer(self._counted(4, signed=True)),
            "BINFLOAT": lambda: self._take(8),
            "BINSTRING": lambda: _text(self._counted(4, signed=True), "latin-1"),
            "SHORT_BINSTRING": lambda: _text(self._counted(1), "latin-1"),
            "BINBYTES": lambda: _raw(self._counted(4)),
            "SHORT_BINBYTES": lambda: _raw(self._counted(1)),
            "BINBYTES8": lambda: _raw(self._counted(8)),
            "BYTEARRAY8": lambda: _raw(self._counted(8)),
            "BINUNICODE": lambda: _text(self._counted(4), errors="surrogatepass"),
            "SHORT_BINUNICODE": lambda: _text(self._counted(1), errors="surrogatepass"),
            "BINUNICODE8": lambda: _text(self._counted(8), errors="surrogatepass"),
        }

    def _check_frame(self, name: str, argument: Any, offset: int) -> None:
        if self._frame_end is not None and self.position > self._frame_end:
            raise UnclearError(f"the operation at byte {offset} crosses the end of its frame")
        if name == "FRAME":
            if self._frame_end is not None and offset < self._frame_end:
                raise UnclearError(f"a frame inside a frame at byte {offset}")
            self._frame_end = self.position + argument
        elif name == "STOP" and self._frame_end is not None and self._frame_end > self.position:
            raise UnclearError("the last frame is longer than the pickle")
        if self._frame_end == self.position:
            self._frame_end = None

    def _take(self, count: int) -> bytes:
        data = self._stream.read(count)
        if len(data) != count:
            raise UnclearError(f"the operation before byte {self.position} is cut short")
        self.position += count
        return data

    def _line(self) -> bytes | None:
        """Return a line without its last character, None for a long one; pickle.py takes the end of the file for one, too."""
        start = self.position
        part = b""
        while not part.endswith(b"\n"):
            part = self._stream.readline(LITERAL)
            self.position += len(part)
            if len(part) < LITERAL:
                break
        if self.position == start:
            raise UnclearError(f"the line at byte {start} is missing")
        return part[:-1] if self.position - start == len(part) else None

    def _number(self, width: int, *, signed: bool = False) -> int:
        return int.from_bytes(self._take(width), "little", signed=signed)

    def _counted(self, width: int, *, signed: bool = False) -> bytes | None:
        count = self._number(width, signed=signed)
        if count < 0:
            raise UnclearError(f"a negative length before byte {self.position}")
        if count <= LITERAL:
            return self._take(count)
        if count > LONGEST:
            raise LimitError(f"a string of {count} bytes before byte {self.position}")
        self._stream.seek(count - 1, os.SEEK_CUR)
        self.position += count - 1
        self._take(1)
        return None


def _text(data: bytes | None, encoding: str = "utf-8", errors: str = "strict") -> Any:
    if data is None:
        return LONG
    try:
        return data.decode(encoding, errors)
    except ValueError:
        raise UnclearError("a string that is not what its opcode says") from None


def _raw(data: bytes | None) -> Any:
    return LONG if data is None else data


def _integer(data: bytes | None) -> Any:
    return LONG if data is None else int.from_bytes(data, "little", signed=True)


def _decimal(line: bytes | None) -> Any:
    if line is None:
        return LONG
    digits = line.strip().removesuffix(b"L")
    try:
        return int(digits, 10 if digits.isdigit() else 0)
    except ValueError:
        raise UnclearError("a number that is none") from None


def _float(line: bytes | None) -> Any:
    try:
        return LONG if line is None else float(line)
    except ValueError:
        raise UnclearError("a float that is none") from None


def _quoted(line: bytes | None) -> Any:
    if line is None:
        return LONG
    line = line.strip()
    if len(line) < 2 or line[:1] not in {b'"', b"'"} or line[-1:] != line[:1]:
        raise UnclearError("a string without its quotes")
    try:
        return _text(codecs.escape_decode(line[1:-1])[0], "latin-1")  # as pickle.py does
    except ValueError:
        raise UnclearError("a string with a broken escape") from None
