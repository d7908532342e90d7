"""The inert pickle machine: it sees what unpicklers would do, and stops where they, or our limits, do."""

from __future__ import annotations

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
