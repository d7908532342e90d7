"""Protobuf by its published schema: every field of every message must be one that the schema has, stored as it says.

Readers of protobuf pass over what they don't know, and so a file could hold a second model for another reader. Here
an unknown field, one stored otherwise, or control characters in text make the file unclear. The schemas are data,
written by ``tools/protobuf_schema.py`` from the descriptors of the package that their ``source`` names.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from weighlock.scanners.protobuf import BYTES, FIXED32, FIXED64, VARINT, Field, content, fields
from weighlock.scanners.reading import UnclearError
from weighlock.scanners.sniff import CONTROL

DEPTH = 100  # of messages in messages, as in protobuf's own readers
FIELDS = 10_000_000  # in one file
_TEXT = 16 * 1024 * 1024  # bytes of one text

Messages = Mapping[str, Mapping[int, str]]
_WIRES = {"varint": VARINT, "fixed64": FIXED64, "fixed32": FIXED32, "bytes": BYTES, "text": BYTES}


@functools.cache
def messages(name: str) -> Messages:
    """Return the schema `name`: message to field number to what is stored there.

    That is ``varint``, ``fixed32``, ``fixed64`` (with a star: any number of them, packed or not), ``text``, ``bytes``
    or the name of a message.
    """
    return {key: {int(number): kind for number, kind in value.items()} for key, value in data(name)["messages"].items()}


@functools.cache
def data(name: str) -> dict[str, dict[str, dict[str, str]]]:
    """Return the data file `name` of this folder."""
    text = (importlib.resources.files(__package__) / "schemas" / f"{name}.json").read_text()
    document: dict[str, dict[str, dict[str, str]]] = json.loads(text)
    return document


def _nothing(_message: str, _field: Field) -> None:
    pass


@dataclass(slots=True)
class Walk:
    """One walk through a stream; `look` sees each field before what is in it."""

    stream: BinaryIO
    schema: Messages
    look: Callable[[str, Field], None] = _nothing
    left: int = FIELDS

    def message(self, kind: str, start: int, end: int, depth: int = DEPTH) -> None:
        """Walk one message and all inside it; what the schema does not have is an `UnclearError`."""
        if depth == 0:
            raise UnclearError("protobuf messages are nested too deeply")
        known = self.schema[kind]
        for field in fields(self.stream, start, end):
            self.left -= 1
            stored = known.get(field.number)
            if stored is None or self.left < 0:
                raise UnclearError(f"a {kind} with the unknown field {field.number} at byte {field.start}")
            self.look(kind, field)
            if stored in self.schema:
                self._stored(kind, field, BYTES)
                self.message(stored, field.start, field.start + field.length, depth - 1)
            elif not (stored[0] == "*" and field.wire == BYTES):
                self._stored(kind, field, _WIRES[stored.removeprefix("*")])
            if stored == "text":
                self._plain(kind, field)

    def _plain(self, kind: str, field: Field) -> None:
        raw = content(self.stream, field, _TEXT)
        if len(raw.translate(None, CONTROL)) != len(raw):
            raise UnclearError(f"a {kind} whose text has control characters at byte {field.start}")

    def _stored(self, kind: str, field: Field, wire: int) -> None:
        if field.wire != wire:
            raise UnclearError(f"a {kind} whose field {field.number} at byte {field.start} is stored otherwise")
