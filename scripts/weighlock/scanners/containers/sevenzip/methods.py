"""The methods of a 7z folder, as far as the standard library has filters for them, unpacked to the announced size."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from weighlock.scanners.containers.decompressors import MEMORY, STREAMS, Decompressor, errors, hungry
from weighlock.scanners.containers.sevenzip.streams import Folder
from weighlock.scanners.reading import CHUNK, UnclearError

COPY = b"\0"
_LZMA, _LZMA2, _DELTA, _ZSTD = b"\3\1\1", b"\x21", b"\3", b"\4\xf7\x11\1"
_ALONE: Mapping[bytes, Callable[[], Decompressor]] = {
    b"\4\1\x08": lambda: zlib.decompressobj(-15),
    b"\4\2\2": bz2.BZ2Decompressor,
    _ZSTD: STREAMS["zstd"],
}
"""Methods that stand alone: deflate, bzip2 and zstd."""
_BRANCHES = {
    **dict.fromkeys((b"\3\3\1\3", b"\4"), lzma.FILTER_X86),
    **dict.fromkeys((b"\3\3\2\5", b"\5"), lzma.FILTER_POWERPC),
    **dict.fromkeys((b"\3\3\4\1", b"\6"), lzma.FILTER_IA64),
    **dict.fromkeys((b"\3\3\5\1", b"\7"), lzma.FILTER_ARM),
    **dict.fromkeys((b"\3\3\7\1", b"\x08"), lzma.FILTER_ARMTHUMB),
    **dict.fromkeys((b"\3\3\x08\5", b"\x09"), lzma.FILTER_SPARC),
}
"""Filters for machine code, by their old and new ids, before LZMA."""
_REST = 16
"""Bytes at a packed stream's end that may stay unread: LZMA is told where to stop, and its coder writes some more."""


def unpacked(folder: Folder, packed: BinaryIO) -> Iterator[bytes]:
    """Yield what the folder unpacks to; `UnclearError` where it is not what the header announces, or not understood."""
    engine, kind = _engine(folder.methods)
    if len(set(folder.sizes)) != 1:
        raise UnclearError("a 7z folder whose methods give different sizes")
    return _exactly(engine, kind, packed, folder)


def _exactly(engine: Decompressor, kind: str, packed: BinaryIO, folder: Folder) -> Iterator[bytes]:
    left = folder.size
    try:
        for piece in _pieces(packed, folder.packed):
            if engine.eof or not left:
                raise UnclearError("packed 7z data goes on behind its end")
            data = piece
            while left and not engine.eof:
                given = engine.decompress(data, min(CHUNK, left))
                left -= len(given)
                yield given
                data = getattr(engine, "unconsumed_tail", b"")
                if hungry(engine, data, len(given)):
                    break
        if left:
            raise UnclearError(f"packed 7z data ends {left} bytes before the announced size")
        if folder.methods[-1][0] != _LZMA and not engine.eof and engine.decompress(data, 1):
            raise UnclearError("packed 7z data has more in it than announced")
    except errors(kind) as error:
        raise UnclearError(f"packed 7z data is broken: {error}") from None
    if engine.unused_data:
        raise UnclearError("packed 7z data goes on behind its end")


def _engine(methods: Sequence[tuple[bytes, bytes]]) -> tuple[Decompressor, str]:
    """Return what unpacks a chain of methods, and the kind whose errors it raises."""
    last, _ = methods[-1]
    if len(methods) == 1 and last in _ALONE:
        return _ALONE[last](), "zstd" if last == _ZSTD else ""
    if last not in {_LZMA, _LZMA2}:
        raise UnclearError(f"7z data packed by a method that is not understood ({last.hex()})")
    try:
        return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[_filter(*method) for method in methods]), ""
    except (lzma.LZMAError, ValueError) as error:
        raise UnclearError(f"7z methods that do not go together: {error}") from None


def _filter(method: bytes, properties: bytes) -> dict[str, Any]:
    """Return the method as `lzma` describes it."""
    if method in _BRANCHES and not properties:
        return {"id": _BRANCHES[method]}
    if method == _DELTA and len(properties) == 1:
        return {"id": lzma.FILTER_DELTA, "dist": properties[0] + 1}
    if method == _LZMA and len(properties) == 5 and properties[0] < 225:
        rest, lc = divmod(properties[0], 9)
        pb, lp = divmod(rest, 5)
        size = _affordable(int.from_bytes(properties[1:], "little"))
        return {"id": lzma.FILTER_LZMA1, "lc": lc, "lp": lp, "pb": pb, "dict_size": size}
    if method == _LZMA2 and len(properties) == 1 and properties[0] < 40:
        return {"id": lzma.FILTER_LZMA2, "dict_size": _affordable((2 | properties[0] & 1) << properties[0] // 2 + 11)}
    raise UnclearError(f"7z data packed by a method that is not understood ({method.hex()})")


def _affordable(size: int) -> int:
    if size > MEMORY:
        raise UnclearError(f"7z data whose dictionary takes {size} bytes, the limit is {MEMORY}")
    return max(size, 4096)


def _pieces(packed: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the packed bytes; the last few alone, so that it shows whether all before them were needed."""
    left = max(0, size - _REST)
    while left:
        piece = packed.read(min(left, CHUNK))
        if not piece:
            raise UnclearError("packed 7z data is cut short")
        left -= len(piece)
        yield piece
    yield packed.read(min(size, _REST))
