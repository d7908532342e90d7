"""Compressed streams: gzip, bzip2, xz, lzma and zlib, unpacked within the budget to a member of their own."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

from weighlock.scanners import Blob
from weighlock.scanners.containers import Budget, Member, member, spool
from weighlock.scanners.reading import CHUNK
from weighlock.scanners.strict.notes import Notes


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


_DECOMPRESSORS: dict[str, Callable[[], _Decompressor]] = {
    "gzip": lambda: zlib.decompressobj(31),
    "zlib": lambda: zlib.decompressobj(15),
    "bzip2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=256 * 1024**2),
    "lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=256 * 1024**2),
}


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
        engine = _DECOMPRESSORS[kind]()
        try:
            yield from _inflate(engine, rest, stream)
        except (zlib.error, OSError, lzma.LZMAError, EOFError, ValueError) as error:
            place = "" if first else " behind its first stream"
            notes.gap(f"the {kind} data is broken{place}: {error}")
            return
        if not engine.eof:
            notes.gap(f"the {kind} data is cut short")
            return
        rest = engine.unused_data or stream.read(CHUNK)
        first = False
        if rest and kind in {"zlib", "lzma"}:
            notes.gap(f"bytes follow the {kind} data")
            return


def _inflate(engine: _Decompressor, data: bytes, stream: BinaryIO) -> Iterator[bytes]:
    while not engine.eof:
        piece = engine.decompress(data, CHUNK)
        if piece:
            yield piece
        data = getattr(engine, "unconsumed_tail", b"")
        wants = getattr(engine, "needs_input", not data and len(piece) < CHUNK)
        if wants:
            data += stream.read(CHUNK)
            if not data:
                return
