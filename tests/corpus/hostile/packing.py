"""Containers byte by byte, for what Python's standard library does not write: 7z, lz4, zstd, broken zips."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable


def lz4(data: bytes) -> bytes:
    """Return an LZ4 frame with one uncompressed block (lz4 frame format 1.6); up to 64 KiB."""
    return b"\x04\x22\x4d\x18\x60\x40\x82" + struct.pack("<L", len(data) | 0x80000000) + data + bytes(4)


def zstd(data: bytes) -> bytes:
    """Return a Zstandard frame with one raw block (RFC 8878); up to 64 KiB."""
    size = bytes([0x20, len(data)]) if len(data) < 256 else b"\x60" + struct.pack("<H", len(data) - 256)
    return b"\x28\xb5\x2f\xfd" + size + (len(data) << 3 | 1).to_bytes(3, "little") + data


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gz": lambda data: gzip.compress(data, mtime=0),
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
    "z": zlib.compress,
    "lz4": lz4,
    "zst": zstd,
}
"""Ending to compression."""


def seven(name: str, data: bytes) -> bytes:
    """Return a 7z archive that holds one file, stored (7zFormat.txt)."""
    checksum = struct.pack("<L", zlib.crc32(data))
    streams = b"\4" + b"\6\0\1\x09" + _number(len(data)) + b"\0"
    streams += b"\7\x0b\1\0\1\1\0\x0c" + _number(len(data)) + b"\0" + b"\x08\x0a\1" + checksum + b"\0\0"
    names = b"\0" + name.encode("utf-16-le") + b"\0\0"
    header = b"\1" + streams + b"\5\1\x11" + _number(len(names)) + names + b"\0\0"
    start = struct.pack("<QQL", len(data), len(header), zlib.crc32(header))
    return b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<L", zlib.crc32(start)) + start + data + header


def zip_of(members: Iterable[tuple[str, bytes]], *, method: int = zipfile.ZIP_STORED, comment: bytes = b"") -> bytes:
    """Return a zip whose members may share a name."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        archive.comment = comment
        written: set[str] = set()
        for name, data in members:
            entry = zipfile.ZipInfo(name)
            entry.compress_type = method
            if name in written:
                archive.NameToInfo.pop(name)  # so that zipfile does not warn of what we want
            written.add(name)
            archive.writestr(entry, data)
    return target.getvalue()


def central(data: bytes, name: str) -> int:
    """Return where the central entry of `name` starts."""
    return data.index(name.encode(), data.index(b"PK\x01\x02")) - 46


def local(data: bytes, name: str) -> int:
    """Return where the local header of `name` starts."""
    return data.index(name.encode()) - 30


def put(data: bytes, position: int, value: bytes) -> bytes:
    """Return `data` with `value` written over what stands at `position`."""
    return data[:position] + value + data[position + len(value) :]


def _number(value: int) -> bytes:
    """Return a number as 7z writes it, below 2**14."""
    return bytes([value]) if value < 0x80 else bytes([0x80 | value >> 8, value & 0xFF])
