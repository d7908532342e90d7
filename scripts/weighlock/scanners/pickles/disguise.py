"""Pickles without magic: protocols 0 and 1 are made of printable characters, so text can be one.

Much text begins like a pickle: a YAML key that starts with ``c`` is a GLOBAL, and a list of functions that starts with
``cos`` imports a module. It counts as a pickle if an unpickler would reach a call, or run to STOP at the text's very
end, or run to STOP anywhere and have named a dangerous global.
"""

from __future__ import annotations

from typing import BinaryIO

from weighlock.scanners.pickles.globals import Grade, grade
from weighlock.scanners.pickles.machine import Event, Machine
from weighlock.scanners.pickles.opcodes import Operations
from weighlock.scanners.pickles.things import Thing
from weighlock.scanners.reading import LimitError, UnclearError


class _CallError(Exception):
    """The stream reaches a call."""


def is_pickle(stream: BinaryIO) -> bool:
    """Tell whether an unpickler would act on this content."""
    operations = Operations(stream)
    witness = _Witness()
    machine = Machine(operations, witness.note)
    try:
        machine.run()
        while not witness.dangerous and not operations.at_end():
            machine.run()
    except (_CallError, LimitError):
        return True
    except UnclearError:
        return False
    return True


class _Witness:
    def __init__(self) -> None:
        self.dangerous = False

    def note(self, event: Event) -> None:
        if event.what in {"call", "new", "build"} and isinstance(event.target, Thing):
            raise _CallError
        if event.what == "global" and grade(event.target.module, event.target.name, "pickle") is Grade.DANGEROUS:
            self.dangerous = True
