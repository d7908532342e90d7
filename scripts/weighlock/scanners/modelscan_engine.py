"""The engine `modelscan`: Protect AI's scanner, in process, fed with blobs that were recognised by content.

It is a deny-list, so its silence proves nothing: it never claims a blob, and can only raise a verdict. What it could
not read or was not given stands in its report. Without it there is no scan. Settings are a deep copy of its defaults given through its API: its settings file is loaded from the
working directory, which may be the checkout of whoever opened a pull request. It chooses parsers by the name's ending,
so each blob is staged, in a directory of its own, under the ending of its content.
"""

from __future__ import annotations

import copy
import importlib.metadata
import itertools
import logging
import shutil
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from weighlock.errors import UnfinishedError
from weighlock.scanners import Blob, Finding, Report, Severity, Status
from weighlock.scanners.pickles.opcodes import Operations
from weighlock.scanners.reading import UnclearError
from weighlock.scanners.sniff import PICKLES

SIZE_LIMIT = 256 * 1024 * 1024  # bytes: modelscan reads a pickle into memory
OPERATIONS_LIMIT = 2_000_000  # modelscan keeps every opcode: about 250 bytes and 2 microseconds each

_ENDINGS = {**dict.fromkeys(PICKLES, ".pkl"), "npy": ".npy", "hdf5": ".h5"}
_INSTALL = "Install weighlock[scan] on Python 3.10, 3.11 or 3.12, which modelscan needs."


class ModelScan:
    """A `Scanner` for pickles, numpy arrays and Keras' HDF5; other formats are outside its remit."""

    name = "modelscan"

    def __init__(
        self, *, size_limit: int = SIZE_LIMIT, operations_limit: int = OPERATIONS_LIMIT, distribution: str = name
    ) -> None:
        """Give modelscan no blob of more bytes, and no pickle of more operations."""
        self._distribution = distribution
        self._size_limit = size_limit
        self._operations_limit = operations_limit

    @cached_property
    def version(self) -> str:
        """Return the installed version; `UnfinishedError` where there is none."""
        try:
            return importlib.metadata.version(self._distribution)
        except importlib.metadata.PackageNotFoundError:
            raise UnfinishedError(
                "modelscan is not installed, and there is no scan without it", remedy=_INSTALL
            ) from None

    def scan(self, blob: Blob) -> Report:
        """Stage the blob and scan it; errors, skips and a scan that scanned nothing are an error.

        Raises `UnfinishedError` where modelscan or what it needs cannot be imported.
        """
        ending = _ENDINGS.get(blob.format)
        if ending is None:
            return Report(self.name, self.version, Status.SKIPPED)
        refusal = self._weigh(blob)
        if refusal:
            return Report(self.name, self.version, Status.SKIPPED, reason=refusal)
        try:
            with tempfile.TemporaryDirectory(prefix="weighlock-") as folder:
                staged = Path(folder, "blob" + ending)
                with blob.open() as source, staged.open("wb") as target:
                    shutil.copyfileobj(source, target, 1024 * 1024)
                return self._report(blob, self._run(staged))
        except ImportError as error:
            raise UnfinishedError(f"modelscan cannot be imported: {error}", remedy=_INSTALL) from None

    def _weigh(self, blob: Blob) -> str:
        """Say why the blob would cost modelscan more memory than a runner has; nothing where it would not."""
        if blob.size > self._size_limit:
            return f"{blob.size} bytes are more than modelscan is given ({self._size_limit})"
        if blob.format in PICKLES:
            with blob.open() as stream:
                count = _operations(stream, self._operations_limit)
            if count > self._operations_limit:
                return f"more than {self._operations_limit} pickle operations are more than modelscan is given"
        return ""

    def _run(self, staged: Path) -> dict[str, Any]:
        from modelscan.modelscan import (  # type: ignore[import-untyped] # noqa: PLC0415 - only where it is installed
            ModelScan as Engine,
        )
        from modelscan.settings import DEFAULT_SETTINGS  # type: ignore[import-untyped] # noqa: PLC0415 - as above

        logging.getLogger("modelscan").setLevel(logging.CRITICAL)  # what it logs is in its report
        result: dict[str, Any] = Engine(settings=copy.deepcopy(DEFAULT_SETTINGS)).scan(staged)
        return result

    def _report(self, blob: Blob, result: dict[str, Any]) -> Report:
        findings = tuple(_finding(issue, blob) for issue in result["issues"])
        summary = result["summary"]
        words = [f"{error['category']}: {error['description']}" for error in result["errors"]]
        words += [f"{skip['category']}: {skip['description']}" for skip in summary["skipped"]["skipped_files"]]
        if not words and summary["scanned"]["total_scanned"] != 1:
            words = ["it scanned nothing"]
        if words:
            return self._error("modelscan could not tell: " + "; ".join(words), findings)
        return Report(self.name, self.version, Status.PARTIAL, findings)

    def _error(self, reason: str, findings: tuple[Finding, ...] = ()) -> Report:
        return Report(self.name, self.version, Status.ERROR, findings, reason)


def _finding(issue: dict[str, Any], blob: Blob) -> Finding:
    called = f"{issue.get('module')}.{issue.get('operator')}"
    return Finding("modelscan.unsafe", Severity[issue["severity"]], f"uses {called}", blob.member)


def _operations(stream: BinaryIO, limit: int) -> int:
    """Count operations up to the limit, or to where the stream breaks: modelscan stops there, too."""
    operations = Operations(stream)
    count = 0
    try:
        while not operations.at_end() and count <= limit:
            count += sum(1 for _ in itertools.islice(operations.stream(), limit + 1))
    except UnclearError:
        pass
    return count
