"""When to try again: failures that pass by themselves, waited out with jitter, for a limited time."""

from __future__ import annotations

import email.utils
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

from weighlock.errors import WeighlockError

_FIRST = 0.5  # seconds before the second attempt, doubled after each further one
_LONGEST = 20.0  # seconds between two attempts


class PassingError(Exception):
    """A failure that may pass; `error` is what to raise when it does not, `after` the seconds the server asked for."""

    def __init__(self, error: WeighlockError, after: float = 0.0) -> None:
        """Keep the error and the wait."""
        super().__init__(error.what)
        self.error = error
        self.after = after


@dataclass(frozen=True, slots=True)
class Retries:
    """The policy: no attempt begins later than `limit` seconds after the first failure."""

    limit: float = 120.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random

    def attempts(self, limit: Callable[[], float] | None = None) -> Attempts:
        """Begin to count the failures of one piece of work; `limit` is asked at the first, instead of the policy's."""
        return Attempts(self, limit or (lambda: self.limit))


class Attempts:
    """The failures of one piece of work."""

    def __init__(self, policy: Retries, limit: Callable[[], float]) -> None:
        """Begin with none."""
        self._policy = policy
        self._limit = limit
        self._end: float | None = None
        self._wait = _FIRST

    def failed(self, failure: PassingError) -> None:
        """Wait until the next attempt may begin, or raise the failure's error when the time is over."""
        now = self._policy.clock()
        if self._end is None:
            self._end = now + self._limit()
        wait = max(failure.after, self._wait * (0.5 + self._policy.jitter()))
        if now + wait > self._end:
            raise failure.error from failure
        self._wait = min(2 * self._wait, _LONGEST)
        self._policy.sleep(wait)


def retry_after(header: str) -> float:
    """Return the seconds to wait; the header holds seconds or a date (RFC 9110, 10.2.3)."""
    if re.fullmatch(r"[0-9]{1,9}", header):
        return float(header)
    try:
        date = email.utils.parsedate_to_datetime(header)
    except ValueError:
        return 0.0
    now = datetime.now(timezone.utc)
    return max(0.0, (date - now).total_seconds()) if date.tzinfo else 0.0
