"""Where a 7z archive's packed streams lie, by what they are unpacked, and how that is divided into files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from weighlock.scanners.containers.sevenzip.reader import (
    COUNTS,
    DIGESTS,
    END,
    FOLDER,
    PACK,
    SIZES,
    SUB,
    UNPACK,
    UNPACK_SIZES,
    Reader,
)
from weighlock.scanners.reading import UnclearError

START = 32  # bytes of the signature header, behind which the packed streams begin
_CODERS = 8  # of one folder


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


@dataclass(slots=True)
class Streams:
    """The packed streams, in their order."""

    folders: list[Folder] = field(default_factory=list)
    end: int = START
    """Offset of the first byte behind them."""


def read(reader: Reader) -> Streams:
    """Read the packed streams, the folders that they are unpacked to, and how those are divided into files."""
    reader.expect(PACK, "packed streams")
    start = START + reader.number()
    count = reader.count("packed streams")
    kind = reader.byte()
    if kind != SIZES:
        raise UnclearError("a 7z archive that does not say how large its packed streams are")
    packed = [reader.number() for _ in range(count)]
    kind = reader.byte()
    if kind == DIGESTS:
        reader.digests(count)
        kind = reader.byte()
    if kind != END:
        raise UnclearError("7z packed streams that are not understood")
    folders = _folders(reader)
    if len(folders) != count:
        raise UnclearError("a 7z archive whose packed streams do not belong to one folder each")
    for folder, size in zip(folders, packed, strict=True):
        folder.start, folder.packed = start, size
        start += size
    _parts(reader, folders)
    return Streams(folders, start)


def _folders(reader: Reader) -> list[Folder]:
    reader.expect(UNPACK, "folders")
    reader.expect(FOLDER, "folders")
    count = reader.count("folders")
    reader.expect(0, "list of folders")  # not in another stream
    found = [_folder(reader) for _ in range(count)]
    reader.expect(UNPACK_SIZES, "sizes")
    for folder, order in found:
        sizes = [reader.number() for _ in order]
        folder.sizes = [sizes[index] for index in order]
    kind = reader.byte()
    if kind == DIGESTS:
        for (folder, _), crc in zip(found, reader.digests(count), strict=True):
            folder.crc = crc
        kind = reader.byte()
    if kind != END:
        raise UnclearError("7z folders that are not understood")
    return [folder for folder, _ in found]


def _folder(reader: Reader) -> tuple[Folder, list[int]]:
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


def _parts(reader: Reader, folders: Sequence[Folder]) -> None:
    """Divide what the folders unpack to into files."""
    kind = reader.byte()
    counts = [1] * len(folders)
    sizes = [[folder.size] for folder in folders]
    digests: list[int | None] = []
    if kind == SUB:
        kind = reader.byte()
        if kind == COUNTS:
            counts = [reader.count("files in a folder") for _ in folders]
            kind = reader.byte()
        listed = kind == SIZES
        sizes = [_division(reader, folder, count, listed) for folder, count in zip(folders, counts, strict=True)]
        kind = reader.byte() if listed else kind
        unknown = sum(count for folder, count in zip(folders, counts, strict=True) if count != 1 or folder.crc is None)
        if kind == DIGESTS:
            digests = reader.digests(unknown)
            kind = reader.byte()
        if kind == END:
            kind = reader.byte()
    if kind != END:
        raise UnclearError("7z streams that are not understood")
    following = iter(digests)
    for folder, division in zip(folders, sizes, strict=True):
        known = len(division) == 1 and folder.crc is not None
        folder.parts = [Part(size, folder.crc if known else next(following, None)) for size in division]


def _division(reader: Reader, folder: Folder, count: int, listed: bool) -> list[int]:  # noqa: FBT001 - internal
    if count == 0:
        raise UnclearError("a 7z folder that holds no file")
    if count > 1 and not listed:
        raise UnclearError("a 7z archive that does not say how large its files are")
    sizes = [reader.number() for _ in range(count - 1)]
    rest = folder.size - sum(sizes)
    if rest < 0:
        raise UnclearError("a 7z archive whose files are larger than what they are packed in")
    return [*sizes, rest]
