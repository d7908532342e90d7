"""Pickles that name nothing but what allow-lists allow, and put the harm into what is built, set or appended."""

from __future__ import annotations

from collections.abc import Iterator

from corpus.hostile import Case, Family
from corpus.hostile.assembler import call, literal, named, state, stream

TARGET = Family("pickle allowed names")

ORDERED = named("collections", "OrderedDict")
COUNTER = named("collections", "Counter")
RECONSTRUCT = named("numpy.core.multiarray", "_reconstruct")
FROM_BUFFER = named("numpy.core.numeric", "_frombuffer")
REBUILD = named("torch._utils", "_rebuild_tensor_v2")
ENCODE = named("_codecs", "encode")

Body = tuple[bytes, str, str]
"""Operations, what the loader does, and what `truth` sees of it."""


def slots(target: bytes, name: str, value: bytes) -> bytes:
    """Return BUILD with a state that sets an attribute (the second half of a pair goes through setattr)."""
    return target + b"N}" + literal(name) + value + b"s\x86b"


HARMFUL: dict[str, Body] = {
    "method of a class": (
        slots(COUNTER, "most_common", ENCODE),
        "replaces a method of a class in the whole process",
        "build collections.Counter",
    ),
    "defaults of a function": (
        slots(FROM_BUFFER, "__defaults__", literal((1,))),
        "changes a function of numpy in the whole process",
        "build numpy.core.numeric._frombuffer",
    ),
    "keyword defaults of a function": (
        slots(REBUILD, "__kwdefaults__", literal({"a": 1})),
        "changes a function of torch in the whole process",
        "build torch._utils._rebuild_tensor_v2",
    ),
    "attributes of a function": (
        state(REBUILD, {"__wrapped__": 1}),
        "writes into a function of torch",
        "build torch._utils._rebuild_tensor_v2",
    ),
    "method of a tensor class": (
        slots(named("torch.nn.parameter", "Parameter"), "__repr__", ENCODE),
        "replaces a method of a class in the whole process",
        "build torch.nn.parameter.Parameter",
    ),
    "__setstate__ in a state": (
        state(state(call("collections", "OrderedDict"), b"}" + literal("__setstate__") + ENCODE + b"s"), "a"),
        "calls a function of the attacker's choice by the second BUILD",
        "call _codecs.encode",
    ),
    "__setstate__ in slots": (
        state(slots(call("collections", "OrderedDict"), "__setstate__", ENCODE), "a"),
        "calls a function of the attacker's choice by the second BUILD",
        "call _codecs.encode",
    ),
    "__class__ in slots": (
        slots(call("collections", "Counter"), "__class__", ORDERED),
        "changes what an object is",
        "set collections.Counter().__class__",
    ),
    "__dict__ in slots": (
        slots(call("collections", "OrderedDict"), "__dict__", literal({"a": 1})),
        "replaces an object's attributes",
        "set collections.OrderedDict().__dict__",
    ),
    "__reduce_ex__ in a state": (
        state(call("collections", "Counter"), b"}" + literal("__reduce_ex__") + ENCODE + b"s"),
        "plants a payload for the next pickling",
        "set collections.Counter().__reduce_ex__",
    ),
    "factory of a default": (
        call("collections", "defaultdict", named("os", "getcwd")),
        "calls a function for each missing key",
        "name os.getcwd",
    ),
    "type in a rebuild": (
        call("torch._tensor", "_rebuild_from_type_v2", named("os", "system"), named("torch", "Tensor"), ["true"], {}),
        "calls what it is given",
        "name os.system",
    ),
    "loader of bytes": (
        call("torch.storage", "_load_from_bytes", "\x80"),
        "loads a byte string with torch.load",
        "call torch.storage._load_from_bytes",
    ),
    "encoded argument": (
        call("builtins", "eval", call("_codecs", "encode", "1", "rot13")),
        "decodes its payload while loading",
        "call builtins.eval",
    ),
    "item of a tensor": (
        call("torch", "Tensor") + literal(0) + literal(1) + b"s",
        "writes out of bounds (CVE-2026-24747)",
        "item torch.Tensor()",
    ),
}

# Python refuses these today: a class in C has no attributes to set, a type takes no items.
REFUSED: dict[str, Body] = {
    "state of a class": (
        state(ORDERED, {"keys": None}),
        "tries to replace a method of a class",
        "build collections.OrderedDict",
    ),
    "state of a function in C": (
        state(RECONSTRUCT, {"__globals__": {}}),
        "tries to write into a function of numpy",
        "build numpy.core.multiarray._reconstruct",
    ),
    "state of a dtype class": (
        state(named("numpy", "dtype"), {"__reduce__": 1}),
        "tries to write into a class of numpy",
        "build numpy.dtype",
    ),
    "item of a class": (
        ORDERED + literal("new") + literal(1) + b"s",
        "tries to set an item on a class",
        "item collections.OrderedDict",
    ),
    "items of a function": (
        RECONSTRUCT + b"(" + literal("a") + literal(1) + b"u",
        "tries to set items on a function",
        "item numpy.core.multiarray._reconstruct",
    ),
    "append to a class": (
        named("builtins", "list") + literal(1) + b"a",
        "tries to append to a class",
        "append builtins.list",
    ),
    "appends to a function": (
        ENCODE + b"(" + literal(1) + literal(2) + b"e",
        "tries to extend a function",
        "append _codecs.encode",
    ),
    "unlisted codec": (
        call("_codecs", "encode", "a", "bz2"),
        "runs another codec",
        "call _codecs.encode",
    ),
}


def cases() -> Iterator[Case]:
    for bodies in (HARMFUL, REFUSED):
        for name, (body, effect, reaches) in bodies.items():
            yield TARGET.case(name, "model.pkl", stream(body), effect, reaches, held=bodies is REFUSED)
