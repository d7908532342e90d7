"""Finding a format by content: what a file is, whatever its name says.

`Sniffer` sees every byte in the one streaming read; `recognised` adds the looks that need a second, seekable one. The
answer is a word, the ledger's ``format``. It chooses the parser, and a wrong word can only make a file `unscanned`,
since every rule demands that the content follows it to the last byte. Text follows no structure, so it comes last: it
is what no loader of another format would take.
"""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Callable
from typing import BinaryIO

from weighlock.scanners import protobuf
from weighlock.scanners.pickles import disguise

HEAD = 4096  # bytes kept from the start; HDF5 may begin at 512, 1024 or 2048
TAIL = 65_557  # bytes kept from the end: a zip's last record, with the longest comment it can have

MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"PK\x03\x04", "zip"),
    (0, b"PK\x05\x06", "zip"),
    (0, b"PK\x07\x08", "zip"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z"),
    (0, b"Rar!\x1a\x07", "rar"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"BZh", "bzip2"),
    (0, b"\xfd7zXZ\x00", "xz"),
    (0, b"\x5d\x00\x00", "lzma"),
    (0, b"\x04\x22\x4d\x18", "lz4"),
    (0, b"\x28\xb5\x2f\xfd", "zstd"),
    (0, b"ZF0x", "joblib zfile"),
    (0, b"\x93NUMPY", "npy"),
    *((offset, b"\x89HDF\r\n\x1a\n", "hdf5") for offset in (0, 512, 1024, 2048)),
    (0, b"GGUF", "gguf"),
    (4, b"TFL3", "tflite"),
    (0, b"\x7fELF", "elf"),
    *(
        (0, magic, "mach-o")
        for magic in (b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe")
    ),
    (0, b"\xca\xfe\xba\xbe", "mach-o"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"\xff\xd8\xff", "jpeg"),
    (0, b"GIF87a", "gif"),
    (0, b"GIF89a", "gif"),
    (8, b"WEBP", "webp"),
    (0, b"%PDF-", "pdf"),
    *((0, b"RD" + kind, "r") for kind in (b"X2\n", b"X3\n", b"A2\n", b"A3\n")),
    (0, b"X\n\x00\x00\x00", "r"),
    (0, b"CBM1", "catboost"),
)

_SHORT_MAGIC = (
    (re.compile(rb"\x80[\x00-\x05]"), "pickle"),
    (re.compile(rb"MZ"), "pe"),
    (re.compile(rb"B\n[\x02\x03]\0"), "r"),
    (re.compile(rb"\{(?:L\0{7}|l\0{3}|I\0|[iU])[^\0][ -~]"), "ubjson"),
)
_TABLE_END = bytes.fromhex("57fb808b247547db")
"""The last bytes of a table file (LevelDB's format), in which TensorFlow keeps the index of a checkpoint."""
_XML = re.compile(rb"\s*(?:<\?xml\s|<!DOCTYPE\s(?!html)|<(?:PMML|net|svg)[\s>])")
_R_TEXT = re.compile(rb"A\n[23]\n\d{5,7}\n")

CONTROL = bytes(set(range(0x20)) - set(b"\t\n\v\f\r\x1b"))
"""Bytes that no text has, and that every protobuf model has: its tags, which could be valid UTF-8 otherwise."""

COMPRESSED = frozenset({"gzip", "bzip2", "xz", "lzma", "zlib", "lz4", "zstd"})
CONTAINERS = frozenset({"zip", "tar", "7z"}) | COMPRESSED
PICKLES = frozenset({"pickle", "torch pickle", "torchscript pickle"})
NATIVE = frozenset({"elf", "mach-o", "pe"})


class Sniffer:
    """A sink that decides the format from head, tail and whether every byte is text; constant memory."""

    def __init__(self) -> None:
        """Start with no byte seen."""
        self.head = b""
        self.tail = b""
        self.size = 0
        self._decoder: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()

    @classmethod
    def again(cls, stream: BinaryIO, size: int, *, text: bool) -> Sniffer:
        """Return the sniffer that has seen all `size` bytes of `stream`, rebuilt from its ends and what it then knew."""
        sniffer = cls()
        sniffer.size = size
        sniffer.head = stream.read(HEAD)
        stream.seek(max(0, size - TAIL))
        sniffer.tail = stream.read(TAIL)
        if not text:
            sniffer._decoder = None
        return sniffer

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self.size += len(chunk)
        if len(self.head) < HEAD:
            self.head += bytes(chunk[: HEAD - len(self.head)])
        self.tail = bytes(chunk[-TAIL:]) if len(chunk) >= TAIL else (self.tail + bytes(chunk))[-TAIL:]
        if self._decoder is not None:
            self._decoder = _still_text(self._decoder, chunk)

    @property
    def text(self) -> bool:
        """Tell whether all bytes so far are valid UTF-8 without control characters, whole to the last one."""
        return self._decoder is not None and not self._decoder.getstate()[0]

    @property
    def zip_end(self) -> bool:
        """Tell whether the last bytes end a zip archive, so that a zip reader would open whatever this is."""
        position = self.tail.rfind(b"PK\x05\x06")
        while position >= 0:
            record = self.tail[position : position + 22]
            if len(record) == 22 and position + 22 + int.from_bytes(record[20:], "little") == len(self.tail):
                return True
            position = self.tail.rfind(b"PK\x05\x06", 0, position)
        return False

    def format(self) -> str:
        """Return the format as far as head, tail and the text check tell it; `recognised` goes on from there."""
        found = "tar" if is_tar_header(self.head) else _by_magic(self.head)
        if found:
            return found
        if self.tail.endswith(_TABLE_END):
            return "tensorflow index"
        if self.head[4:8] == b"\2\0\0\0" and self.head[64:68] == b"\xef\xbe\xad\xde":
            return "coreml weights"
        if self.text:
            return _text_format(self.head, self.size)
        if self._is_safetensors():
            return "safetensors"
        return next((name for magic, name in _SHORT_MAGIC if magic.match(self.head)), "unknown")

    def _is_safetensors(self) -> bool:
        length = int.from_bytes(self.head[:8], "little")
        return self.head[8:9] == b"{" and length >= 2 and 8 + length <= self.size


def recognised(sniffer: Sniffer, opener: Callable[[], BinaryIO]) -> str:
    """Return the format, looking again where magic is not enough: at pickles without magic, zlib and protobuf.

    What ends like a zip archive is one, whatever it begins like: zip readers start at the end.
    """
    found = "zip" if sniffer.zip_end else sniffer.format()
    if found not in {"text", "json", "unknown"}:
        return found
    with opener() as stream:
        if _is_zlib(stream.read(HEAD)):
            return "zlib"
        stream.seek(0)
        if disguise.is_pickle(stream):
            return "pickle"
        stream.seek(0)
        return protobuf.kind(stream, sniffer.size) if found == "unknown" else found


def sniff(stream: BinaryIO, *sinks: Callable[[bytes], None]) -> Sniffer:
    """Read `stream` to its end through a `Sniffer` and the other sinks."""
    sniffer = Sniffer()
    while chunk := stream.read(1024 * 1024):
        sniffer.feed(chunk)
        for feed in sinks:
            feed(chunk)
    return sniffer


def _still_text(decoder: codecs.IncrementalDecoder, chunk: bytes) -> codecs.IncrementalDecoder | None:
    """Return the decoder, None once a byte of no text was seen."""
    try:
        decoder.decode(chunk)
    except ValueError:
        return None
    return decoder if len(chunk.translate(None, CONTROL)) == len(chunk) else None


def _by_magic(head: bytes) -> str | None:
    return next((name for offset, magic, name in MAGIC if head.startswith(magic, offset)), None)


def _text_format(head: bytes, size: int) -> str:
    if not head:
        return "empty"
    if head.startswith(b"version https://git-lfs.github.com/spec/") and size < 1024:
        return "lfs pointer"
    if _R_TEXT.match(head):
        return "r"
    if _XML.match(head.removeprefix(codecs.BOM_UTF8)):
        return "xml"
    return "json" if head.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in {b"{", b"["} else "text"


def is_tar_header(head: bytes) -> bool:
    """Tell whether the first 512 bytes are a tar header, by its checksum (POSIX ustar); old archives have no magic."""
    block = head[:512]
    field = block[148:156].strip(b" \0")
    if len(block) < 512 or not field or not block[:1].strip(b"\0") or field.strip(b"01234567"):
        return False
    return int(field, 8) == sum(block[:148]) + 8 * ord(" ") + sum(block[156:])


def _is_zlib(head: bytes) -> bool:
    """Tell whether an RFC 1950 header is followed by a deflate stream that starts well; text may begin like one."""
    if len(head) < 8 or head[0] & 0x0F != 8 or int.from_bytes(head[:2], "big") % 31:
        return False
    try:
        return bool(zlib.decompressobj().decompress(head, 64))
    except zlib.error:
        return False
