"""Decompressors behind one face: fed piece by piece, and never giving more than they are asked for.

Each is one of the standard library, or has its face: ``lz4`` and ``zstd`` come from packages of the extra ``scan``, and
are imported where they are used.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO, Protocol

from weighlock.scanners.reading import CHUNK

MEMORY = 256 * 1024**2  # bytes that a stream may make its decompressor take
_WINDOW = 27  # zstd's own default for what it reads without being told to: 2**27 bytes


class Decompressor(Protocol):
    """What `bz2` and `lzma` have; of `needs_input` and `unconsumed_tail` there is one."""

    @property
    def eof(self) -> bool:
        """Tell whether the stream's end was reached."""

    @property
    def unused_data(self) -> bytes | None:
        """Return what was given behind the end; lz4 has None for nothing."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Return at most `max_length` bytes more."""


def _lz4() -> Decompressor:
    from lz4.frame import (  # type: ignore[import-untyped] # noqa: PLC0415 - only where it is installed
        LZ4FrameDecompressor,
    )

    engine: Decompressor = LZ4FrameDecompressor()
    return engine


def _zstd() -> Decompressor:
    from backports.zstd import DecompressionParameter, ZstdDecompressor  # noqa: PLC0415 - only where it is installed

    engine: Decompressor = ZstdDecompressor(options={DecompressionParameter.window_log_max: _WINDOW})
    return engine


STREAMS: Mapping[str, Callable[[], Decompressor]] = {
    "gzip": lambda: zlib.decompressobj(31),
    "zlib": lambda: zlib.decompressobj(15),
    "bzip2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY),
    "lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=MEMORY),
    "lz4": _lz4,
    "zstd": _zstd,
}
"""Format to decompressor, one for each stream of a file."""


def errors(kind: str) -> tuple[type[Exception], ...]:
    """Return what a decompressor of this kind raises for broken data; for use behind `except`."""
    if kind == "zstd":
        from backports.zstd import ZstdError  # noqa: PLC0415 - only where it is installed

        return (ZstdError,)
    return (zlib.error, OSError, lzma.LZMAError, EOFError, ValueError, RuntimeError)  # the last is lz4's


def inflate(engine: Decompressor, data: bytes, stream: BinaryIO) -> Iterator[bytes]:
    """Yield what `data` and then `stream` unpack to, up to the end of either."""
    while not engine.eof:
        piece = engine.decompress(data, CHUNK)
        if piece:
            yield piece
        data = getattr(engine, "unconsumed_tail", b"")
        if hungry(engine, data, len(piece)):
            data += stream.read(CHUNK)
            if not data:
                return


def hungry(engine: Decompressor, left: bytes, given: int) -> bool:
    """Tell whether the engine wants more data: it says so, or `left` nothing over when it gave `given` bytes."""
    wants: bool = getattr(engine, "needs_input", not left and given < CHUNK)
    return wants
