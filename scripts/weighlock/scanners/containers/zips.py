"""Zip archives: torch checkpoints and TorchScript, npz, Keras, or plain ones; every member becomes a blob.

Every byte has to be a member's, its header's or the directory's: what stands before, between or behind them is a gap.
Members are read even where something is wrong with them, since a loader may read them all the same.
"""

from __future__ import annotations

import posixpath
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from weighlock.scanners import Blob, Severity
from weighlock.scanners.containers import (
    MEMBERS,
    Budget,
    Member,
    climbs,
    directory,
    escapes,
    glimpsed,
    member,
    spool,
    torch,
)
from weighlock.scanners.containers.directory import Entry, Place
from weighlock.scanners.reading import CHUNK, UnclearError, pieces, section
from weighlock.scanners.strict.notes import Notes


@dataclass(slots=True)
class _Checksum:
    value: int = 0

    def feed(self, chunk: bytes) -> None:
        self.value = zlib.crc32(chunk, self.value)


def zipped(blob: Blob, stream: BinaryIO, notes: Notes, budget: Budget) -> Iterator[Member]:
    """Yield the members in the order in which they lie."""
    found, end = directory.entries(stream, blob.size, notes)
    found.sort(key=lambda entry: entry.offset)
    if len(found) > MEMBERS:
        raise UnclearError(f"more than {MEMBERS} members in one file")
    if sum(entry.packed for entry in found) > blob.size:
        raise UnclearError("the zip's members are together larger than the archive: they overlap")
    _check_names(found, notes)
    places = _places(stream, found, end, notes)
    layout = torch.layout([entry.name for entry in found])
    if layout:
        _read_storages(stream, places, layout, budget)
    for entry, place in places:
        budget.member()
        yield from _member(blob, (stream, entry, place), layout, budget)


def _places(stream: BinaryIO, found: list[Entry], end: int, notes: Notes) -> list[tuple[Entry, Place]]:
    places = []
    position = 0
    for entry in found:
        if entry.offset != position:
            notes.gap(f"bytes {position} to {entry.offset} of the zip belong to no member, or to two")
        try:
            place = directory.place(stream, entry, notes)
        except UnclearError as error:
            notes.gap(str(error))
            continue
        position = place.end
        places.append((entry, place))
    if position != end:
        notes.gap(f"bytes {position} to {end} of the zip belong to no member, or to two")
    return places


def _check_names(found: list[Entry], notes: Notes) -> None:
    for name, count in Counter(entry.name.lower() for entry in found).items():
        if count > 1:  # torch looks members up without regard to case
            notes.gap(f"the zip holds {name} more than once")
    for entry in found:
        if climbs(entry.name):
            message = f"a member is named {entry.name}: unpacked, it lands outside"
            notes.find("archive.path", Severity.CRITICAL, message)


def _member(
    blob: Blob, source: tuple[BinaryIO, Entry, Place], layout: torch.Layout | None, budget: Budget
) -> Iterator[Member]:
    stream, entry, place = source
    if entry.name.endswith("/") and not entry.packed:
        return
    notes = Notes()
    checksum = _Checksum()
    try:
        content, size = _content(stream, entry, place, budget)
    except UnclearError as error:
        notes.gap(str(error))
        content, size = section(stream, place.start, entry.packed), entry.packed
    with content:
        numbers = layout is not None and entry.method == 0 and torch.is_storage(layout, entry.name, size)
        if numbers:  # torch reads them without looking at the checksum, and they are half of all the work
            found = glimpsed(blob, entry.name, content, size)
        else:
            found = member(blob, entry.name, content, size, checksum.feed)
        if not numbers and checksum.value != entry.crc:
            notes.gap("its checksum does not fit")
        if size != entry.size:
            notes.gap(f"it has {size} bytes, announced are {entry.size}")
        if entry.link:
            with found.open() as target:
                escapes(entry.name, target.read(4096).decode("utf-8", "replace"), posixpath.dirname(entry.name), notes)
        yield Member(torch.role(layout, entry.name, found) if layout else found, notes)


def _content(stream: BinaryIO, entry: Entry, place: Place, budget: Budget) -> tuple[BinaryIO, int]:
    packed = section(stream, place.start, entry.packed)
    if entry.method == 0:
        return packed, entry.packed
    if entry.method != 8:
        raise UnclearError(f"it is packed by method {entry.method}, which is not understood")
    return spool(_inflated(packed), entry.packed, budget)


def _inflated(packed: BinaryIO) -> Iterator[bytes]:
    engine = zlib.decompressobj(-15)
    try:
        for piece in pieces(packed):
            data = piece
            while data and not engine.eof:
                yield engine.decompress(data, CHUNK)
                data = engine.unconsumed_tail
    except zlib.error as error:
        raise UnclearError(f"its deflated data is broken: {error}") from None
    if not engine.eof or engine.unused_data or packed.read(1):
        raise UnclearError("its deflated data does not end where it should")


def _read_storages(stream: BinaryIO, places: list[tuple[Entry, Place]], layout: torch.Layout, budget: Budget) -> None:
    """Let the layout learn from its pickles which members are tensor storages, before they are met."""
    for entry, place in places:
        if entry.name.lower() in layout.pickles:
            try:
                content, _ = _content(stream, entry, place, budget)
            except UnclearError:
                continue  # it is told where the member itself is read
            with content:
                torch.learn(layout, entry.name, content)
