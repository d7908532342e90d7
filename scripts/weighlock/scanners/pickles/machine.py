"""An inert unpickler: runs the opcodes over placeholders, imports nothing, calls nothing, and notes what would happen.

It is at least as lenient as CPython's unpicklers, so that what one of them would execute is seen here, and it notes
everything that plain data never does. Memory grows with the number of operations only, which is limited.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from weighlock.scanners.pickles import arrays
from weighlock.scanners.pickles.globals import use
from weighlock.scanners.pickles.opcodes import Operations
from weighlock.scanners.pickles.profiles import Use
from weighlock.scanners.pickles.things import NONE, OPAQUE, Thing
from weighlock.scanners.reading import LimitError, UnclearError

OPERATIONS = 5_000_000  # a stream with more of them is not understood; about ten seconds here
NESTING = 8  # arrays of objects that hold arrays of objects
MEMO = 10_000_000  # largest memo index; CPython's memo is an array of that length


@dataclass(frozen=True, slots=True)
class Event:
    """Something that the stream does beyond making data: `what` is one of the words of `strict.pickle`."""

    what: str
    offset: int
    target: Any
    value: Any = None


class Machine:
    """Runs one stream after the other; every event goes to `note`, which returns what a persistent id stands for."""

    def __init__(
        self, operations: Operations, note: Callable[[Event], None], limit: int = OPERATIONS, *, inline: bool = True
    ) -> None:
        """Take the streams of `operations`, `limit` operations in all; pass over arrays between them where `inline`."""
        self._operations = operations
        self._note = note
        self._left = limit
        self._nesting = NESTING
        self._inline = inline
        self.inlined = False
        """Whether an array stood between operations so far."""
        self._stack: list[Any] = []
        self._marks: list[list[Any]] = []
        self._memo: dict[Any, Any] = {}
        self._offset = 0
        self._steps = self._table()

    def run(self) -> Any:
        """Run one stream to STOP and return the object it leaves; `UnclearError` where it breaks."""
        self._stack, self._marks, self._memo = [], [], {}
        steps = self._steps
        for name, argument, offset in self._operations.stream():
            self._offset = offset
            self._left -= 1
            if self._left < 0:
                raise LimitError("more operations than the limit")
            step = steps.get(name)
            if step:
                step(argument)
            else:
                self._stack.append(argument)
        return self._pop()

    def _table(self) -> dict[str, Callable[[Any], None]]:
        """Return what each operation does; those that are missing push their argument."""
        return {
            **dict.fromkeys(("PROTO", "FRAME", "STOP"), lambda _: None),
            "NONE": lambda _: self._stack.append(NONE),
            **dict.fromkeys(("NEWTRUE", "NEWFALSE"), lambda _: self._stack.append(OPAQUE)),
            "EMPTY_TUPLE": lambda _: self._stack.append(()),
            "EMPTY_LIST": lambda _: self._stack.append(Thing("list")),
            "EMPTY_DICT": lambda _: self._stack.append(Thing("dict")),
            "EMPTY_SET": lambda _: self._stack.append(Thing("set")),
            "MARK": self._mark,
            "POP": self._drop,
            "POP_MARK": self._drop_mark,
            "DUP": self._duplicate,
            **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), self._put),
            "MEMOIZE": self._memoize,
            **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), self._get),
            "TUPLE1": lambda _: self._tuple(1),
            "TUPLE2": lambda _: self._tuple(2),
            "TUPLE3": lambda _: self._tuple(3),
            "TUPLE": self._marked_tuple,
            "LIST": lambda _: self._marked("list"),
            "DICT": lambda _: self._marked("dict"),
            "FROZENSET": lambda _: self._marked("set"),
            "APPEND": self._append,
            "APPENDS": self._appends,
            "ADDITEMS": self._add,
            "SETITEM": self._set_item,
            "SETITEMS": self._set_items,
            "GLOBAL": self._global,
            "STACK_GLOBAL": self._stack_global,
            "INST": self._instance,
            "OBJ": self._object,
            "REDUCE": self._reduce,
            "NEWOBJ": self._new,
            "NEWOBJ_EX": self._new_with_keywords,
            "BUILD": self._build,
            "PERSID": self._persistent,
            "BINPERSID": self._persistent_from_stack,
            **dict.fromkeys(("EXT1", "EXT2", "EXT4"), self._foreign),
            **dict.fromkeys(("NEXT_BUFFER", "READONLY_BUFFER"), self._foreign),
        }

    def _pop(self) -> Any:
        if not self._stack:
            raise UnclearError(f"the operation at byte {self._offset} needs more than there is on the stack")
        return self._stack.pop()

    def _top(self) -> Any:
        if not self._stack:
            raise UnclearError(f"the operation at byte {self._offset} needs more than there is on the stack")
        return self._stack[-1]

    def _pop_mark(self) -> list[Any]:
        if not self._marks:
            raise UnclearError(f"the operation at byte {self._offset} needs a mark and there is none")
        items, self._stack = self._stack, self._marks.pop()
        return items

    def _event(self, what: str, target: Any, value: Any = None) -> None:
        self._note(Event(what, self._offset, target, value))

    def _mark(self, _: Any) -> None:
        self._marks.append(self._stack)
        self._stack = []

    def _drop(self, _: Any) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._pop_mark()

    def _drop_mark(self, _: Any) -> None:
        self._pop_mark()

    def _duplicate(self, _: Any) -> None:
        self._stack.append(self._top())

    def _put(self, index: Any) -> None:
        if not isinstance(index, int) or index < 0:
            raise UnclearError(f"memo index that is none at byte {self._offset}")
        if index > MEMO:
            self._event("memo", None, index)
        self._memo[index] = self._top()

    def _memoize(self, _: Any) -> None:
        self._memo[len(self._memo)] = self._top()

    def _get(self, index: Any) -> None:
        if index not in self._memo:
            raise UnclearError(f"memo entry that was never written at byte {self._offset}")
        self._stack.append(self._memo[index])

    def _tuple(self, count: int) -> None:
        if len(self._stack) < count:
            raise UnclearError(f"the tuple at byte {self._offset} needs more than there is on the stack")
        items = tuple(self._stack[-count:])
        self._stack[-count:] = [items]

    def _marked_tuple(self, _: Any) -> None:
        items = tuple(self._pop_mark())
        self._stack.append(items)

    def _marked(self, kind: str) -> None:
        items = self._pop_mark()
        self._stack.append(Thing(kind))
        if kind == "dict":
            self._fill(items)

    def _append(self, _: Any) -> None:
        value = self._pop()
        self._event("append", self._top(), (value,))

    def _appends(self, _: Any) -> None:
        items = self._pop_mark()
        self._event("append", self._top(), items)

    def _add(self, _: Any) -> None:
        items = self._pop_mark()
        self._event("add", self._top(), items)

    def _set_item(self, _: Any) -> None:
        value, key = self._pop(), self._pop()
        self._event("item", self._top(), key)
        self._fill([key, value])

    def _set_items(self, _: Any) -> None:
        items = self._pop_mark()
        self._event("item", self._top())
        self._fill(items)

    def _fill(self, items: list[Any]) -> None:
        target = self._top()
        found = tuple(key for key in items[::2] if isinstance(key, str) and key in SPECIAL)
        if found and isinstance(target, Thing) and len(target.special) < 8:
            target.special += found[:8]
        if isinstance(target, Thing) and target.kind == "dict":
            for key, value in zip(items[::2], items[1::2], strict=False):
                arrays.store(target, key, value)

    def _global(self, pair: tuple[Any, Any]) -> None:
        module, name = pair
        literal = isinstance(module, str) and isinstance(name, str)
        thing = Thing("global", module, name) if literal else Thing("global", "", "a computed name")
        self._event("global", thing)
        self._stack.append(thing)

    def _stack_global(self, _: Any) -> None:
        name, module = self._pop(), self._pop()
        self._global((module, name))

    def _call(self, callee: Any, arguments: Any, what: str = "call") -> None:
        """Note a call, or with `what` "new" an instance that is made without one: `arguments` are those of ``__new__``."""
        self._event(what, callee, arguments)
        made = _class(callee, arguments)
        result = Thing("instance", made.module, made.name) if made else Thing("instance")
        arrays.called(result, arguments)
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
        self._event("build", target, state)
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
        if not self._nesting:
            raise LimitError("arrays of objects are nested too deep")
        inner = Machine(self._operations, self._note, self._left)
        inner._nesting = self._nesting - 1
        inner.run()
        self._left = inner._left

    def _persistent(self, name: Any) -> None:
        thing = Thing("persistent")
        self._event("persistent", thing, name)
        match name:
            case ("module", Thing(kind="global") as meant, *_):  # torch's old files name a class like this
                self._stack.append(meant)
            case _:
                self._stack.append(thing)

    def _persistent_from_stack(self, _: Any) -> None:
        self._persistent(self._pop())

    def _foreign(self, _: Any) -> None:
        self._event("extension", None)
        self._stack.append(Thing("instance"))


def _class(callee: Any, arguments: Any) -> Thing | None:
    """Return the global that says what the call returns: the class that a constructor is given, else the callee itself."""
    if not isinstance(callee, Thing) or callee.kind != "global":
        return None
    given = arguments[0] if isinstance(arguments, tuple) and arguments else None
    if isinstance(given, Thing) and given.kind == "global" and use(*callee.path, "pickle") is Use.CONSTRUCT:
        return given
    return callee


SPECIAL = frozenset(dir(object)) | frozenset(dir(lambda: None)) | {"__setstate__", "__slots__", "__bases__", "__mro__"}
"""Attribute names through which an object's behaviour is replaced."""
