"""The directory of a zip archive, read as its loaders read it, and everything in which it is not what a writer makes.

Loaders find the end record from the back, trust the central directory for names and the local headers for where a
member's bytes begin, and many ignore checksums and flags. So all of these are read, and each disagreement is a gap.
Source: PKWARE APPNOTE 6.3.10.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from weighlock.scanners.reading import UnclearError, exactly
from weighlock.scanners.strict.notes import Notes

LIMIT = 64 * 1024 * 1024  # bytes of a central directory
_TAIL = 65_557
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_SENTINEL = 0xFFFFFFFF
_FLAGS = 0x80E  # deflate's level, data descriptor, UTF-8 names
_EXTRA = frozenset({0x0001, 0x000A, 0x5455, 0x5855, 0x7855, 0x7875, 0x4246, 0xD935})
"""Known extra fields: zip64, times, owners, and the padding with which torch ("FB") and Android align members."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A member as the central directory describes it; sizes and offset in bytes."""

    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    link: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where a member lies: its content's first byte and the first byte behind all that belongs to it."""

    start: int
    end: int


def entries(stream: BinaryIO, size: int, notes: Notes) -> tuple[list[Entry], int]:
    """Return the members and the offset at which the central directory begins."""
    end = _find_end(stream, size, notes)
    stream.seek(end)
    record = _END.unpack(exactly(stream, _END.size, "the zip's end record"))
    count, length, offset = record[4], record[5], record[6]
    stop, wide = _wide(stream, end, notes)
    if wide:
        narrow = (count, length, offset)
        count, length, offset = wide
        limits = (0xFFFF, _SENTINEL, _SENTINEL)
        if any(a not in {b, limit} for a, b, limit in zip(narrow, wide, limits, strict=True)):
            notes.gap("the two end records of the zip disagree")
    if length > LIMIT or length > stop:
        raise UnclearError("the zip's central directory is too long to be true")
    start = stop - length
    if start != offset:
        notes.gap(
            f"{start - offset} bytes stand before the zip archive"
            if start > offset
            else "the zip's directory is not where it says"
        )
    stream.seek(start)
    found = list(_central(exactly(stream, length, "the zip's central directory", LIMIT), start - offset, notes))
    if len(found) != count:
        notes.gap(f"the zip announces {count} members and lists {len(found)}")
    return found, start


def place(stream: BinaryIO, entry: Entry, notes: Notes) -> Place:
    """Read the member's local header and what follows its bytes."""
    if entry.offset < 0:
        raise UnclearError(f"the zip member {entry.name} begins before the archive")
    stream.seek(entry.offset)
    header = _LOCAL.unpack(exactly(stream, _LOCAL.size, "a zip member's header"))
    if header[0] != b"PK\x03\x04":
        raise UnclearError(f"there is no zip member at byte {entry.offset}")
    name = exactly(stream, header[9], "a zip member's name")
    extra = exactly(stream, header[10], "a zip member's extra field")
    start = entry.offset + _LOCAL.size + len(name) + len(extra)
    _compare(entry, header, name, _extra(extra, notes), notes)
    end = start + entry.packed
    return Place(start, _descriptor(stream, end, entry, notes) if entry.flags & 8 else end)


def _find_end(stream: BinaryIO, size: int, notes: Notes) -> int:
    start = max(0, size - _TAIL)
    stream.seek(start)
    tail = exactly(stream, size - start, "the zip's end")
    position = tail.rfind(b"PK\x05\x06")
    if position < 0 or position + _END.size > len(tail):
        raise UnclearError("a zip archive without its end: cut short, or followed by something else")
    if position + _END.size != len(tail):
        notes.gap(f"{len(tail) - position - _END.size} bytes follow the zip's end record")
    return start + position


def _wide(stream: BinaryIO, end: int, notes: Notes) -> tuple[int, tuple[int, int, int] | None]:
    """Return where the central directory has to end, and the zip64 record's count, length and offset."""
    if end < _LOCATOR.size + _END64.size:
        return end, None
    stream.seek(end - _LOCATOR.size)
    if _LOCATOR.unpack(exactly(stream, _LOCATOR.size, "a zip64 locator"))[0] != b"PK\x06\x07":
        return end, None
    start = end - _LOCATOR.size - _END64.size
    stream.seek(start)
    record = _END64.unpack(exactly(stream, _END64.size, "a zip64 end record"))
    if record[0] != b"PK\x06\x06" or record[1] != _END64.size - 12:
        notes.gap("the zip64 end record is not where it belongs")
        return end, None
    return start, (record[7], record[8], record[9])


def _central(raw: bytes, shift: int, notes: Notes) -> Iterator[Entry]:
    position = 0
    while position < len(raw):
        if len(raw) - position < _CENTRAL.size or raw[position : position + 4] != b"PK\x01\x02":
            raise UnclearError("the zip's central directory holds something that is no member")
        fields = _CENTRAL.unpack_from(raw, position)
        (flags, method), (crc, packed, size), lengths = fields[3:5], fields[7:10], fields[10:13]
        begin = position + _CENTRAL.size
        name, extra = raw[begin : begin + lengths[0]], raw[begin + lengths[0] : begin + lengths[0] + lengths[1]]
        position = begin + sum(lengths)
        if lengths[2] or position > len(raw):
            notes.gap("a zip member with a comment, or one that reaches beyond the directory")
        packed, size, offset = _wide_sizes(_extra(extra, notes), size, packed, fields[16])
        link = (fields[15] >> 16) & 0o170000 == 0o120000
        yield Entry(_name(name, flags), flags, method, crc, packed, size, offset + shift, link)


def _wide_sizes(extra: dict[int, bytes], size: int, packed: int, offset: int) -> tuple[int, int, int]:
    values = list(
        struct.unpack(f"<{len(extra.get(1, b'')) // 8}Q", extra.get(1, b"")[: len(extra.get(1, b"")) // 8 * 8])
    )
    numbers = [size, packed, offset]
    for index, value in enumerate(numbers):
        if value == _SENTINEL:
            if not values:
                raise UnclearError("a zip64 member without its sizes")
            numbers[index] = values.pop(0)
    return numbers[1], numbers[0], numbers[2]


def _extra(raw: bytes, notes: Notes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    position = 0
    while position + 4 <= len(raw):
        kind, length = struct.unpack_from("<2H", raw, position)
        if kind not in _EXTRA or kind in found or position + 4 + length > len(raw):
            notes.gap("a zip member with an unknown extra field")
            return found
        found[kind] = raw[position + 4 : position + 4 + length]
        position += 4 + length
    if position != len(raw):
        notes.gap("a zip member with a broken extra field")
    return found


def _compare(entry: Entry, header: tuple[int, ...], name: bytes, extra: dict[int, bytes], notes: Notes) -> None:
    if _name(name, header[2]) != entry.name:
        notes.gap(f"the zip member {entry.name} calls itself {_name(name, header[2])}")
    if header[3] != entry.method or (header[2] ^ entry.flags) & ~6:
        notes.gap(f"the zip member {entry.name} has other flags than the directory says")
    if entry.flags & ~_FLAGS:
        notes.gap(f"the zip member {entry.name} is encrypted, patched or flagged in an unknown way ({entry.flags:#x})")
    packed, size, _ = _wide_sizes(extra, header[8], header[7], 0)
    told = (header[6], packed, size)
    if told != (entry.crc, entry.packed, entry.size) and not (entry.flags & 8 and told[0] == told[1] == told[2] == 0):
        notes.gap(f"the zip member {entry.name} has another size or checksum than the directory says")


def _descriptor(stream: BinaryIO, position: int, entry: Entry, notes: Notes) -> int:
    stream.seek(position)
    found = stream.read(24)
    for shape in ("<4sL2Q", "<4s3L", "<L2Q", "<3L"):
        values: tuple[bytes | int, ...] = (entry.crc, entry.packed, entry.size)
        length = struct.calcsize(shape)
        if "s" in shape:
            values = (b"PK\x07\x08", *values)
        if shape.count("L") == 3 and max(entry.packed, entry.size) > _SENTINEL:
            continue
        if found[:length] == struct.pack(shape, *values):
            return position + length
    if entry.packed == entry.size == 0 == entry.crc:
        return position
    notes.gap(f"the zip member {entry.name} is not followed by its data descriptor")
    return position


def _name(raw: bytes, flags: int) -> str:
    return raw.decode("utf-8" if flags & 0x800 else "cp437", "backslashreplace")
