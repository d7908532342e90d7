"""Pickles: an allow-list decides what may be named, and data may only be built on what the stream itself made.

Complete means: every stream of the blob ran to STOP on the inert machine, every global is on an exact list
(`weighlock.scanners.pickles.profiles`) and used as that list says, items go into plain containers, state goes onto
instances that a listed callable made, and persistent ids name tensor storages of the archive around. Dangerous globals
and targets are findings, unknown ones wait for a person; whatever else is unusual is a gap.
"""

from __future__ import annotations

import contextlib
import io
from typing import BinaryIO

from weighlock.scanners import Blob
from weighlock.scanners.pickles.machine import Machine
from weighlock.scanners.pickles.opcodes import Operations
from weighlock.scanners.reading import UnclearError
from weighlock.scanners.strict import legacy
from weighlock.scanners.strict.notes import Notes
from weighlock.scanners.strict.witness import Witness

STREAMS = 64  # pickles in one blob


def pickle(blob: Blob, stream: BinaryIO, notes: Notes) -> None:
    """Judge all streams of a pickle."""
    judge(blob.format, stream, notes)


def judge(kind: str, stream: BinaryIO, notes: Notes) -> dict[str, int]:
    """Judge the pickle and return the tensor storages that it names: key to size in bytes."""
    start = stream.tell()
    operations = Operations(stream)
    witness = Witness(kind, notes, _bytes)
    machine = Machine(operations, witness.note)
    try:
        _run(operations, machine, witness)
    finally:
        if operations.frame_fault:
            notes.gap(f"unpicklers do not agree on its frames: {operations.frame_fault}")
        if machine.inlined:
            stream.seek(start)
            _plainly(kind, stream, notes)
    return witness.storages


def _run(operations: Operations, machine: Machine, witness: Witness) -> None:
    """Run all streams, and pass over the tensors behind those of torch's old format."""
    for count in range(STREAMS + 1):
        if operations.at_end():
            break
        if count == STREAMS:
            raise UnclearError(f"more than {STREAMS} pickles in one file")
        machine.listed = [] if witness.legacy and count == legacy.KEYS_STREAM else None
        try:
            left = machine.run()
        except UnclearError as error:
            behind = " behind the first pickle" if count else ""
            raise UnclearError(f"the pickle breaks{behind}: {error}") from None
        if count == legacy.MAGIC_STREAM and witness.kind == "pickle" and legacy.is_magic(left):
            witness.kind = "torch pickle"
            witness.legacy = True
        elif machine.listed is not None:
            legacy.tensors(operations, machine.listed, witness.storages)
            if not operations.at_end():
                witness.notes.gap("bytes follow the tensor storages")


def _plainly(kind: str, stream: BinaryIO, notes: Notes) -> None:
    """Look at a file with arrays between its operations as a loader does that takes them for operations.

    Such a loader breaks soon, as numbers are no operations; what it would import until then is found, and nothing else.
    """
    seen = Notes()
    with contextlib.suppress(UnclearError):
        Machine(Operations(stream), Witness(kind, seen, _bytes).note, inline=False).run()
    told = {(finding.rule, finding.offset) for finding in notes.findings}
    for found in seen.findings:
        if found.rule == "pickle.dangerous-global" and (found.rule, found.offset) not in told:
            notes.findings.append(found)


def _bytes(given: bytes, notes: Notes) -> None:
    """Judge bytes that torch.load is given, as it loads whatever they are."""
    try:
        judge("pickle", io.BytesIO(given), notes)
    except UnclearError as error:
        notes.gap(str(error))
