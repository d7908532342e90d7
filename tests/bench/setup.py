"""How long an action takes to get its environment: cold with uv, cold without, and the second time in the same job.

    python tests/bench/setup.py [--rounds N]

Each round starts the real launcher in a new home, with empty caches, against the index that the machine is set up for: what
it downloads is part of the time, and the network of a hosted runner is not this one's. The second action of a job is
measured against its own stage, started directly in the same environment.

A round deletes nothing, and all of them end before anything is: for some minutes ext4 looks at each freed inode before it
makes a file nearby (``recently_deleted`` in its ``ialloc.c``). Where a thousand small files have just been deleted, that takes
longer than to install a thousand others, and a runner that starts afresh has deleted nothing.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from bench.harness import machine  # noqa: E402 - the folder above comes first
from bench.page import publish  # noqa: E402 - as above

ROOT = Path(__file__).resolve().parents[2]
LAUNCH = ROOT / "scripts/launch.py"
TITLE = "Setting up an action"
STAGES = ("scan", "audit", "sign", "release")
WITH, WITHOUT, AGAIN = 1.0, 3.0, 0.1  # seconds
INTRODUCTION = """
From nothing to the stage's own `--help`, by the launcher that every action starts: with `uv` on PATH and an empty cache;
without `uv`, which is then installed first, by hash, with pip; and once more in the same job. *Again* is what the launcher
adds to the stage that is started directly. Wall clock, and in brackets the CPU seconds of all processes; the packages come
from an index near this machine. No round deletes files, as on a runner that starts afresh: ext4 makes files slowly for some
minutes after many were deleted.

| stage | with uv | without | again |
|---|---:|---:|---:|
"""


@dataclass(frozen=True)
class Took:
    """Seconds of a process and its children."""

    wall: float
    cpu: float


def main() -> int:
    """Measure, and write the section."""
    parser = argparse.ArgumentParser(description="Measure how an action sets itself up.")
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        folders = (Path(name, str(number)) for number in itertools.count())
        lines = [_row(stage, [_round(stage, next(folders)) for _ in range(rounds)]) for stage in STAGES]
    goals = f"| goal | ≤ {WITH:g} | ≤ {WITHOUT:g} | ≤ {AGAIN:g} |\n"
    publish(TITLE, f"{machine()}; medians of {rounds} rounds.\n" + INTRODUCTION + "".join(lines) + goals)
    return 0


def _round(stage: str, folder: Path) -> tuple[Took, Took, float]:
    uv = shutil.which("uv", path=f"{ROOT / '.venv/bin'}:{os.environ['PATH']}")
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/uv").symlink_to(str(uv))
    cold = _launched(stage, folder / "with", f"{folder / 'bin'}:/usr/bin:/bin")
    without = _launched(stage, folder / "without", "/usr/bin:/bin")
    launched = statistics.median(
        _launched(stage, folder / "with", f"{folder / 'bin'}:/usr/bin:/bin").wall for _ in range(5)
    )
    (python,) = (folder / "with/environments").glob(f"{stage}-*/bin/python")
    return cold, without, launched - statistics.median(_direct(stage, python) for _ in range(5))


def _launched(stage: str, home: Path, path: str) -> Took:
    home.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_"))}
    environ = {**kept, "HOME": str(home), "PATH": path, "WEIGHLOCK_ENV_DIR": str(home / "environments")}
    return _timed([sys.executable, "-I", str(LAUNCH), stage, "--help"], environ)


def _direct(stage: str, python: Path) -> float:
    code = "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); runpy.run_module('weighlock', run_name='__main__')"
    command = [str(python), "-I", "-X", "utf8", "-c", code, str(ROOT / "scripts"), stage, "--help"]
    return _timed(command, {"HOME": str(python.parents[3]), "PATH": "/usr/bin:/bin"}).wall


def _timed(command: list[str], environ: dict[str, str]) -> Took:
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(command, env=environ, cwd=environ["HOME"], capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - start, os.times()
    if done.returncode:
        raise SystemExit(done.stderr)
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return Took(wall, spent)


def _row(stage: str, rounds: list[tuple[Took, Took, float]]) -> str:
    cells = []
    for position, goal in ((0, WITH), (1, WITHOUT)):
        wall = statistics.median(one[position].wall for one in rounds)  # type: ignore[union-attr]
        cpu = statistics.median(one[position].cpu for one in rounds)  # type: ignore[union-attr]
        cells.append(f"{wall:.2f} ({cpu:.2f}) {_met(wall, goal)}")
    again = statistics.median(one[2] for one in rounds)
    return f"| {stage} | {' | '.join(cells)} | {again:.2f} {_met(again, AGAIN)} |\n"


def _met(value: float, goal: float) -> str:
    return "met" if value <= goal else "**missed**"


if __name__ == "__main__":
    sys.exit(main())
