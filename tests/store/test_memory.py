"""However large a model is, pushing and pulling it takes the same little memory: four sparse GiB through both ways."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from commands import SCRIPTS

GIB = 1024**3
LARGE = 4 * GIB
LIMIT = 100_000_000  # bytes
CHUNK = 1024 * 1024
_SMALL = 64 * 1024  # bytes; what is larger is all zeros here, and not kept
_STARTER = """
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:])
_, status, usage = os.wait4(child.pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""A small program that starts the command: Linux counts what the starting process held as the command's own peak."""


@dataclass
class Sink:
    """A registry that keeps the size of a large blob and gives as many zeros back."""

    sizes: dict[str, int] = field(default_factory=dict)
    kept: dict[str, bytes] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    received: int = 0
    parts: int = 0
    """How many answers were a part of a blob."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    sink: Sink

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        self._empty(202, Location=f"{self.path}one")

    def do_PUT(self) -> None:
        length = int(self.headers["Content-Length"])
        name = self.path.rpartition("digest=")[2].replace("%3A", ":") or self.path.rpartition("/")[2]
        body = self.rfile.read(length) if length <= _SMALL else self._discard(length)
        name = self.path.rpartition("/")[2] if "/manifests/" in self.path else name
        self.sink.sizes[name], self.sink.kept[name] = length, body
        self.sink.kinds[name] = self.headers.get("Content-Type", "")
        self._empty(201, **{"Docker-Content-Digest": name})

    def do_HEAD(self) -> None:
        name = self.path.rpartition("/")[2]
        if name not in self.sink.sizes:
            self._empty(404)
            return
        self.send_response(200)
        self._describe(name, self.sink.sizes[name])

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        if name not in self.sink.sizes:
            self._empty(404)
            return
        start, end = 0, self.sink.sizes[name]
        if wanted := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            start, end = int(wanted[1]), min(int(wanted[2] or end) + 1, end)
            self.sink.parts += 1
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{self.sink.sizes[name]}")
        self._describe(name, end - start)
        if self.sink.kept[name]:
            self.wfile.write(self.sink.kept[name][start:end])
            return
        zeros = memoryview(bytes(CHUNK))
        try:
            for offset in range(start, end, CHUNK):
                self.wfile.write(zeros[: min(CHUNK, end - offset)])
        except ConnectionError:  # the client has what it wants of it
            self.close_connection = True

    def _discard(self, length: int) -> bytes:
        buffer = memoryview(bytearray(CHUNK))
        while length:
            read = self.rfile.readinto(buffer[: min(CHUNK, length)])
            length -= read
            self.sink.received += read
        return b""

    def _describe(self, name: str, length: int) -> None:
        self.send_header("Content-Type", self.sink.kinds[name] or "application/octet-stream")
        self.send_header("Docker-Content-Digest", name)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _empty(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def sink() -> Iterator[tuple[str, Sink]]:
    state = Sink()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"sink": state}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}", state
    server.shutdown()
    thread.join()
    server.server_close()


def peak(*words: str | Path) -> int:
    """Run the command line and return the most memory that it had at once, in bytes."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SCRIPTS), "CI": "true"}  # where nothing is kept
    command = [sys.executable, "-m", "weighlock", *map(str, words), "--quiet"]
    done = subprocess.run(
        [sys.executable, "-I", "-c", _STARTER, *command], env=environ, capture_output=True, text=True, check=True
    )
    return int(done.stdout.splitlines()[-1]) * (1 if sys.platform == "darwin" else 1024)


def test_four_gib_are_pushed_and_pulled_in_less_than_100_mb(sink: tuple[str, Sink], tmp_path: Path) -> None:
    address, state = sink
    model = tmp_path / "model"
    model.mkdir()
    for name, size in (("a.bin", LARGE - 1), ("b.bin", 1)):
        with (model / name).open("wb") as stream:
            stream.truncate(size)
    assert peak("package", model, "--to", f"{address}/m") < LIMIT
    assert state.received == LARGE - 1
    (digest,) = [name for name, kind in state.kinds.items() if "manifest" in kind]
    assert peak("fetch", f"{address}/m@{digest}", tmp_path / "there") < LIMIT
    assert state.parts > 1
    assert (tmp_path / "there/a.bin").stat().st_size == LARGE - 1
