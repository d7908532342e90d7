"""R's serialized objects: every item of the stream read to its last byte, and nothing evaluated.

Numbers, text, lists and attributes are data. Promises run when they are touched (CVE-2024-27322); functions, calls,
environments and byte code are code, or hold what runs later. Deferred vectors (ALTREP) are accepted for those classes
of R itself whose state is data; one maps a file of any name. Source: R, src/main/serialize.c and altclasses.c.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import BinaryIO

from weighlock.scanners import Blob, Severity
from weighlock.scanners.reading import UnclearError
from weighlock.scanners.strict.notes import Notes
from weighlock.scanners.strict.r_reading import Reader, reader

DEPTH = 200  # of items in items; each takes three calls, and Python allows a thousand in all
ITEMS = 50_000_000  # in one file

_SYMBOL, _PAIRS, _CHARS, _STRINGS, _LIST, _RAW, _S4, _EXPRESSION = 1, 2, 9, 16, 19, 24, 25, 20
_WIDTHS = {10: 4, 13: 4, 14: 8, 15: 16}  # logical, integer, real, complex: bytes an element
_PLAIN = frozenset({241, 242, 250, 251, 252, 253, 254})  # base and empty environments, missing, unbound, global, nil
_REFERENCE, _ALTREP, _ATTRIBUTED_PAIRS, _ATTRIBUTED_CALL = 255, 238, 239, 240
_NAMED = frozenset({247, 248, 249})  # persistent, package, namespace: a vector of names
_CODE = {
    3: (Severity.CRITICAL, "a function"),
    4: (Severity.HIGH, "an environment, whose variables may be code"),
    5: (Severity.CRITICAL, "a promise, which runs when it is touched"),
    6: (Severity.HIGH, "a call"),
    7: (Severity.CRITICAL, "a built-in function"),
    8: (Severity.CRITICAL, "a built-in function"),
    17: (Severity.HIGH, "arguments that are not evaluated yet"),
    20: (Severity.HIGH, "an expression"),
    21: (Severity.CRITICAL, "byte code"),
    240: (Severity.HIGH, "a call"),
}
_DEFERRED = frozenset({"compact_intseq", "compact_realseq", "deferred_string"}) | {
    f"wrap_{kind}" for kind in ("integer", "real", "string", "logical", "complex", "raw", "list")
}


def r(blob: Blob, stream: BinaryIO, notes: Notes) -> None:
    """Read the object, which must end where the file ends."""
    source = reader(stream, blob.size)
    version = source.integer()
    source.integer()
    source.integer()
    if version not in {2, 3}:
        raise UnclearError(f"an R object of version {version}")
    if version == 3:
        source.text(source.integer())  # the name of an encoding
    _Walk(source, notes).item(DEPTH)
    source.end()


@dataclass(slots=True)
class _Walk:
    source: Reader
    notes: Notes
    symbols: list[str] = field(default_factory=list)
    """What references point back to: names of symbols, nothing for environments."""
    left: int = ITEMS

    def item(self, depth: int) -> str:
        """Read one item with all inside it; return its text if it is a symbol or a string."""
        while True:
            self.left -= 1
            if not depth or self.left < 0:
                raise UnclearError("an R object with too many items, or nested too deeply")
            flags = self.source.integer() & 0xFFFFFFFF
            kind = flags & 0xFF
            if kind in _CODE:
                severity, what = _CODE[kind]
                self.notes.find("r.code", severity, f"the R object holds {what}", self.source.place)
            if kind not in {2, 3, 5, 6, 17, _ATTRIBUTED_PAIRS, _ATTRIBUTED_CALL}:
                return self._other(kind, flags, depth - 1)
            for present in (flags & 0x200 or kind >= _ATTRIBUTED_PAIRS, flags & 0x400, True):
                if present:
                    self.item(depth - 1)
            # and what follows is the rest of the list

    def _other(self, kind: int, flags: int, depth: int) -> str:
        if kind in _PLAIN:
            return ""
        if kind in {_REFERENCE, _SYMBOL, _CHARS}:
            return self._name(kind, flags, depth)
        if kind == _ALTREP:
            self._deferred(depth)
        elif kind in {4, *_NAMED}:
            self._environment(kind, depth)
        else:
            self._vector(kind, depth)
            if flags & 0x200:
                self.item(depth)
        return ""

    def _name(self, kind: int, flags: int, depth: int) -> str:
        if kind == _CHARS:
            return self.source.text(self.source.integer())
        if kind == _SYMBOL:
            self.symbols.append(self.item(depth))
            return self.symbols[-1]
        index = flags >> 8 or self.source.integer()
        return self.symbols[index - 1] if 0 < index <= len(self.symbols) else ""

    def _vector(self, kind: int, depth: int) -> None:
        if kind in _WIDTHS:
            self.source.numbers(self._length(), _WIDTHS[kind])
        elif kind == _RAW:
            self.source.raw(self._length())
        elif kind in {_STRINGS, _LIST, _EXPRESSION}:
            for _ in range(self._length()):
                self.item(depth)
        elif kind in {7, 8}:
            self.source.text(self.source.integer())
        elif kind != _S4:
            raise UnclearError(f"an R item of type {kind} before byte {self.source.place}")

    def _length(self) -> int:
        length = self.source.integer()
        if length == -1:
            length = (self.source.integer() << 32) + (self.source.integer() & 0xFFFFFFFF)
        if length < 0:
            raise UnclearError("an R vector of negative length")
        return length

    def _environment(self, kind: int, depth: int) -> None:
        self.symbols.append("")
        start = self.source.integer()
        if kind == 4:
            for _ in range(4):
                self.item(depth)
            return
        if start:
            raise UnclearError("an R name with names of its own")
        names = [self.item(depth) for _ in range(self._length())]
        what = "names an object of the session" if kind == 247 else "loads the package"
        self.notes.find("r.package", Severity.REVIEW, f"the R object {what} {' '.join(names)}")

    def _deferred(self, depth: int) -> None:
        words = self._words(depth)
        self.item(depth)
        self.item(depth)
        if words[:2] in (["mmap_integer", "base"], ["mmap_real", "base"]):
            self.notes.find("r.file", Severity.CRITICAL, "the R object maps a file of the machine into memory")
        elif words[1:2] != ["base"] or words[0] not in _DEFERRED:
            self.notes.find("r.package", Severity.REVIEW, f"the R object makes a vector of class {' '.join(words)}")

    def _words(self, depth: int) -> list[str]:
        """Read the plain list that names a deferred vector's class and package."""
        words: list[str] = []
        while True:
            flags = self.source.integer()
            if flags & 0xFF == 254:
                return words
            if flags & 0xFF != _PAIRS or flags & 0x600 or len(words) > 4:
                raise UnclearError("a deferred R vector without a plain class")
            words.append(self.item(depth))
