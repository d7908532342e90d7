"""Tar archives: walked block by block, so that nothing stands between or behind the members unseen.

Source: POSIX ustar, with GNU's and pax' long names. Links, devices and sparse files are not understood.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import BinaryIO

from weighlock.scanners import Blob, Severity
from weighlock.scanners.containers import Budget, Member, member
from weighlock.scanners.reading import UnclearError, pieces, section
from weighlock.scanners.strict.notes import Notes

_BLOCK = 512


def tar(blob: Blob, stream: BinaryIO, notes: Notes, budget: Budget) -> Iterator[Member]:
    """Yield the regular files of the archive."""
    position = 0
    try:
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            for entry in archive:
                budget.member()
                problems = Notes()
                _check(entry, problems, notes)
                if entry.isreg() and not entry.issparse():
                    position = entry.offset_data + -(-entry.size // _BLOCK) * _BLOCK
                    if entry.offset_data + entry.size > blob.size:
                        raise UnclearError(f"the tar member {entry.name} is cut short")
                    content = section(stream, entry.offset_data, entry.size)
                    _zeros(stream, entry.offset_data + entry.size, position, notes)
                    yield Member(member(blob, entry.name, content, entry.size), problems)
                else:
                    position = entry.offset_data
    except tarfile.TarError as error:
        raise UnclearError(f"the tar archive is broken: {error}") from None
    _zeros(stream, position, blob.size, notes)


def _check(entry: tarfile.TarInfo, problems: Notes, notes: Notes) -> None:
    if entry.name.startswith("/") or ".." in entry.name.split("/") or "\\" in entry.name:
        notes.find("archive.path", Severity.CRITICAL, f"a member is named {entry.name}: unpacked, it lands outside")
    if not (entry.isreg() or entry.isdir()):
        notes.gap(f"the tar member {entry.name} is a link or a device")
    if entry.issparse():
        problems.gap(f"the tar member {entry.name} is stored as a sparse file")


def _zeros(stream: BinaryIO, start: int, end: int, notes: Notes) -> None:
    stream.seek(start)
    for piece in pieces(section(stream, start, max(0, end - start))):
        if piece.strip(b"\0"):
            notes.gap(f"bytes that belong to no tar member stand behind byte {start}")
            return
