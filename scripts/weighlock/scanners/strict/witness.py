"""What a pickle does, held against what the lists allow: the witness of the inert machine's events.

Data may only be put into what the stream itself made, of the fitting type. A global on no list, a listed one that is
used otherwise than the list says, and whatever comes from outside of the file wait for a person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from weighlock.scanners import Severity
from weighlock.scanners.pickles.globals import LOADER, STORAGES, Grade, dangerous, grade, use
from weighlock.scanners.pickles.literals import LONG
from weighlock.scanners.pickles.machine import Event
from weighlock.scanners.pickles.profiles import Use
from weighlock.scanners.pickles.things import COMPUTED, Thing
from weighlock.scanners.reading import LimitError
from weighlock.scanners.strict.notes import Notes

LOOKS = 10_000_000  # arguments and parts of states that are looked at; a tuple can be passed on any number of times
GRADED = 10_000  # globals whose grade is remembered
DEPTH = 3  # of tuples in a state or in arguments

_FILLED: dict[str, tuple[str, Use | None]] = {
    "item": ("dict", Use.DICT),
    "append": ("list", Use.LIST),
    "add": ("set", None),
}
_REBUILD = ("torch._tensor", "_rebuild_from_type_v2")
_FIXED = frozenset({Use.CALL, Use.APPLY, Use.LIST, Use.DICT})
"""Uses of globals whose instances' items are known: there is no class below that could take them in its own way."""


@dataclass(slots=True)
class Witness:
    """Takes the events of one blob and writes down what they mean."""

    kind: str
    notes: Notes
    judge: Callable[[bytes, Notes], None]
    """Judges the bytes that torch.load is given."""
    storages: dict[str, int] = field(default_factory=dict)
    """The tensor storages that were named: key to size in bytes."""
    legacy: bool = False
    """Whether this is torch's format from before its zip archives."""
    graded: dict[tuple[str, str], Grade] = field(default_factory=dict)
    """What is known of each global so far; a stream can name one a million times."""
    looks: int = LOOKS

    def note(self, event: Event) -> None:
        """Write down what this event means, if anything."""
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
            case "expanded":
                self.notes.gap("the same objects stand in each other so often that whoever reads them all never ends")
            case "extension":
                self._review("extension-code", "a copyreg extension code: what it stands for is not in the file", event)
            case "buffer":
                self._review("buffer", "an out-of-band buffer: its bytes are not in the file", event)
            case _:
                self._store(event)

    def _global(self, event: Event) -> None:
        module, name = event.target.module, event.target.name
        if not module:
            self._critical("pickle.computed-global", "names a global that is computed while it is loaded", event)
            return
        if (module, name) in self.graded:
            return
        known = grade(module, name, self.kind, self.notes.names)
        if len(self.graded) < GRADED:
            self.graded[module, name] = known
        match known:
            case Grade.DANGEROUS:
                self._critical(
                    "pickle.dangerous-global",
                    f"loading it imports {module}.{name}, which can run code, read or write files, or connect",
                    event,
                )
            case Grade.UNKNOWN:
                message = f"loading it imports {module}.{name}, which is not on the list of known harmless globals"
                self.notes.find("global", Severity.REVIEW, message, event.offset)
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
            self._review("pickle.codec", "calls _codecs.encode with another encoding than latin1", event)
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
                self.judge(given, inner)
                if not inner.findings and not inner.gaps:
                    return
                reasons = [found.message for found in inner.findings] + inner.gaps
            case _:
                reasons = ["they are no bytes"]
        self._critical("pickle.torch-load", f"calls torch.load on bytes: {reasons[0]}", event)

    def _use(self, event: Event, callee: Thing) -> None:
        """Hold the call against what the list says of its target; one that is on no list was told when it was named."""
        listed = use(*callee.path, self.kind, self.notes.names)
        name = f"{callee.module}.{callee.name}"
        if listed is Use.NAME and dangerous(*callee.path):
            self._critical("pickle.dangerous-global", f"calls {name}, which can open files or run code", event)
        elif listed is Use.NAME:
            self._review("pickle.use", f"calls {name}, which is known as harmless to hold, not to call", event)
        elif listed is Use.MAKE and not (event.what == "new" and event.value == ()):
            self._review("pickle.use", f"makes {name} with arguments, which is known as harmless without", event)
        elif listed in {Use.APPLY, Use.CONSTRUCT, Use.DICT}:
            self._given(event, name, event.value[1:] if listed is Use.CONSTRUCT else event.value)

    def _given(self, event: Event, name: str, value: Any) -> None:
        """Find globals that a callable is given to call, though they may not be called."""
        for given in self._parts(value):
            listed = use(*given.path, self.kind, self.notes.names) if given.kind == "global" else None
            if listed and not listed.callable:
                message = f"gives {given.module}.{given.name} to {name} to call, which is known as harmless to hold, not to call"
                self._review("pickle.use", message, event)
        if name == ".".join(_REBUILD):
            self._rebuilt(event)

    def _rebuilt(self, event: Event) -> None:
        """Judge the call that torch's rebuilding of a type makes of its own arguments."""
        match event.value:
            case (Thing(kind="global") as function, _, tuple() as arguments, *_) if function.path != _REBUILD:
                self._call(Event("call", event.offset, function, arguments))
            case (_, _, _, *_):
                self._critical("pickle.computed-call", "calls something that is computed while it is loaded", event)

    def _build(self, event: Event) -> None:
        target = event.target
        if isinstance(target, Thing) and target.kind == "global":
            self._critical("pickle.build", f"replaces attributes of {target.module}.{target.name} itself", event)
        elif not (isinstance(target, Thing) and target.kind == "instance" and target.module) or (
            use(*target.path, self.kind, self.notes.names) is Use.APPLY
        ):
            self.notes.gap(f"state is put onto something that is no plain instance, at byte {event.offset}")
        self._special(event)

    def _store(self, event: Event) -> None:
        target = event.target
        kind, listed = _FILLED[event.what]
        if isinstance(target, Thing) and target.kind == "global":
            self._critical("pickle.item", f"writes into {target.module}.{target.name} itself", event)
        elif not isinstance(target, Thing) or target.kind not in {kind, "instance"}:
            self.notes.gap(f"items are put into something that is no {kind}, at byte {event.offset}")
        elif target.kind == "instance":
            self._instance(event, target, kind, listed)

    def _instance(self, event: Event, target: Thing, kind: str, listed: Use | None) -> None:
        """Judge items that are put into what a call returned."""
        known = use(*target.path, self.kind, self.notes.names)
        if known is listed and known is not None:
            return
        message = f"puts items into what {target.module}.{target.name} returns, as if it were a {kind}"
        if use(*target.path, self.kind) in _FIXED:  # what a policy adds may be a class of any kind
            self._critical("pickle.item", message, event)
        else:
            self._review("pickle.item", message, event)

    def _special(self, event: Event) -> None:
        """Find keys that replace an object's behaviour, in arguments and state and the tuples inside them."""
        for value in self._parts(event.value):
            for name in value.special:
                if name != COMPUTED:
                    self._critical("pickle.special-attribute", f"sets {name} on an object", event)
                elif event.what == "build":
                    self._review("pickle.special-attribute", "sets an attribute whose name is computed", event)

    def _parts(self, value: Any) -> Iterator[Thing]:
        """Yield the placeholders in a value and in the tuples inside it."""
        waiting = [(value, DEPTH)]
        while waiting:
            part, depth = waiting.pop()
            if isinstance(part, Thing):
                yield part
            elif isinstance(part, tuple) and depth:
                self.looks -= len(part)
                if self.looks < 0:
                    raise LimitError("more arguments than the limit")
                waiting.extend((item, depth - 1) for item in part)

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
                message = "a persistent id that is no tensor storage: what it stands for is not in the file"
                self._review("persistent-id", message, event)

    def _review(self, rule: str, message: str, event: Event) -> None:
        self.notes.find(rule, Severity.REVIEW, message, event.offset)

    def _critical(self, rule: str, message: str, event: Event) -> None:
        self.notes.find(rule, Severity.CRITICAL, message, event.offset)
