"""Pickles without magic: protocols 0 and 1 are made of printable characters, so text can be one.

Much text begins like a pickle (a YAML key that starts with ``c`` is a GLOBAL). It counts as one if an unpickler would
do something with it: run to STOP at its very end, name a dangerous global, or reach a call.
"""

from __future__ import annotations

from typing import BinaryIO

from weighlock.scanners.pickles.globals import Grade, grade
from weighlock.scanners.pickles.machine import Event, Machine, Thing
from weighlock.scanners.pickles.opcodes import Operations
from weighlock.scanners.reading import UnclearError


class _ActsError(Exception):
    """The stream does something that only a pickle does."""


def is_pickle(stream: BinaryIO) -> bool:
    """Tell whether an unpickler would act on this content."""
    operations = Operations(stream)
    machine = Machine(operations, _act)
    try:
        machine.run()
        while not operations.at_end():
            machine.run()
    except UnclearError:
        return False
    except (_ActsError, OverflowError):
        return True
    return True


def _act(event: Event) -> None:
    if event.what in {"call", "build"} and isinstance(event.target, Thing):
        raise _ActsError
    if event.what == "global" and grade(event.target.module, event.target.name, "pickle") is Grade.DANGEROUS:
        raise _ActsError
