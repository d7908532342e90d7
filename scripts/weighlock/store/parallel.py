"""Many pieces of work at once: the longest first, as many streams as pay, and one failure ends all of them.

Results come in the order of the jobs, whatever finished first. A running job counts the bytes that it moves; that is how
it learns that another one failed, how the number of streams is found, and what progress is made of.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

_TICK = 0.25  # seconds between two looks at what moves
_SAMPLE = 0.5  # seconds over which a rate is measured
_WORTH = 1.1  # one stream more has to make the whole this much faster to stay


class StoppedError(Exception):
    """Another job failed, so this one ends; it never leaves `run_all`."""


class Meter:
    """The bytes that all jobs moved so far."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.moved = 0
        self._stopped = False
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        """Count bytes, or take them back where `count` is negative; `StoppedError` when it is time to end."""
        if self._stopped:
            raise StoppedError
        with self._lock:
            self.moved += count

    def stop(self) -> None:
        """End every job at its next piece."""
        self._stopped = True


@dataclass(frozen=True, slots=True)
class Job(Generic[T]):
    """A piece of work of so many bytes; `run` counts them on the meter as they move."""

    size: int
    run: Callable[[Meter], T]


@dataclass(slots=True)
class Streams:
    """How many streams at once: from `width`, one more as long as that makes the whole faster, between `least` and `most`.

    More streams than a disk or a registry can serve make it slower, so a stream that brought nothing goes again.
    """

    width: int = 3
    least: int = 2
    most: int = 8
    _best: float = field(default=0.0, init=False)
    _since: tuple[float, int] | None = field(default=None, init=False)
    _settled: bool = field(default=False, init=False)

    def observe(self, now: float, moved: int, busy: int) -> None:
        """Take note that `moved` bytes had moved at `now` (seconds), with `busy` streams at work."""
        if self._settled or busy < self.width or self._since is None:
            self._since = (now, moved)
            return
        seconds = now - self._since[0]
        if seconds < _SAMPLE:
            return
        rate = (moved - self._since[1]) / seconds
        if rate >= self._best * _WORTH:
            self._best = rate
            self._settled = self.width == self.most
            self.width = min(self.width + 1, self.most)
        else:
            self.width = max(self.width - 1, self.least)
            self._settled = True
        self._since = (now, moved)


def run_all(
    jobs: Sequence[Job[T]],
    *,
    watch: Callable[[int], None] = lambda _moved: None,
    streams: Streams | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> list[T]:
    """Return what the jobs return, in their order; the first error ends all and is raised when the last has ended.

    `watch` is told several times a second how many bytes have moved; it runs in the caller's thread.
    """
    streams = streams or Streams()
    meter, results = Meter(), dict[int, T]()
    waiting = sorted(range(len(jobs)), key=lambda index: -jobs[index].size)
    with ThreadPoolExecutor(max_workers=streams.most) as pool:
        running: dict[Future[T], int] = {}
        try:
            while waiting or running:
                while waiting and len(running) < streams.width:
                    index = waiting.pop(0)
                    running[pool.submit(jobs[index].run, meter)] = index
                done, _ = wait(running, timeout=_TICK, return_when=FIRST_COMPLETED)
                for future in sorted(done, key=lambda future: running[future]):
                    results[running[future]] = future.result()
                    del running[future]
                streams.observe(clock(), meter.moved, len(running))
                watch(meter.moved)
        except BaseException:
            meter.stop()
            raise
    return [results[index] for index in range(len(jobs))]
