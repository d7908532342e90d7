"""What the registry is measured on: a model of four shards, a real registry, and the commands of all who take part."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import socket
import struct
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.harness import Run, once
from listening import connected, joined, listening

ROOT = Path(__file__).resolve().parents[2]
SHARDS = 4
_MAX_PACING_RATE = 47  # SO_MAX_PACING_RATE of Linux, which Python does not name

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


class Course:
    """A model of `size` bytes, and a registry that holds a release of it."""

    def __init__(self, size: int, folder: Path, address: str, *, sparse: bool = False) -> None:
        """Write the model, with nothing but zeros where it is `sparse`, and release it."""
        self._folder = folder
        self._address = address
        self.model = folder / "model"
        self.model.mkdir()
        self.shards = [self._shard(number, size // SHARDS, sparse=sparse) for number in range(SHARDS)]
        self._key, self._public = folder / "k.key", folder / "k.pub"
        self._environ = {**os.environ, "PYTHONPATH": str(ROOT / "scripts"), "DOCKER_CONFIG": str(folder / "none")}
        self._environ["WEIGHLOCK_CACHE_DIR"] = str(folder / "kept")
        self.run(self._weighlock("keygen", str(folder / "k")))
        self.released = f"{address}/released/model:v1"
        self.release = self.run(
            self._weighlock("release", str(self.model), "--to", self.released, "--key", str(self._key))
        )

    def hash(self) -> Sequence[str]:
        """Return the command that only hashes."""
        return [sys.executable, "-c", HASH, *map(str, self.shards)]

    def dry_run(self) -> Sequence[str]:
        """Return the command that plans."""
        return self._weighlock("package", str(self.model), "--to", self._fresh(), "--dry-run", "--no-cache")

    def oras_push(self) -> Sequence[str]:
        """Return the command of oras-py."""
        return [sys.executable, "-c", ORAS, f"{self._fresh()}:v1", *map(str, self.shards)]

    def modelpack_push(self) -> Sequence[str]:
        """Return the command of modelpack-client."""
        return [sys.executable, "-c", MODELPACK, f"{self._fresh()}:v1", *map(str, self.shards)]

    def curl_push(self) -> Sequence[str]:
        """Return a command that sends all shards at once, by digests that it need not find out."""
        each = ["--fail", "--silent", "--header", "Expect:"]
        words = ["curl", "--parallel"]
        for number, path in enumerate(self.shards):
            upload = urllib.request.Request(f"http://{self._fresh().replace('/', '/v2/', 1)}/blobs/uploads/", b"")
            with urllib.request.urlopen(upload) as begun:
                location = begun.headers["Location"]
            words += [*(["--next"] if number else []), *each, "--upload-file", str(path)]
            words += ["--url", f"{location}&digest={self._digest(path)}"]
        return words

    def push(self) -> Sequence[str]:
        """Return our command, into a repository that is new."""
        return self._weighlock("package", str(self.model), "--to", self._fresh(), "--no-cache")

    def push_again(self) -> Sequence[str]:
        """Return our command, where everything is there."""
        return self._weighlock("package", str(self.model), "--to", self.released.rpartition(":")[0], "--no-cache")

    def push_known(self) -> Sequence[str]:
        """Return our command, where everything is there and, after the first time, known from the digest cache."""
        return self._weighlock("package", str(self.model), "--to", self.released.rpartition(":")[0], "--cache")

    def modelpack_pull(self) -> Sequence[str]:
        """Return the command of modelpack-client."""
        return [sys.executable, "-c", UNPACK, self.released, str(self._new_folder())]

    def curl_pull(self) -> Sequence[str]:
        """Return a command that fetches all shards at once and checks nothing."""
        url, folder = f"http://{self.released.rpartition(':')[0].replace('/', '/v2/', 1)}/blobs", self._new_folder()
        words = ["curl", "--silent", "--fail", "--parallel", "--create-dirs"]
        for path in self.shards:
            words += ["--output", str(folder / path.name), f"{url}/{self._digest(path)}"]
        return words

    def pull(self) -> Sequence[str]:
        """Return our command, which verifies first."""
        return self._weighlock("pull", self.released, str(self._new_folder()), "--key", str(self._public))

    def run(self, command: Sequence[str]) -> Run:
        """Run it once; a command that fails is an error, and what it wrote here goes."""
        run = once(command, self._folder, self._environ)
        if run.code:
            raise SystemExit(f"{' '.join(map(str, command))[:2000]} ended with {run.code}")
        for folder in self._folder.glob("pulled-*"):
            shutil.rmtree(folder)
        return run

    def _weighlock(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "weighlock", *words]

    def _fresh(self) -> str:
        return f"{self._address}/bench/{secrets.token_hex(8)}"

    def _new_folder(self) -> Path:
        return self._folder / f"pulled-{secrets.token_hex(4)}"

    def _digest(self, path: Path) -> str:
        with path.open("rb") as stream:
            sha256 = hashlib.sha256()
            while piece := stream.read(1 << 20):
                sha256.update(piece)
        return f"sha256:{sha256.hexdigest()}"

    def _shard(self, number: int, size: int, *, sparse: bool) -> Path:
        """Write a safetensors file of about `size` bytes, and of others than its neighbours."""
        path = self.model / f"model-{number + 1:05}-of-{SHARDS:05}.safetensors"
        block = hashlib.shake_256(str(number).encode()).digest(1 << 20)
        count = size // len(block) * len(block)
        header = json.dumps({f"w{number}": {"dtype": "U8", "shape": [count], "data_offsets": [0, count]}}).encode()
        with path.open("wb") as stream:
            stream.write(struct.pack("<Q", len(header)) + header)
            if sparse:
                stream.truncate(stream.tell() + count)
            else:
                for _ in range(count // len(block)):
                    stream.write(block)
        return path


@contextmanager
def narrow(address: str, rate: int) -> Iterator[str]:
    """Yield an address from which `address` is reached, each connection with so many bytes a second either way."""

    def serve(client: socket.socket) -> None:
        with client, connected(address) as there:
            for one in (client, there):
                one.setsockopt(socket.SOL_SOCKET, _MAX_PACING_RATE, rate)
            joined(client, there)

    with listening(serve) as here:
        yield here
