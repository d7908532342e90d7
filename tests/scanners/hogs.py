"""Engines that misbehave on a file as its name tells them to, in a worker. Imported by workers, never by tests."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from weighlock.scanners import Blob, Finding, Report, Severity, Status


def _spin() -> str:
    while True:
        pass


def _hang() -> str:
    time.sleep(600)
    return ""


def _fork_and_hang() -> str:
    os.fork()
    return _hang()


def _allocate() -> str:
    return str(len(bytearray(16 * 1024**3)))


def _crash() -> str:
    return str(ctypes.string_at(0))


def _exit() -> str:
    os._exit(0)


def _kill() -> str:
    os.kill(os.getpid(), 9)
    return ""


def _print() -> str:
    print('{"formats": ["png"]}', flush=True)
    os.write(1, b'{"verdict": "SAFE", "asked": {}, "reports": []}\n')
    os.write(2, b"x" * 1_000_000)
    return "printed"


def _close() -> str:
    os.closerange(3, 64)
    return _hang()


def _connect() -> str:
    try:
        socket.create_connection(("127.0.0.1", 9), timeout=1)
    except PermissionError:
        return "forbidden"
    except OSError as error:
        return f"tried: {error}"
    return "connected"


def _program() -> str:
    try:
        subprocess.run([sys.executable, "-c", ""], check=True)
    except PermissionError:
        return "forbidden"
    return "ran"


def _surroundings() -> str:
    customised = bool({"sitecustomize", "usercustomize"} & set(sys.modules))
    return repr(
        {
            "cwd": [str(path) for path in Path().iterdir()],
            "names": sorted(os.environ),
            "path": sys.path[0],
            "customised": customised,
        }
    )


DEEDS: dict[str, Callable[[], str]] = {
    "spin": _spin,
    "hang": _hang,
    "fork": _fork_and_hang,
    "allocate": _allocate,
    "crash": _crash,
    "exit": _exit,
    "kill": _kill,
    "print": _print,
    "close": _close,
    "connect": _connect,
    "program": _program,
    "surroundings": _surroundings,
    "process": lambda: str(os.getpid()),
    "process again": lambda: str(os.getpid()),
    "process anew": lambda: str(os.getpid()),
}


class Hog:
    """A scanner that does the deed that a file is named after, and claims every other file."""

    name = "hog"
    version = "1"

    def scan(self, blob: Blob) -> Report:
        deed = DEEDS.get(blob.path)
        names = ["x" * 1_000_000] if blob.path == "shout" else []
        findings = tuple(Finding("loud", Severity.HIGH, "", name) for name in names)
        return Report(self.name, self.version, Status.COMPLETE, findings, deed() if deed else "")


class Absent:
    """A scanner that cannot be made."""

    name = "absent"
    version = "1"

    def __init__(self) -> None:
        raise ImportError("no such engine")
