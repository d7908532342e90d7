"""Images: walked by structure to their last byte, so that nothing can hide behind the picture; pixels are not decoded."""

from __future__ import annotations

import os
import re
import zlib
from typing import BinaryIO

from weighlock.scanners import Blob
from weighlock.scanners.reading import UnclearError, exactly
from weighlock.scanners.strict.notes import Notes

_SCAN_END = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
_CHUNK_LIMIT = 256 * 1024 * 1024  # bytes of one PNG chunk


def png(blob: Blob, stream: BinaryIO, _notes: Notes) -> None:
    """Walk the chunks of a PNG with their checksums, from IHDR to IEND (PNG specification, section 5)."""
    exactly(stream, 8, "the PNG signature")
    kind = b""
    while kind != b"IEND":
        first = not kind
        length = int.from_bytes(exactly(stream, 4, "a PNG chunk"), "big")
        kind = exactly(stream, 4, "a PNG chunk")
        if first != (kind == b"IHDR") or not kind.isalpha():
            raise UnclearError(f"the PNG chunk at byte {stream.tell() - 4} is out of place")
        data = exactly(stream, length, "a PNG chunk", _CHUNK_LIMIT)
        if zlib.crc32(data, zlib.crc32(kind)).to_bytes(4, "big") != exactly(stream, 4, "a PNG checksum"):
            raise UnclearError("a PNG chunk with a wrong checksum")
    _ends(blob, stream, "PNG")


def gif(blob: Blob, stream: BinaryIO, _notes: Notes) -> None:
    """Walk the blocks of a GIF to its trailer (GIF89a, section 12 on)."""
    flags = exactly(stream, 13, "the GIF header")[10]
    _skip_palette(stream, flags)
    while (block := exactly(stream, 1, "a GIF block")) != b"\x3b":
        if block == b"\x21":
            exactly(stream, 1, "a GIF extension")
        elif block == b"\x2c":
            _skip_palette(stream, exactly(stream, 9, "a GIF picture")[8])
            exactly(stream, 1, "a GIF picture")
        else:
            raise UnclearError(f"the GIF block at byte {stream.tell() - 1} is unknown")
        while length := exactly(stream, 1, "a GIF block")[0]:
            exactly(stream, length, "a GIF block")
    _ends(blob, stream, "GIF")


def jpeg(blob: Blob, stream: BinaryIO, _notes: Notes) -> None:
    """Walk the segments of a JPEG to its end marker (ITU T.81, annex B)."""
    exactly(stream, 2, "the JPEG start")
    marker = _marker(stream)
    while marker != 0xD9:
        if 0xD0 <= marker <= 0xD8 or marker in {0x00, 0x01}:
            raise UnclearError(f"the JPEG marker {marker:#04x} at byte {stream.tell() - 1} is out of place")
        length = int.from_bytes(exactly(stream, 2, "a JPEG segment"), "big")
        exactly(stream, max(length - 2, 0), "a JPEG segment")
        marker = _after_scan(stream) if marker == 0xDA else _marker(stream)
    _ends(blob, stream, "JPEG")


def webp(blob: Blob, stream: BinaryIO, _notes: Notes) -> None:
    """Walk the chunks of a WebP, which is a RIFF file of stated length."""
    header = exactly(stream, 12, "the WebP header")
    if header[:4] != b"RIFF" or int.from_bytes(header[4:8], "little") + 8 != blob.size:
        raise UnclearError("a WebP whose stated length is not that of the file")
    while stream.tell() < blob.size:
        kind = exactly(stream, 4, "a WebP chunk")
        if kind not in {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF", b"XMP "}:
            raise UnclearError("a WebP chunk of unknown kind")
        length = int.from_bytes(exactly(stream, 4, "a WebP chunk"), "little")
        stream.seek(length + length % 2, os.SEEK_CUR)
    _ends(blob, stream, "WebP")


def _ends(blob: Blob, stream: BinaryIO, name: str) -> None:
    position = stream.tell()
    if position != blob.size:
        raise UnclearError(f"the {name} ends at byte {position}, the file has {blob.size}: something else follows it")


def _skip_palette(stream: BinaryIO, flags: int) -> None:
    if flags & 0x80:
        exactly(stream, 3 << ((flags & 7) + 1), "a GIF palette")


def _marker(stream: BinaryIO) -> int:
    if exactly(stream, 1, "a JPEG marker") != b"\xff":
        raise UnclearError(f"no JPEG marker at byte {stream.tell() - 1}")
    code = b"\xff"
    while code == b"\xff":
        code = exactly(stream, 1, "a JPEG marker")
    return code[0]


def _after_scan(stream: BinaryIO) -> int:
    """Pass entropy-coded data and return the marker that ends it."""
    kept = b""
    while piece := stream.read(65536):
        data = kept + piece
        if match := _SCAN_END.search(data):
            stream.seek(match.end() - len(data), os.SEEK_CUR)
            return data[match.end() - 1]
        kept = data[-1:]
    raise UnclearError("a JPEG without its end")
