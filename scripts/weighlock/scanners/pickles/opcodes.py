"""The opcodes of pickle protocols 0 to 5, read from a stream in constant memory.

Strings longer than `LITERAL` bytes are skipped over, not read, and come as `LONG`: nothing that decides a verdict (a
module, a name, a storage key) is that long. Source: CPython's ``pickletools`` for the table, ``pickle.py`` for what a
loader accepts. Where unpicklers are lenient, so is this (a number in hexadecimal, a string with blanks behind it): a
stream that any of them would run must not pass for text. Where they differ on frames, the reading goes on without, as
CPython's unpickler in C does, and `frame_fault` says so.
"""

from __future__ import annotations

import pickletools  # the table of opcodes only
import struct
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from weighlock.scanners.pickles import literals
from weighlock.scanners.pickles.literals import LONG
from weighlock.scanners.pickles.window import LITERAL, Window
from weighlock.scanners.reading import UnclearError

__all__ = ["LITERAL", "LONG", "Operation", "Operations"]

HIGHEST = 5  # protocol
Operation = tuple[str, Any, int]  # opcode's name, argument, offset in bytes

_NUMBERS = {
    **dict.fromkeys(("BININT1", "BINGET", "BINPUT", "EXT1", "PROTO"), "<B"),
    **dict.fromkeys(("BININT2", "EXT2"), "<H"),
    **dict.fromkeys(("BININT", "EXT4"), "<i"),
    **dict.fromkeys(("LONG_BINGET", "LONG_BINPUT"), "<I"),
}
_ALONE = frozenset({"STOP", "FRAME", "BUILD", "PROTO"})
"""Operations that are checked apart, or behind which bytes may stand that are no operation."""
_SLOW = -1  # instead of a width

Row = tuple[str, int, Callable[[bytes, int], tuple[Any, ...]] | None]


def _row(code: pickletools.OpcodeInfo) -> Row:
    """Return the name, the argument's width in bytes where it is fixed, and what reads the argument if anything asks for it."""
    if code.name in _NUMBERS and code.name not in _ALONE:
        number = struct.Struct(_NUMBERS[code.name])
        return code.name, number.size, number.unpack_from
    if code.name == "BINFLOAT":
        return code.name, 8, None
    return code.name, _SLOW if code.arg or code.name in _ALONE else 0, None


_ROWS: list[Row] = [("", _SLOW, None)] * 256
for _code in pickletools.opcodes:
    _ROWS[ord(_code.code)] = _row(_code)


class Operations:
    """Reads one pickle stream after the other; `position` is the offset of the next byte, in bytes."""

    def __init__(self, stream: BinaryIO, start: int = 0) -> None:
        """Read `stream` from its current position, which is called `start` in offsets."""
        self._window = Window(stream, start)
        self._frame_end: int | None = None
        self.frame_fault = ""
        """Where frames and operations do not agree, which unpicklers read differently; empty if they do."""
        self._arguments = self._readers()

    @property
    def position(self) -> int:
        """Return the offset of the next byte; while a stream is read, of the one behind the last string or BUILD."""
        return self._window.position

    def at_end(self) -> bool:
        """Tell whether no byte is left."""
        return self._window.at_end()

    def take(self, count: int) -> bytes:
        """Return bytes that stand between or behind operations: after STOP, or after BUILD as joblib's arrays do."""
        self._between()
        return self._window.take(count)

    def skip(self, count: int) -> None:
        """Pass over bytes that stand between or behind operations; `UnclearError` where they are not there."""
        self._between()
        self._window.skip(count)

    def _between(self) -> None:
        if self._frame_end is not None:
            raise UnclearError(f"data inside a frame, at byte {self.position}")

    def stream(self) -> Iterator[Operation]:
        """Yield operations up to STOP; `UnclearError` for what no unpickler, or not every one, would read like this."""
        self._frame_end = None
        window, rows = self._window, _ROWS
        data, base, at, safe, end = window.view(None)
        size = len(data)
        name = ""
        while name != "STOP":
            if at > safe:
                window.at = at
                data, base, at, safe, end = window.view(self._frame_end)
                size = len(data)
                if at >= size:
                    raise UnclearError("a pickle without STOP")
            offset = base + at
            name, width, read = rows[data[at]]
            argument: Any = None
            if width >= 0:
                at += 1 + width
                if at > size:
                    raise UnclearError(f"the operation at byte {offset} is cut short")
                if read:
                    argument = read(data, at - width)[0]
                if at >= end:
                    end = self._frame_ends(base + at, offset)
                yield name, argument, offset
            else:
                window.at = at + 1
                argument = self._apart(name, offset)
                yield name, argument, offset
                data, base, at, safe, end = window.view(self._frame_end)
                size = len(data)

    def _apart(self, name: str, offset: int) -> Any:
        """Read the argument of an operation that has no fixed width, or that is checked on its own."""
        if not name:
            raise UnclearError(f"byte {offset} is no pickle opcode")
        reader = self._arguments.get(name)
        inside = self._frame_end is not None
        argument = reader() if reader else None
        if self._frame_end is not None and (inside or name == "STOP"):
            self._frame_ends(self.position, offset)
        if name == "STOP" and self._frame_end is not None:
            self._fault("the last frame is longer than the pickle")
        return argument

    def _frame_ends(self, position: int, offset: int) -> int:
        """Close the frame if it ends here."""
        if self._frame_end is not None and position > self._frame_end:
            self._fault(f"the operation at byte {offset} crosses the end of its frame")
        if self._frame_end == position:
            self._frame_end = None
        return Window.NEVER

    def _fault(self, reason: str) -> None:
        self.frame_fault = self.frame_fault or reason
        self._frame_end = None

    def _frame(self) -> None:
        length = self._window.number(8)
        if self._frame_end is not None:
            self._fault(f"a frame inside a frame at byte {self.position - 9}")
        self._frame_end = self.position + length if length else None

    def _protocol(self) -> int:
        number = self._window.number(1)
        if number > HIGHEST:
            raise UnclearError(f"pickle protocol {number}, which no unpickler knows")
        return number

    def _readers(self) -> dict[str, Callable[[], Any]]:
        line, counted = self._window.line, self._window.counted
        return {
            "FRAME": self._frame,
            "PROTO": self._protocol,
            "INT": lambda: literals.decimal(line()),
            "LONG": lambda: literals.decimal(line()),
            "FLOAT": lambda: literals.real(line()),
            "STRING": lambda: literals.quoted(line()),
            "UNICODE": lambda: literals.text(line(), "raw-unicode-escape"),
            "GLOBAL": lambda: (literals.text(line()), literals.text(line())),
            "INST": lambda: (literals.text(line()), literals.text(line())),
            "PERSID": lambda: literals.text(line(), "latin-1"),
            "GET": lambda: literals.decimal(line()),
            "PUT": lambda: literals.decimal(line()),
            "LONG1": lambda: literals.integer(counted(1)),
            "LONG4": lambda: literals.integer(counted(4, signed=True)),
            "BINSTRING": lambda: literals.text(counted(4, signed=True), "latin-1"),
            "SHORT_BINSTRING": lambda: literals.text(counted(1), "latin-1"),
            "BINBYTES": lambda: literals.raw(counted(4)),
            "SHORT_BINBYTES": lambda: literals.raw(counted(1)),
            "BINBYTES8": lambda: literals.raw(counted(8)),
            "BYTEARRAY8": lambda: literals.raw(counted(8)),
            "BINUNICODE": lambda: literals.text(counted(4), errors="surrogatepass"),
            "SHORT_BINUNICODE": lambda: literals.text(counted(1), errors="surrogatepass"),
            "BINUNICODE8": lambda: literals.text(counted(8), errors="surrogatepass"),
        }
