"""Core ML models and weights: what an application would have to bring is for review, paths lead nowhere else."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostile import field
from judging import judged, reasons
from weighlock.scanners import Verdict

DESCRIPTION = field(2, field(1, field(1, "x")) + field(10, field(1, "y")))


def model(number: int, content: bytes) -> bytes:
    return field(1, 4) + DESCRIPTION + field(number, content)


def program(operation: bytes = b"", path: str = "@model_path/weights/weight.bin") -> bytes:
    """Return an ML program whose constant lies in a file of weights."""
    constant = field(1, "const") + field(5, field(1, "val") + field(2, field(5, field(1, path) + field(2, 64))))
    block = field(3, constant) + operation
    function = field(3, field(1, "CoreML7") + field(2, block))
    return model(502, field(1, 1) + field(2, field(1, "main") + field(2, function)))


def layer(number: int, content: bytes) -> bytes:
    return model(500, field(1, field(1, "l") + field(number, content)))


def weights(*blobs: bytes, version: int = 2, sentinel: int = 0xDEADBEEF) -> bytes:
    content = struct.pack("<2L", len(blobs), version).ljust(64, b"\0")
    for blob in blobs:
        content += bytes(-len(content) % 64)
        content += struct.pack("<2L2Q", sentinel, 1, len(blob), len(content) + 64).ljust(64, b"\xab") + blob
    return content


HONEST = {
    "linear": model(300, field(1, field(1, b"\0" * 8)) + field(2, b"\0" * 8)),
    "program": program(),
    "layers": layer(130, field(10, b"")),
    "weights": weights(b"\1" * 70, b"\2" * 3),
    "no weights": weights(b"", b""),
}

ATTACKS: dict[str, tuple[bytes, Verdict, str]] = {
    "custom model": (model(555, field(10, "Evil")), Verdict.REVIEW, "a custom model"),
    "custom layer": (layer(500, field(10, "Evil")), Verdict.REVIEW, "a custom layer"),
    "in a pipeline": (model(202, field(1, model(555, field(10, "Evil")))), Verdict.REVIEW, "a custom model"),
    "custom operation": (program(field(3, field(1, "Custom_evil"))), Verdict.REVIEW, "a custom operation"),
    "linked": (model(556, field(1, field(1, field(1, "x")))), Verdict.REVIEW, "a linked model"),
    "serialized": (model(3000, field(1, "x") + field(2, b"\0")), Verdict.REVIEW, "a serialized model"),
    "weights outside": (program(path="/etc/passwd"), Verdict.UNSAFE, "/etc/passwd"),
    "weights above": (program(path="@model_path/../../x"), Verdict.UNSAFE, "outside the model"),
    "unknown field": (program() + field(2999, b"x"), Verdict.UNSCANNED, "unknown field 2999"),
    "other version": (weights(b"1", version=2) [:4] + b"\3" + weights(b"1")[5:], Verdict.UNSCANNED, "no rule"),
    "no blob": (weights(b"1" * 64, b"2").replace(b"\xef\xbe", b"\xef\xbf").replace(b"\xef\xbf", b"\xef\xbe", 1),
                Verdict.UNSCANNED, "without a blob"),
    "weights cut": (weights(b"1" * 64)[:-1], Verdict.UNSCANNED, "cut short"),
    "weights' tail": (weights(b"1") + b"hidden" * 20, Verdict.UNSCANNED, "the file has"),
}  # fmt: skip


@pytest.mark.parametrize("name", HONEST)
def test_data_is_safe(name: str) -> None:
    assert judged(HONEST[name])[0] is Verdict.SAFE, reasons(HONEST[name])


@pytest.mark.parametrize("name", ATTACKS)
def test_is_stopped_and_named(name: str) -> None:
    content, verdict, because = ATTACKS[name]
    said = reasons(content)
    assert because in said
    assert judged(content)[0] is verdict, said


@given(st.sampled_from(sorted(HONEST)), st.data())
@settings(max_examples=150, deadline=None)
def test_a_changed_byte_crashes_nothing(name: str, data: st.DataObject) -> None:
    changed = bytearray(HONEST[name])
    for _ in range(2):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    assert "failed" not in judged(bytes(changed))[1]
