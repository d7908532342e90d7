"""How far a transfer is: bytes, rate, time left. A line every few seconds, or a bar and one live line on a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from weighlock.text import size

_PERIOD = 5.0  # seconds between two lines in a log
_QUIET = 2.0  # seconds; a transfer that is over sooner needs no line

_BAR = 16  # columns


@dataclass(frozen=True, slots=True)
class Display:
    """Where progress goes: `say` takes lines for good, `live` replaces the line on a terminal and is None elsewhere."""

    say: Callable[[str], None]
    live: Callable[[str], None] | None = None
    clock: Callable[[], float] = time.monotonic


@final
class Progress:
    """The progress of one transfer of `total` bytes, as a context; call it with the number of bytes that moved."""

    def __init__(self, verb: str, total: int, display: Display) -> None:
        """Begin now; `verb` starts each line: ``sending``."""
        self._verb = verb
        self._total = total
        self._display = display
        self._begun = self._said = display.clock()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._display.live is not None:
            self._display.live("")

    def __call__(self, moved: int) -> None:
        """Say how far it is, where it is time to."""
        now = self._display.clock()
        if now - self._begun < _QUIET:
            return
        if self._display.live is not None:
            self._display.live(f"{self._bar(moved)} {self.line(moved, now)}")
        elif now - self._said >= _PERIOD:
            self._said = now
            self._display.say(self.line(moved, now))

    def _bar(self, moved: int) -> str:
        """Return ``[########--------]``; with the words beside it, it fits into 80 columns."""
        done = _BAR * min(moved, self._total) // max(self._total, 1)
        return f"[{'#' * done}{'-' * (_BAR - done)}]"

    def line(self, moved: int, now: float) -> str:
        """Return ``sending 1.2 GB of 4.0 GB, 210.0 MB/s, 13 s left``."""
        rate = moved / max(now - self._begun, 0.001)
        left = f", {_duration((self._total - moved) / rate)} left" if 0 < moved < self._total else ""
        moved = min(moved, self._total)  # what was sent again after an error counted twice
        return f"{self._verb} {size(moved)} of {size(self._total)}, {size(int(rate))}/s{left}"


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
