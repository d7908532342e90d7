"""Fuzz every target for a while: `python tests/fuzz/run.py --minutes N [--atheris] [--jobs N] [--only WORD]`.

With ``--atheris`` (which has to be installed beside the package: ``pip install atheris``) coverage guides it, without
it mutations are drawn at random. One process a target, so that a crash of the interpreter or a call that never returns
ends nothing else. New defects are made small and kept below ``regressions/``, where the tests replay them; exit code 1.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]
CACHE = ROOT / ".cache" / "fuzz"
_GRACE = 120  # seconds that a target may take longer than it was told


@dataclass(slots=True)
class Tally:
    """What one target's process did so far."""

    executions: int = 0
    slowest: float = 0.0
    """Seconds of CPU for one input."""
    found: list[str] = field(default_factory=list)
    """Signatures of the defects."""

    def write(self, path: Path) -> None:
        """Keep it where the parent process looks, since a fuzzed process may end at any moment."""
        path.write_text(json.dumps(asdict(self)))


def main() -> int:
    """Run all targets, or as a child process one of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="of all targets together, divided by --jobs")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--atheris", action="store_true", help="let coverage guide it")
    parser.add_argument("--only", default="", help="targets with this word in their name")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--child", nargs=2, metavar=("TARGET", "SECONDS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    if options.child:
        name, seconds = options.child
        (_guided if options.atheris else _mutate)(name, float(seconds), options.seed)
        return 0
    return _parent(options)


def _parent(options: argparse.Namespace) -> int:
    from fuzz import targets

    names = [name for name in targets.names(native=True) if options.only in name]
    seconds = options.minutes * 60 / len(names)
    with ThreadPoolExecutor(options.jobs) as pool:
        tallies = list(pool.map(lambda name: _child(name, seconds, options), names))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = sum(len(tally.found) for tally in tallies)
    print(
        f"{sum(tally.executions for tally in tallies)} executions of {len(names)} targets,"
        f" {(used.ru_utime + used.ru_stime) / 60:.1f} minutes of CPU, {found} defects, seed {options.seed}"
    )
    return 1 if found else 0


def _child(name: str, seconds: float, options: argparse.Namespace) -> Tally:
    tally = _place(name, "json")
    tally.unlink(missing_ok=True)
    command = [sys.executable, __file__, "--child", name, str(seconds), "--seed", str(options.seed)]
    command += ["--atheris"] if options.atheris else []
    with _place(name, "log").open("wb") as log:
        try:
            code = subprocess.run(command, stdout=log, stderr=log, timeout=seconds + _GRACE, check=False).returncode
        except subprocess.TimeoutExpired:
            code = -1
    done = Tally(**json.loads(tally.read_text())) if tally.exists() else Tally()
    if code:
        done.found.append(f"the process {'hung' if code == -1 else f'ended with {code}'} on {_place(name, 'input')}")
    print(f"{name:32}{done.executions:10} executions, the slowest {done.slowest:.2f} s", *done.found, sep="\n    ")
    sys.stdout.flush()
    return done


def _one(name: str) -> Callable[[bytes], None]:
    """Return the function that tries one input, counts it, and keeps what it breaks."""
    from fuzz import defects, targets

    target = targets.target(name, hard=True)
    tally, known = Tally(), set[str]()
    last = os.open(_place(name, "input"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

    def one(content: bytes) -> None:
        os.pwrite(last, content, 0)
        os.ftruncate(last, len(content))
        before = time.process_time()
        defect = defects.find(target, content)
        tally.slowest = max(tally.slowest, time.process_time() - before)
        tally.executions += 1
        if defect and defect.signature not in known:
            known.add(defect.signature)
            small = defects.shrink(defect, lambda shorter: defects.find(target, shorter))
            tally.found.append(f"{small.signature}, {len(small.content)} bytes")
            if len(small.content) <= defects.LARGEST:
                small.save()
            else:
                _place(name, "large").write_bytes(small.content)
        if tally.executions % 64 == 1 or defect:
            tally.write(_place(name, "json"))

    return one


def _mutate(name: str, seconds: float, seed: int) -> None:
    from fuzz import mutations, targets

    one = _one(name)
    seeds = targets.target(name, hard=True).seeds
    source = random.Random(seed)
    end = time.process_time() + seconds
    while time.process_time() < end:
        changes = [mutations.drawn(source) for _ in range(source.randint(1, 6))]
        one(mutations.mutated(source.choice(seeds), changes, seeds))


def _guided(name: str, seconds: float, seed: int) -> None:
    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore] # not in the development environment

    with atheris.instrument_imports(include=["weighlock"]):
        from fuzz import mutations, targets

    seeds = targets.target(name, hard=True).seeds
    corpus = _place(name, "corpus")
    corpus.mkdir(exist_ok=True)
    for position, content in enumerate(seeds):
        (corpus / f"seed-{position}").write_bytes(content)

    def mutate(content: bytes, limit: int, number: int) -> bytes:
        source = random.Random(number)
        if source.random() < 0.4:
            return bytes(atheris.Mutate(content, limit))
        changes = [mutations.drawn(source) for _ in range(source.randint(1, 4))]
        return mutations.mutated(content, changes, seeds)[:limit]

    limits = [f"-max_total_time={int(seconds)}", f"-max_len={mutations.LIMIT}", "-timeout=90", "-rss_limit_mb=4096"]
    atheris.Setup([sys.argv[0], *limits, f"-seed={seed % 2**31}", str(corpus)], _one(name), custom_mutator=mutate)
    atheris.Fuzz()


def _place(name: str, ending: str) -> Path:
    return CACHE / f"{name.replace(' ', '-')}.{ending}"


if __name__ == "__main__":
    sys.exit(main())
