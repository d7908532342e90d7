"""The inert pickle machine: it sees what unpicklers would do, and stops where they, or our limits, do."""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import io
import pickle
import pickletools
from collections import Counter, OrderedDict, defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hostile
from corpus.hostile.arrays import wrapped
from corpus.hostile.assembler import SYSTEM, call, frame, literal, named, state, stream
from corpus.hostile.torches import MAGIC
from weighlock.scanners import Severity
from weighlock.scanners.pickles.globals import Grade, grade, mapped, names_for
from weighlock.scanners.pickles.machine import Event, Machine
from weighlock.scanners.pickles.opcodes import LITERAL, LONG, Operations
from weighlock.scanners.reading import LimitError, UnclearError
from weighlock.scanners.strict.notes import Notes
from weighlock.scanners.strict.pickle import judge

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates() | st.decimals(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner) | st.builds(OrderedDict)
    ),
    max_leaves=20,
)


def events(content: bytes, limit: int = 1000) -> list[Event]:
    seen: list[Event] = []
    Machine(Operations(io.BytesIO(content)), seen.append, limit).run()
    return seen


def judged(content: bytes, kind: str = "pickle") -> Notes:
    notes = Notes()
    judge(kind, io.BytesIO(content), notes)
    return notes


@given(VALUES, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_plain_data_is_understood(value: Any, protocol: int) -> None:
    notes = judged(pickle.dumps(value, protocol))
    assert (notes.findings, notes.gaps) == ([], [])


@given(VALUES, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_operations_are_those_of_pickletools(value: Any, protocol: int) -> None:
    content = pickle.dumps(value, protocol)
    expected = [(code.name, position) for code, _, position in pickletools.genops(content)]
    assert [(name, offset) for name, _, offset in Operations(io.BytesIO(content)).stream()] == expected


@pytest.mark.parametrize(
    "value",
    [
        defaultdict(list, a=[1]),
        Counter("ab"),
        decimal.Decimal("1.5"),
        dt.timedelta(1),
        frozenset({1}),
        bytearray(b"x"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_listed_classes_are_understood(value: Any, protocol: int) -> None:
    notes = judged(pickle.dumps(value, protocol))
    assert (notes.findings, notes.gaps) == ([], [])


def test_a_call_is_seen_with_its_callee() -> None:
    seen = events(hostile.CALL)
    assert [event.what for event in seen] == ["global", "call"]
    assert (seen[1].target.module, seen[1].target.name, seen[1].value) == ("os", "system", ("true",))


def test_operations_are_limited() -> None:
    with pytest.raises(LimitError):
        events(b"\x80\x04" + b"N0" * 10 + b"N.", limit=20)


def test_long_strings_are_passed_over() -> None:
    content = pickle.dumps("x" * (LITERAL + 1))
    assert [argument for name, argument, _ in Operations(io.BytesIO(content)).stream() if "UNICODE" in name] == [LONG]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b".",
        b"0.",
        b"t.",
        b"N",
        b"K",
        b"I1",
        b"Ix\n.",
        b"Sabc\n.",
        b"g0\n.",
        b"N\x85\x86.",
        b"\xff.",
        b"X\xff\0\0\0a.",
        b"(o.",
    ],
    ids=repr,
)
def test_a_broken_stream_is_unclear(content: bytes) -> None:
    with pytest.raises(UnclearError):
        events(content)


def test_a_python_2_name_counts_as_what_it_is_today() -> None:
    assert mapped("__builtin__", "reduce") == ("functools", "reduce")
    assert grade("__builtin__", "set", "pickle") is Grade.ALLOWED
    assert grade("__builtin__", "apply", "pickle") is Grade.DANGEROUS
    assert grade("urllib2", "urlopen", "pickle") is Grade.DANGEROUS


def test_torchscript_classes_are_allowed_in_torchscript_only() -> None:
    name = ("__torch__.net", "Net")
    assert [grade(*name, kind) for kind in ("torchscript pickle", "torch pickle", "pickle")] == [
        Grade.ALLOWED,
        Grade.UNKNOWN,
        Grade.UNKNOWN,
    ]


@pytest.mark.parametrize("kind", ["pickle", "torch pickle", "torchscript pickle"])
def test_nothing_that_runs_code_is_on_a_list(kind: str) -> None:
    dangerous = {
        "eval",
        "exec",
        "open",
        "getattr",
        "setattr",
        "compile",
        "__import__",
        "map",
        "partial",
        "reduce",
        "load",
        "system",
    }
    assert not {name for _, name in names_for(kind)} & dangerous


def test_storages_are_learnt_with_their_size() -> None:
    notes = Notes()
    assert judge("torch pickle", io.BytesIO(hostile.tensor("7", 5)), notes) == {"7": 20}
    assert not notes.gaps


def rules(content: bytes, severity: Severity) -> set[str]:
    notes = Notes()
    with contextlib.suppress(UnclearError):  # what was found before is the answer
        judge("pickle", io.BytesIO(content), notes)
    return {finding.rule for finding in notes.findings if finding.severity is severity}


UNKNOWN = call("net", "Layer", 1)
DEEP = b")" + b"\x85" * 100_000  # a tuple in a tuple in a tuple


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (UNKNOWN, "global"),
        (named("net", "Layer") + b")\x81}U\x01aK\x01sb", "global"),
        (literal("weights") + b"Q", "persistent-id"),
        (b"\x82\x07", "extension-code"),
        (b"\x97", "buffer"),
        (b"\x97\x98", "buffer"),
        (call("numpy", "add", 1, 2), "pickle.use"),
        (call("sklearn.linear_model._logistic", "LogisticRegression", 1), "pickle.use"),
        (call("collections", "defaultdict", named("numpy", "add")), "pickle.use"),
        (call("_codecs", "encode", "x", "bz2"), "pickle.codec"),
        (
            call(
                "torch._tensor",
                "_rebuild_from_type_v2",
                named("_codecs", "encode"),
                named("torch", "Tensor"),
                ("x", "bz2"),
            ),
            "pickle.codec",
        ),
        (
            state(call("collections", "OrderedDict"), b"}" + call("builtins", "str", "__class__") + literal(1) + b"s"),
            "pickle.special-attribute",
        ),
        (
            state(call("collections", "OrderedDict"), call("builtins", "dict", (("__class__", 1),))),
            "pickle.special-attribute",
        ),
    ],
    ids=repr,
)
def test_waits_for_a_person(body: bytes, rule: str) -> None:
    content = stream(body, protocol=5)
    assert (rules(content, Severity.REVIEW), rules(content, Severity.CRITICAL)) == ({rule}, set())


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (UNKNOWN + b"0" + SYSTEM, "pickle.dangerous-global"),
        (call("torch", "Tensor") + literal(0) + literal(1) + b"s", "pickle.item"),
        (call("numpy", "ndarray", 1) + literal(1) + b"a", "pickle.item"),
        (call("numpy", "memmap", "/etc/passwd"), "pickle.dangerous-global"),
        (call("torch._tensor", "_rebuild_from_type_v2", UNKNOWN, 1, (1,)), "pickle.computed-call"),
        (
            call("torch._tensor", "_rebuild_from_type_v2", named("torch._tensor", "_rebuild_from_type_v2"), 1, (1,)),
            "pickle.computed-call",
        ),
        (DEEP + b"\x85" + named("collections", "OrderedDict") + b")R0" + SYSTEM, "pickle.dangerous-global"),
        (named("collections", "OrderedDict") + DEEP + b"R" + SYSTEM, "pickle.dangerous-global"),
        (b"\x96" + bytes([2]) + bytes(7) + b"ab\x98" + b"0" + SYSTEM, "pickle.dangerous-global"),
        (frame(SYSTEM, off=-3), "pickle.dangerous-global"),
        (frame(frame(SYSTEM)), "pickle.dangerous-global"),
        (b"".join(named("net", f"Layer{number}") for number in range(200)) + SYSTEM, "pickle.dangerous-global"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_does_harm(body: bytes, rule: str) -> None:
    assert rule in rules(stream(body, protocol=5), Severity.CRITICAL)


def test_a_name_is_told_once_with_its_first_place() -> None:
    notes = judged(stream(literal(1) + b"0" + UNKNOWN * 3))
    assert [(finding.rule, finding.offset) for finding in notes.findings] == [("global", 5)]


def test_a_read_only_buffer_pushes_nothing() -> None:
    seen = events(stream(named("os", "system") + b"\x96" + bytes([1]) + bytes(7) + b"a\x98\x85R", protocol=5))
    assert (seen[-1].what, seen[-1].target.name) == ("call", "system")


def test_an_array_of_objects_is_a_plain_pickle() -> None:
    inner = stream(b"(" + wrapped("f4", (3,), b"cos\nsystem.") + b"t", protocol=3)  # joblib would pass over these bytes
    dtype = state(call("numpy", "dtype", "O8", 0, 1), (3, "|", None, None, None, -1, -1, 63))
    items = {"subclass": named("numpy", "ndarray"), "shape": literal((1,)), "dtype": dtype}
    pairs = b"".join(literal(key) + value for key, value in items.items())
    outer = named("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81}(" + pairs + b"ub"
    assert "pickle.dangerous-global" in rules(stream(outer + inner, protocol=3), Severity.CRITICAL)


def test_broken_frames_are_a_gap() -> None:
    assert judged(stream(frame(literal(1), off=1)[:-1] + b"0" + literal(2), protocol=4)).gaps


@pytest.mark.parametrize("protocol", [6, 255])
def test_a_protocol_of_the_future_is_unclear(protocol: int) -> None:
    with pytest.raises(UnclearError):
        judged(b"\x80" + bytes([protocol]) + b"N.")


@pytest.mark.parametrize(
    "content",
    [
        b"(" * 200_000 + b".",
        b"N\x85q\0" + named("collections", "OrderedDict") + b"0(" + b"h\0" * 100_000 + b"tq\1" + b"0"
        + (named("collections", "OrderedDict") + b"h\1R0") * 200 + b"N.",
    ],
    ids=["marks", "looks"],
)  # fmt: skip
def test_what_grows_is_limited(content: bytes) -> None:
    with pytest.raises(UnclearError, match="than the limit"):
        judged(content)


@pytest.mark.parametrize("container", [b"t", b"l"])
def test_what_stands_in_itself_a_million_times_is_a_gap(container: bytes) -> None:
    level = b"q\0" + b"0(h\0h\0" + container
    assert judged(b"N" + level * 60 + b".").gaps
    assert not judged(b"N" + level * 20 + b".").gaps


def test_bytes_behind_torch_s_tensors_are_looked_at() -> None:
    parts: list[Any] = [MAGIC, 1001, {}, {}, []]
    content = b"".join(pickle.dumps(part, 2) for part in parts)
    assert not judged(content).gaps
    notes = judged(content + hostile.CALL)
    assert notes.gaps
    assert [finding.rule for finding in notes.findings] == ["pickle.dangerous-global"]


def test_torch_s_tensors_have_the_size_that_they_are_named_with() -> None:
    start = pickle.dumps(MAGIC, 2) + pickle.dumps(1001, 2) + pickle.dumps({}, 2)
    content = start + hostile.tensor("7", 4) + pickle.dumps(["7"], 2)
    assert not judged(content + (4).to_bytes(8, "little") + bytes(16)).gaps
    for broken in ((4).to_bytes(8, "little") + bytes(15), (5).to_bytes(8, "little") + bytes(20), b""):
        with pytest.raises(UnclearError):
            judged(content + broken)


def test_long_bytes_are_not_read() -> None:
    class Counting(io.BytesIO):
        count = 0

        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            self.count += len(data)
            return data

    content = Counting(pickle.dumps([bytearray(50_000_000), "x"], 5))
    judge("pickle", content, Notes())
    assert content.count < 2_000_000
