"""FlatBuffers by their published schema: every byte must be part of a table, a vector or a text that the root reaches.

A FlatBuffer is read by offsets, so bytes that no offset reaches could be anything. Here the parts that are reached are
noted, and must fill the file, but for zeros in between; two parts may lie at the same place only if they are the same.
Source: flatbuffers.dev, "FlatBuffers internals". Schemas are written by ``tools/flatbuffer_schema.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from weighlock.scanners.reading import UnclearError, exactly, number, section
from weighlock.scanners.strict.schema import Messages

DEPTH = 64  # of tables in tables
PARTS = 20_000_000  # in one file
_PADDING = 64 * 1024  # bytes of zeros between two parts

Unions = Mapping[str, Mapping[int, str]]


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its type, and where in the file each field that is there lies, by its number."""

    kind: str
    start: int
    places: Mapping[int, int]


@dataclass(slots=True)
class Walk:
    """One walk through a file of `size` bytes; `look` sees each table before what is in it."""

    stream: BinaryIO
    size: int
    schema: Messages
    unions: Unions
    look: Callable[[Table], None]
    parts: dict[int, tuple[int, str]] = field(default_factory=dict)
    """Where a part begins, to where it ends and what it is."""

    def root(self, kind: str) -> None:
        """Walk the file from its root table, behind the root's offset and the four bytes of the identifier."""
        self.part(0, 8, "start")
        self.table(kind, self.number(0, 4), DEPTH)
        self.covered()

    def number(self, place: int, width: int) -> int:
        """Return the unsigned number at `place`."""
        self.stream.seek(place)
        return number(self.stream, width, "a FlatBuffer")

    def text(self, place: int) -> bytes:
        """Return the text to which the offset at `place` points."""
        start = place + self.number(place, 4)
        length = self.number(start, 4)
        return exactly(self.stream, length, "a text", 1024 * 1024)

    def part(self, start: int, length: int, kind: str) -> bool:
        """Note a part; False if it is known already."""
        if start + length > self.size or len(self.parts) > PARTS:
            raise UnclearError(f"a FlatBuffer whose part at byte {start} reaches beyond the file")
        known = self.parts.get(start)
        if known and known != (start + length, kind):
            raise UnclearError(f"a FlatBuffer with two different parts at byte {start}")
        self.parts[start] = start + length, kind
        return not known

    def table(self, kind: str, start: int, depth: int) -> None:
        """Walk a table and all inside it."""
        if not depth:
            raise UnclearError("FlatBuffer tables are nested too deeply")
        back = self.number(start, 4)
        layout = start - (back - (1 << 32) if back >> 31 else back)
        if layout < 0:
            raise UnclearError(f"a FlatBuffer whose table at byte {start} has its layout before the file")
        length, size = self.number(layout, 2), self.number(layout + 2, 2)
        if length < 4 or length % 2 or size < 4:
            raise UnclearError(f"a FlatBuffer whose table at byte {start} has a broken layout")
        self.part(layout, length, "layout")
        if not self.part(start, size, kind):
            return
        offsets = [self.number(layout + 4 + 2 * slot, 2) for slot in range((length - 4) // 2)]
        found = Table(kind, start, {slot: start + offset for slot, offset in enumerate(offsets) if offset})
        self.look(found)
        for slot, place in found.places.items():
            stored = self.schema[kind].get(slot)
            if stored is None:
                raise UnclearError(f"a {kind} with the unknown field {slot} at byte {place}")
            width = int(stored) if stored.isdigit() else 4
            if not start + 4 <= place <= start + size - width:
                raise UnclearError(f"a {kind} whose field {slot} at byte {place} lies outside it")
            if not stored.isdigit():
                self.inside(stored, place + self.number(place, 4), found, slot, depth)

    def inside(self, stored: str, start: int, owner: Table, slot: int, depth: int) -> None:
        """Walk what an offset points to."""
        if stored == "text":
            self.part(start, 4 + self.number(start, 4) + 1, stored)
        elif stored[0] == "[":
            self.vector(stored[1:-1], start, depth)
        elif stored[0] == "|":
            place = owner.places.get(slot - 1)
            member = self.unions[stored[1:]].get(self.number(place, 1) if place else 0)
            if member is None:
                raise UnclearError(f"a {owner.kind} with an unknown kind of {stored[1:]} at byte {start}")
            self.table(member, start, depth - 1)
        else:
            self.table(stored, start, depth - 1)

    def vector(self, stored: str, start: int, depth: int) -> None:
        """Walk the elements of a vector, if they are not plain numbers."""
        count = self.number(start, 4)
        width = int(stored) if stored.isdigit() else 4
        if not self.part(start, 4 + count * width, f"[{stored}]") or stored.isdigit():
            return
        for place in range(start + 4, start + 4 + 4 * count, 4):
            target = place + self.number(place, 4)
            if stored == "text":
                self.part(target, 4 + self.number(target, 4) + 1, stored)
            else:
                self.table(stored, target, depth - 1)

    def covered(self) -> None:
        """Make sure that the parts fill the file."""
        end = 0
        spans = sorted((start, stop) for start, (stop, _) in self.parts.items())
        for start, stop in [*spans, (self.size, self.size)]:
            if start < end:
                raise UnclearError(f"a FlatBuffer whose parts overlap at byte {start}")
            if start > end and (start - end > _PADDING or section(self.stream, end, start - end).read().strip(b"\0")):
                raise UnclearError(f"a FlatBuffer with bytes that nothing reaches at byte {end}")
            end = stop
