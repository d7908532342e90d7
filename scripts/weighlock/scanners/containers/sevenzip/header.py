"""The header of a 7z archive: where its packed streams lie, by what they are unpacked, and which files are in them.

The header stands at the end and may be packed itself. Whatever in it is not what a writer makes is an `UnclearError` or
a gap: nothing is guessed, since a header that two readers understand differently hides a file from one of them.
Source: 7-Zip, DOC/7zFormat.txt.
"""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

from weighlock.scanners.containers.sevenzip import files, streams
from weighlock.scanners.containers.sevenzip.files import File
from weighlock.scanners.containers.sevenzip.reader import ENCODED, END, FILES, HEADER, MAIN, Reader
from weighlock.scanners.containers.sevenzip.streams import START, Streams
from weighlock.scanners.reading import UnclearError, exactly
from weighlock.scanners.strict.notes import Notes

LIMIT = 16 * 1024**2  # bytes of a header
_SIGNATURE = struct.Struct("<6s2BLQQL")


def header(stream: BinaryIO, size: int) -> tuple[bytes, int]:
    """Return the header as it is stored, and the offset at which it begins; it has to end the file."""
    found = _SIGNATURE.unpack(exactly(stream, _SIGNATURE.size, "a 7z signature header"))
    _, _, _, checksum, offset, length, header_checksum = found
    if zlib.crc32(struct.pack("<QQL", offset, length, header_checksum)) != checksum:
        raise UnclearError("the checksum of the 7z archive's first bytes does not fit")
    start = START + offset
    if start + length != size:
        raise UnclearError("the 7z archive does not end with its header: cut short, or followed by something else")
    stream.seek(start)
    raw = exactly(stream, length, "the 7z header", LIMIT)
    if zlib.crc32(raw) != header_checksum:
        raise UnclearError("the checksum of the 7z header does not fit")
    return raw, start


def is_packed(raw: bytes) -> bool:
    """Tell whether the header only says where the real one is."""
    return raw[:1] == bytes([ENCODED])


def packed_header(raw: bytes) -> Streams:
    """Return the one folder in which the real header is."""
    reader = Reader(raw[1:])
    found = streams.read(reader)
    if reader.left or len(found.folders) != 1 or len(found.folders[0].parts) != 1:
        raise UnclearError("a 7z header that is packed in an unusual way")
    return found


def contents(raw: bytes, notes: Notes) -> tuple[Streams, list[File]]:
    """Return the packed streams and the members of an unpacked header."""
    reader = Reader(raw)
    reader.expect(HEADER, "header")
    kind = reader.byte()
    found = Streams()
    members: list[File] = []
    if kind == MAIN:
        found = streams.read(reader)
        kind = reader.byte()
    if kind == FILES:
        members = files.read(reader, notes)
        kind = reader.byte()
    if kind != END or reader.left:
        raise UnclearError("a 7z header with parts that are not understood")
    return found, members
