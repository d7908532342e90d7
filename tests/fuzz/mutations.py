"""Changes to a file that parsers trip over: a flipped bit, a length that lies, a piece that is missing, doubled or foreign.

A `Mutation` is data, so that hypothesis can draw one and shrink it, and a random generator can make millions.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

LIMIT = 128 * 1024  # bytes of a mutated file; enough to show what grows faster than its input

NUMBERS = (
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x100,
    0x7FFF,
    0x8000,
    0xFFFF,
    2**20,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63,
    2**64 - 1,
)
WORDS = (
    *(
        b"\0",
        b"\xff",
        b"\x80",
        b".",
        b"(",
        b")",
        b"[",
        b"{",
        b'"',
        b"{{",
        b"}}",
        b"{%",
        b"\n",
        b"\r",
        b"../",
        b"__class__",
    ),
    *(b"\x80\x04", b"\x80\x02", b"\x93", b"cos\nsystem\n", b"R", b"b", b"]", b"}", b"2", b"0", b"1", b"\x94"),
    *(
        b"PK\x03\x04",
        b"PK\x01\x02",
        b"PK\x05\x06",
        b"PK\x06\x06",
        b"\x1f\x8b\x08",
        b"BZh9",
        b"\xfd7zXZ\0",
        b"7z\xbc\xaf\x27\x1c",
        b"\x28\xb5\x2f\xfd",
        b"\x04\x22\x4d\x18",
        b"\x93NUMPY",
    ),
    *(
        b"\x89HDF\r\n\x1a\n",
        b"GGUF",
        b"TFL3",
        b"\xef\xbb\xbf",
        "ü\u2028\U0001f512".encode(),
        b"\xed\xa0\x80",
        b"\\ud800",
    ),
    *(b"-1", b"1e999", b"9" * 400, b"NaN", b"!!python/object:os.system", b"<!ENTITY x ", b"&x;", b"_target_"),
)
KINDS = ("bit", "byte", "number", "digits", "cut", "trim", "double", "repeat", "word", "move", "splice")
_DIGITS = re.compile(rb"[0-9]+")


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change: `kind` is one of `KINDS`; `place` is where, from 0 to 1; `size` and `choice` mean what the kind needs."""

    kind: str
    place: float
    size: int
    choice: int


def drawn(source: random.Random) -> Mutation:
    """Return a mutation at random; short pieces are likelier than long ones."""
    return Mutation(source.choice(KINDS), source.random(), int(2 ** (source.random() * 10)), source.getrandbits(16))


def mutated(content: bytes, mutations: Sequence[Mutation], others: Sequence[bytes] = ()) -> bytes:
    """Return the content after all mutations; `others` are files to take pieces from."""
    for mutation in mutations:
        content = _one(content, mutation, others)[:LIMIT]
    return content


def _one(content: bytes, change: Mutation, others: Sequence[bytes]) -> bytes:
    at = int(change.place * len(content))
    before, piece, after = content[:at], content[at : at + change.size], content[at + change.size :]
    if change.kind in {"bit", "byte", "number", "digits"}:
        return _value(content, min(at, max(0, len(content) - 1)), change)
    if change.kind in {"trim", "cut"}:
        return before + (after if change.kind == "cut" else b"")
    if change.kind == "move":
        rest = before + after
        to = change.choice % (len(rest) + 1)
        return rest[:to] + piece + rest[to:]
    if change.kind == "splice":
        return before + _foreign(change, others) + after
    if change.kind == "word":
        return before + WORDS[change.choice % len(WORDS)] + content[at:]
    times = 2 if change.kind == "double" else min(1 + change.choice % 2048, LIMIT // max(1, len(piece)))
    return before + piece * times + after


def _foreign(change: Mutation, others: Sequence[bytes]) -> bytes:
    """Return a piece of another file."""
    other = others[change.choice % len(others)] if others else b""
    begin = change.choice * 7 % (len(other) + 1)
    return other[begin : begin + change.size]


def _value(content: bytes, at: int, change: Mutation) -> bytes:
    """Put another value in the place of what stands there."""
    if change.kind == "number":
        return _number(content, at, change)
    if change.kind == "digits":
        return _digits(content, at, change)
    old = content[at : at + 1]
    flipped = bytes(byte ^ 1 << change.choice % 8 for byte in old)
    return content[:at] + (flipped if change.kind == "bit" else bytes([change.choice % 256])) + content[at + 1 :]


def _number(content: bytes, at: int, change: Mutation) -> bytes:
    """Put an interesting number, or one near the file's size, over 1, 2, 4 or 8 bytes in either order."""
    width = 1 << change.size % 4
    near = (len(content), len(content) - at, len(content) + 1, at)
    numbers = (*NUMBERS, *near)
    value = numbers[change.choice % len(numbers)] & (1 << 8 * width) - 1
    order: tuple[bytes, bytes] = (value.to_bytes(width, "little"), value.to_bytes(width, "big"))
    return content[:at] + order[change.choice >> 8 & 1] + content[at + width :]


def _digits(content: bytes, at: int, change: Mutation) -> bytes:
    """Put an interesting number over the next decimal digits."""
    match = _DIGITS.search(content, at) or _DIGITS.search(content)
    if match is None:
        return content
    value = b"%d" % NUMBERS[change.choice % len(NUMBERS)]
    return content[: match.start()] + value + content[match.end() :]
