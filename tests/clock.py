"""A clock that only sleeping moves."""

from __future__ import annotations

from weighlock.retries import Retries


class Clock:
    """The time of one test, in seconds, and every wait in it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def retries(self, limit: float = 120.0) -> Retries:
        """Return a policy that lives by this clock, without jitter."""
        return Retries(limit, self.sleep, lambda: self.now, lambda: 0.5)
