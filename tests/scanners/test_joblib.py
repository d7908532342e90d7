"""Arrays between a pickle's operations: who gets their length wrong reads numbers as operations, or operations as numbers."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping

import pytest

import hostile
from corpus.hostile.assembler import call, literal, named, stream
from weighlock.scanners.reading import UnclearError
from weighlock.scanners.strict.notes import Notes
from weighlock.scanners.strict.pickle import judge

WRAPPER = named("joblib.numpy_pickle", "NumpyArrayWrapper")
EXEC = hostile.CALL[:-1]


def dtype(kind: str = "f4", rest: bytes = b"K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0") -> bytes:
    """Return the operations that push a dtype as numpy pickles it."""
    return call("numpy", "dtype", kind, False, True) + b"(" + rest + b"tb"


def wrapper(made: bytes = WRAPPER + b")\x81", **items: bytes) -> bytes:
    """Return the operations that make a wrapper of two floats; `items` are others for its state."""
    usual = {
        "subclass": named("numpy", "ndarray"),
        "shape": literal((2,)),
        "order": literal("C"),
        "dtype": dtype(),
        "allow_mmap": literal(value=True),
    }
    return made + b"}" + pairs({**usual, **items}) + b"b"


def pairs(items: Mapping[str, bytes]) -> bytes:
    return b"(" + b"".join(literal(key) + value for key, value in items.items()) + b"u"


def judged(content: bytes) -> Notes:
    notes = Notes()
    try:
        judge("pickle", io.BytesIO(content), notes)
    except UnclearError as error:
        notes.gap(str(error))
    return notes


@pytest.mark.parametrize(
    "content",
    [
        stream(wrapper(), b"12345678"),
        stream(wrapper(numpy_array_alignment_bytes=literal(16)), b"\x03\xff\xff\xff12345678"),
        stream(wrapper(numpy_array_alignment_bytes=b"N"), b"12345678"),
        stream(wrapper(shape=literal(())), b"1234"),
        stream(wrapper(shape=literal((0, 7)))),
        stream(
            wrapper(dtype=dtype("O8", b"K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x3f")), literal([1, 2]), b"."
        ),
        stream(b"]", wrapper(), b"12345678a", wrapper(), b"12345678a"),
    ],
    ids=["plain", "aligned", "not aligned", "no dimension", "empty", "objects", "two"],
)
def test_arrays_are_passed_over(content: bytes) -> None:
    notes = judged(content)
    assert (notes.findings, notes.gaps) == ([], [])


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (stream(wrapper(), b"12345678", EXEC), "pickle.dangerous-global"),
        (stream(wrapper(shape=literal((1,))), b"1234" + EXEC), "pickle.dangerous-global"),
        (stream(wrapper(shape=literal((16,))), (b"0" + EXEC).ljust(64)), "pickle.dangerous-global"),
        (
            stream(wrapper(dtype=dtype("O8", b"K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x3f")), hostile.CALL),
            "pickle.dangerous-global",
        ),
    ],
    ids=["behind", "behind a shorter one", "in the numbers, for another loader", "among objects"],
)
def test_a_payload_is_found(content: bytes, rule: str) -> None:
    assert rule in {finding.rule for finding in judged(content).findings}


@pytest.mark.parametrize(
    "content",
    [
        stream(wrapper(), b"1234567"),
        stream(wrapper(shape=literal([2])), b"12345678"),
        stream(wrapper(shape=literal((2**40, 2**40))), b"12345678"),
        stream(wrapper(shape=literal((-1,))), b"12345678"),
        stream(wrapper(dtype=literal("f4")), b"12345678"),
        stream(wrapper(dtype=call("numpy", "dtype", "f4,O")), b"12345678"),
        stream(wrapper(dtype=dtype("O8")), b"12345678"),
        stream(wrapper(numpy_array_alignment_bytes=literal(value=False)), b"12345678"),
        stream(wrapper(extra=literal(1)), b"12345678"),
        stream(wrapper(), b"12345678", b"0" + wrapper(b"h\0")),
        stream(WRAPPER + b")\x81q\0", b"0" + wrapper(b"h\0"), b"12345678", b"0h\0}b", b"12345678"),
        stream(wrapper(call("collections", "OrderedDict")), b"12345678"),
        stream(wrapper(named("torch._tensor", "_rebuild_from_type_v2") + b"(" + WRAPPER + b")tR"), b"12345678"),
        b"\x80\x04\x95" + struct.pack("<Q", 400) + stream(wrapper(), b"12345678")[2:].ljust(400, b"."),
    ],
    ids=[
        "cut short",
        "shape a list",
        "too large",
        "negative",
        "dtype a string",
        "dtype with fields",
        "objects without saying so",
        "alignment a boolean",
        "a further item",
        "state from the memo",
        "state twice",
        "no wrapper",
        "a wrapper in disguise",
        "inside a frame",
    ],
)
def test_what_joblib_does_not_write_is_refused(content: bytes) -> None:
    notes = judged(content)
    assert notes.gaps or notes.findings


@pytest.mark.parametrize("maker", ["newObj", "reconstructor"])
def test_a_wrapper_is_known_however_it_is_made(maker: str) -> None:
    made = {
        "newObj": named("sklearn.neighbors._kd_tree", "newObj") + WRAPPER + b"\x85R",
        "reconstructor": named("copyreg", "_reconstructor") + b"(" + WRAPPER + named("builtins", "object") + b"NtR",
    }[maker]
    hidden = b"12345678" + EXEC
    assert judged(stream(wrapper(made), b"12345678")).gaps == []
    assert judged(stream(wrapper(made), hidden)).findings
