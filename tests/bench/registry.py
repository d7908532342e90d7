"""Measure the registry client: push, unchanged push and pull of a sharded model, beside oras-py and modelpack-client.

    python tests/bench/registry.py [--rounds N] [--folder DIR] [GIB]...

Each size is a model of four shards, pushed to and pulled from Debian's docker-registry on loopback, everything below
`--folder` (default: memory, where there is ``/dev/shm``, since a shared disk measures the others). Prints Markdown.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import secrets
import shutil
import struct
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

import servers  # noqa: E402 - as above
from bench.harness import MEGA, Run, machine, once  # noqa: E402 - the folders above come first

GIB = 1024**3
SHARDS = 4
PEAK = 100 * MEGA  # bytes

HASH = """
import hashlib, sys
for path in sys.argv[1:]:
    sha256, buffer = hashlib.sha256(), bytearray(1 << 20)
    with open(path, "rb", buffering=0) as stream:
        while count := stream.readinto(buffer):
            sha256.update(memoryview(buffer)[:count])
"""
ORAS = """
import sys
import oras.client
client = oras.client.OrasClient(insecure=True)
client.push(target=sys.argv[1], files=sys.argv[2:], disable_path_validation=True)
"""
MODELPACK = """
import pathlib, sys
from modelpack_client import ModelLayer, ModelPackClient, ModelPackConfig
layers = [ModelLayer(path, "application/vnd.cncf.model.weight.v1.raw", artifact_path=pathlib.Path(path).name)
          for path in sys.argv[2:]]
ModelPackClient(insecure=True).push(sys.argv[1], layers=layers, config=ModelPackConfig())
"""
UNPACK = """
import sys
from modelpack_client import ModelPackClient
ModelPackClient(insecure=True).pull(sys.argv[1], sys.argv[2])
"""


@dataclass(frozen=True, slots=True)
class Contender:
    """A name, a command made anew for each round, the most it may take of the peer's time, and whether it is held to it."""

    name: str
    command: Callable[[], Sequence[str]]
    peer: str = ""
    ratio: float = 0.0


class Course:
    """One model of `size` bytes, one registry, and what is measured on them."""

    def __init__(self, size: int, folder: Path, address: str) -> None:
        """Write the model, and release it once, so that there is something to verify and pull."""
        self._folder = folder
        self._address = address
        self.model = folder / "model"
        self.model.mkdir()
        self.shards = [self._shard(number, size // SHARDS) for number in range(SHARDS)]
        self._key, self._public = folder / "k.key", folder / "k.pub"
        self._environ = {**os.environ, "PYTHONPATH": str(ROOT / "scripts"), "DOCKER_CONFIG": str(folder / "none")}
        self._do(self._weighlock("keygen", str(folder / "k")))
        self.released = f"{address}/released/model:v1"
        self._do(self._weighlock("release", str(self.model), "--to", self.released, "--key", str(self._key)))

    def contenders(self) -> list[Contender]:
        """Return what is compared, peers before those that are held against them."""
        files = list(map(str, self.shards))
        python = [sys.executable, "-c"]
        return [
            Contender("hashlib", lambda: [*python, HASH, *files]),
            Contender(
                "weighlock package --dry-run",
                lambda: self._weighlock("package", str(self.model), "--to", self._fresh(), "--dry-run"),
                "hashlib",
                1.1,
            ),
            Contender("oras-py push", lambda: [*python, ORAS, self._fresh() + ":v1", *files]),
            Contender("modelpack-client push", lambda: [*python, MODELPACK, self._fresh() + ":v1", *files]),
            Contender(
                "weighlock package",
                lambda: self._weighlock("package", str(self.model), "--to", self._fresh()),
                "oras-py push",
                0.4,
            ),
            Contender(
                "weighlock package, unchanged",
                lambda: self._weighlock("package", str(self.model), "--to", self.released.rpartition(":")[0]),
                "hashlib",
            ),
            Contender("modelpack-client pull", lambda: [*python, UNPACK, self.released, str(self._new_folder())]),
            Contender(
                "weighlock pull, verified",
                lambda: self._weighlock("pull", self.released, str(self._new_folder()), "--key", str(self._public)),
                "modelpack-client pull",
                0.5,
            ),
        ]

    def run(self, contender: Contender) -> Run:
        """Run it once; a command that fails is an error, and what it wrote here goes."""
        run = self._do(contender.command())
        for folder in self._folder.glob("pulled-*"):
            shutil.rmtree(folder)
        return run

    def _do(self, command: Sequence[str]) -> Run:
        run = once(command, self._folder, self._environ)
        if run.code:
            raise SystemExit(f"{' '.join(map(str, command))[:2000]} ended with {run.code}")
        return run

    def _weighlock(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "weighlock", *words]

    def _fresh(self) -> str:
        return f"{self._address}/bench/{secrets.token_hex(8)}"

    def _new_folder(self) -> Path:
        return self._folder / f"pulled-{secrets.token_hex(4)}"

    def _shard(self, number: int, size: int) -> Path:
        """Write a safetensors file of about `size` bytes that nobody can compress."""
        path = self.model / f"model-{number + 1:05}-of-{SHARDS:05}.safetensors"
        block = hashlib.shake_256(str(number).encode()).digest(1 << 20)
        count = size // len(block) * len(block)
        header = json.dumps({"w": {"dtype": "U8", "shape": [count], "data_offsets": [0, count]}}).encode()
        with path.open("wb") as stream:
            stream.write(struct.pack("<Q", len(header)) + header)
            for _ in range(count // len(block)):
                stream.write(block)
        return path


def measure(course: Course, rounds: int) -> str:
    """Let all take turns and return a table of medians."""
    contenders = course.contenders()
    taken: dict[str, list[Run]] = {contender.name: [] for contender in contenders}
    for _ in range(rounds):
        for contender in contenders:
            taken[contender.name].append(course.run(contender))
    lines = ["| | seconds | CPU seconds | peak MB | ratio | goal |", "|---|---:|---:|---:|---|---|"]
    for contender in contenders:
        runs = sorted(taken[contender.name], key=lambda run: run.wall)
        median = runs[len(runs) // 2]
        walls = " ".join(f"{run.wall:.2f}" for run in taken[contender.name])
        peak = max(run.peak for run in runs)
        ratio, goal = "", ""
        if contender.peer:
            peers = sorted(run.wall for run in taken[contender.peer])
            value = median.wall / peers[len(peers) // 2]
            ratio = f"{value:.2f} × {contender.peer}"
            met = (not contender.ratio or value <= contender.ratio) and peak < PEAK
            wanted = f"≤ {contender.ratio:g} ×, " if contender.ratio else ""
            goal = f"{wanted}< {PEAK // MEGA} MB: {'met' if met else '**missed**'}"
        lines.append(
            f"| {contender.name} | {median.wall:.2f} ({walls}) | {median.cpu:.2f} | {peak / MEGA:.0f} | {ratio} | {goal} |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure every size."""
    parser = argparse.ArgumentParser(description="Measure the registry client.")
    parser.add_argument("sizes", nargs="*", type=float, default=[2.0], metavar="GIB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm") if Path("/dev/shm").is_dir() else None)
    given = parser.parse_args()
    sys.stdout.write(f"{machine()}; medians of {given.rounds} rounds, in turns\n")
    for size in given.sizes:
        with tempfile.TemporaryDirectory(dir=given.folder) as name:
            folder = Path(name)
            with servers.docker_registry(folder) as address:
                course = Course(int(size * GIB), folder, address)
                sys.stdout.write(f"\n{size:g} GiB in {SHARDS} shards\n\n{measure(course, given.rounds)}")
                sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
