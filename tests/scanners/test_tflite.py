"""TensorFlow Lite: operators from elsewhere, and bytes that a FlatBuffer could hide."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judging import judged, reasons
from weighlock.scanners import Verdict

HONEST = sorted((Path(__file__).parents[1] / "corpus" / "honest" / "tflite").glob("*.tflite"))

Part = Callable[[bytearray], int]
"""Writes a part behind the others and returns where it begins."""


def number(value: int) -> bytes:
    return struct.pack("<L", value)


def offsets(buffer: bytearray, places: list[int], parts: list[Part]) -> None:
    for place, part in zip(places, parts, strict=True):
        buffer[place : place + 4] = number(part(buffer) - place)


def table(fields: dict[int, int | Part]) -> Part:
    """Return a table whose fields are of four bytes: numbers, or offsets to other parts."""

    def write(buffer: bytearray) -> int:
        slots = max(fields, default=-1) + 1
        layout = struct.pack("<2H", 4 + 2 * slots, 4 + 4 * len(fields))
        order = list(fields)
        layout += b"".join(struct.pack("<H", 4 + 4 * order.index(it) if it in fields else 0) for it in range(slots))
        buffer += bytes(-(len(buffer) + len(layout)) % 4) + layout
        start = len(buffer)
        buffer += number(len(layout))
        for value in fields.values():
            buffer += number(value) if isinstance(value, int) else bytes(4)
        places = [start + 4 + 4 * at for at, value in enumerate(fields.values()) if not isinstance(value, int)]
        offsets(buffer, places, [value for value in fields.values() if not isinstance(value, int)])
        return start

    return write


def vector(*parts: Part) -> Part:
    def write(buffer: bytearray) -> int:
        buffer += bytes(-len(buffer) % 4)
        start = len(buffer)
        buffer += number(len(parts)) + bytes(4 * len(parts))
        offsets(buffer, list(range(start + 4, start + 4 + 4 * len(parts), 4)), list(parts))
        return start

    return write


def raw(content: bytes, end: bytes = b"") -> Part:
    """Return bytes with their length in front: data, or, with a zero behind, text."""

    def write(buffer: bytearray) -> int:
        buffer += bytes(-len(buffer) % 4)
        start = len(buffer)
        buffer += number(len(content)) + content + end
        return start

    return write


def text(content: str) -> Part:
    return raw(content.encode(), b"\0")


def shared(part: Part) -> Part:
    """Return a part that is written once, and pointed to from wherever it is used."""
    places: list[int] = []

    def write(buffer: bytearray) -> int:
        if not places:
            places.append(part(buffer))
        return places[0]

    return write


def model(fields: dict[int, int | Part]) -> bytes:
    buffer = bytearray(4) + b"TFL3"
    buffer[:4] = number(table({0: 3, **fields})(buffer))
    return bytes(buffer)


def operator(name: str) -> bytes:
    return model({1: vector(table({1: text(name)}))})


CODES = shared(vector(table({1: text("Evil")})))
PLAIN = model({1: vector(table({3: 9})), 3: text("honest"), 4: vector(table({}), table({0: raw(b"\1\2\3\4")}))})

ATTACKS: dict[str, tuple[bytes, Verdict, str]] = {
    "custom": (operator("Evil"), Verdict.REVIEW, "Evil is not one of TensorFlow Lite's own"),
    "Flex": (operator("FlexRelu"), Verdict.REVIEW, "FlexRelu"),
    "Flex that reads": (operator("FlexReadFile"), Verdict.UNSAFE, "FlexReadFile reads files"),
    "Flex that runs": (operator("FlexEagerPyFunc"), Verdict.UNSAFE, "runs Python"),
    "tail": (PLAIN + b"hidden", Verdict.UNSCANNED, "nothing reaches"),
    "hidden": (PLAIN[:8] + b"hide" + PLAIN[8:], Verdict.UNSCANNED, "FlatBuffer"),
    "unknown field": (model({77: 1}), Verdict.UNSCANNED, "unknown field 77"),
    "other file": (model({8: vector(table({0: text("/etc/x")}))}), Verdict.UNSCANNED, "in another file"),
    "root beyond": (number(1 << 31) + PLAIN[4:], Verdict.UNSCANNED, "cut short"),
    "part in a part": (
        PLAIN[:4] + b"TFL3" + PLAIN[8:].replace(number(4) + b"\1\2\3\4", number(1) + b"\1\2\3\4"), Verdict.UNSCANNED,
        "nothing reaches",
    ),
    "two things at once": (
        model({5: CODES, 1: CODES}), Verdict.UNSCANNED, "two different parts",
    ),
    "endless": (model({2: vector(*[table({})] * 2)})[:-8], Verdict.UNSCANNED, "FlatBuffer"),
}  # fmt: skip


@pytest.mark.parametrize("path", HONEST, ids=lambda path: path.stem)
def test_what_tensorflow_wrote_is_safe(path: Path) -> None:
    assert judged(path.read_bytes())[0] is Verdict.SAFE, reasons(path.read_bytes())


@pytest.mark.parametrize("content", [PLAIN, operator("TFLite_Detection_PostProcess")], ids=["plain", "shipped"])
def test_what_computes_is_safe(content: bytes) -> None:
    assert judged(content)[0] is Verdict.SAFE, reasons(content)


@pytest.mark.parametrize("name", ATTACKS)
def test_is_stopped_and_named(name: str) -> None:
    content, verdict, because = ATTACKS[name]
    said = reasons(content)
    assert because in said
    assert judged(content)[0] is verdict, said


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_what_was_cut_or_changed_crashes_nothing(data: st.DataObject) -> None:
    assert judged(PLAIN[: data.draw(st.integers(8, len(PLAIN) - 1))])[0] is not Verdict.SAFE
    changed = bytearray(PLAIN)
    changed[data.draw(st.integers(0, len(PLAIN) - 1))] = data.draw(st.integers(0, 255))
    assert "failed" not in judged(bytes(changed))[1]
