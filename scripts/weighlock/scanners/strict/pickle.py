"""Pickles: an allow-list decides what may be named, and data may only be built on what the stream itself made.

Complete means: every stream of the blob ran to STOP on the inert machine, every global is on an exact list
(`weighlock.scanners.pickles.profiles`) and used as that list says, items go into plain containers, state goes onto
instances that a listed callable made, and persistent ids name tensor storages of the archive around. Dangerous globals
and targets are findings; whatever else is unusual is a gap.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from weighlock.scanners import Blob, Severity
from weighlock.scanners.pickles.globals import LOADER, STORAGES, Grade, grade, use
from weighlock.scanners.pickles.machine import Event, Machine
from weighlock.scanners.pickles.opcodes import LONG, Operations
from weighlock.scanners.pickles.profiles import Use
from weighlock.scanners.pickles.things import Thing
from weighlock.scanners.reading import UnclearError
from weighlock.scanners.strict import legacy
from weighlock.scanners.strict.notes import Notes

STREAMS = 64  # pickles in one blob

_FILLED: dict[str, tuple[str, Use | None]] = {
    "item": ("dict", Use.DICT),
    "append": ("list", Use.LIST),
    "add": ("set", None),
}


def pickle(blob: Blob, stream: BinaryIO, notes: Notes) -> None:
    """Judge all streams of a pickle."""
    judge(blob.format, stream, notes)


def judge(kind: str, stream: BinaryIO, notes: Notes) -> dict[str, int]:
    """Judge the pickle and return the tensor storages that it names: key to size in bytes."""
    start = stream.tell()
    operations = Operations(stream)
    witness = _Witness(kind, notes, {})
    machine = Machine(operations, witness.note)
    try:
        _run(operations, machine, witness)
    finally:
        if machine.inlined:
            stream.seek(start)
            _plainly(kind, stream, notes)
    return witness.storages


def _run(operations: Operations, machine: Machine, witness: _Witness) -> None:
    """Run all streams, and pass over the tensors behind those of torch's old format."""
    for count in range(STREAMS + 1):
        if operations.at_end():
            break
        if count == STREAMS:
            raise UnclearError(f"more than {STREAMS} pickles in one file")
        try:
            left = machine.run()
        except UnclearError as error:
            behind = " behind the first pickle" if count else ""
            raise UnclearError(f"the pickle breaks{behind}: {error}") from None
        if count == legacy.MAGIC_STREAM and witness.kind == "pickle" and legacy.is_magic(left):
            witness.kind = "torch pickle"
            witness.legacy = True
        elif witness.legacy and count == legacy.KEYS_STREAM:
            legacy.tensors(operations, witness.appended, witness.storages)
        witness.appended = []


def _plainly(kind: str, stream: BinaryIO, notes: Notes) -> None:
    """Look at a file with arrays between its operations as a loader does that takes them for operations.

    Such a loader breaks soon, as numbers are no operations; what it would import until then is found, and nothing else.
    """
    seen = Notes()
    with contextlib.suppress(UnclearError):
        Machine(Operations(stream), _Witness(kind, seen, {}).note, inline=False).run()
    told = {(finding.rule, finding.offset) for finding in notes.findings}
    for found in seen.findings:
        if found.rule == "pickle.dangerous-global" and (found.rule, found.offset) not in told:
            notes.findings.append(found)


@dataclass(slots=True)
class _Witness:
    kind: str
    notes: Notes
    storages: dict[str, int]
    legacy: bool = False
    """Whether this is torch's format from before its zip archives."""
    appended: list[Any] = field(default_factory=list)
    """What the present stream appended to lists, the first thousands."""

    def note(self, event: Event) -> None:
        match event.what:
            case "global":
                self._global(event)
            case "call" | "new":
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
        if not isinstance(event.value, tuple):
            self.notes.gap(f"a call at byte {event.offset} has arguments that are computed while it is loaded")
        elif callee.module == "_codecs" and event.value[1:] != ("latin1",):
            self.notes.gap(f"_codecs.encode with another encoding than latin1 at byte {event.offset}")
        elif callee.path == LOADER:
            self._loaded(event)
        self._use(event, callee)
        self._special(event)

    def _loaded(self, event: Event) -> None:
        """Look into bytes that torch.load is given: its name alone is unclear, anything but tensors in them does harm."""
        match event.value:
            case (given,) if given is LONG:
                return
            case (bytes() as given,):
                inner = Notes(self.notes.member)
                try:
                    judge("pickle", io.BytesIO(given), inner)
                except UnclearError as error:
                    inner.gap(str(error))
                if not inner.findings and not inner.gaps:
                    return
                reasons = [found.message for found in inner.findings] + inner.gaps
            case _:
                reasons = ["they are no bytes"]
        self._critical("pickle.torch-load", f"calls torch.load on bytes: {reasons[0]}", event)

    def _use(self, event: Event, callee: Thing) -> None:
        """Hold the call against what the list says of its target; one that is on no list was told when it was named."""
        listed = use(*callee.path, self.kind)
        name = f"{callee.module}.{callee.name}"
        if listed is Use.NAME:
            self.notes.gap(f"{name} is called at byte {event.offset}; it is known as harmless to hold, not to call")
        elif listed is Use.MAKE and not (event.what == "new" and event.value == ()):
            self.notes.gap(f"{name} is made with arguments at byte {event.offset}; it is known as harmless without")
        elif listed in {Use.APPLY, Use.CONSTRUCT, Use.DICT}:
            self._given(event, name, event.value[1:] if listed is Use.CONSTRUCT else event.value)

    def _given(self, event: Event, name: str, value: Any) -> None:
        """Find globals that a callable is given to call, though they may not be called."""
        for given in _globals(value):
            listed = use(*given.path, self.kind)
            if listed and not listed.callable:
                self.notes.gap(
                    f"{name} is given {given.module}.{given.name} to call at byte {event.offset}; it is known as harmless "
                    "to hold, not to call"
                )

    def _build(self, event: Event) -> None:
        target = event.target
        if isinstance(target, Thing) and target.kind == "global":
            self._critical("pickle.build", f"replaces attributes of {target.module}.{target.name} itself", event)
        elif not (isinstance(target, Thing) and target.kind == "instance" and target.module) or (
            use(*target.path, self.kind) is Use.APPLY
        ):
            self.notes.gap(f"state is put onto something that is no plain instance, at byte {event.offset}")
        self._special(event)

    def _store(self, event: Event) -> None:
        target = event.target
        kind, listed = _FILLED[event.what]
        if event.what == "append" and self.legacy and len(self.appended) < legacy.STORAGES:
            self.appended.extend(event.value)
        if isinstance(target, Thing) and target.kind == "global":
            self._critical("pickle.item", f"writes into {target.module}.{target.name} itself", event)
        elif not isinstance(target, Thing) or (target.kind != kind and not self._takes(target, listed)):
            self.notes.gap(f"items are put into something that is no {kind}, at byte {event.offset}")

    def _takes(self, target: Thing, listed: Use | None) -> bool:
        return target.kind == "instance" and bool(listed) and use(*target.path, self.kind) is listed

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
            case ("module", Thing(kind="global"), *_) if self.legacy:
                pass  # the class is judged where it is named; its source is there to be compared, not to be run
            case _:
                self.notes.gap(f"a persistent id at byte {event.offset} that is no tensor storage")

    def _critical(self, rule: str, message: str, event: Event) -> None:
        self.notes.find(rule, Severity.CRITICAL, message, event.offset)


def _globals(value: Any) -> Iterator[Thing]:
    """Yield the globals among a call's arguments, in the tuples among them as well."""
    if isinstance(value, Thing) and value.kind == "global":
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _globals(item)
