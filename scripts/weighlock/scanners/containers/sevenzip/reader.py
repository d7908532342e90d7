"""Numbers and bits in a 7z header, and the ids of its parts; whatever goes beyond its end is an `UnclearError`."""

from __future__ import annotations

from weighlock.scanners.containers import MEMBERS
from weighlock.scanners.reading import UnclearError

END, HEADER, MAIN, FILES, PACK, UNPACK, SUB = 0x00, 0x01, 0x04, 0x05, 0x06, 0x07, 0x08
SIZES, DIGESTS, FOLDER, UNPACK_SIZES, COUNTS = 0x09, 0x0A, 0x0B, 0x0C, 0x0D
EMPTY_STREAM, EMPTY_FILE, NAMES, ATTRIBUTES, ENCODED, DUMMY = 0x0E, 0x0F, 0x11, 0x15, 0x17, 0x19
TIMES = frozenset({0x12, 0x13, 0x14})


class Reader:
    """Reads the header's numbers; whatever goes beyond its end is an `UnclearError`."""

    def __init__(self, data: bytes) -> None:
        """Begin at the first byte."""
        self._data = data
        self._position = 0

    @property
    def left(self) -> int:
        """Return how many bytes are left."""
        return len(self._data) - self._position

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        if count > self.left:
            raise UnclearError("the 7z header is cut short")
        self._position += count
        return self._data[self._position - count : self._position]

    def byte(self) -> int:
        """Return the next byte."""
        return self.take(1)[0]

    def expect(self, kind: int, what: str) -> None:
        """Go on behind this id, which has to come next."""
        if self.byte() != kind:
            raise UnclearError(f"the 7z {what} is not where it belongs")

    def number(self) -> int:
        """Return a number, of which the first byte's leading ones tell how many bytes follow."""
        first = self.byte()
        more = next((count for count in range(8) if not first & 0x80 >> count), 8)
        low = int.from_bytes(self.take(more), "little")
        return low + ((first & (0x7F >> more)) << 8 * more)

    def count(self, what: str) -> int:
        """Return a number of things, of which there may not be too many."""
        found = self.number()
        if found > MEMBERS:
            raise UnclearError(f"a 7z archive with {found} {what}, the limit is {MEMBERS}")
        return found

    def bits(self, count: int) -> list[bool]:
        """Return bits, the first in the highest place of a byte."""
        raw = self.take((count + 7) // 8)
        return [bool(raw[index // 8] & 0x80 >> index % 8) for index in range(count)]

    def defined(self, count: int) -> list[bool]:
        """Return for each of `count` things whether a value follows: for all of them, or as bits say."""
        return [True] * count if self.byte() else self.bits(count)

    def digests(self, count: int) -> list[int | None]:
        """Return a checksum for each of `count` things that has one."""
        known = self.defined(count)
        return [int.from_bytes(self.take(4), "little") if here else None for here in known]
