"""Measure the scan: against hashlib over the same file, and against modelscan where there are many operations.

    python tests/bench/scan.py [--rounds N] [FILE]...

``WEIGHLOCK_BENCH_SCALE=0.05`` makes all files a twentieth of their size, for a quick look; only a run at full scale
over all files writes ``docs/benchmarks.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from bench import files  # noqa: E402 - the folders above come first
from bench.harness import MEGA, Contender, Goal, Run, compare, machine, table  # noqa: E402 - as above
from bench.page import publish  # noqa: E402 - as above

CACHE = ROOT / ".cache" / "bench"
SCALE = float(os.environ.get("WEIGHLOCK_BENCH_SCALE", "1"))

HASH = """
import hashlib, sys
sha256, buffer = hashlib.sha256(), bytearray(1 << 18)
with open(sys.argv[1], "rb", buffering=0) as stream:
    while count := stream.readinto(buffer):
        sha256.update(memoryview(buffer)[:count])
"""
"""What `hashlib.file_digest` does, which Python 3.10 has not."""
WEIGH = """
import pathlib, sys
from weighlock.model import walk, weigh
from weighlock.scanners.sniff import Sniffer
weigh(walk(pathlib.Path(sys.argv[1]))[0], [Sniffer()])
"""
STRICT = """
import json, pathlib, sys
from weighlock.scanners.strict import Strict
from weighlock.stages.scan import scan_model
print(json.dumps(scan_model(pathlib.Path(sys.argv[1]), scanners=[Strict()])[1].to_json()))
"""

INTRODUCTION = """\
{machine}; medians of {rounds} rounds after one to warm the page cache. Ratios are of CPU seconds; against hashlib, the
time to start is left out of them. Where sha256 is slower, they are better.

- **hashlib**: `sha256` over the file with a reused buffer, nothing else.
- **weigh**: the one pass in which a file is hashed and recognised; `package` does the same.
- **strict**: `scan` with our own engine only; it decides what is safe.
- **scan**: what the command does, with all engines it runs by default and without its cache.
- **… starts**: the same for one byte.
- **modelscan**: its own command line on the same file.
"""
TITLES = {
    "model.safetensors": "{size} safetensors",
    "model.pt": "{size} torch zip",
    "model.joblib": "{size} joblib, arrays between operations",
    "arrays.pkl": "{size} pickle, protocol 5, arrays in band",
    "dense.pkl": "{size} pickle of small dicts, nothing but operations",
}


@dataclass(frozen=True, slots=True)
class Result:
    """The table of one file."""

    name: str
    size: int
    table: str

    def __str__(self) -> str:
        size = f"{self.size / files.GB:.1f} GB" if self.size >= files.GB / 2 else f"{self.size / MEGA:.0f} MB"
        return f"### {TITLES[self.name].format(size=size)}\n\n{self.table}"


def main() -> int:
    """Measure the files that are named, by default all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("files", nargs="*", metavar="FILE", help=", ".join(files.MAKERS))
    options = parser.parse_args()
    results = []
    for name in options.files or files.MAKERS:
        results.append(measured(files.made(name, SCALE, CACHE), options.rounds))
        print(results[-1], flush=True)
    if SCALE == 1 and not options.files:
        introduction = INTRODUCTION.format(rounds=options.rounds, machine=machine())
        publish("Scanning", "\n".join([introduction, *map(str, results)]))
    return 0


def measured(path: Path, rounds: int) -> Result:
    """Measure one file."""
    folder = CACHE / "run"
    (folder / "one").mkdir(parents=True, exist_ok=True)
    (folder / "one" / "byte").write_bytes(b"1")
    taking_part = contenders(path, folder / "one")
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "scripts"), "HOME": str(folder)}
    runs = compare(taking_part, rounds, folder, environ)
    return Result(path.name, path.stat().st_size, table(taking_part, runs, [said(run) for run in runs]))


def contenders(path: Path, byte: Path) -> list[Contender]:
    """Return who takes part, the peer first."""
    python = [sys.executable, "-c"]
    strict = [*python, STRICT]
    if path.name == "dense.pkl":
        goal = Goal(0.5, 300 * MEGA)
        return [
            Contender("modelscan", [shutil.which("modelscan") or "modelscan", "-p", str(path)]),
            Contender("strict", [*strict, str(path.parent)]),
            Contender("scan", scan(path.parent), goal),
        ]
    goal = Goal(1.1, 150 * MEGA)
    return [
        Contender("hashlib", [*python, HASH, str(path)]),
        Contender("weigh starts", [*python, WEIGH, str(byte / "byte")]),
        Contender("strict starts", [*strict, str(byte)]),
        Contender("scan starts", scan(byte)),
        Contender("weigh", [*python, WEIGH, str(path)], goal, starts="weigh starts"),
        Contender("strict", [*strict, str(path.parent)], starts="strict starts"),
        Contender("scan", scan(path.parent), goal, starts="scan starts"),
    ]


def scan(model: Path) -> list[str]:
    """Return the command that scans a model."""
    return [sys.executable, "-m", "weighlock", "scan", str(model), "--json", "--no-cache"]


def said(run: Run) -> str:
    """Return the verdict, where the output has one, and how it ended, where that is no exit code of a verdict."""
    if run.code not in {0, 1}:
        return f"**exit {run.code}**"
    try:
        ledger = json.loads(run.output)
    except ValueError:
        return ""
    return str(ledger.get("verdict", ""))


if __name__ == "__main__":
    sys.exit(main())
