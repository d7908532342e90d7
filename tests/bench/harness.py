"""A small harness: commands in processes of their own, in turns, and a table with ratios against a peer of the same run.

Wall clock, CPU of the process and all its children, and the peak of resident memory of the largest of them, each the
median over the rounds. The contenders take turns, so that whatever else the machine does hits all of them alike.
"""

from __future__ import annotations

import os
import platform
import shutil
import ssl
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MEGA = 1_000_000


@dataclass(frozen=True, slots=True)
class Run:
    """One run, or the median of several: seconds of wall clock and CPU, peak bytes, and the last exit code and output."""

    wall: float
    cpu: float
    peak: int
    code: int = 0
    output: bytes = b""


@dataclass(frozen=True, slots=True)
class Goal:
    """What is wanted: at most this many times the peer's CPU time, and less than this many bytes at the peak."""

    ratio: float
    peak: int

    def met(self, ratio: float, peak: int) -> bool:
        """Tell whether a run reaches the goal."""
        return ratio <= self.ratio and peak < self.peak

    def __str__(self) -> str:
        return f"≤ {self.ratio:g} ×, < {self.peak // MEGA} MB"


@dataclass(frozen=True, slots=True)
class Contender:
    """A command with its name in the table, and the goal that it has, if any."""

    name: str
    command: Sequence[str]
    goal: Goal | None = None
    starts: str = ""
    """The contender that only starts: what it takes is left out of the ratio."""


_SMALL = """
import os, sys, time
begin = time.monotonic()
_, status, usage = os.wait4(os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ), 0)
with open(sys.argv[1], "w") as result:
    code = os.waitstatus_to_exitcode(status)
    print(time.monotonic() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, code, file=result)
"""
"""Starts the command from a process that is small itself: a child's peak counts what its parent was when it forked."""


def once(command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> Run:
    """Run the command and measure it; whether it succeeds is its own business."""
    result = folder / "result"
    launch = [sys.executable, "-I", "-S", "-c", _SMALL, str(result), *command]
    done = subprocess.run(
        launch, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
    )
    wall, cpu, peak, code = result.read_text().split()
    return Run(float(wall), float(cpu), int(peak) * (1 if sys.platform == "darwin" else 1024), int(code), done.stdout)


def compare(contenders: Sequence[Contender], rounds: int, folder: Path, environ: Mapping[str, str]) -> list[Run]:
    """Return the median run of each contender, after one round that only warms the caches."""
    taken: list[list[Run]] = [[] for _ in contenders]
    for turn in range(rounds + 1):
        for contender, runs in zip(contenders, taken, strict=True):
            run = once(contender.command, folder, environ)
            runs.extend([run] if turn else [])
    return [_median(runs) for runs in taken]


def table(contenders: Sequence[Contender], runs: Sequence[Run], words: Sequence[str]) -> str:
    """Return a table in Markdown; the first contender is the peer, and `words` are what each has to say."""
    spent = {contender.name: run.cpu for contender, run in zip(contenders, runs, strict=True)}
    lines = [
        f"| | seconds | CPU seconds | × {contenders[0].name} | peak MB | says | goal |",
        "|---|---:|---:|---:|---:|---|---|",
    ]
    for contender, run, said in zip(contenders, runs, words, strict=True):
        goal = contender.goal
        ratio = (run.cpu - spent.get(contender.starts, 0)) / runs[0].cpu
        verdict = f"{goal}: {'met' if goal.met(ratio, run.peak) else '**missed**'}" if goal else ""
        figures = f"{run.wall:.2f} | {run.cpu:.2f} | {ratio:.2f} | {run.peak / MEGA:.0f}"
        lines.append(f"| {contender.name} | {figures} | {said} | {verdict} |")
    return "\n".join(lines) + "\n"


def in_memory(folder: Path) -> bool:
    """Tell whether the folder is in Linux's shared memory."""
    return folder.is_relative_to("/dev/shm")


def room(folder: Path) -> int:
    """Return how many bytes fit below `folder`; where that is memory, no more than nobody needs now."""
    free = shutil.disk_usage(folder).free
    if not in_memory(folder):
        return free
    lines = Path("/proc/meminfo").read_text().splitlines()
    kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    return min(free, kilobytes * 1024)


def machine() -> str:
    """Say what it was measured on."""
    cores = os.cpu_count()
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    return (
        f"{_processor()}, {cores} cores, {memory:.0f} GB; {platform.system()} {platform.machine()}; "
        f"Python {platform.python_version()}, {ssl.OPENSSL_VERSION.rsplit(' ', maxsplit=3)[0]}"
    )


def _processor() -> str:
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown processor")


def _median(runs: Sequence[Run]) -> Run:
    return Run(
        statistics.median(run.wall for run in runs),
        statistics.median(run.cpu for run in runs),
        int(statistics.median(run.peak for run in runs)),
        runs[-1].code,
        runs[-1].output,
    )
