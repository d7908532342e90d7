"""Containers: archives and compressed streams, opened as their loaders open them, so that every member is scanned.

An unpacker yields the members one after the other and notes what is wrong with the container itself: bytes that
belong to no member, names that lie, checksums that do not fit. It never stops at a bad member, since a loader may not.
"""

from __future__ import annotations

import posixpath
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from weighlock.scanners import Blob, Severity
from weighlock.scanners.reading import UnclearError, section
from weighlock.scanners.sniff import Sniffer, recognised, sniff
from weighlock.scanners.strict.notes import Notes

DEPTH = 4  # containers in containers
MEMBERS = 20_000  # in one file of the model
UNPACKED = 8 * 1024**3  # bytes unpacked from one file of the model
RATIO = 200  # unpacked to packed size, beyond
RATIO_FREE = 64 * 1024**2  # bytes of one file of the model that may be unpacked at any ratio
_IN_MEMORY = 16 * 1024**2  # bytes; larger members are unpacked to disk


@dataclass(slots=True)
class Budget:
    """What may still be unpacked from one file of the model, so that bombs end as unscanned."""

    members: int = MEMBERS
    unpacked: int = UNPACKED
    free: int = RATIO_FREE

    def member(self) -> None:
        """Count a member."""
        self.members -= 1
        if self.members < 0:
            raise UnclearError(f"more than {MEMBERS} members in one file")

    def unpack(self, count: int, total: int, packed: int) -> None:
        """Count `count` more bytes of a member that has `total` by now and came from `packed` bytes."""
        self.unpacked -= count
        if self.unpacked < 0:
            raise UnclearError(f"unpacks to more than {UNPACKED} bytes")
        if total > RATIO * packed:
            self.free -= min(count, total - RATIO * packed)
        if self.free < 0:
            raise UnclearError(f"unpacks to more than {RATIO} times its size: a bomb")


@dataclass(frozen=True, slots=True)
class Member:
    """A member as a blob of its own, and what is wrong with the way it is packed."""

    blob: Blob
    notes: Notes


Unpacker = Callable[[Blob, BinaryIO, Notes, Budget], Iterator[Member]]


def member(parent: Blob, name: str, stream: BinaryIO, size: int, *sinks: Callable[[bytes], None]) -> Blob:
    """Return the blob for a member whose content is the first `size` bytes of `stream`; its format is sniffed.

    Every byte goes through the `sinks`, too.
    """

    def opener() -> BinaryIO:
        return section(stream, 0, size)

    path = f"{parent.member}!{name}" if parent.member else name
    return Blob(parent.path, recognised(sniff(opener(), *sinks), opener), size, opener, path, parent.beside)


def glimpsed(parent: Blob, name: str, stream: BinaryIO, size: int) -> Blob:
    """Return the blob for a member that something vouches for as raw numbers: recognised by its two ends only."""

    def opener() -> BinaryIO:
        return section(stream, 0, size)

    path = f"{parent.member}!{name}" if parent.member else name
    sniffer = Sniffer.again(opener(), size, text=False)
    return Blob(parent.path, recognised(sniffer, opener), size, opener, path, parent.beside)


def climbs(name: str) -> bool:
    """Tell whether a member of this name could land outside the folder it is unpacked to."""
    parts = name.split("/")
    return name.startswith("/") or ".." in parts or "\\" in name or parts[0][1:2] == ":" or "\0" in name


def escapes(name: str, target: str, folder: str, notes: Notes) -> None:
    """Judge a link `name` to `target`, which is seen from `folder`: where it is unpacked, it may lead outside."""
    if climbs(posixpath.normpath(posixpath.join(folder, target))):
        message = f"the member {name} is a link to {target}: what goes through it lands outside"
        notes.find("archive.link", Severity.CRITICAL, message)
    else:
        notes.find("archive.link", Severity.REVIEW, f"the member {name} is a link to {target}")


def spool(pieces: Iterator[bytes], packed: int, budget: Budget) -> tuple[BinaryIO, int]:
    """Write unpacked pieces to a temporary file within the budget; return it with its size in bytes."""
    target = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - the caller closes it
    total = 0
    try:
        for piece in pieces:
            total += len(piece)
            budget.unpack(len(piece), total, packed)
            target.write(piece)
    except BaseException:
        target.close()
        raise
    return target, total  # type: ignore[return-value] # it is a BinaryIO in all but name before Python 3.11
