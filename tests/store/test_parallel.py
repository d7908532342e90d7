"""Many jobs at once: order, the first error, how many streams; and what is said of it."""

from __future__ import annotations

import threading

import pytest

from weighlock.errors import StoreError
from weighlock.store.parallel import Job, Meter, StoppedError, Streams, run_all
from weighlock.store.progress import Display, Progress


def test_results_come_in_the_order_of_the_jobs_and_the_longest_begins_first() -> None:
    begun: list[int] = []

    def job(size: int) -> Job[int]:
        def run(_: Meter) -> int:
            begun.append(size)
            return size

        return Job(size, run)

    assert run_all([job(size) for size in (1, 30, 2, 20)], streams=Streams(1, 1, 1)) == [1, 30, 2, 20]
    assert begun == [30, 20, 2, 1]


def test_no_job_is_no_result() -> None:
    assert run_all([]) == []


def test_as_many_run_at_once_as_there_are_streams() -> None:
    together = threading.Barrier(3, timeout=10)
    assert len(run_all([Job(1, lambda _: together.wait()) for _ in range(3)], streams=Streams(3, 3, 3))) == 3


def test_an_error_ends_the_running_jobs_and_keeps_the_others_from_starting() -> None:
    begun: list[str] = []
    both = threading.Barrier(2, timeout=10)

    def endless(meter: Meter) -> None:
        begun.append("endless")
        both.wait()
        while True:
            meter.add(1)

    def failing(_: Meter) -> None:
        both.wait()
        raise StoreError("the registry is gone")

    def never(_: Meter) -> None:
        begun.append("never")

    jobs = [Job(3, endless), Job(2, failing), Job(1, never)]
    with pytest.raises(StoreError, match="the registry is gone"):
        run_all(jobs, streams=Streams(2, 2, 2))
    assert begun == ["endless"]


def test_an_interrupt_ends_the_running_jobs() -> None:
    def endless(meter: Meter) -> None:
        while True:
            meter.add(1)

    def interrupt(moved: int) -> None:
        if moved:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_all([Job(1, endless)], watch=interrupt)


def test_a_stopped_meter_counts_no_more() -> None:
    meter = Meter()
    meter.add(5)
    meter.stop()
    with pytest.raises(StoppedError):
        meter.add(1)
    assert meter.moved == 5


def widths(rates: list[int], streams: Streams) -> list[int]:
    """Return the number of streams after each second in which so many bytes moved."""
    found, moved = [], 0
    streams.observe(0, 0, streams.width)
    for second, rate in enumerate(rates, 1):
        moved += rate
        streams.observe(second, moved, streams.width)
        found.append(streams.width)
    return found


def test_streams_are_added_as_long_as_the_whole_gets_faster() -> None:
    assert widths([100, 150, 200, 201, 900], Streams()) == [4, 5, 6, 5, 5]
    assert widths([2**second for second in range(9)], Streams()) == [4, 5, 6, 7, 8, 8, 8, 8, 8]
    assert widths([100, 100, 50], Streams(most=3)) == [3, 3, 3]


def test_a_stream_that_makes_it_slower_goes_again() -> None:
    assert widths([100, 60, 60], Streams()) == [4, 3, 3]
    assert widths([100, 60], Streams(width=2)) == [3, 2]


def test_streams_without_work_say_nothing_of_the_rate() -> None:
    streams = Streams()
    for second in range(5):
        streams.observe(second, 0, streams.width - 1)
    assert streams.width == 3


class Screen:
    """What a person sees, and when it is."""

    def __init__(self, *, terminal: bool) -> None:
        self.now = 0.0
        self.lines: list[str] = []
        self.shown: list[str] = []
        self.display = Display(self.lines.append, self.shown.append if terminal else None, lambda: self.now)

    def watch(self, moved: list[int], total: int) -> None:
        """Let a second pass for each number of bytes."""
        with Progress("sending", total, self.display) as progress:
            for count in moved:
                self.now += 1
                progress(count)


def test_a_log_gets_a_line_every_few_seconds() -> None:
    log = Screen(terminal=False)
    log.watch([second * 1_000_000 for second in range(1, 13)], 600_000_000)
    assert log.lines == [
        "sending 5.0 MB of 600.0 MB, 1.0 MB/s, 9 min 55 s left",
        "sending 10.0 MB of 600.0 MB, 1.0 MB/s, 9 min 50 s left",
    ]


def test_a_terminal_gets_one_line_that_is_replaced() -> None:
    terminal = Screen(terminal=True)
    terminal.watch([100, 200, 300], 400)
    assert terminal.lines == []
    assert terminal.shown == [
        "[########--------] sending 200 B of 400 B, 100 B/s, 2 s left",
        "[############----] sending 300 B of 400 B, 100 B/s, 1 s left",
        "",
    ]


def test_a_bar_fits_its_line_and_ends_full_whatever_was_sent_again() -> None:
    terminal = Screen(terminal=True)
    terminal.watch([0, 0, 123_456_789, 999_900_000_000, 1_500_000_000_000], 999_900_000_000)
    assert all(len(line) < 80 for line in terminal.shown)
    assert [line.partition("]")[0].count("#") for line in terminal.shown] == [0, 0, 16, 16, 0]
    terminal.watch([0, 0, 0], 0)
    assert terminal.shown[-2].startswith("[----------------] sending 0 B of 0 B")


@pytest.mark.parametrize("terminal", [True, False])
def test_what_is_over_at_once_needs_no_line(terminal: bool) -> None:
    screen = Screen(terminal=terminal)
    screen.watch([10], 10)
    assert screen.lines == []
    assert screen.shown == ([""] if terminal else [])


def test_a_long_wait_is_said_in_hours_and_a_standstill_without_a_guess() -> None:
    log = Screen(terminal=False)
    log.watch([0, 0, 0, 0, 0], 10**9)
    log.watch([1000 * second for second in range(1, 6)], 10**8)
    assert log.lines == ["sending 0 B of 1.0 GB, 0 B/s", "sending 5.0 kB of 100.0 MB, 1.0 kB/s, 27 h 46 min left"]
