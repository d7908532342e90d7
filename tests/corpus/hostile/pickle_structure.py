"""Pickles whose payload hides behind the machine: memo, marks, computed and byte operands, rare call operations."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from corpus.hostile import Case, Family
from corpus.hostile.assembler import RAN, SYSTEM, arguments, call, literal, named, short, stacked, state, stream

STRUCTURE = Family("pickle structure")
EXTENSION = Family("pickle extension code")
PERSISTENT = Family("pickle persistent id")

ARGUMENT = arguments(("true",))
OS, NAME = short("os"), short("system")

# Bodies that end with os.system on the stack, and the protocol that they need.
FUNCTIONS: dict[str, tuple[bytes, int]] = {
    "memoized operands": (OS + b"\x940" + NAME + b"\x940h\0h\1\x93", 4),
    "memo in reverse": (NAME + b"\x940" + OS + b"\x940h\1h\0\x93", 4),
    "put and get by text": (OS + b"p7\n0" + NAME + b"p3\n0g7\ng3\n\x93", 4),
    "long put and get": (OS + b"r\0\1\0\0" + b"0" + NAME + b"r\1\1\0\0" + b"0j\0\1\0\0j\1\1\0\0\x93", 4),
    "memo overwritten": (
        short("collections") + b"q\0" + b"0" + OS + b"q\0" + b"0" + NAME + b"q\1" + b"0h\0h\1\x93",
        4,
    ),
    "duplicated operand": (OS + b"2" + b"0" + NAME + b"\x93", 4),
    "junk between": (OS + literal([1, 2]) + b"0" + NAME + literal({}) + b"0\x93", 4),
    "marks around": (b"(" + b"1" + OS + b"(" + literal(5) + b"1" + NAME + b"\x93", 4),
    "operands from a tuple": (b"(" + OS + NAME + b"1" + stacked("os", "system"), 4),
    "long strings": (b"X\x02\0\0\0osX\x06\0\0\0system\x93", 4),
    "eight byte lengths": (b"\x8d" + struct.pack("<Q", 2) + b"os\x8d" + struct.pack("<Q", 6) + b"system\x93", 4),
    "unicode line": (b"Vo\\u0073\nVsyste\\u006d\n\x93", 4),
    "text string operands": (b"S'os'\nS'system'\n\x93", 4),
    "escaped text string": (b"S'\\x6fs'\nS'sys\\x74em'\n\x93", 4),
    "short string operands": (b"U\x02osU\x06system\x93", 4),
    "wrong protocol": (stacked("os", "system"), 2),
    "memo of the global": (named("os", "system") + b"q\x05" + b"0" + b"h\x05", 2),
    "duplicated global": (named("os", "system") + b"20", 2),
    "protocol again": (b"\x80\x04" + stacked("os", "system"), 4),
}

# Whole bodies.
CALLED: dict[str, tuple[bytes, int]] = {
    "obj": (b"(" + named("os", "system") + literal("true") + b"o", 2),
    "inst": (b"(S'true'\nios\nsystem\n", 0),
    "inst in protocol 4": (b"(S'true'\nios\nsystem\n", 4),
    "newobj": (named("os", "system") + ARGUMENT + b"\x81", 2),
    "newobj with keywords": (named("os", "system") + ARGUMENT + b"}\x92", 4),
    "inside a list": (b"](" + SYSTEM + b"e", 2),
    "as a key": (b"}" + SYSTEM + b"Ns", 2),
    "inside a set": (b"\x8f(" + SYSTEM + b"\x90", 4),
    "then popped": (SYSTEM + b"0" + literal({"weights": [1.0]}), 2),
    "popped with its mark": (b"(" + SYSTEM + b"1" + literal({"weights": [1.0]}), 2),
    "in a frozen set": (b"(" + SYSTEM + b"\x91", 4),
    "as an argument": (call("collections", "OrderedDict", SYSTEM), 2),
    "as a state": (state(call("collections", "OrderedDict"), SYSTEM), 2),
    "late protocol": (literal(1) + b"0\x80\x02" + SYSTEM, 0),
    "dead memo": (SYSTEM + b"q\x630" + literal({"weights": [1.0]}), 2),
}


def cases() -> Iterator[Case]:
    for name, (body, protocol) in FUNCTIONS.items():
        yield STRUCTURE.case(
            name, "model.pkl", stream(body + ARGUMENT + b"R", protocol=protocol), "runs a shell command", RAN
        )
    for name, (body, protocol) in CALLED.items():
        yield STRUCTURE.case(name, "model.pkl", stream(body, protocol=protocol), "runs a shell command", RAN)
    yield from _computed()
    yield from _not_ascii()
    yield from _extensions()
    yield from _persistent()


def _computed() -> Iterator[Case]:
    joined = call("_codecs", "encode", "system", "latin1")
    made = call("builtins", "str", "os")
    for name, body in {
        "computed name": OS + joined + b"\x93",
        "computed module": made + NAME + b"\x93",
        "both computed": made + call("builtins", "str", "system") + b"\x93",
    }.items():
        reached = "name os.<computed>" if name == "computed name" else "name <computed>."
        yield STRUCTURE.case(
            name, "model.pkl", stream(body + ARGUMENT + b"R", protocol=4),
            "calls what a string made while loading names", reached,
        )  # fmt: skip
    yield STRUCTURE.case(
        "import and join", "model.pkl",
        stream(
            call("builtins", "getattr", call("importlib", "import_module", "os"), "system") + ARGUMENT + b"R"
        ),
        "imports by name and calls an attribute", "call importlib.import_module",
    )  # fmt: skip
    for module, name in (("numpy", "os.system"), ("collections", "_sys.modules.clear"), ("torch", "os.system")):
        yield STRUCTURE.case(
            f"dotted {module}.{name}", "model.pkl", stream(stacked(module, name) + ARGUMENT + b"R", protocol=4),
            "calls through the attributes of a harmless module", f"call {module}.{name}",
        )  # fmt: skip


def _not_ascii() -> Iterator[Case]:
    for module, name in (("ｏs", "system"), ("os", "ｓystem"), ("os\u200b", "system")):
        yield STRUCTURE.case(
            f"look-alike {module!a}.{name!a}", "model.pkl",
            stream(stacked(module, name) + ARGUMENT + b"R" + SYSTEM + b"0", protocol=4),
            "names a look-alike, then runs a shell command", RAN,
        )  # fmt: skip


def _extensions() -> Iterator[Case]:
    for name, code in (("one byte", b"\x82\x07"), ("two bytes", b"\x83\x07\1"), ("four bytes", b"\x84\x07\1\0\0")):
        yield EXTENSION.case(
            name, "model.pkl", stream(code + ARGUMENT + b"R"), "calls whatever the process registered under a number",
            "call extension", held=True,
        )  # fmt: skip
    yield EXTENSION.case(
        "with a payload", "model.pkl", stream(b"\x82\x070" + SYSTEM), "runs a shell command where the code exists", RAN
    )


def _persistent() -> Iterator[Case]:
    yield PERSISTENT.case(
        "plain", "model.pkl", stream(literal("weights") + b"Q"), "asks the loader for an object by name",
        "persistent id", held=True,
    )  # fmt: skip
    yield PERSISTENT.case(
        "text", "model.pkl", stream(b"Pweights\n", protocol=0), "asks the loader for an object by name",
        "persistent id", held=True,
    )  # fmt: skip
    yield PERSISTENT.case(
        "made by a call", "model.pkl", stream(SYSTEM + b"Q"), "runs a shell command to name an object", RAN
    )
    yield PERSISTENT.case(
        "storage of a call", "model.pkl",
        stream(b"(" + literal("storage") + SYSTEM + literal("0") + literal("cpu") + literal(4) + b"tQ"),
        "runs a shell command in a storage's id", RAN,
    )  # fmt: skip
