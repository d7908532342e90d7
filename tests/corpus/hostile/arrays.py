"""numpy and joblib: pickles behind array headers, around inlined arrays, and under compression."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from typing import Any

from corpus.hostile import Case, Family
from corpus.hostile.assembler import HONEST, RAN, SYSTEM, call, literal, named, state, stream
from corpus.hostile.packing import PACKED
from hostile import npy, payload, zipped

NUMPY = Family("numpy")
JOBLIB = Family("joblib")
PACKED_JOBLIB = Family("joblib compressed")

SHELL = "runs a shell command"
LOAD = "runs a shell command under numpy.load(allow_pickle=True)"
CODE = stream(SYSTEM)

DESCRIPTIONS = {
    "objects": "'|O'",
    "objects by size": "'O8'",
    "a field of objects": "[('a', '<f4'), ('b', '|O')]",
    "a nested field": "[('a', [('b', [('c', '|O')])])]",
    "a subarray": "[('a', '|O', (2,))]",
    "a titled field": "[(('title', 'a'), '|O')]",
}


def cases() -> Iterator[Case]:
    for name, description in DESCRIPTIONS.items():
        yield NUMPY.case(name, "array.npy", npy(description, shape="(1,)", data=CODE), LOAD, RAN)
    objects = npy("'|O'", shape="(1,)", data=CODE)
    for version in (2, 3):
        wide = objects[:6] + bytes([version, 0]) + objects[8:10] + b"\0\0" + objects[10:]
        yield NUMPY.case(f"version {version}", "array.npy", wide, LOAD, RAN)
    yield NUMPY.case("named as text", "array.txt", objects, LOAD, RAN)
    yield NUMPY.case(
        "pickle named npy",
        "array.npy",
        payload(),
        "runs a shell command: numpy falls back to pickle",
        "call posix.system",
    )
    yield NUMPY.case("npz named npy", "array.npy", zipped({"a.npy": objects}), LOAD, RAN)
    yield NUMPY.case("in an npz", "arrays.npz", zipped({"a.npy": npy(), "b.npy": objects}), LOAD, RAN)
    yield NUMPY.case(
        "in a compressed npz", "arrays.npz", zipped({"b.npy": objects}, method=zipfile.ZIP_DEFLATED), LOAD, RAN
    )
    yield NUMPY.case("pickle in an npz", "arrays.npz", zipped({"a.npy": npy(), "b.npy": CODE}), LOAD, RAN)
    yield NUMPY.case("no shape", "array.npy", npy("'|O'", shape="()", data=CODE), LOAD, RAN)
    yield NUMPY.case(
        "header that evaluates", "array.npy", npy("__import__('os').system('true')"),
        "evaluates its header, in readers that use eval", held=True,
    )  # fmt: skip
    yield NUMPY.case(
        "header bomb", "array.npy", npy("[" + "('a', '<f4'), " * 4000 + "]"), "keeps the parser busy", held=True
    )
    yield NUMPY.case("array behind its end", "array.npy", npy() + CODE, "hides a payload behind the data", held=True)
    yield from _joblib()


def wrapped(kind: str, shape: tuple[int, ...], data: bytes, *, align: bool = False, before: bytes = b"") -> bytes:
    """Return the body of an array as joblib inlines it: the wrapper's pickle, then the data itself."""
    dtype = state(call("numpy", "dtype", kind, 0, 1), (3, "<", None, None, None, -1, -1, 0))
    alignment: list[tuple[str, Any]] = [("numpy_array_alignment_bytes", 16)] if align else []
    items: list[tuple[str, Any]] = [
        ("subclass", named("numpy", "ndarray")), ("shape", shape), ("order", "C"), ("dtype", dtype),
        ("allow_mmap", False), *alignment,
    ]  # fmt: skip
    pairs = b"".join(literal(key) + (value if isinstance(value, bytes) else literal(value)) for key, value in items)
    body = named("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81}(" + before + pairs + b"ub"
    return body + (b"\3\xff\xff\xff" if align else b"") + data


def _joblib() -> Iterator[Case]:
    floats = wrapped("f4", (3,), bytes(12))
    aligned = wrapped("f8", (2, 1), bytes(16), align=True)
    tricky = wrapped("f4", (3,), b"cos\nsystem..")
    bodies = {
        "payload before an array": SYSTEM + b"0" + floats,
        "payload behind an array": b"(" + floats + SYSTEM + b"t",
        "payload behind an aligned array": b"(" + aligned + SYSTEM + b"t",
        "payload between arrays": b"(" + floats + SYSTEM + aligned + b"t",
        "behind opcodes in data": b"(" + tricky + SYSTEM + b"t",
        "data with stops": b"(" + wrapped("u1", (6,), b"......") + SYSTEM + b"t",
        "big array": b"(" + wrapped("u1", (40_000,), bytes(40_000)) + SYSTEM + b"t",
        "payload in an object array": wrapped("O8", (1,), CODE),
        "behind an object array": b"(" + wrapped("O8", (1,), HONEST) + SYSTEM + b"t",
        "payload in the wrapper": wrapped("f4", (3,), bytes(12), before=literal("x") + SYSTEM),
        "empty array": b"(" + wrapped("f4", (0,), b"") + SYSTEM + b"t",
    }
    for name, body in bodies.items():
        yield JOBLIB.case(name, "model.joblib", stream(body, protocol=3), SHELL, RAN)
    yield JOBLIB.case(
        "side file", "model.joblib",
        stream(named("joblib.numpy_pickle_compat", "NDArrayWrapper") + b")\x81"
               + literal({"filename": "../other.npy"}) + b"b", protocol=3),
        "reads a file of the attacker's choice, with pickles allowed",
        "set joblib.numpy_pickle_compat.NDArrayWrapper().filename",
    )  # fmt: skip
    yield JOBLIB.case(
        "load of another file", "model.joblib", stream(call("joblib.numpy_pickle", "load", "no-such-file")),
        "loads another pickle", "call joblib.numpy_pickle.load",
    )  # fmt: skip
    for ending, pack in PACKED.items():
        yield PACKED_JOBLIB.case(
            f"array, {ending}", f"model.joblib.{ending}", pack(stream(bodies["payload behind an array"], protocol=3)),
            SHELL, RAN,
        )  # fmt: skip
        yield PACKED_JOBLIB.case(f"plain, {ending}", "model.joblib", pack(CODE), SHELL, RAN)
    yield PACKED_JOBLIB.case(
        "old zfile", "model.joblib", b"ZF0x" + f"{len(CODE):<17x}".encode() + PACKED["z"](CODE), SHELL, RAN
    )
    for name, packed in {
        "twice": PACKED["gz"](PACKED["z"](CODE)),
        "best": PACKED["z"](CODE)[:1] + b"\xda" + PACKED["z"](CODE)[2:],
        "gzip with a name": b"\x1f\x8b\x08\x08\0\0\0\0\0\3name\0" + PACKED["gz"](CODE)[10:],
        "second member": PACKED["gz"](b"") + PACKED["gz"](CODE),
    }.items():
        yield PACKED_JOBLIB.case(name, "model.pkl", packed, SHELL, "" if name == "second member" else RAN)
    yield PACKED_JOBLIB.case("cut", "model.pkl.gz", PACKED["gz"](CODE * 40)[:-9], f"{SHELL}, then fails", RAN)
    yield PACKED_JOBLIB.case("tail", "model.pkl.gz", PACKED["gz"](CODE) + b"tail", SHELL, RAN)
