"""Servers for tests: real ones on loopback, on a port that the system chose, gone when the test process is."""

from __future__ import annotations

import ctypes
import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import tools
from certificates import Certificate

_CONFIGURATION = """\
version: 0.1
storage: {{filesystem: {{rootdirectory: "{storage}"}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:0", secret: tests{tls}}}
log: {{level: info, accesslog: {{disabled: true}}}}
{auth}
"""
_TLS = ', tls: {{certificate: "{0.certificate}", key: "{0.key}"}}'
_AUTH = 'auth: {{htpasswd: {{realm: tests, path: "{}"}}}}'
_ADA = "ada:$2b$04$3lUhhOuRE8n4.5OoOzEZx.iPKHejaTpy8VKlmeiT80f6uotd39WXO\n"  # bcrypt of "engine"


@contextmanager
def docker_registry(folder: Path, inside: Sequence[str] = (), tls: Certificate | None = None) -> Iterator[str]:
    """Run Debian's docker-registry with its storage in `folder` and yield ``127.0.0.1:PORT``.

    `inside` is the start of a command that puts it into another network. With `tls` it also asks for a login, which is
    ``ada`` and ``engine``.
    """
    tools.require("docker-registry")
    (folder / "htpasswd").write_text(_ADA)
    configuration = folder / "registry.yml"
    configuration.write_text(
        _CONFIGURATION.format(
            storage=folder / "storage",
            tls=_TLS.format(tls) if tls else "",
            auth=_AUTH.format(folder / "htpasswd") if tls else "",
        )
    )
    process = subprocess.Popen(
        [*inside, "docker-registry", "serve", str(configuration)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - no thread is started before the exec
    )
    assert process.stderr is not None
    try:
        address = _address(process.stderr)
        # The pipe has to be read for as long as the server writes to it.
        threading.Thread(target=_drain, args=(process.stderr,), daemon=True).start()
        yield address
    finally:
        process.terminate()
        process.wait(timeout=10)


@contextmanager
def github_api(kept: Path, repository: str, inside: Sequence[str] = ()) -> Iterator[str]:
    """Run ``python -m github_api`` and yield its URL; what it holds is in the file `kept`; `inside` as above."""
    with _module("github_api", str(kept), repository, inside=inside) as said:
        yield said.strip()


@contextmanager
def local_sigstore(folder: Path, *words: str, inside: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """Run ``python -m local_sigstore`` and yield what it says about itself; `inside` as above."""
    with _module("local_sigstore", str(folder), *words, inside=inside) as said:
        yield json.loads(said)


@contextmanager
def _module(name: str, *words: str, inside: Sequence[str]) -> Iterator[str]:
    """Run a module of the tests until its standard input is closed, and yield the first line that it prints."""
    process = subprocess.Popen(
        [*inside, sys.executable, "-m", name, *words],
        cwd=Path(__file__).parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - as above
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        yield process.stdout.readline()
        process.stdin.close()


def _address(log: IO[str]) -> str:
    lines = []
    for line in log:
        lines.append(line)
        if found := re.search(r"listening on (127\.0\.0\.1:\d+)", line):
            return found.group(1)
    raise RuntimeError(f"docker-registry did not start: {''.join(lines)}")


def _drain(log: IO[str]) -> None:
    with log:
        for _ in log:
            pass


def die_with_parent() -> None:
    """Ask Linux to end the server when the test process is killed and cannot do it itself."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
