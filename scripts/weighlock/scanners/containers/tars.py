"""Tar archives: walked block by block, so that nothing stands between or behind the members unseen.

Links that lead outside and devices are findings, other links are for review, and sparse files are not understood;
their content is read all the same. Source: POSIX ustar with pax records, and GNU's long names.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from weighlock.scanners import Blob, Severity
from weighlock.scanners.containers import Budget, Member, climbs, escapes, member
from weighlock.scanners.reading import UnclearError, exactly, pieces, section
from weighlock.scanners.sniff import is_tar_header
from weighlock.scanners.strict.notes import Notes

_BLOCK = 512
_RECORDS = 1024 * 1024  # bytes of pax records or of a long name
_ENDS = 16  # archives one behind the other
_DIRECTORY = b"5"
_FILES = frozenset({b"0", b"\0", b"7"})
_SYMBOLIC = b"2"
_LINKS = frozenset({b"1", _SYMBOLIC})
_DEVICES = frozenset({b"3", b"4", b"6"})  # character, block, FIFO


@dataclass(slots=True)
class _Override:
    """What the records before a member say instead of its header."""

    name: str | None = None
    size: int | None = None
    link: str | None = None


def tar(blob: Blob, stream: BinaryIO, notes: Notes, budget: Budget) -> Iterator[Member]:
    """Yield the files of the archive."""
    position = ends = 0
    override = _Override()
    while position < blob.size:
        stream.seek(position)
        header = exactly(stream, _BLOCK, "a tar header")
        if not header.strip(b"\0"):
            following = _following(stream, position, blob.size)
            if following is None:
                break
            ends += 1
            if ends > _ENDS:
                raise UnclearError(f"a tar that ends more than {_ENDS} times")
            notes.gap(f"the tar ends at byte {position}, and goes on at byte {following}")
            position = following
            continue
        if not is_tar_header(header):
            raise UnclearError(f"there is no tar member at byte {position}")
        kind, start = header[156:157], position + _BLOCK
        size = _number(header[124:136]) if override.size is None else override.size
        position = start + -(-size // _BLOCK) * _BLOCK
        if start + size > blob.size:
            raise UnclearError("the last tar member is cut short")
        _zeros(stream, start + size, min(position, blob.size), notes)
        if kind in b"LKxgX":
            stream.seek(start)
            _records(kind, exactly(stream, size, "tar records", _RECORDS), override, notes)
            continue
        budget.member()
        name = override.name or _name(header)
        _check(name, kind, size, notes)
        _link(name, kind, override.link or _text(header[157:257]), notes)
        if kind != _DIRECTORY or size:
            yield Member(member(blob, name, section(stream, start, size), size), Notes())
        override = _Override()
    _zeros(stream, position, blob.size, notes)


def _number(raw: bytes) -> int:
    digits = raw.strip(b" \0")
    if raw[:1] == b"\x80":
        return int.from_bytes(raw[1:], "big")
    if digits.strip(b"01234567"):
        raise UnclearError("a tar member whose size is no number")
    return int(digits or b"0", 8)


def _name(header: bytes) -> str:
    name, prefix = header[:100].split(b"\0")[0], header[345:500].split(b"\0")[0]
    ustar = header[257:263] == b"ustar\0"
    return (prefix + b"/" + name if ustar and prefix else name).decode("utf-8", "backslashreplace")


def _records(kind: bytes, raw: bytes, override: _Override, notes: Notes) -> None:
    if kind == b"L":
        override.name = _text(raw)
    elif kind == b"K":
        override.link = _text(raw)
    else:
        for key, value in _pax(raw):
            if kind != b"x" or key.startswith("GNU.sparse"):
                notes.gap("a tar archive with global records or sparse files")
            elif key == "path":
                override.name = value
            elif key == "linkpath":
                override.link = value
            elif key == "size":
                override.size = _decimal(value)


def _pax(raw: bytes) -> Iterator[tuple[str, str]]:
    while raw:
        length, found, _ = raw[:12].partition(b" ")
        if not found or not length.isdigit() or not len(length) < int(length) <= len(raw):
            raise UnclearError("tar records that are broken")
        record, raw = raw[: int(length)], raw[int(length) :]
        key, _, value = record[len(length) + 1 : -1].partition(b"=")
        yield key.decode("utf-8", "backslashreplace"), value.decode("utf-8", "backslashreplace")


def _decimal(value: str) -> int:
    if not value.isascii() or not value.isdigit() or len(value) > 20:
        raise UnclearError("a tar member whose size is no number")
    return int(value)


def _check(name: str, kind: bytes, size: int, notes: Notes) -> None:
    if climbs(name):
        notes.find("archive.path", Severity.CRITICAL, f"a member is named {name}: unpacked, it lands outside")
    if kind in _DEVICES:
        notes.find("archive.device", Severity.CRITICAL, f"the member {name} is a device or a pipe")
    elif kind not in _FILES | _LINKS | {_DIRECTORY}:
        notes.gap(f"the tar member {name} is of unknown kind")
    elif size and (kind == _DIRECTORY or (kind == b"\0" and name.endswith("/"))):
        notes.gap(f"the tar folder {name} has content")


def _link(name: str, kind: bytes, target: str, notes: Notes) -> None:
    """Judge where a link leads: a symbolic one from its own folder, a hard one from the archive's."""
    if kind in _LINKS:
        folder = posixpath.dirname(name) if kind == _SYMBOLIC else ""
        escapes(name, target, folder, notes)


def _text(raw: bytes) -> str:
    return raw.split(b"\0")[0].decode("utf-8", "backslashreplace")


def _following(stream: BinaryIO, start: int, end: int) -> int | None:
    """Return where, behind blocks of zeros, another member begins: some readers go on there."""
    for piece in pieces(section(stream, start, end - start)):
        rest = piece.lstrip(b"\0")
        if rest:
            position = start + (len(piece) - len(rest)) // _BLOCK * _BLOCK
            stream.seek(position)
            return position if is_tar_header(stream.read(_BLOCK)) else None
        start += len(piece)
    return None


def _zeros(stream: BinaryIO, start: int, end: int, notes: Notes) -> None:
    for piece in pieces(section(stream, start, max(0, end - start))):
        if piece.strip(b"\0"):
            notes.gap(f"bytes that belong to no tar member stand behind byte {start}")
            return
