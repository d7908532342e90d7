"""Carrying out a plan: blobs mounted or sent, in parallel."""

from __future__ import annotations

from collections.abc import Mapping

from weighlock.errors import UnfinishedError
from weighlock.oci import Descriptor, Digest
from weighlock.store import Opener, Readable, Store, limits
from weighlock.store.parallel import Job, Meter, run_all
from weighlock.store.planning import Plan
from weighlock.store.progress import Display, Progress
from weighlock.text import counted


def send(store: Store, plan: Plan, sources: Mapping[Digest, Opener], display: Display) -> list[Descriptor]:
    """Do what is planned, and return what was stored, in the plan's order; what cannot be mounted is sent."""
    stored: set[Digest] = set()
    jobs = [_job(store, plan.origin, blob, sources[blob.digest], stored) for blob in plan.absent()]
    try:
        with Progress("sending", sum(job.size for job in jobs), display) as progress:
            run_all(jobs, watch=progress, streams=limits.streams(store.name))
    except UnfinishedError:
        there = len(plan.moves) - len(jobs) + len(stored)
        display.say(f"{there} of {counted(len(plan.moves), 'blob')} are there; a rerun sends the rest")
        raise
    return [blob for blob in plan.absent() if blob.digest in stored]


def _job(store: Store, origin: Store | None, blob: Descriptor, source: Opener, stored: set[Digest]) -> Job[None]:
    """Return the work for one blob; a set's `add` is atomic, so the jobs share `stored`."""

    def run(meter: Meter) -> None:
        tally = _Tally(meter)
        if origin is not None and store.mount(blob, origin):
            meter.add(blob.size)
            stored.add(blob.digest)
        elif store.push_blob(blob, lambda: tally.counting(source)):
            stored.add(blob.digest)

    return Job(blob.size, run)


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
