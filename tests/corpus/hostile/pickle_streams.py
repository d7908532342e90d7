"""Pickles that break behind their payload, hide it behind an honest stream, or lie about frames and lengths."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from corpus.hostile import Case, Family
from corpus.hostile.assembler import HONEST, RAN, SYSTEM, call, frame, literal, named, stacked, stream
from hostile import payload

BROKEN = Family("pickle broken stream")
LATER = Family("pickle later stream")
FRAMES = Family("pickle frames")
LIMITS = Family("pickle bomb")

CALLED = stacked("os", "system") + b"(" + literal("true") + b"tR"
POSIX = "call posix.system"
SHELL = "runs a shell command"

TAILS: dict[str, bytes] = {
    "no stop": b"",
    "unknown operation": b"\xff",
    "zeros": bytes(64),
    "truncated string": b"X\xff\0\0\0abc",
    "truncated number": b"J\1",
    "stack underflow": b"RRRR.",
    "missing memo": b"h\x63.",
    "text that is no number": b"Ifoo\n.",
    "text that is no string": b"Sfoo\n.",
    "not UTF-8": b"X\2\0\0\0\xff\xfe.",
    "negative length": b"T\xff\xff\xff\xff.",
    "huge length": b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
    "future protocol": b"\x80\x63.",
    "unhashable key": b"}]Ns.",
    "half a global": b"cbuiltins",
    "pop of nothing": b"00000.",
    "an HTML page": b"<html><body>404</body></html>\n",
}

HEADS: dict[str, bytes] = {
    "honest": HONEST,
    "honest text": stream(literal([1, 2], text=True), protocol=0),
    "none": stream(b"N"),
    "framed": stream(frame(literal({"a": 1})), protocol=4),
    "several": HONEST * 6,
    "an array's pickle": stream(call("collections", "OrderedDict")),
    "empty string": stream(b"U\0"),
}


def cases() -> Iterator[Case]:
    for name, tail in TAILS.items():
        yield BROKEN.case(name, "model.pkl", b"\x80\2" + SYSTEM + tail, f"{SHELL}, then fails", RAN)
    for cut in (1, 2, 3):
        yield BROKEN.case(f"{cut} bytes cut", "model.pkl", payload()[:-cut], SHELL, POSIX)
    yield BROKEN.case("text cut", "model.pkl", SYSTEM[:-1] + b"R" + b"(I1\n", SHELL, RAN)
    for name, head in HEADS.items():
        yield LATER.case(f"behind {name}", "model.pkl", head + stream(SYSTEM), "a second load runs it", RAN)
    yield LATER.case("first of two", "model.pkl", stream(SYSTEM) + HONEST, SHELL, RAN)
    yield LATER.case(
        "later one broken", "model.pkl", HONEST + stream(SYSTEM)[:-1] + b"\xff", "a second load runs it", RAN
    )
    yield LATER.case("text behind binary", "model.pkl", HONEST + stream(SYSTEM, protocol=0), SHELL, RAN)
    yield LATER.case(
        "behind junk", "model.pkl", HONEST + b"\xff\xff" + stream(SYSTEM), "hides a payload behind junk", held=True
    )
    yield LATER.case("behind zeros", "model.pkl", HONEST + bytes(512) + stream(SYSTEM), "hides a payload", held=True)
    yield from _frames()
    yield from _limits()


def _frames() -> Iterator[Case]:
    for name, body in {
        "exact": frame(CALLED + b"."),
        "too short": frame(CALLED + b".", off=-9),
        "too long": frame(CALLED + b".", off=400),
        "nested": frame(frame(CALLED) + b"."),
        "empty": frame(b"") + CALLED + b".",
        "many": b"".join(frame(part) for part in (b"\x8c\x02os", b"\x8c\x06system", b"\x93", CALLED[13:], b".")),
        "cut through an operand": frame(CALLED[:2]) + CALLED[2:] + b".",
    }.items():
        yield FRAMES.case(name, "model.pkl", b"\x80\4" + body, SHELL, RAN)
    split = named("os", "system")
    yield FRAMES.case(
        "cut through a global", "model.pkl",
        b"\x80\4" + frame(split[:4]) + split[4:] + b"(" + literal("true") + b"tR.",
        f"{SHELL} in one reader and fails in the other", RAN,
    )  # fmt: skip


def _limits() -> Iterator[Case]:
    doubled = b"".join(b"q" + bytes([level]) + b"0(" + (b"h" + bytes([level])) * 2 + b"l" for level in range(60))
    for name, content in {
        "doubled lists": stream(b"]" + doubled),
        "memo index": stream(b"Nr\xff\xff\xff\x7f"),
        "long length": stream(b"\x8e" + struct.pack("<Q", 1 << 62) + b"a"),
    }.items():
        yield LIMITS.case(name, "model.pkl", content, "takes all memory, or the stack", held=True)
