"""The files that a 7z header names: their names, which of them have content, and which are links."""

from __future__ import annotations

from dataclasses import dataclass

from weighlock.scanners.containers.sevenzip.reader import (
    ATTRIBUTES,
    DUMMY,
    EMPTY_FILE,
    EMPTY_STREAM,
    END,
    NAMES,
    TIMES,
    Reader,
)
from weighlock.scanners.reading import UnclearError
from weighlock.scanners.strict.notes import Notes

_PROPERTIES = frozenset({EMPTY_STREAM, EMPTY_FILE, NAMES, ATTRIBUTES, DUMMY}) | TIMES
_UNIX, _REPARSE = 0x8000, 0x400  # in a file's attributes; Unix' mode stands in the upper half
_LINK, _KIND = 0o120000, 0o170000


@dataclass(frozen=True, slots=True)
class File:
    """A member as the header describes it."""

    name: str
    stream: bool
    """Whether it has content."""
    directory: bool
    link: bool


def read(reader: Reader, notes: Notes) -> list[File]:
    """Read the members; what of them is not understood is a gap."""
    count = reader.count("files")
    parts = _properties(reader, notes)
    if NAMES not in parts:
        raise UnclearError("a 7z archive whose files have no names")
    names = _names(parts[NAMES], count)
    empty = parts[EMPTY_STREAM].bits(count) if EMPTY_STREAM in parts else [False] * count
    bare = iter(parts[EMPTY_FILE].bits(sum(empty)) if EMPTY_FILE in parts else [False] * count)
    filled = [here and next(bare) for here in empty]
    attributes = _attributes(parts[ATTRIBUTES], count) if ATTRIBUTES in parts else [0] * count
    if any(parts[kind].left for kind in (EMPTY_STREAM, EMPTY_FILE, ATTRIBUTES) if kind in parts):
        notes.gap("a property of files in the 7z header goes on behind its end")
    rows = zip(names, empty, filled, attributes, strict=True)
    return [File(name, not here, here and not file, _is_link(flags)) for name, here, file, flags in rows]


def _properties(reader: Reader, notes: Notes) -> dict[int, Reader]:
    """Return the properties of files that are read here, and tell which others there are."""
    found: dict[int, Reader] = {}
    while (kind := reader.byte()) != END:
        raw = reader.take(reader.number())
        if kind in found:
            raise UnclearError("a property of files stands twice in the 7z header")
        found[kind] = Reader(raw)
        if kind == DUMMY and raw.strip(b"\0"):
            notes.gap("the 7z header holds padding that is not empty")
        elif kind not in _PROPERTIES:
            notes.gap(f"the 7z header holds a property of files that is not understood ({kind})")
    return found


def _attributes(part: Reader, count: int) -> list[int]:
    known = part.defined(count)
    part.expect(0, "attributes")  # not in another stream
    return [int.from_bytes(part.take(4), "little") if here else 0 for here in known]


def _names(part: Reader, count: int) -> list[str]:
    part.expect(0, "names")  # not in another stream
    raw = part.take(part.left)
    text = raw.decode("utf-16-le", "backslashreplace")
    if len(raw) % 2 or not text.endswith("\0") or text.count("\0") != count:
        raise UnclearError("the names of the 7z archive's files are broken")
    return text.split("\0")[:-1]


def _is_link(attributes: int) -> bool:
    unix = bool(attributes & _UNIX) and attributes >> 16 & _KIND == _LINK
    return unix or bool(attributes & _REPARSE)
