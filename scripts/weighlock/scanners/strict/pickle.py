"""Pickles: an allow-list decides what may be named, and data may only be built on what the stream itself made.

Complete means: every stream of the blob ran to STOP on the inert machine, every global is on an exact list
(`weighlock.scanners.pickles.globals`), only listed callables are called, items go into plain containers, state goes
onto instances that a listed callable made, and persistent ids name tensor storages of the archive around. Dangerous
globals and targets are findings; whatever else is unusual is a gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from weighlock.scanners import Blob, Severity
from weighlock.scanners.pickles.globals import STORAGES, Grade, grade
from weighlock.scanners.pickles.machine import Event, Machine, Thing
from weighlock.scanners.pickles.opcodes import Operations
from weighlock.scanners.reading import UnclearError
from weighlock.scanners.strict.notes import Notes

STREAMS = 64  # pickles in one blob

_ITEMS = frozenset({("collections", "OrderedDict"), ("collections", "defaultdict"), ("collections", "Counter")})
_APPENDS = frozenset({("collections", "deque")})
_MAPS = {"item": ("dict", _ITEMS), "append": ("list", _APPENDS), "add": ("set", frozenset[tuple[str, str]]())}


def pickle(blob: Blob, stream: BinaryIO, notes: Notes) -> None:
    """Judge all streams of a pickle."""
    judge(blob.format, stream, notes)


def judge(kind: str, stream: BinaryIO, notes: Notes) -> dict[str, int]:
    """Judge the pickle and return the tensor storages that it names: key to size in bytes."""
    operations = Operations(stream)
    witness = _Witness(kind, notes, {})
    machine = Machine(operations, witness.note)
    for count in range(STREAMS + 1):
        if operations.at_end():
            break
        if count == STREAMS:
            raise UnclearError(f"more than {STREAMS} pickles in one file")
        try:
            machine.run()
        except UnclearError as error:
            behind = " behind the first pickle" if count else ""
            raise UnclearError(f"the pickle breaks{behind}: {error}") from None
    return witness.storages


@dataclass(frozen=True, slots=True)
class _Witness:
    kind: str
    notes: Notes
    storages: dict[str, int]

    def note(self, event: Event) -> None:
        match event.what:
            case "global":
                self._global(event)
            case "call":
                self._call(event)
            case "build":
                self._build(event)
            case "persistent":
                self._persistent(event)
            case "memo":
                self.notes.gap(
                    f"memo index {event.value} at byte {event.offset}: a loader would allocate an array of that length"
                )
            case "extension":
                self.notes.gap(
                    f"a copyreg extension code or an out-of-band buffer at byte {event.offset}: what it stands for is not in the file"
                )
            case _:
                self._store(event)

    def _global(self, event: Event) -> None:
        module, name = event.target.module, event.target.name
        if not module:
            self._critical("pickle.computed-global", "names a global that is computed while it is loaded", event)
            return
        match grade(module, name, self.kind):
            case Grade.DANGEROUS:
                self._critical(
                    "pickle.dangerous-global",
                    f"loading it imports {module}.{name}, which can run code, read or write files, or connect",
                    event,
                )
            case Grade.UNKNOWN:
                self.notes.gap(f"the pickle names {module}.{name}, which is not on the list of known harmless globals")
            case Grade.ALLOWED:
                pass

    def _call(self, event: Event) -> None:
        callee = event.target
        if not isinstance(callee, Thing) or callee.kind != "global":
            self._critical("pickle.computed-call", "calls something that is computed while it is loaded", event)
            return
        if callee.module == "_codecs" and not (isinstance(event.value, tuple) and event.value[1:] == ("latin1",)):
            self.notes.gap(f"_codecs.encode with another encoding than latin1 at byte {event.offset}")
        self._special(event)

    def _build(self, event: Event) -> None:
        target = event.target
        if isinstance(target, Thing) and target.kind == "global":
            self._critical("pickle.build", f"replaces attributes of {target.module}.{target.name} itself", event)
        elif not (isinstance(target, Thing) and target.kind == "instance" and target.module):
            self.notes.gap(f"state is put onto something that is no plain instance, at byte {event.offset}")
        self._special(event)

    def _store(self, event: Event) -> None:
        target = event.target
        kind, classes = _MAPS[event.what]
        if isinstance(target, Thing) and target.kind == "global":
            self._critical("pickle.item", f"writes into {target.module}.{target.name} itself", event)
        elif not isinstance(target, Thing) or (target.kind != kind and (target.module, target.name) not in classes):
            self.notes.gap(f"items are put into something that is no {kind}, at byte {event.offset}")

    def _special(self, event: Event) -> None:
        """Find keys that replace an object's behaviour, in arguments and state and the tuples inside them."""
        waiting = [(event.value, 3)]
        while waiting:
            value, depth = waiting.pop()
            if isinstance(value, Thing) and value.special:
                self._critical("pickle.special-attribute", f"sets {value.special[0]} on an object", event)
            elif isinstance(value, tuple) and depth:
                waiting.extend((item, depth - 1) for item in value)

    def _persistent(self, event: Event) -> None:
        match event.value:
            case ("storage", Thing(kind="global", module=module, name=name), str(key), str(), int(count), *_) if (
                self.kind != "pickle" and module in {"torch", "torch.storage"} and name in STORAGES and count >= 0
            ):
                size = count * STORAGES[name]
                if self.storages.setdefault(key, size) != size:
                    self.notes.gap(f"tensor storage {key} is used with two sizes")
            case _:
                self.notes.gap(f"a persistent id at byte {event.offset} that is no tensor storage")

    def _critical(self, rule: str, message: str, event: Event) -> None:
        self.notes.find(rule, Severity.CRITICAL, message, event.offset)
