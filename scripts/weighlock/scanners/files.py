"""The files of a model, each recognised and examined: the port that the scan stage drives, and the one in this process.

`Inside` does the work where it is called. `weighlock.scanners.isolation` puts it into a process with limits.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import BinaryIO, Protocol

from weighlock.model import ModelFile
from weighlock.scanners import Blob, Scanner, Severity
from weighlock.scanners.examine import Examined, examine
from weighlock.scanners.sniff import Sniffer, recognised
from weighlock.scanners.storages import settled


@dataclass(frozen=True, slots=True)
class Weighed:
    """A file after the one read: where it lies, and whether every byte of it was text."""

    file: ModelFile
    text: bool
    format: str = "unknown"
    """Found by content; ``unknown`` before anybody looked."""
    lost: str = ""
    """Why looking failed, where it did."""

    def open(self) -> BinaryIO:
        """Open the content, buffered; `UnfinishedError` where it is no longer the file that was weighed."""
        stream = self.file.open()
        return io.BufferedReader(stream) if isinstance(stream, io.RawIOBase) else stream

    def sniffer(self) -> Sniffer:
        """Return the sniffer that has seen the whole content, without reading it all again."""
        with self.open() as stream:
            return Sniffer.again(stream, self.file.size, text=self.text)


class LostError(Exception):
    """The process that looked at a file is gone, or ran into a limit; the text names which."""


class Examiner(Protocol):
    """Recognises and examines files. Every method raises `LostError`, after which the next call works again."""

    def engines(self) -> Sequence[tuple[str, str]]:
        """Return name and version of each engine."""

    def recognise(self, files: Sequence[Weighed]) -> list[str]:
        """Return the format of each file by its content."""

    def settle(self, files: Sequence[Weighed]) -> list[str]:
        """Return all formats, now that each file is recognised: some are told by the files beside them."""

    def examine(self, file: Weighed) -> Examined:
        """Let all engines read the file and its members."""


class Beside(Mapping[str, int]):
    """The sizes of the files of a model, by path; keeps which of them were asked for, so that a cache can ask again."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        """Answer from `sizes`."""
        self._sizes = sizes
        self.asked: dict[str, int | None] = {}

    def __getitem__(self, path: str) -> int:
        self.asked[path] = self._sizes.get(path)
        return self._sizes[path]

    def __iter__(self) -> Iterator[str]:
        self.asked |= {"": None, **self._sizes}  # no file has the empty path: who asks for all depends on all
        return iter(self._sizes)

    def __len__(self) -> int:
        return len(list(iter(self)))


@dataclass(frozen=True, slots=True)
class Inside:
    """An `Examiner` in this process: nothing stands between the engines and whoever calls it."""

    scanners: Sequence[Scanner]
    fail_on: Severity
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Size in bytes of every file of the model, by path."""

    def engines(self) -> Sequence[tuple[str, str]]:
        """Return name and version of each engine."""
        return [(scanner.name, scanner.version) for scanner in self.scanners]

    def recognise(self, files: Sequence[Weighed]) -> list[str]:
        """Return the format of each file by its content."""
        return [recognised(file.sniffer(), file.open) for file in files]

    def settle(self, files: Sequence[Weighed]) -> list[str]:
        """Return all formats, now that each file is recognised."""
        return [blob.format for blob in settled([self._blob(file, self.sizes) for file in files])]

    def examine(self, file: Weighed) -> Examined:
        """Let all engines read the file and its members."""
        beside = Beside(self.sizes)
        return replace(examine(self._blob(file, beside), self.scanners, self.fail_on), asked=beside.asked)

    def _blob(self, file: Weighed, sizes: Mapping[str, int]) -> Blob:
        return Blob(file.file.path, file.format, file.file.size, file.open, beside=sizes)
