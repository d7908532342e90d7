"""Containers byte by byte, for what Python's standard library does not write: 7z, lz4, zstd, broken zips."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace


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


def _deflated(data: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-15)
    return engine.compress(data) + engine.flush()


def _lzma2(data: bytes) -> bytes:
    return lzma.compress(data, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}])


METHODS: dict[str, tuple[bytes, Callable[[bytes], bytes]]] = {
    "copy": (b"\1\0", bytes),
    "lzma2": (b"\x21\x21\1\x10", _lzma2),
    "bzip2": (b"\3\4\2\2", bz2.compress),
    "deflate": (b"\3\4\1\x08", _deflated),
    "zstd": (b"\4\4\xf7\x11\1", zstd),
    "ppmd": (b"\x23\3\4\1\5\6\0\0\0\1", bytes),
    "aes": (b"\x24\6\xf1\7\1\1\0", bytes),
}
"""Method to the words that a 7z folder has for it, and what packs by it; the last two are not what they say."""


@dataclass(frozen=True, slots=True)
class Seven:
    """A 7z archive of one folder, byte by byte (7zFormat.txt); what it announces may be put wrong."""

    files: Sequence[tuple[str, bytes]]
    method: str = "copy"
    packed_header: bool = False
    before: bytes = b""
    """Bytes between the packed stream and the header."""
    checksums: bool = True
    attributes: int | None = None
    more: int = 0
    """Bytes that the folder announces beyond what it has."""
    broken: bool = False
    """Whether the packed bytes end in nonsense."""

    def build(self) -> bytes:
        """Return the archive."""
        content = b"".join(data for _, data in self.files)
        _, pack = METHODS[self.method]
        packed = pack(content)
        packed = packed[: len(packed) // 2] + b"\xff" * 40 if self.broken else packed
        header = b"\1\4" + self._streams(0, packed, content, [data for _, data in self.files]) + self._files()
        body = packed + self.before
        if self.packed_header:
            raw = _lzma2(header)
            inner = replace(self, method="lzma2", more=0)
            header = b"\x17" + inner._streams(len(body), raw, header, [header])
            body += raw
        start = struct.pack("<QQL", len(body), len(header), zlib.crc32(header))
        return b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<L", zlib.crc32(start)) + start + body + header

    def _streams(self, start: int, packed: bytes, content: bytes, parts: Sequence[bytes]) -> bytes:
        words, _ = METHODS[self.method]
        streams = b"\6" + _number(start) + b"\1\x09" + _number(len(packed)) + b"\0"
        streams += b"\7\x0b\1\0\1" + words + b"\x0c" + _number(len(content) + self.more) + b"\0\x08"
        if len(parts) > 1:
            streams += b"\x0d" + _number(len(parts)) + b"\x09" + b"".join(_number(len(part)) for part in parts[:-1])
        sums = b"".join(struct.pack("<L", zlib.crc32(part)) for part in parts)
        return streams + (b"\x0a\1" + sums if self.checksums else b"") + b"\0\0"

    def _files(self) -> bytes:
        names = b"\0" + b"".join(name.encode("utf-16-le") + b"\0\0" for name, _ in self.files)
        files = b"\5" + _number(len(self.files)) + b"\x11" + _number(len(names)) + names
        if self.attributes is not None:
            raw = b"\1\0" + struct.pack("<L", self.attributes) * len(self.files)
            files += b"\x15" + _number(len(raw)) + raw
        return files + b"\0\0"


def seven(name: str, data: bytes, method: str = "copy") -> bytes:
    """Return a 7z archive that holds one file."""
    return Seven([(name, data)], method).build()


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
    """Return a number as 7z writes it, in one byte or in nine."""
    return bytes([value]) if value < 0x80 else b"\xff" + value.to_bytes(8, "little")
