"""Compressed streams: gzip, bzip2, xz, lzma, zlib, lz4 and zstd, unpacked within the budget to a member of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from weighlock.scanners import Blob
from weighlock.scanners.containers import Budget, Member, member, spool
from weighlock.scanners.containers.decompressors import STREAMS, errors, inflate
from weighlock.scanners.reading import CHUNK
from weighlock.scanners.strict.notes import Notes

_ALONE = frozenset({"zlib", "lzma"})
_FRAMES = {"lz4": b"\x04\x22\x4d\x18", "zstd": b"\x28\xb5\x2f\xfd"}
"""What each frame begins with. Frames that readers skip begin otherwise, and could hold anything."""


def compressed(blob: Blob, stream: BinaryIO, notes: Notes, budget: Budget) -> Iterator[Member]:
    """Yield the content; several streams one behind the other are one content, as the tools read them."""
    budget.member()
    unpacked, size = spool(_pieces(blob.format, stream, notes), blob.size, budget)
    with unpacked:
        yield Member(member(blob, f"{blob.name} unpacked", unpacked, size), Notes())


def _pieces(kind: str, stream: BinaryIO, notes: Notes) -> Iterator[bytes]:
    rest = stream.read(CHUNK)
    first = True
    while rest:
        engine = STREAMS[kind]()
        try:
            yield from inflate(engine, rest, stream)
        except errors(kind) as error:
            place = "" if first else " behind its first stream"
            notes.gap(f"the {kind} data is broken{place}: {error}")
            return
        if not engine.eof:
            notes.gap(f"the {kind} data is cut short")
            return
        rest = engine.unused_data or b""
        rest += stream.read(CHUNK) if len(rest) < 4 else b""
        first = False
        if rest and (kind in _ALONE or not rest.startswith(_FRAMES.get(kind, b""))):
            notes.gap(f"bytes follow the {kind} data")
            return
