"""Limits on one call: what takes too long or too much memory is a defect like a crash.

CPU time is counted, not the clock, so that a busy machine makes no difference. The signal arrives between two steps of
the interpreter: a call into C that never returns is seen by `run`'s parent process, and by nothing here.
"""

from __future__ import annotations

import contextlib
import resource
import signal
from collections.abc import Iterator
from types import FrameType

SECONDS = 5.0  # of CPU for one file of at most `mutations.LIMIT` bytes
MEMORY = 768 * 1024 * 1024  # bytes above what the process has; xz may ask for 256 MiB, and says so first


class TooSlowError(BaseException):
    """The time was up. No `Exception`, so that nobody takes it for a failed engine and goes on."""


@contextlib.contextmanager
def limited(seconds: float = SECONDS, memory: int = MEMORY) -> Iterator[None]:
    """Raise `TooSlowError` after `seconds` of CPU in the block; let allocations beyond `memory` bytes fail."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TooSlowError(f"more than {seconds} seconds of CPU")

    before = signal.signal(signal.SIGVTALRM, stop)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_mapped() + memory, hard))
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGVTALRM, before)


def _mapped() -> int:
    """Return the size of this process's address space in bytes (proc(5), statm)."""
    with open("/proc/self/statm", "rb") as stream:  # noqa: PTH123 - called for every file, and Path is slow
        return int(stream.read().split()[0]) * resource.getpagesize()
