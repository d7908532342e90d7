"""How long to wait, and when to stop."""

from __future__ import annotations

import pytest

from clock import Clock
from weighlock.errors import StoreError
from weighlock.retries import PassingError, Retries

FAILURE = PassingError(StoreError("it failed", remedy="wait"))


def test_waits_grow_up_to_a_limit() -> None:
    clock = Clock()
    attempts = clock.retries(1000).attempts()
    for _ in range(9):
        attempts.failed(FAILURE)
    assert clock.waits == [0.5, 1, 2, 4, 8, 16, 20, 20, 20]


def test_the_time_runs_from_the_first_failure_and_ends_in_the_last_error() -> None:
    clock = Clock()
    attempts = clock.retries(60).attempts()
    clock.now += 3600  # a long upload that failed is worth another
    for _ in range(7):
        attempts.failed(FAILURE)
    with pytest.raises(StoreError, match="it failed") as caught:
        attempts.failed(FAILURE)
    assert caught.value.remedy == "wait"
    assert sum(clock.waits) == 51.5


def test_the_server_may_ask_for_more_but_not_for_longer_than_there_is() -> None:
    clock = Clock()
    attempts = clock.retries(60).attempts()
    attempts.failed(PassingError(StoreError("busy"), 30))
    assert clock.waits == [30]
    with pytest.raises(StoreError, match="busy"):
        attempts.failed(PassingError(StoreError("busy"), 31))


def test_waits_differ_between_writers() -> None:
    waits: list[float] = []
    for jitter in (0.0, 0.99):
        Retries(60, waits.append, lambda: 0.0, lambda jitter=jitter: jitter).attempts().failed(FAILURE)  # type: ignore[misc]
    assert waits[0] == pytest.approx(0.25)
    assert waits[1] == pytest.approx(0.745)
