"""R's objects: data is safe in each of R's forms, and what runs is named."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judging import judged, reasons
from weighlock.scanners import Verdict

NIL, GLOBAL, REFERENCE, ALTREP = 254, 253, 255, 238
ATTRIBUTES, TAG = 0x200, 0x400


def integer(value: int) -> bytes:
    return struct.pack(">i", value)


def item(kind: int, *parts: bytes) -> bytes:
    return integer(kind) + b"".join(parts)


def chars(text: str) -> bytes:
    return item(9 | 0x40000, integer(len(text)), text.encode())


def symbol(name: str) -> bytes:
    return item(1, chars(name))


def strings(*texts: str) -> bytes:
    return item(16, integer(len(texts)), *map(chars, texts))


def values(*items: bytes) -> bytes:
    return item(19, integer(len(items)), *items)


def pairs(**entries: bytes) -> bytes:
    return b"".join(item(2 | TAG, symbol(name), value) for name, value in entries.items()) + item(NIL)


def deferred(name: str, package: str, state: bytes) -> bytes:
    kind = b"".join(item(2, part) for part in (symbol(name), symbol(package), item(13, integer(1), integer(13))))
    return item(ALTREP, kind + item(NIL), state, item(NIL))


def saved(content: bytes, version: int = 3) -> bytes:
    encoding = integer(5) + b"UTF-8" if version == 3 else b""
    return b"X\n" + integer(version) + integer(0x40401) + integer(0x30500) + encoding + content


NUMBERS = item(14, integer(2), struct.pack(">2d", 1, 2))
NAMED = item(19 | ATTRIBUTES, integer(2), NUMBERS, strings("a"), pairs(names=strings("x", "y")))
TEXT = b"A\n3\n262401\n197888\n5\nUTF-8\n14\n4\n1.5\nNA\n-Inf\nNaN\n"

HONEST: dict[str, bytes] = {
    "numbers": saved(NUMBERS),
    "version 2": saved(NAMED, 2),
    "names": saved(NAMED),
    "long vector": saved(item(10, integer(-1), integer(0), integer(2), bytes(8))),
    "raw": saved(item(24, integer(5), b"\0\1\2\3\4")),
    "missing text": saved(item(16, integer(1), item(9, integer(-1)))),
    "reference": saved(values(symbol("a"), item(REFERENCE | 1 << 8))),
    "S4": saved(item(25 | ATTRIBUTES, pairs(slot=NUMBERS))),
    "sequence": saved(deferred("compact_intseq", "base", NUMBERS)),
    "packed": gzip.compress(saved(NAMED)),
    "workspace": b"RDX3\n" + saved(pairs(model=NAMED)),
    "text": TEXT,
    "little": b"B\n" + struct.pack("<3i", 2, 0x40401, 0x20300) + struct.pack("<2i2d", 14, 2, 1, 2),
}

CALL = item(6, symbol("system"), item(2, strings("id"), item(NIL)))
PROMISE = item(5 | TAG, item(GLOBAL), item(252), CALL)

HOSTILE: dict[str, tuple[bytes, Verdict, str]] = {
    "promise": (saved(PROMISE), Verdict.UNSAFE, "a promise"),
    "promise in a list": (saved(values(NUMBERS, PROMISE)), Verdict.UNSAFE, "a promise"),
    "promise as an attribute": (
        saved(item(14 | ATTRIBUTES, integer(0), pairs(x=PROMISE))), Verdict.UNSAFE, "a promise",
    ),
    "promise in a workspace": (b"RDX3\n" + saved(pairs(x=PROMISE)), Verdict.UNSAFE, "a promise"),
    "promise in text": (b"A\n2\n262401\n131840\n5\n", Verdict.UNSAFE, "a promise"),
    "call": (saved(CALL), Verdict.UNSAFE, "a call"),
    "function": (saved(item(3, item(GLOBAL), item(NIL), CALL)), Verdict.UNSAFE, "a function"),
    "environment": (
        saved(item(4, integer(0), item(GLOBAL), item(NIL), item(NIL), item(NIL))), Verdict.UNSAFE, "an environment",
    ),
    "built-in": (saved(item(8, integer(6), b"system")), Verdict.UNSAFE, "a built-in"),
    "byte code": (saved(item(21, integer(1))), Verdict.UNSAFE, "byte code"),
    "expression": (saved(item(20, integer(1), CALL)), Verdict.UNSAFE, "an expression"),
    "mapped file": (saved(deferred("mmap_real", "base", strings("/etc/x"))), Verdict.UNSAFE, "maps a file"),
    "foreign vector": (saved(deferred("lazy", "evil", NUMBERS)), Verdict.REVIEW, "lazy evil"),
    "namespace": (saved(item(249, integer(0), integer(1), chars("evil"))), Verdict.REVIEW, "loads the package evil"),
    "tail": (saved(NUMBERS) + saved(PROMISE), Verdict.UNSCANNED, "bytes follow"),
    "tail in text": (TEXT + b"5\n", Verdict.UNSCANNED, "follows"),
    "cut": (saved(NUMBERS)[:-1], Verdict.UNSCANNED, "cut short"),
    "negative": (saved(item(14, integer(-2))), Verdict.UNSCANNED, "negative"),
    "huge": (saved(item(14, integer(2**31 - 1))), Verdict.UNSCANNED, "cut short"),
    "unknown": (saved(item(99)), Verdict.UNSCANNED, "type 99"),
    "deep": (saved(item(19, integer(1)) * 5000 + NUMBERS), Verdict.UNSCANNED, "too deeply"),
    "other version": (saved(NUMBERS, 2)[:5] + b"\t" + saved(NUMBERS, 2)[6:], Verdict.UNSCANNED, "version"),
    "no number": (TEXT.replace(b"1.5", b"system"), Verdict.UNSCANNED, "no number"),
}  # fmt: skip


@pytest.mark.parametrize("name", HONEST)
def test_data_is_safe(name: str) -> None:
    assert judged(HONEST[name])[0] is Verdict.SAFE, reasons(HONEST[name])


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_code_is_named(name: str, pack: Callable[[bytes], bytes]) -> None:
    content, verdict, because = HOSTILE[name]
    said = reasons(pack(content))
    assert because in said
    assert judged(pack(content))[0] is verdict, said


@given(st.sampled_from(["numbers", "names", "sequence", "workspace", "text"]), st.data())
@settings(max_examples=200, deadline=None)
def test_what_was_cut_or_changed_crashes_nothing(name: str, data: st.DataObject) -> None:
    whole = HONEST[name]
    cut = data.draw(st.integers(8, len(whole) - 1))
    assert judged(whole[:cut])[0] is not Verdict.SAFE or name == "text"  # a last newline is all that is gone
    changed = bytearray(whole)
    changed[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    assert "failed" not in judged(bytes(changed))[1]
