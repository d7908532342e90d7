"""7z archives: every packed stream unpacked by the standard library's own filters, and cut into its files.

Methods that it has no filter for (PPMd, BCJ2, encryption) leave their files unread, so that the archive is unscanned;
so do bytes that belong to no packed stream.
"""

from __future__ import annotations

import posixpath
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from weighlock.scanners import Blob, Severity
from weighlock.scanners.containers import Budget, Member, climbs, escapes, member, spool
from weighlock.scanners.containers.sevenzip import header
from weighlock.scanners.containers.sevenzip.files import File
from weighlock.scanners.containers.sevenzip.methods import COPY, unpacked
from weighlock.scanners.containers.sevenzip.streams import START, Folder, Part
from weighlock.scanners.reading import UnclearError, section
from weighlock.scanners.strict.notes import Notes

_PACKINGS = 4  # a header may be packed, and the header of that one


def seven(blob: Blob, stream: BinaryIO, notes: Notes, budget: Budget) -> Iterator[Member]:
    """Yield the members in the order in which they lie."""
    raw, end = header.header(stream, blob.size)
    for _ in range(_PACKINGS):
        if not header.is_packed(raw):
            break
        streams = header.packed_header(raw)
        if streams.end != end:
            notes.gap("bytes of the 7z archive stand before its header and belong to nothing")
        folder = streams.folders[0]
        end = folder.start
        raw = _header(stream, folder, budget)
    found, files = header.contents(raw, notes)
    if found.end != end or (found.folders and found.folders[0].start != START):
        notes.gap("bytes of the 7z archive belong to no packed stream")
    _check_names(files, notes)
    parts = sum(len(folder.parts) for folder in found.folders)
    if parts != sum(file.stream for file in files):
        raise UnclearError("a 7z archive whose files are not as many as its contents")
    rest = iter([file for file in files if file.stream])
    for folder in found.folders:
        yield from _folder((blob, stream), folder, [next(rest) for _ in folder.parts], notes, budget)


def _header(stream: BinaryIO, folder: Folder, budget: Budget) -> bytes:
    if folder.size > header.LIMIT:
        raise UnclearError(f"a 7z header of {folder.size} bytes, the limit is {header.LIMIT}")
    broken = Notes()
    content, size = _content(stream, folder, broken, budget)
    with content:
        raw = section(content, 0, size).read()
    if broken.gaps:
        raise UnclearError(f"the 7z header cannot be unpacked: {broken.gaps[0]}")
    if folder.parts[0].crc not in {None, zlib.crc32(raw)}:
        raise UnclearError("the checksum of the packed 7z header does not fit")
    return raw


def _folder(
    source: tuple[Blob, BinaryIO], folder: Folder, files: Sequence[File], notes: Notes, budget: Budget
) -> Iterator[Member]:
    blob, stream = source
    try:
        content, size = _content(stream, folder, notes, budget)
    except UnclearError as error:
        notes.gap(str(error))  # and the next folder may be read all the same
        return
    with content:
        start = 0
        for file, part in zip(files, folder.parts, strict=True):
            budget.member()
            there = max(0, min(part.size, size - start))
            yield _member(blob, file, part, section(content, start, there), there)
            start += part.size


def _content(stream: BinaryIO, folder: Folder, notes: Notes, budget: Budget) -> tuple[BinaryIO, int]:
    """Return what the folder unpacks to, as far as it does, and the number of bytes."""
    packed = section(stream, folder.start, folder.packed)
    if folder.methods == [(COPY, b"")]:
        if folder.size != folder.packed:
            notes.gap(f"a stored 7z stream has {folder.packed} bytes, announced are {folder.size}")
        return packed, folder.packed
    return spool(_tolerant(unpacked(folder, packed), notes), folder.packed, budget)


def _tolerant(pieces: Iterator[bytes], notes: Notes) -> Iterator[bytes]:
    """Yield what comes before the data breaks: a loader may have read it by then."""
    try:
        yield from pieces
    except UnclearError as error:
        notes.gap(str(error))


def _member(blob: Blob, file: File, part: Part, content: BinaryIO, size: int) -> Member:
    notes = Notes()
    checksum = 0

    def feed(chunk: bytes) -> None:
        nonlocal checksum
        checksum = zlib.crc32(chunk, checksum)

    found = member(blob, file.name, content, size, feed)
    if part.crc not in {None, checksum}:
        notes.gap("its checksum does not fit")
    if size != part.size:
        notes.gap(f"it has {size} bytes, announced are {part.size}")
    if file.link:
        with found.open() as target:
            escapes(file.name, target.read(4096).decode("utf-8", "replace"), posixpath.dirname(file.name), notes)
    return Member(found, notes)


def _check_names(files: Sequence[File], notes: Notes) -> None:
    for name, count in Counter(file.name.lower() for file in files).items():
        if count > 1:
            notes.gap(f"the 7z archive holds {name} more than once")
    for file in files:
        if climbs(file.name):
            message = f"a member is named {file.name}: unpacked, it lands outside"
            notes.find("archive.path", Severity.CRITICAL, message)
