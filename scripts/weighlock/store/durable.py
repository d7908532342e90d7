"""Files that are whole or not there, whatever kills the writer: written aside, synced, then renamed into place.

A file in the scratch folder is locked by its writer for as long as it lives, so one that nobody holds was left by a
writer that was killed, and the next one removes it. Where the system has no such locks (Windows) nothing is removed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

if sys.platform != "win32":
    import fcntl

_PREFIX = "weighlock-"  # other programs put their own unfinished files beside ours
_FLAGS = os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def write(destination: Path, pieces: Iterable[bytes], scratch: Path) -> None:
    """Write `destination` from `pieces`; whatever `pieces` raises leaves no trace. `scratch` is on the same disk."""
    with _scratch_file(scratch) as (stream, path):
        for piece in pieces:
            stream.write(piece)
        stream.flush()
        os.fsync(stream.fileno())
        if sys.platform == "win32":
            stream.close()
        path.replace(destination)
    _sync_folder(destination.parent)


def sweep(scratch: Path) -> None:
    """Remove what killed writers left in `scratch`."""
    if sys.platform == "win32":
        return
    for path in scratch.glob(f"{_PREFIX}*"):
        with contextlib.suppress(FileNotFoundError, BlockingIOError), path.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


@contextmanager
def locked(path: Path) -> Iterator[BinaryIO]:
    """Open `path` for reading and writing, made if it is missing, and hold it against every other process and thread."""
    with os.fdopen(os.open(path, os.O_RDWR | _FLAGS, 0o666), "r+b") as stream:
        _lock(stream)
        yield stream


def finish(stream: BinaryIO, rest: bytes) -> None:
    """Append the rest of a file that its writer did not finish."""
    stream.seek(0, os.SEEK_END)
    stream.write(rest)
    stream.flush()
    os.fsync(stream.fileno())


@contextmanager
def _scratch_file(scratch: Path) -> Iterator[tuple[BinaryIO, Path]]:
    stream, path = _hold(scratch)
    try:
        with stream:
            yield stream, path
    finally:
        path.unlink(missing_ok=True)


def _hold(scratch: Path) -> tuple[BinaryIO, Path]:
    while True:
        path = scratch / f"{_PREFIX}{secrets.token_hex(8)}"
        stream = os.fdopen(os.open(path, os.O_WRONLY | os.O_EXCL | _FLAGS, 0o666), "wb")
        _lock(stream)
        # A sweeper may have come between the two lines above; then the file is gone and another is made.
        if path.exists():
            return stream, path
        stream.close()


def _lock(stream: BinaryIO) -> None:
    if sys.platform != "win32":
        fcntl.flock(stream, fcntl.LOCK_EX)


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` outlive a power cut; systems that cannot open a folder do it by themselves."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
