"""Servers for tests: real ones on loopback, on a port that the system chose, gone when the test process is."""

from __future__ import annotations

import ctypes
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import tools

_CONFIGURATION = """\
version: 0.1
storage: {{filesystem: {{rootdirectory: "{storage}"}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:0", secret: tests}}
log: {{level: info, accesslog: {{disabled: true}}}}
"""


@contextmanager
def docker_registry(folder: Path, inside: Sequence[str] = ()) -> Iterator[str]:
    """Run Debian's docker-registry with its storage in `folder` and yield ``127.0.0.1:PORT``.

    `inside` is the start of a command that puts it into another network.
    """
    tools.require("docker-registry")
    configuration = folder / "registry.yml"
    configuration.write_text(_CONFIGURATION.format(storage=folder / "storage"))
    process = subprocess.Popen(
        [*inside, "docker-registry", "serve", str(configuration)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_die_with_parent,  # noqa: PLW1509 - no thread is started before the exec
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


def _die_with_parent() -> None:
    """Ask Linux to end the server when the test process is killed and cannot do it itself."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
