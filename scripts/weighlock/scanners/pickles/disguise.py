"""Pickles in disguise: protocols 0 and 1 have no magic, so text can be one, and so can the head of another format.

Much text begins like a pickle: a YAML key that starts with ``c`` is a GLOBAL, and a list of functions that starts with
``cos`` imports a module. It counts as a pickle if an unpickler would reach a call, or run to STOP at the text's very
end, or run to STOP anywhere and have named a dangerous global.

The name of a tar's first member, the colours of a GIF or the length of a safetensors header may be operations, too. An
unpickler starts at the first byte of whatever it is given, so every other format is tried as a pickle.
"""

from __future__ import annotations

from typing import BinaryIO

from weighlock.scanners.pickles.globals import Grade, grade
from weighlock.scanners.pickles.machine import Event, Machine
from weighlock.scanners.pickles.opcodes import Operations
from weighlock.scanners.pickles.things import Thing
from weighlock.scanners.reading import LimitError, UnclearError


def reached(stream: BinaryIO, *, unknown: bool) -> str | None:
    """Return the dangerous global that an unpickler of this content would import or call, if any.

    With `unknown`, one that it would call and that is on no list is returned too. It has to be a name that Python could
    import, which numbers do not spell by chance. `LimitError` where that is not seen among the first operations.
    """
    found: list[str] = []

    def note(event: Event) -> None:
        target = event.target
        if not isinstance(target, Thing) or event.what not in {"global", "call", "new", "build"}:
            return
        path = f"{target.module}.{target.name}"
        wanted = {Grade.DANGEROUS} if event.what == "global" or not unknown else {Grade.DANGEROUS, Grade.UNKNOWN}
        if all(part.isidentifier() for part in path.split(".")) and grade(*target.path, "pickle") in wanted:
            found.append(path)
            raise _CallError

    machine = Machine(Operations(stream), note, TRIED)
    try:
        machine.run()
    except LimitError:
        raise  # nobody saw what comes behind
    except (_CallError, UnclearError):
        return found[0] if found else None
    return None


class _CallError(Exception):
    """The stream reaches a call."""


TRIED = 1_000_000  # operations of what is another format


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
