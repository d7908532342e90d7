"""What pickle operations do to the stack, the marks and the memo, over placeholders.

Containers do not keep what is put into them, apart from the little that a rule asks for, so memory grows with what is on
the stack, in the memo and in tuples, and that is limited.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from weighlock.scanners.pickles import arrays
from weighlock.scanners.pickles.opcodes import Operations
from weighlock.scanners.pickles.things import COMPUTED, NONE, OPAQUE, SPECIAL, TEXTS, Thing
from weighlock.scanners.reading import LimitError, UnclearError

OPERATIONS = 25_000_000  # a stream with more of them is not understood; about ten seconds here
LIVE = 3_000_000  # placeholders at a time, of about 100 bytes each
SPECIALS = 8  # special keys of one object; one is enough for a finding
EXPANDED = 1 << 40  # objects, each counted as often as it is met: whoever hashes, compares or prints them never ends
MARKS = 100_000  # containers in containers; no pickler comes near
MEMO = 10_000_000  # largest memo index; CPython's memo is an array of that length
_OFTEN = (1 << 16) - 1  # operations between two looks at the limits, as a mask

Step = Callable[[Any], object]
PUSH, GET, PUT, MEMOIZE, MARK = range(5)  # steps that are so frequent that a call each would double the time
_PUSHES = (
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
)
_FREQUENT = {
    **dict.fromkeys(("BINGET", "LONG_BINGET"), GET),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), PUT),
    "MEMOIZE": MEMOIZE,
    "MARK": MARK,
}


class Stack:
    """Runs the operations of one stream after the other."""

    def __init__(self, operations: Operations, limit: int = OPERATIONS) -> None:
        """Take the streams of `operations`, `limit` operations in all."""
        self._operations = operations
        self._left = limit
        self._stack: list[Any] = []
        self._marks: list[list[Any]] = []
        self._memo: dict[Any, Any] = {}
        self._held = 0
        self._weights: dict[int, int] = {}
        self._offset = 0
        self.listed: list[Any] | None = None
        """What the streams append to lists, if somebody put a list here."""
        self._steps = dict.fromkeys(_PUSHES, PUSH) | _FREQUENT | self._table()

    def run(self) -> Any:
        """Run one stream to STOP and return the object it leaves; `UnclearError` where it breaks."""
        self._stack, self._marks, self._memo, self._weights, self._held = [], [], {}, {}, 0
        steps, stack, marks, memo, left = self._steps, self._stack, self._marks, self._memo, self._left
        for name, argument, offset in self._operations.stream():
            left -= 1
            if not left & _OFTEN:
                self._weigh(left)
            step = steps[name]
            if step is PUSH:
                stack.append(argument)
            elif step is GET and argument in memo:
                stack.append(memo[argument])
            elif step is MARK:
                marks.append(stack)
                stack = self._stack = []
            elif step is MEMOIZE and stack:
                memo[len(memo)] = stack[-1]
            elif step is PUT and stack and argument <= MEMO:
                memo[argument] = stack[-1]
            else:
                self._offset, self._left = offset, left
                (step if callable(step) else self._refuse)(argument)
                stack, left = self._stack, self._left
        self._left = left
        return self._pop()

    def event(self, what: str, target: Any, value: Any = None) -> None:
        """Take note of something beyond making data."""
        raise NotImplementedError

    def _weigh(self, left: int) -> None:
        """Refuse what would take too long or too much memory."""
        if left <= 0:
            raise LimitError("more operations than the limit")
        if len(self._marks) > MARKS:
            raise LimitError("more containers in containers than the limit")
        live = len(self._stack) + sum(map(len, self._marks)) + len(self._memo) + self._held
        if live > LIVE:
            raise LimitError("more objects at a time than the limit")

    def _table(self) -> dict[str, Step]:
        """Return what each operation does, apart from those that are run in place."""
        return {
            **dict.fromkeys(("PROTO", "FRAME", "STOP"), lambda _: None),
            "NONE": lambda _: self._stack.append(NONE),
            **dict.fromkeys(("NEWTRUE", "NEWFALSE"), lambda _: self._stack.append(OPAQUE)),
            "EMPTY_TUPLE": lambda _: self._stack.append(()),
            "EMPTY_LIST": lambda _: self._stack.append(Thing("list")),
            "EMPTY_DICT": lambda _: self._stack.append(Thing("dict")),
            "EMPTY_SET": lambda _: self._stack.append(Thing("set")),
            "POP": lambda _: self._stack.pop() if self._stack else self._pop_mark(),
            "POP_MARK": lambda _: self._pop_mark(),
            "DUP": lambda _: self._stack.append(self._top()),
            "PUT": self._put,
            "GET": self._get,
            "TUPLE1": lambda _: self._tuple(1),
            "TUPLE2": lambda _: self._tuple(2),
            "TUPLE3": lambda _: self._tuple(3),
            "TUPLE": lambda _: self._marked_tuple(),
            "LIST": lambda _: self._marked("list"),
            "DICT": lambda _: self._marked("dict"),
            "FROZENSET": lambda _: self._marked("set"),
            "APPEND": lambda _: self._extend("append", "list", [self._pop()]),
            "APPENDS": lambda _: self._extend("append", "list", self._pop_mark()),
            "ADDITEMS": lambda _: self._extend("add", "set", self._pop_mark()),
            "SETITEM": self._set_item,
            "SETITEMS": lambda _: self._fill(self._pop_mark()),
        }

    def _short(self) -> UnclearError:
        return UnclearError(f"the operation at byte {self._offset} needs more than there is on the stack")

    def _refuse(self, argument: Any) -> None:
        """Run the long way what could not be run in place."""
        if isinstance(argument, int) and argument > MEMO and self._stack:
            self._put(argument)
        else:
            raise UnclearError(
                f"a memo entry that was never written, or nothing to write into one, at byte {self._offset}"
            )

    def _pop(self) -> Any:
        if not self._stack:
            raise self._short()
        return self._stack.pop()

    def _top(self) -> Any:
        if not self._stack:
            raise self._short()
        return self._stack[-1]

    def _pop_mark(self) -> list[Any]:
        if not self._marks:
            raise UnclearError(f"the operation at byte {self._offset} needs a mark and there is none")
        items, self._stack = self._stack, self._marks.pop()
        return items

    def _put(self, index: Any) -> None:
        if not isinstance(index, int) or index < 0:
            raise UnclearError(f"memo index that is none at byte {self._offset}")
        if index > MEMO:
            self.event("memo", None, index)
        self._memo[index] = self._top()

    def _get(self, index: Any) -> None:
        if index not in self._memo:
            raise UnclearError(f"memo entry that was never written at byte {self._offset}")
        self._stack.append(self._memo[index])

    def _tuple(self, count: int) -> None:
        if len(self._stack) < count:
            raise self._short()
        items = tuple(self._stack[-count:])
        self._stack[-count:] = [self._tupled(items)]

    def _marked_tuple(self) -> None:
        items = tuple(self._pop_mark())
        self._stack.append(self._tupled(items))

    def _tupled(self, items: tuple[Any, ...]) -> tuple[Any, ...]:
        self._held += len(items)
        weight = self._weight(items)
        if weight > len(items):
            self._weights[id(items)] = weight
        else:
            self._weights.pop(id(items), None)  # of a tuple that is gone
        return items

    def _weight(self, items: Sequence[Any]) -> int:
        """Return how many objects these are, with those inside them."""
        weight = len(items)
        for item in items:
            kind = type(item)
            if kind is Thing:
                weight += item.weight
            elif kind is tuple:
                weight += self._weights.get(id(item), len(item))
        if weight > EXPANDED:
            self.event("expanded", None)
        return min(weight, EXPANDED + 1)

    def _marked(self, kind: str) -> None:
        items = self._pop_mark()
        thing = Thing(kind)
        self._stack.append(thing)
        if kind == "dict":
            self._fill(items)
        else:
            thing.weight = self._weight(items)

    def _extend(self, what: str, kind: str, items: list[Any]) -> None:
        target = self._top()
        if not isinstance(target, Thing) or target.kind != kind:
            self.event(what, target, items)
        else:
            target.weight += self._weight(items)
        if self.listed is not None and kind == "list":
            self._held += len(items)
            self.listed.extend(items)

    def _set_item(self, _: Any) -> None:
        value, key = self._pop(), self._pop()
        self._fill([key, value])

    def _fill(self, items: list[Any]) -> None:
        target = self._top()
        if not isinstance(target, Thing):
            self.event("item", target, items)
            return
        if target.kind != "dict":
            self.event("item", target, items)
        elif target.kept is not arrays.OTHER and items:
            arrays.store(target, items)
        for item in items:
            kind = type(item)
            if kind is Thing or kind is tuple or (kind is str and item in SPECIAL):
                self._fill_unusual(target, items)
                return

    def _fill_unusual(self, target: Thing, items: list[Any]) -> None:
        """Keep what is known of a dict with more than scalars in it."""
        target.weight += self._weight(items)
        for key in items[::2]:
            if type(key) is str:
                if key in SPECIAL and len(target.special) < SPECIALS:
                    target.special += (key,)
            elif type(key) is Thing and key.name in TEXTS and COMPUTED not in target.special:
                target.special += (COMPUTED,)
