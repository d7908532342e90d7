"""Bringing many blobs into a folder, in parallel, and going on where an earlier run was killed.

A file that is not whole yet is its own bookmark: its length says how far it got, and its bytes are digested again before
the rest is asked for; a large one comes in parts (`parts`). Whatever is wrong with what an earlier run left, or with the
parts that a registry serves, costs one download from the start, and no more.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from weighlock.errors import IntegrityError, RefusedError, UnfinishedError
from weighlock.oci import Descriptor, Digest
from weighlock.store import Store, chunks, limits, parts, verified
from weighlock.store.parallel import Job, Meter, run_all
from weighlock.store.parts import Parts
from weighlock.store.progress import Display, Progress
from weighlock.text import printable

if sys.platform != "win32":
    import fcntl

_LARGE = 3  # parts, from which on several streams pay


def fetch(
    store: Store,
    blobs: Sequence[Descriptor],
    folder: Path,
    display: Display,
    *,
    free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    part: int = parts.LENGTH,
) -> None:
    """Have each blob in `folder` as a file named by its digest's hex, whole, checked and synced.

    What is in the folder already is used as far as it is right. A disk without room is an `UnfinishedError` at once.
    Blobs of three parts of `part` bytes and more may come over several streams.
    """
    single: dict[Digest, Descriptor] = {}
    for descriptor in blobs:
        single.setdefault(descriptor.digest, descriptor)
    large = [
        Parts(store, item, folder / item.digest.hex, part) for item in single.values() if item.size >= _LARGE * part
    ]
    small = [item for item in single.values() if item.size < _LARGE * part]
    missing = sum(max(0, item.size - _length(folder / item.digest.hex)) for item in small)
    missing += sum(blob.missing for blob in large)
    limits.check_room(folder.parent, missing, free=free)
    streams = limits.streams(store.name)
    jobs = [_job(store, descriptor, folder) for descriptor in small]
    jobs += [_job_in_parts(store, blob, folder) for blob in large]
    # These begin last, when there are more streams than blobs to begin with.
    helpers = [Job(0, lambda meter: parts.help_out(large, meter))] * (streams.most - 1 if large else 0)
    with Progress("fetching", sum(job.size for job in jobs), display) as progress:
        run_all([*jobs, *helpers], watch=progress, streams=streams)


@contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """Hold `folder` for the time of one run; done or refused, it goes, and anything else leaves it for the next run.

    Where somebody else could have written to it, it is begun anew; where another run holds it, that is an
    `UnfinishedError`.
    """
    with _held(folder):
        try:
            yield folder
        except RefusedError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)


def _job(store: Store, descriptor: Descriptor, folder: Path) -> Job[None]:
    def run(meter: Meter) -> None:
        with parts.open_unfinished(folder / descriptor.digest.hex) as stream:
            _complete(store, descriptor, stream, meter)

    return Job(descriptor.size, run)


def _job_in_parts(store: Store, blob: Parts, folder: Path) -> Job[None]:
    def run(meter: Meter) -> None:
        try:
            blob.follow(meter)
        except IntegrityError:
            blob.drop()
            if blob.whole_from_one:
                raise
            meter.add(-blob.descriptor.size)
            _job(store, blob.descriptor, folder).run(meter)

    return Job(blob.descriptor.size, run)


def _complete(store: Store, descriptor: Descriptor, stream: BinaryIO, meter: Meter) -> None:
    """Use what the file holds; where that comes to nothing good, empty it and take all from the store, once."""
    held = os.fstat(stream.fileno()).st_size
    if held > descriptor.size:
        stream.truncate(0)
        held = 0
    try:
        _continue(store, descriptor, stream, held, meter)
    except IntegrityError:
        stream.seek(0)
        stream.truncate(0)
        if not held:
            raise
        meter.add(-held)
        _complete(store, descriptor, stream, meter)


def _continue(store: Store, descriptor: Descriptor, stream: BinaryIO, held: int, meter: Meter) -> None:
    content = itertools.chain(chunks(stream), store.part(descriptor, held, descriptor.size))
    for piece in verified(content, descriptor, store.name):
        if held:
            held -= len(piece)
        else:
            parts.write(stream, piece)
        meter.add(len(piece))
    os.fsync(stream.fileno())


def _length(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Make `folder`, for this user alone, and lock it where the system can lock a folder."""
    while True:
        _drop_unless_ours(folder)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(0o700)
        if sys.platform == "win32":
            yield
            return
        descriptor = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # It may have been removed, or made by another, between two of the lines above; then this begins again.
            status = os.fstat(descriptor)
            if _inode(folder) == status.st_ino and _is_ours(status):
                yield
                return
        except BlockingIOError:
            raise UnfinishedError(
                f"another run is writing to {printable(str(folder))}", remedy="Wait until it is done, then run again."
            ) from None
        finally:
            os.close(descriptor)


def _drop_unless_ours(folder: Path) -> None:
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode):
        folder.unlink()
    elif not _is_ours(status):
        shutil.rmtree(folder)


def _is_ours(status: os.stat_result) -> bool:
    """Tell whether nobody else may write there."""
    return sys.platform == "win32" or (status.st_uid == os.geteuid() and not status.st_mode & 0o022)


def _inode(folder: Path) -> int | None:
    try:
        return folder.lstat().st_ino
    except FileNotFoundError:
        return None
