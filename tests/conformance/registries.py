"""Registries of others: each on loopback with its storage in a folder, gone when the test process is.

`REFERRERS` are those with the referrers API, `MOUNTING` those that take a blob over from another repository; tests ask
them whether that is so. docker-registry is Debian's distribution 2.8; the others are built by ``.ci/conformance``.
"""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import servers
import tools

_SECONDS = 10  # until one that was started answers

_DISTRIBUTION = """\
version: 0.1
storage: {{filesystem: {{rootdirectory: "{folder}/storage"}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}", secret: tests}}
log: {{level: warn, accesslog: {{disabled: true}}}}
"""


def _distribution(program: str, folder: Path, port: int) -> Sequence[str]:
    configuration = folder / "distribution.yml"
    configuration.write_text(_DISTRIBUTION.format(folder=folder, port=port))
    return (program, "serve", str(configuration))


def _crane(folder: Path, port: int) -> Sequence[str]:
    (folder / "storage").mkdir()
    return ("crane", "registry", "serve", "--address", f"127.0.0.1:{port}", "--disk", str(folder / "storage"))


def _olareg(folder: Path, port: int) -> Sequence[str]:
    return ("olareg", "serve", "--addr", "127.0.0.1", "--port", str(port), "--dir", str(folder / "storage"))


def _zot(folder: Path, port: int) -> Sequence[str]:
    configuration = folder / "zot.json"
    http = {"address": "127.0.0.1", "port": str(port)}
    storage = {"rootDirectory": str(folder / "storage")}
    configuration.write_text(json.dumps({"distSpecVersion": "1.1.1", "storage": storage, "http": http}))
    return ("zot", "serve", str(configuration))


COMMANDS: dict[str, Callable[[Path, int], Sequence[str]]] = {
    "docker-registry": partial(_distribution, "docker-registry"),
    "distribution": partial(_distribution, "distribution"),
    "crane": _crane,
    "olareg": _olareg,
    "zot": _zot,
}
REFERRERS = {"olareg", "zot"}
MOUNTING = {"docker-registry", "distribution", "olareg", "zot"}


@contextmanager
def running(name: str, folder: Path) -> Iterator[str]:
    """Run one of `COMMANDS` and yield ``127.0.0.1:PORT``."""
    tools.require(name)
    port = _free_port()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            COMMANDS[name](folder, port),
            cwd=folder,
            stdout=log,
            stderr=log,
            preexec_fn=servers.die_with_parent,  # noqa: PLW1509 - no thread is started before the exec
        )
    try:
        _wait(name, port, process, folder / "log")
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=10)


def _free_port() -> int:
    """Return a port that nobody has now; not all of these programs say which one they chose by themselves."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def _wait(name: str, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _SECONDS
    while process.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=1):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{name} did not start: {log.read_text('utf-8', 'replace')}")
