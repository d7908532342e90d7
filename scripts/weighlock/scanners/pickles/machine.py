"""An inert unpickler: runs the opcodes over placeholders, imports nothing, calls nothing, and notes what would happen.

It is at least as lenient as CPython's unpicklers, so that what one of them would execute is seen here, and it notes
everything that plain data never does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from weighlock.scanners.pickles import arrays
from weighlock.scanners.pickles.globals import use
from weighlock.scanners.pickles.opcodes import Operations
from weighlock.scanners.pickles.profiles import Use
from weighlock.scanners.pickles.stack import OPERATIONS, Stack, Step
from weighlock.scanners.pickles.things import COMPUTED, DICTS, Thing
from weighlock.scanners.reading import UnclearError


@dataclass(frozen=True, slots=True)
class Event:
    """Something that the stream does beyond making data: `what` is one of the words of `strict.pickle`."""

    what: str
    offset: int
    target: Any
    value: Any = None


class Machine(Stack):
    """Runs one stream after the other; every event goes to `note`."""

    def __init__(
        self, operations: Operations, note: Callable[[Event], None], limit: int = OPERATIONS, *, inline: bool = True
    ) -> None:
        """Take the streams of `operations`, `limit` operations in all; pass over arrays between them where `inline`."""
        super().__init__(operations, limit)
        self._note = note
        self._inline = inline
        self.inlined = False
        """Whether an array stood between operations so far."""

    def event(self, what: str, target: Any, value: Any = None) -> None:
        """Note it."""
        self._note(Event(what, self._offset, target, value))

    def _table(self) -> dict[str, Step]:
        return super()._table() | {
            "GLOBAL": self._global,
            "STACK_GLOBAL": self._stack_global,
            "INST": self._instance,
            "OBJ": self._object,
            "REDUCE": self._reduce,
            "NEWOBJ": self._new,
            "NEWOBJ_EX": self._new_with_keywords,
            "BUILD": self._build,
            "PERSID": self._persistent,
            "BINPERSID": lambda _: self._persistent(self._pop()),
            **dict.fromkeys(("EXT1", "EXT2", "EXT4"), self._extension),
            "NEXT_BUFFER": self._buffer,
            "READONLY_BUFFER": lambda _: self._top(),
        }

    def _global(self, pair: tuple[Any, Any]) -> None:
        module, name = pair
        literal = isinstance(module, str) and isinstance(name, str)
        thing = Thing("global", module, name) if literal else Thing("global", "", "a computed name")
        self.event("global", thing)
        self._stack.append(thing)

    def _stack_global(self, _: Any) -> None:
        name, module = self._pop(), self._pop()
        self._global((module, name))

    def _call(self, callee: Any, arguments: Any, what: str = "call") -> None:
        """Note a call, or with `what` "new" an instance that is made without one: `arguments` are those of ``__new__``."""
        self.event(what, callee, arguments)
        made = _class(callee, arguments)
        result = Thing("instance", made.module, made.name) if made else Thing("instance")
        arrays.called(result, arguments)
        if made and made.path in DICTS and arguments != ():
            result.special = (COMPUTED,)
        self._stack.append(result)

    def _reduce(self, _: Any) -> None:
        arguments, callee = self._pop(), self._pop()
        self._call(callee, arguments)

    def _new(self, _: Any) -> None:
        arguments, callee = self._pop(), self._pop()
        self._call(callee, arguments, "new")

    def _new_with_keywords(self, _: Any) -> None:
        keywords, arguments, callee = self._pop(), self._pop(), self._pop()
        self._call(callee, (arguments, keywords))

    def _object(self, _: Any) -> None:
        items = self._pop_mark()
        if not items:
            raise UnclearError(f"nothing to call at byte {self._offset}")
        self._call(items[0], tuple(items[1:]), "call" if items[1:] else "new")

    def _instance(self, pair: tuple[Any, Any]) -> None:
        self._global(pair)  # first, as pickle.py imports it even where there is no mark
        callee = self._stack.pop()
        arguments = tuple(self._pop_mark())
        self._call(callee, arguments, "call" if arguments else "new")

    def _build(self, _: Any) -> None:
        state, target = self._pop(), self._top()
        self.event("build", target, state)
        if not isinstance(target, Thing) or target.kind != "instance":
            return
        arrays.given(target, state)
        if self._inline and target.path in arrays.WRAPPERS:
            self._array(arrays.inline(target, state))
            self._stack[-1] = Thing("instance", "numpy", "ndarray")

    def _array(self, inline: arrays.Inline) -> None:
        """Pass over an array that stands here, or run the pickle that holds its objects."""
        self.inlined = True
        if inline.size is not None:
            padding = self._operations.take(1)[0] if inline.padded else 0
            self._operations.skip(padding + inline.size)
            return
        self._operations.take(0)
        inner = Machine(self._operations, self._note, self._left, inline=False)  # joblib gives it to pickle.load
        inner.run()
        self._left = inner._left

    def _persistent(self, name: Any) -> None:
        self.event("persistent", None, name)
        match name:
            case ("module", Thing(kind="global") as meant, *_):  # torch's old files name a class like this
                self._stack.append(meant)
            case _:
                self._stack.append(Thing("persistent"))

    def _extension(self, _: Any) -> None:
        self.event("extension", None)
        self._stack.append(Thing("instance"))

    def _buffer(self, _: Any) -> None:
        self.event("buffer", None)
        self._stack.append(Thing("instance"))


def _class(callee: Any, arguments: Any) -> Thing | None:
    """Return the global that says what the call returns: the class that a constructor is given, else the callee itself."""
    if not isinstance(callee, Thing) or callee.kind != "global":
        return None
    given = arguments[0] if isinstance(arguments, tuple) and arguments else None
    if isinstance(given, Thing) and given.kind == "global" and use(*callee.path, "pickle") is Use.CONSTRUCT:
        return given
    return callee
