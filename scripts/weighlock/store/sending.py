"""Sending many blobs to a store, in parallel."""

from __future__ import annotations

from collections.abc import Sequence

from weighlock.oci import Descriptor, Digest
from weighlock.store import Opener, Readable, Store
from weighlock.store.parallel import Job, Meter, run_all
from weighlock.store.progress import Display, Progress


def send(store: Store, blobs: Sequence[tuple[Descriptor, Opener]], display: Display) -> list[Descriptor]:
    """Store the blobs, each digest once; return those that were not there before, in their order."""
    single: dict[Digest, tuple[Descriptor, Opener]] = {}
    for descriptor, source in blobs:
        single.setdefault(descriptor.digest, (descriptor, source))
    jobs = [_job(store, descriptor, source) for descriptor, source in single.values()]
    sent = run_all(jobs, watch=Progress("sending", sum(job.size for job in jobs), display))
    return [descriptor for (descriptor, _), new in zip(single.values(), sent, strict=True) if new]


def _job(store: Store, descriptor: Descriptor, source: Opener) -> Job[bool]:
    def push(meter: Meter) -> bool:
        tally = _Tally(meter)
        return store.push_blob(descriptor, lambda: tally.counting(source))

    return Job(descriptor.size, push)


class _Tally:
    """What one blob has moved; an attempt that begins anew takes back what the last one counted."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._moved = 0

    def counting(self, source: Opener) -> Readable:
        self.add(-self._moved)
        return _Counted(source(), self)

    def add(self, count: int) -> None:
        self._moved += count
        self._meter.add(count)


class _Counted:
    """A source whose bytes count as moved when they are read."""

    def __init__(self, stream: Readable, tally: _Tally) -> None:
        self._stream = stream
        self._tally = tally

    def read(self, size: int = -1, /) -> bytes:
        piece = self._stream.read(size)
        self._tally.add(len(piece))
        return piece

    def close(self) -> None:
        self._stream.close()
