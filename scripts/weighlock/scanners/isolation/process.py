"""A child process that is not trusted: isolated Python, an empty folder, a short environment, answers of limited size.

It gets a session of its own where there are sessions, so that whatever it started ends with it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar, final

from weighlock.scanners.files import LostError

T = TypeVar("T")
_DYING = 5.0  # seconds that a process may take to end once its answers have
_KILLED = 9
_KEPT = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")  # what a Python needs to start
_SET = {
    "LC_ALL": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",  # each of its threads takes address space
    "OMP_NUM_THREADS": "1",
    "HDF5_PLUGIN_PRELOAD": "::",  # load no filters from a folder of the system
    "DO_NOT_TRACK": "1",
    "NO_ANALYTICS": "1",
    "PROMPTFOO_DISABLE_TELEMETRY": "1",
}


def command(words: Sequence[str], python: str = sys.executable) -> list[str]:
    """Return the command line of an isolated Python."""
    return [python, "-I", "-X", "utf8", *words]


def environment(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what of `environ` a child may see, and where it keeps its things."""
    places = dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP"), str(folder))
    return {name: value for name, value in environ.items() if name.upper() in _KEPT} | _SET | places


class Child:
    """A process that answers lines with lines. It has to be ended."""

    def __init__(self, words: Sequence[str], folder: Path, limit: int) -> None:
        """Start `words` in `folder`; an answer has at most `limit` bytes."""
        self._limit = limit
        self._process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=environment(folder, os.environ),
            start_new_session=True,
        )
        self.late = False
        """Whether it was ended because it took too long."""

    def ask(self, lines: Sequence[str], seconds: float) -> bytes:
        """Send lines and return the answer; a child that dies, says too much or takes longer raises `LostError`."""
        timer = threading.Timer(seconds, self._expire)
        timer.start()
        try:
            answer = self._exchange("".join(line + "\n" for line in lines).encode())
        finally:
            timer.cancel()
        if len(answer) > self._limit:
            raise LostError(f"the scan said more than {self._limit} bytes about it")
        if answer.endswith(b"\n"):
            return answer
        if self.late:
            raise LostError(f"the scan took longer than {seconds:.0f} seconds")
        raise LostError(self._obituary())

    def end(self) -> None:
        """End the process and all that it started, and wait for it."""
        with self._process:  # closes the pipes
            self._kill()

    def _exchange(self, words: bytes) -> bytes:
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError
        try:
            self._process.stdin.write(words)
            self._process.stdin.flush()
        except BrokenPipeError:
            return b""
        return self._process.stdout.readline(self._limit + 1)

    def _obituary(self) -> str:
        try:
            code = self._process.wait(_DYING)
        except subprocess.TimeoutExpired:
            return "the scan's process closed its answers"
        if code >= 0:
            return f"the scan's process ended with exit code {code}"
        if code == -getattr(signal, "SIGXCPU", 0):
            return "the scan used more processor time than it is given"
        if code == -_KILLED:
            return "the scan's process was killed; the system may be short of memory"
        return f"the scan's process crashed with signal {-code}"

    def _expire(self) -> None:
        self.late = True
        self._kill()

    def _kill(self) -> None:
        if self._process.returncode is not None:
            return
        if sys.platform == "win32":
            self._process.kill()
        else:
            os.killpg(self._process.pid, signal.SIGKILL)


@final
class Standby:
    """A child that is started when it is asked, and anew after one was lost. Close it: it is a context manager."""

    def __init__(self, words: Sequence[str], limit: int, opening: str | None = None) -> None:
        """Start `words` in an empty folder; a new child hears the line `opening` first, which has no answer."""
        self._words = words
        self._limit = limit
        self._opening = opening
        self._unsaid: list[str] = []
        self._child: Child | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Standby:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def ask(self, line: str, seconds: float, read: Callable[[bytes], T]) -> T:
        """Return what `read` makes of the answer; after a `LostError`, its own as well, the next child is a new one."""
        try:
            child = self._start()
            unsaid, self._unsaid = self._unsaid, []
            return read(child.ask([*unsaid, line], seconds))
        except LostError:
            self.end()
            raise

    def end(self) -> None:
        """End the child and remove its folder."""
        if self._child is not None:
            self._child.end()
            self._child = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _start(self) -> Child:
        if self._child is not None and self._child.late:
            self.end()
        if self._child is None:
            self._folder = tempfile.TemporaryDirectory(prefix="weighlock-", ignore_cleanup_errors=True)
            self._child = Child(self._words, Path(self._folder.name), self._limit)
            self._unsaid = [] if self._opening is None else [self._opening]
        return self._child
