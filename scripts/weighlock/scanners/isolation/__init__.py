"""Workers with limits: hostile files are parsed in a process that can be ended, and whose end is never a pass.

`Isolated` is an `Examiner` that sends each file to a worker and starts a new one where the last was lost. One worker
serves a whole model, since starting costs more than most files do. What holds on which system stands in `confine`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, final

import weighlock
from weighlock.jsonio import Json
from weighlock.scanners import Scanner, Severity
from weighlock.scanners.examine import Examined
from weighlock.scanners.files import Weighed
from weighlock.scanners.isolation import wire
from weighlock.scanners.isolation.process import Standby, command

T = TypeVar("T")
PACKAGE = Path(weighlock.__file__).resolve().parents[1]
_BOOT = "import sys; sys.path[:0] = sys.argv[1:]; from weighlock.scanners.isolation.worker import main; main()"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost; a limit that fires makes it unscanned."""

    memory: int = 4 * 1024**3
    """Bytes of address space of the worker."""
    seconds: float = 120.0
    """Processor time, for a file that is not small."""
    least: float = 30.0
    """Processor time of the smallest file, in seconds: libhdf5 may never return from one, and somebody waits for it."""
    slope: int = 100_000
    """Bytes of content that add a second to the least; a small file may unpack to a large one."""
    patience: float = 2.0
    """How many times its processor time a file may take by the clock on the wall."""
    pace: int = 5_000_000
    """Bytes of content that add another second."""
    answer: int = 64 * 1024**2
    """Bytes of what is said about it."""

    def of(self, size: int) -> float:
        """Return the processor time in seconds for `size` bytes."""
        return min(self.seconds, self.least + size / self.slope) + size / self.pace


@dataclass(frozen=True, slots=True)
class Engine:
    """A `Scanner` as workers make it: the module and name of its class, and the class's keyword arguments, as JSON."""

    name: str
    version: str
    module: str
    attribute: str
    options: Json = field(default_factory=dict)

    @classmethod
    def of(cls, kind: Callable[..., Scanner], **options: Any) -> Engine:
        """Describe the scanner that the class `kind` makes from `options`."""
        scanner = kind(**options)
        return cls(scanner.name, scanner.version, type(scanner).__module__, type(scanner).__name__, options)


@final
class Isolated:
    """An `Examiner` whose work is done by workers, one after the other. Close it: it is a context manager."""

    def __init__(
        self,
        engines: Sequence[Engine],
        fail_on: Severity,
        sizes: Mapping[str, int],
        *,
        limits: Limits | None = None,
        path: Sequence[Path] = (PACKAGE,),
    ) -> None:
        """Scan with `engines` the files of a model that have these `sizes`; the workers import from `path`."""
        self._engines = engines
        self._limits = limits or Limits()
        setup = {
            "engines": [[engine.module, engine.attribute, engine.options] for engine in engines],
            "fail_on": fail_on.name,
            "sizes": dict(sizes),
            "memory": self._limits.memory,
            "seconds": self._limits.seconds,
        }
        words = command(["-c", _BOOT, *map(str, path)])
        self._worker = Standby(words, self._limits.answer, json.dumps(setup))

    def __enter__(self) -> Isolated:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._worker.end()

    def engines(self) -> Sequence[tuple[str, str]]:
        """Return name and version of each engine."""
        return [(engine.name, engine.version) for engine in self._engines]

    def recognise(self, files: Sequence[Weighed]) -> list[str]:
        """Return the format of each file by its content."""
        return self._ask("recognise", files, lambda document: wire.formats_from(document, len(files)))

    def settle(self, files: Sequence[Weighed]) -> list[str]:
        """Return all formats, now that each file is recognised."""
        return self._ask("settle", files, lambda document: wire.formats_from(document, len(files)))

    def examine(self, file: Weighed) -> Examined:
        """Let all engines read the file and its members."""
        return self._ask("examine", [file], wire.examined_from)

    def _ask(self, task: str, files: Sequence[Weighed], read: Callable[[Json], T]) -> T:
        seconds = self._limits.of(sum(file.file.size for file in files))
        request = {"task": task, "files": [wire.file_to(file) for file in files], "seconds": seconds}
        patience = self._limits.patience * seconds
        return self._worker.ask(json.dumps(request), patience, lambda line: wire.answer(line, read))
