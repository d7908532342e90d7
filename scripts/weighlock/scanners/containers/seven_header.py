"""The header of a 7z archive: where its packed streams lie, by what they are unpacked, and which files are in them.

The header stands at the end and may be packed itself. Whatever in it is not what a writer makes is an `UnclearError` or
a gap: nothing is guessed, since a header that two readers understand differently hides a file from one of them.
Source: 7-Zip, DOC/7zFormat.txt.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from weighlock.scanners.containers import MEMBERS
from weighlock.scanners.reading import UnclearError, exactly
from weighlock.scanners.strict.notes import Notes

LIMIT = 16 * 1024**2  # bytes of a header
START = 32  # bytes of the signature header, behind which the packed streams begin
_SIGNATURE = struct.Struct("<6s2BLQQL")
_CODERS = 8  # of one folder
_END, _HEADER, _MAIN, _FILES, _PACK, _UNPACK, _SUB = 0x00, 0x01, 0x04, 0x05, 0x06, 0x07, 0x08
_SIZES, _DIGESTS, _FOLDER, _UNPACK_SIZES, _COUNTS = 0x09, 0x0A, 0x0B, 0x0C, 0x0D
_EMPTY_STREAM, _EMPTY_FILE, _NAMES, _ATTRIBUTES, _ENCODED, _DUMMY = 0x0E, 0x0F, 0x11, 0x15, 0x17, 0x19
_TIMES = frozenset({0x12, 0x13, 0x14})
_PROPERTIES = frozenset({_EMPTY_STREAM, _EMPTY_FILE, _NAMES, _ATTRIBUTES, _DUMMY}) | _TIMES
_UNIX, _REPARSE = 0x8000, 0x400  # in a file's attributes; Unix' mode stands in the upper half
_LINK, _KIND = 0o120000, 0o170000


@dataclass(frozen=True, slots=True)
class Part:
    """A file's content in what a folder unpacks to: size in bytes, and checksum where there is one."""

    size: int
    crc: int | None


@dataclass(slots=True)
class Folder:
    """A packed stream and the methods that unpack it, each an id with its properties, the one that gives the files first."""

    methods: list[tuple[bytes, bytes]]
    sizes: list[int] = field(default_factory=list)
    """What each method gives, in bytes."""
    crc: int | None = None
    start: int = 0
    packed: int = 0
    """Offset of the packed stream in the archive and its size, in bytes."""
    parts: list[Part] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Return how many bytes it unpacks to."""
        return self.sizes[0]


@dataclass(frozen=True, slots=True)
class File:
    """A member as the header describes it."""

    name: str
    stream: bool
    """Whether it has content."""
    directory: bool
    link: bool


@dataclass(slots=True)
class Streams:
    """The packed streams, in their order."""

    folders: list[Folder] = field(default_factory=list)
    end: int = START
    """Offset of the first byte behind them."""


def header(stream: BinaryIO, size: int) -> tuple[bytes, int]:
    """Return the header as it is stored, and the offset at which it begins; it has to end the file."""
    found = _SIGNATURE.unpack(exactly(stream, _SIGNATURE.size, "a 7z signature header"))
    _, _, _, checksum, offset, length, header_checksum = found
    if zlib.crc32(struct.pack("<QQL", offset, length, header_checksum)) != checksum:
        raise UnclearError("the checksum of the 7z archive's first bytes does not fit")
    start = START + offset
    if start + length != size:
        raise UnclearError("the 7z archive does not end with its header: cut short, or followed by something else")
    stream.seek(start)
    raw = exactly(stream, length, "the 7z header", LIMIT)
    if zlib.crc32(raw) != header_checksum:
        raise UnclearError("the checksum of the 7z header does not fit")
    return raw, start


def is_packed(raw: bytes) -> bool:
    """Tell whether the header only says where the real one is."""
    return raw[:1] == bytes([_ENCODED])


def packed_header(raw: bytes) -> Streams:
    """Return the one folder in which the real header is."""
    reader = _Reader(raw[1:])
    streams = _streams(reader)
    if reader.left or len(streams.folders) != 1 or len(streams.folders[0].parts) != 1:
        raise UnclearError("a 7z header that is packed in an unusual way")
    return streams


def contents(raw: bytes, notes: Notes) -> tuple[Streams, list[File]]:
    """Return the packed streams and the members of an unpacked header."""
    reader = _Reader(raw)
    reader.expect(_HEADER, "header")
    kind = reader.byte()
    streams = Streams()
    files: list[File] = []
    if kind == _MAIN:
        streams = _streams(reader)
        kind = reader.byte()
    if kind == _FILES:
        files = _files(reader, notes)
        kind = reader.byte()
    if kind != _END or reader.left:
        raise UnclearError("a 7z header with parts that are not understood")
    return streams, files


class _Reader:
    """Reads the header's numbers; whatever goes beyond its end is an `UnclearError`."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._position

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise UnclearError("the 7z header is cut short")
        self._position += count
        return self._data[self._position - count : self._position]

    def byte(self) -> int:
        return self.take(1)[0]

    def expect(self, kind: int, what: str) -> None:
        if self.byte() != kind:
            raise UnclearError(f"the 7z {what} is not where it belongs")

    def number(self) -> int:
        """Return a number, of which the first byte's leading ones tell how many bytes follow."""
        first = self.byte()
        more = next((count for count in range(8) if not first & 0x80 >> count), 8)
        low = int.from_bytes(self.take(more), "little")
        return low + ((first & (0x7F >> more)) << 8 * more)

    def count(self, what: str) -> int:
        found = self.number()
        if found > MEMBERS:
            raise UnclearError(f"a 7z archive with {found} {what}, the limit is {MEMBERS}")
        return found

    def bits(self, count: int) -> list[bool]:
        raw = self.take((count + 7) // 8)
        return [bool(raw[index // 8] & 0x80 >> index % 8) for index in range(count)]

    def defined(self, count: int) -> list[bool]:
        """Return for each of `count` things whether a value follows: for all of them, or as bits say."""
        return [True] * count if self.byte() else self.bits(count)

    def digests(self, count: int) -> list[int | None]:
        known = self.defined(count)
        return [int.from_bytes(self.take(4), "little") if here else None for here in known]


def _streams(reader: _Reader) -> Streams:
    reader.expect(_PACK, "packed streams")
    start = START + reader.number()
    count = reader.count("packed streams")
    kind = reader.byte()
    if kind != _SIZES:
        raise UnclearError("a 7z archive that does not say how large its packed streams are")
    packed = [reader.number() for _ in range(count)]
    kind = reader.byte()
    if kind == _DIGESTS:
        reader.digests(count)
        kind = reader.byte()
    if kind != _END:
        raise UnclearError("7z packed streams that are not understood")
    folders = _folders(reader)
    if len(folders) != count:
        raise UnclearError("a 7z archive whose packed streams do not belong to one folder each")
    for folder, size in zip(folders, packed, strict=True):
        folder.start, folder.packed = start, size
        start += size
    _parts(reader, folders)
    return Streams(folders, start)


def _folders(reader: _Reader) -> list[Folder]:
    reader.expect(_UNPACK, "folders")
    reader.expect(_FOLDER, "folders")
    count = reader.count("folders")
    reader.expect(0, "list of folders")  # not in another stream
    found = [_folder(reader) for _ in range(count)]
    reader.expect(_UNPACK_SIZES, "sizes")
    for folder, order in found:
        sizes = [reader.number() for _ in order]
        folder.sizes = [sizes[index] for index in order]
    kind = reader.byte()
    if kind == _DIGESTS:
        for (folder, _), crc in zip(found, reader.digests(count), strict=True):
            folder.crc = crc
        kind = reader.byte()
    if kind != _END:
        raise UnclearError("7z folders that are not understood")
    return [folder for folder, _ in found]


def _folder(reader: _Reader) -> tuple[Folder, list[int]]:
    """Return a folder whose methods are one chain, and the chain: from the method that gives the files to the packed one."""
    count = reader.number()
    if not 0 < count <= _CODERS:
        raise UnclearError(f"a 7z folder with {count} methods")
    methods = []
    for _ in range(count):
        flags = reader.byte()
        name = reader.take(flags & 0x0F)
        if flags & 0xD0:
            raise UnclearError(f"a 7z method with several streams ({name.hex()}), which is not understood")
        methods.append((name, reader.take(reader.number()) if flags & 0x20 else b""))
    feeds = {reader.number(): reader.number() for _ in range(count - 1)}
    chain = [index for index in range(count) if index not in feeds.values()][:1]
    while len(chain) < count and chain and chain[-1] in feeds and feeds[chain[-1]] < count:
        chain.append(feeds[chain[-1]])
    if len(chain) != count or len(set(chain)) != count:
        raise UnclearError("a 7z folder whose methods are no chain")
    return Folder([methods[index] for index in chain]), chain


def _parts(reader: _Reader, folders: Sequence[Folder]) -> None:
    """Divide what the folders unpack to into files."""
    kind = reader.byte()
    counts = [1] * len(folders)
    sizes = [[folder.size] for folder in folders]
    digests: list[int | None] = []
    if kind == _SUB:
        kind = reader.byte()
        if kind == _COUNTS:
            counts = [reader.count("files in a folder") for _ in folders]
            kind = reader.byte()
        listed = kind == _SIZES
        sizes = [_division(reader, folder, count, listed) for folder, count in zip(folders, counts, strict=True)]
        kind = reader.byte() if listed else kind
        unknown = sum(count for folder, count in zip(folders, counts, strict=True) if count != 1 or folder.crc is None)
        if kind == _DIGESTS:
            digests = reader.digests(unknown)
            kind = reader.byte()
        if kind == _END:
            kind = reader.byte()
    if kind != _END:
        raise UnclearError("7z streams that are not understood")
    following = iter(digests)
    for folder, division in zip(folders, sizes, strict=True):
        known = len(division) == 1 and folder.crc is not None
        folder.parts = [Part(size, folder.crc if known else next(following, None)) for size in division]


def _division(reader: _Reader, folder: Folder, count: int, listed: bool) -> list[int]:  # noqa: FBT001 - internal
    if count == 0:
        raise UnclearError("a 7z folder that holds no file")
    if count > 1 and not listed:
        raise UnclearError("a 7z archive that does not say how large its files are")
    sizes = [reader.number() for _ in range(count - 1)]
    rest = folder.size - sum(sizes)
    if rest < 0:
        raise UnclearError("a 7z archive whose files are larger than what they are packed in")
    return [*sizes, rest]


def _files(reader: _Reader, notes: Notes) -> list[File]:
    count = reader.count("files")
    parts = _properties(reader, notes)
    if _NAMES not in parts:
        raise UnclearError("a 7z archive whose files have no names")
    names = _names(parts[_NAMES], count)
    empty = parts[_EMPTY_STREAM].bits(count) if _EMPTY_STREAM in parts else [False] * count
    bare = iter(parts[_EMPTY_FILE].bits(sum(empty)) if _EMPTY_FILE in parts else [False] * count)
    filled = [here and next(bare) for here in empty]
    attributes = _attributes(parts[_ATTRIBUTES], count) if _ATTRIBUTES in parts else [0] * count
    if any(parts[kind].left for kind in (_EMPTY_STREAM, _EMPTY_FILE, _ATTRIBUTES) if kind in parts):
        notes.gap("a property of files in the 7z header goes on behind its end")
    rows = zip(names, empty, filled, attributes, strict=True)
    return [File(name, not here, here and not file, _is_link(flags)) for name, here, file, flags in rows]


def _properties(reader: _Reader, notes: Notes) -> dict[int, _Reader]:
    """Return the properties of files that are read here, and tell which others there are."""
    found: dict[int, _Reader] = {}
    while (kind := reader.byte()) != _END:
        raw = reader.take(reader.number())
        if kind in found:
            raise UnclearError("a property of files stands twice in the 7z header")
        found[kind] = _Reader(raw)
        if kind == _DUMMY and raw.strip(b"\0"):
            notes.gap("the 7z header holds padding that is not empty")
        elif kind not in _PROPERTIES:
            notes.gap(f"the 7z header holds a property of files that is not understood ({kind})")
    return found


def _attributes(part: _Reader, count: int) -> list[int]:
    known = part.defined(count)
    part.expect(0, "attributes")  # not in another stream
    return [int.from_bytes(part.take(4), "little") if here else 0 for here in known]


def _names(part: _Reader, count: int) -> list[str]:
    part.expect(0, "names")  # not in another stream
    raw = part.take(part.left)
    text = raw.decode("utf-16-le", "backslashreplace")
    if len(raw) % 2 or not text.endswith("\0") or text.count("\0") != count:
        raise UnclearError("the names of the 7z archive's files are broken")
    return text.split("\0")[:-1]


def _is_link(attributes: int) -> bool:
    unix = bool(attributes & _UNIX) and attributes >> 16 & _KIND == _LINK
    return unix or bool(attributes & _REPARSE)
