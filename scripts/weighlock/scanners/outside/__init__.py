"""Other projects' scanners, asked only where the user wants them, each in a Python environment of its own.

They judge whole files, staged under an ending that fits the content, and make no claim: their findings raise a verdict,
their errors are recorded. They run under the limits of `isolation.confine`, in an empty folder, with telemetry off.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TypeVar, final

from weighlock import jsonio
from weighlock.errors import InputError
from weighlock.jsonio import Json
from weighlock.scanners import Blob, Finding, Report, Scanner, Severity, Status, verdict
from weighlock.scanners.examine import Examined
from weighlock.scanners.files import Examiner, LostError, Weighed
from weighlock.scanners.isolation import Limits, confine, wire
from weighlock.scanners.isolation.process import Standby, command
from weighlock.scanners.outside import drive
from weighlock.text import printable

T = TypeVar("T")
NAMES = tuple(drive.DRIVERS)
VARIABLE = "WEIGHLOCK_ENGINES"
SIZE_LIMIT = 1024**3  # bytes: they read files into memory
_ENDINGS = {
    **dict.fromkeys(("pickle", "torch legacy"), ".pkl"),
    **{name: f".{name}" for name in ("npy", "onnx", "gguf", "safetensors", "zip", "tar", "tflite", "7z", "xml")},
    "hdf5": ".h5",
    "gzip": ".gz",
}
_NAMED = frozenset({"text", "json"})  # told apart by name only, which can do no harm


@final
class Outside:
    """A `Scanner` that asks the engine `name` in the environment of the interpreter `python`. Close it."""

    def __init__(self, name: str, python: Path, *, limits: Limits | None = None, size_limit: int = SIZE_LIMIT) -> None:
        """Give the engine no file of more than `size_limit` bytes."""
        self.name = name
        self._limits = limits or Limits()
        self._size_limit = size_limit
        self._version = ""
        words = [drive.__file__, confine.__file__, str(self._limits.memory), str(self._limits.seconds), name]
        self._driver = Standby(command(words, str(python)), self._limits.answer)

    def __enter__(self) -> Outside:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._driver.end()

    @property
    def version(self) -> str:
        """Return the engine's version; `InputError` where it cannot be started."""
        if not self._version:
            try:
                self._version = self._ask({}, 0, lambda said: printable(jsonio.field(said, "version", str, wire.WHAT)))
            except LostError as error:
                raise InputError(
                    f"the engine {self.name} does not start: {printable(str(error))}", remedy=_remedy(self.name)
                ) from None
        return self._version

    def scan(self, blob: Blob) -> Report:
        """Stage the file and let the engine judge it."""
        if blob.size > self._size_limit:
            reason = f"{blob.size} bytes are more than {self.name} is given ({self._size_limit})"
            return Report(self.name, self.version, Status.SKIPPED, reason=reason)
        try:
            with tempfile.TemporaryDirectory(prefix="weighlock-") as folder:
                staged = Path(
                    folder, blob.name if blob.format in _NAMED else "blob" + _ENDINGS.get(blob.format, ".bin")
                )
                with blob.open() as source, staged.open("wb") as target:
                    shutil.copyfileobj(source, target, 1024 * 1024)
                findings, error = self._ask({"path": str(staged)}, blob.size, _judged)
        except LostError as lost:
            return Report(self.name, self.version, Status.ERROR, reason=f"{self.name}: {lost}")
        return Report(self.name, self.version, Status.ERROR if error else Status.PARTIAL, findings, error)

    def _ask(self, request: Json, size: int, read: Callable[[Json], T]) -> T:
        seconds = self._limits.of(size)
        words = json.dumps({**request, "seconds": seconds})
        return self._driver.ask(words, self._limits.patience * seconds, lambda line: wire.answer(line, read))


def _judged(document: Json) -> tuple[tuple[Finding, ...], str]:
    return wire.findings_from(document), jsonio.field(document, "error", str, wire.WHAT)


@dataclass(frozen=True, slots=True)
class Joined:
    """An `Examiner` that adds what engines outside say to what another one says; they can only make it worse."""

    behind: Examiner
    outside: Sequence[Scanner]
    fail_on: Severity

    def engines(self) -> Sequence[tuple[str, str]]:
        """Return name and version of each engine."""
        return [*self.behind.engines(), *((scanner.name, scanner.version) for scanner in self.outside)]

    def recognise(self, files: Sequence[Weighed]) -> list[str]:
        """Return the format of each file by its content."""
        return self.behind.recognise(files)

    def settle(self, files: Sequence[Weighed]) -> list[str]:
        """Return all formats, now that each file is recognised."""
        return self.behind.settle(files)

    def examine(self, file: Weighed) -> Examined:
        """Let all engines read the file."""
        found = self.behind.examine(file)
        blob = Blob(file.file.path, file.format, file.file.size, file.open)
        more = [scanner.scan(blob) for scanner in self.outside]
        claimed = Report("", "", Status.COMPLETE)  # so that what is found decides, and no missing claim
        worse = verdict([claimed, *more], self.fail_on)
        return replace(found, reports=(*found.reports, *more), verdict=max(found.verdict, worse))


def chosen(words: Sequence[str], environ: Mapping[str, str], stack: ExitStack) -> list[Outside]:
    """Return the engines that are asked for, each ``NAME`` or ``NAME=PYTHON``; `stack` closes them.

    The interpreter of a mere name is ``NAME/bin/python`` in the folder ``WEIGHLOCK_ENGINES``. It is never taken from the
    policy, which may come with a pull request. What is unknown or not there is an `InputError`.
    """
    found: dict[str, Outside] = {}
    for word in words:
        name, _, given = word.partition("=")
        if name not in NAMES or name in found:
            known = ", ".join(NAMES)
            raise InputError(f"'{printable(word)}' is no engine, or stands twice", remedy=f"Known are: {known}.")
        python = Path(given) if given else _found(name, environ)
        if python is None or not python.is_absolute() or not python.is_file():
            raise InputError(f"there is no Python for the engine {name}", remedy=_remedy(name))
        found[name] = stack.enter_context(Outside(name, python))
    return list(found.values())


def _found(name: str, environ: Mapping[str, str]) -> Path | None:
    folder = environ.get(VARIABLE)
    places = [Path(folder, name, *rest) for rest in (("bin", "python"), ("Scripts", "python.exe"))] if folder else []
    return next((place for place in places if place.is_file()), None)


def _remedy(name: str) -> str:
    return (
        f"Make an environment with {name} in it, and give it as {name}=/path/to/bin/python, or as the folder {name} in "
        f"the folder that {VARIABLE} names."
    )
