"""SentencePiece tokenizers and XGBoost's binary JSON: data to the last byte, or unclear."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostile import field
from judging import judged, reasons
from weighlock.scanners import Verdict

XGBOOST = sorted((Path(__file__).parents[1] / "corpus" / "honest" / "xgboost").glob("*.ubj"))


def piece(text: str, kind: int | None = None) -> bytes:
    score = b"\x15" + struct.pack("<f", -1.5)
    return field(1, field(1, text) + score + (field(3, kind) if kind else b""))


def key(text: str) -> bytes:
    return b"L" + struct.pack(">q", len(text)) + text.encode()


TOKENS = piece("<unk>", 2) + piece("<s>", 3) + piece("\u2581the") + piece("\x01") + field(2, field(3, 2) + field(4, 3))
TREES = (
    b"{" + key("learner")
    + b"{" + key("numbers") + b"[$d#L" + struct.pack(">q2f", 2, 1, 2)
    + key("mixed") + b"[i\1" + b"S" + key("x") + b"ZTF]"
    + key("typed") + b"{$i#i\1" + key("y") + b"\5"
    + key("empty") + b"{}" + b"}" + key("version") + b"[#i\2l\0\0\0\3U\xff" + b"}"
)  # fmt: skip

UNCLEAR: dict[str, tuple[bytes, str]] = {
    "tokens with more": (TOKENS + field(99, b"x"), "no rule"),
    "tokens stored otherwise": (TOKENS + field(1, field(1, "x") + field(2, b"ReadFile")), "stored otherwise"),
    "tokens cut": (TOKENS[:-1], "no rule"),
    "tail": (TREES + b"hidden", "bytes follow"),
    "cut": (TREES[:-1], "cut short"),
    "long array": (TREES.replace(struct.pack(">q", 2), struct.pack(">q", 1 << 60)), "cut short"),
    "negative": (TREES.replace(struct.pack(">q", 2), struct.pack(">q", -2)), "below zero"),
    "no length": (TREES.replace(b"[$d#", b"[$dL"), "without its length"),
    "no integer": (TREES.replace(b"[#i\2", b"[#S\2"), "no integer"),
    "unknown type": (TREES.replace(b"ZTF", b"ZTX"), "unknown type"),
    "deep": (b"{" + key("a") + b"[" * 5000, "too deeply"),
    "typed and deep": (b"{" + key("a") + b"[$[#i\1" * 5000, "too deeply"),
}


@pytest.mark.parametrize("content", [TOKENS, TREES], ids=["tokens", "trees"])
def test_data_is_safe(content: bytes) -> None:
    assert judged(content)[0] is Verdict.SAFE, reasons(content)


@pytest.mark.parametrize("path", XGBOOST, ids=lambda path: path.stem)
def test_what_xgboost_wrote_is_safe(path: Path) -> None:
    assert judged(path.read_bytes())[0] is Verdict.SAFE, reasons(path.read_bytes())


@pytest.mark.parametrize("name", UNCLEAR)
def test_what_is_no_whole_document_is_unclear(name: str) -> None:
    content, because = UNCLEAR[name]
    said = reasons(content)
    assert because in said
    assert judged(content)[0] is Verdict.UNSCANNED, said


def test_a_count_of_nothings_is_not_walked_for_ever() -> None:
    nothing = b"{" + key("a") + b"[$Z#L" + struct.pack(">q", 1 << 60) + b"}"
    assert judged(nothing)[0] is Verdict.SAFE
    many = b"{" + key("a") + b"[$[#L" + struct.pack(">q", 1 << 60) + b"]" * 50
    assert judged(many)[0] is Verdict.UNSCANNED


@given(st.sampled_from([TOKENS, TREES]), st.data())
@settings(max_examples=200, deadline=None)
def test_a_changed_byte_crashes_nothing(content: bytes, data: st.DataObject) -> None:
    changed = bytearray(content)
    for _ in range(2):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    assert "failed" not in judged(bytes(changed))[1]
