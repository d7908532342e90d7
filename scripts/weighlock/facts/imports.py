"""What pickles import: every global that they name, harmless or not, in the file and in archives like torch's."""

from __future__ import annotations

import io
import zipfile
from typing import BinaryIO

from weighlock.scanners.pickles.machine import Event, Machine
from weighlock.scanners.pickles.opcodes import Operations
from weighlock.scanners.reading import UnclearError
from weighlock.scanners.sniff import PICKLES

STREAMS = 64  # pickles in one file
MEMBERS = 1000  # of an archive
SIZE = 64 * 1024 * 1024  # bytes of all members that are read
NAMES = 10_000
OPERATIONS = 2_000_000  # of one pickle; a model's weights take a few for each tensor


def of(form: str, stream: BinaryIO) -> set[str]:
    """Return the globals that a file of this format names, as ``module.name``; those before a fault where one is."""
    if form in PICKLES:
        return _named(stream)
    return _archived(stream) if form == "zip" else set()


def _named(stream: BinaryIO) -> set[str]:
    found: set[str] = set()

    def note(event: Event) -> None:
        if event.what == "global" and len(found) < NAMES:
            found.add(f"{event.target.module or '?'}.{event.target.name}")

    operations = Operations(stream)
    machine = Machine(operations, note, OPERATIONS)
    try:
        for _ in range(STREAMS):
            if operations.at_end():
                break
            machine.run()
    except UnclearError:
        pass  # tensors of torch's old format follow the pickles; what was named before stands
    return found


def _archived(stream: BinaryIO) -> set[str]:
    found: set[str] = set()
    try:
        with zipfile.ZipFile(stream) as archive:
            left = SIZE
            for item in [item for item in archive.infolist()[:MEMBERS] if item.filename.endswith(".pkl")]:
                with archive.open(item) as inside:
                    content = inside.read(left)
                left -= len(content)
                found |= _named(io.BytesIO(content))
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, ValueError, OSError) as error:
        raise UnclearError(str(error)) from None
    return found
