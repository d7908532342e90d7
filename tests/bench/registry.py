"""Measure the registry client: push, unchanged push and pull of a sharded model, beside oras-py and modelpack-client.

    python tests/bench/registry.py [--rounds N] [--folder DIR] [--scale X]

A model of four shards goes to and comes from Debian's docker-registry on loopback, everything below `--folder` (default:
memory, where there is ``/dev/shm``, since a shared disk measures the others). Writes its section of
``docs/benchmarks.md``, unless `--scale` makes all models smaller for a quick look.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

import servers  # noqa: E402 - the folders above come first
from bench.course import SHARDS, Course, narrow  # noqa: E402 - as above
from bench.harness import MEGA, Run, in_memory, machine, room  # noqa: E402 - as above
from bench.page import publish  # noqa: E402 - as above

GIB = 1024**3
PEAK = 100 * MEGA  # bytes
NARROW = 50 * MEGA  # bytes a second for each connection, as registries far away give
GROWTH = (1, 2, 4, 8)  # GiB
ROOM = 2.2  # times the size: what the registry holds, what is pulled, and some; a model of zeros takes none
LINEAR = 1.1  # times the seconds for each GiB that the smallest takes
WORDS = """
{machine}; medians of {rounds} rounds, in turns. docker-registry 2.8 on loopback, with its storage in memory; it takes
part in the seconds and not in the CPU seconds.

- **hashlib**: `sha256` over the files with a reused buffer, nothing else.
- **weighlock package** reads every byte (`--no-cache`), but for *digests kept*: there it knows them, after a first round.
- **curl**: all four shards at once, by one process that computes no digest: what the registry and this machine allow.
- **modelpack-client**, **oras-py**: these Python libraries, as their documentation says.
"""


@dataclass(frozen=True, slots=True)
class Contender:
    """A name, a command made anew for each round, and the most it may take of a peer's time, if it is held to any."""

    name: str
    command: Callable[[], Sequence[str]]
    peer: str = ""
    ratio: float = 0.0


def main() -> int:
    """Measure, and write the section."""
    parser = argparse.ArgumentParser(description="Measure the registry client.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm") if Path("/dev/shm").is_dir() else None)
    parser.add_argument("--scale", type=float, default=1.0)
    given = parser.parse_args()
    parts = [WORDS.format(machine=machine(), rounds=given.rounds)]
    with _course(2 * given.scale, given.folder) as course:
        parts.append(
            f"### {2 * given.scale:g} GiB in {SHARDS} shards\n\n" + _compared(_all(course), course, given.rounds)
        )
    with _course(0.5 * given.scale, given.folder, rate=NARROW) as course:
        title = f"### {0.5 * given.scale:g} GiB, where a connection gives {NARROW // MEGA} MB a second"
        parts.append(f"{title}\n\n" + _compared(_moving(course), course, given.rounds))
    parts.append(_growth(given.folder, given.scale))
    text = "\n\n".join(part.strip() for part in parts)
    if given.scale == 1:
        publish("Pushing and pulling", text)
    else:
        sys.stdout.write(f"{text}\n")
    return 0


@contextmanager
def _course(gib: float, folder: Path | None, *, rate: int = 0, sparse: bool = False) -> Iterator[Course]:
    with tempfile.TemporaryDirectory(dir=folder) as name, servers.docker_registry(Path(name)) as address:
        if not rate:
            yield Course(int(gib * GIB), Path(name), address, sparse=sparse)
            return
        with narrow(address, rate) as slow:
            yield Course(int(gib * GIB), Path(name), slow, sparse=sparse)


def _all(course: Course) -> list[Contender]:
    return [
        Contender("hashlib", course.hash),
        Contender("weighlock package --dry-run", course.dry_run, "hashlib", 1.1),
        Contender("curl, sending", course.curl_push),
        Contender("curl, fetching", course.curl_pull),
        Contender("weighlock package, unchanged", course.push_again, "hashlib"),
        Contender("weighlock package, unchanged, digests kept", course.push_known, "hashlib"),
        *_moving(course),
    ]


def _moving(course: Course) -> list[Contender]:
    return [
        Contender("oras-py push", course.oras_push),
        Contender("modelpack-client push", course.modelpack_push),
        Contender("weighlock package", course.push, "oras-py push", 0.4),
        Contender("modelpack-client pull", course.modelpack_pull),
        Contender("weighlock pull, verified", course.pull, "modelpack-client pull", 0.5),
    ]


def _compared(contenders: Sequence[Contender], course: Course, rounds: int) -> str:
    """Let all take turns and return a table of medians."""
    taken: dict[str, list[Run]] = {contender.name: [] for contender in contenders}
    for _ in range(rounds):
        for contender in contenders:
            taken[contender.name].append(course.run(contender.command()))
    seconds = {name: statistics.median(run.wall for run in runs) for name, runs in taken.items()}
    lines = ["| | seconds | CPU seconds | peak MB | ratio | goal |", "|---|---:|---:|---:|---|---|"]
    for contender in contenders:
        runs = taken[contender.name]
        peak = max(run.peak for run in runs)
        cpu = statistics.median(run.cpu for run in runs)
        figures = f"{seconds[contender.name]:.2f} | {cpu:.2f} | {peak / MEGA:.0f}"
        ratio, goal = "", ""
        if contender.peer:
            value = seconds[contender.name] / seconds[contender.peer]
            ratio = f"{value:.2f} × {contender.peer}"
            wanted = f"≤ {contender.ratio:g} ×, " if contender.ratio else ""
            met = (not contender.ratio or value <= contender.ratio) and peak < PEAK
            goal = f"{wanted}< {PEAK // MEGA} MB: {'met' if met else '**missed**'}"
        lines.append(f"| {contender.name} | {figures} | {ratio} | {goal} |")
    return "\n".join(lines)


def _growth(folder: Path | None, scale: float) -> str:
    """Return a table of what a release and a pull take, from small to large; on the disk where `folder` is too small."""
    need = int(ROOM * max(GROWTH) * scale * GIB)
    folder = folder if folder and room(folder) >= need else None
    place = "in memory" if folder and in_memory(folder) else "on the disk"
    lines = [
        "### Growth",
        "",
        "Models of zeros, in seconds for each GiB: one release, with its scan and signatures, and the median of three verified",
        f"pulls. The registry and what is pulled are {place}; memory that nobody has touched yet is slow on virtual machines.",
        "",
        "| GiB | release | pull, verified | peak MB | goal |",
        "|---:|---:|---:|---:|---|",
    ]
    first: tuple[float, float] | None = None
    for gib in GROWTH:
        with _course(gib * scale, folder, sparse=True) as course:
            release = course.release
            _, pull, _ = sorted((course.run(course.pull()) for _ in range(3)), key=lambda run: run.wall)
        rates = (release.wall / (gib * scale), pull.wall / (gib * scale))
        first = first or rates
        peak = max(release.peak, pull.peak)
        met = all(rate <= LINEAR * least for rate, least in zip(rates, first, strict=True)) and peak < PEAK
        goal = f"≤ {LINEAR:g} × the first, < {PEAK // MEGA} MB: {'met' if met else '**missed**'}"
        lines.append(f"| {gib * scale:g} | {rates[0]:.2f} | {rates[1]:.2f} | {peak / MEGA:.0f} | {goal} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
