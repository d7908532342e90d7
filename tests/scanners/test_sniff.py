"""Formats are found by content, in one streaming read, whatever the chunks are."""

from __future__ import annotations

import io
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hostile
from weighlock.scanners.sniff import TAIL, Sniffer, recognised


def fed(*chunks: bytes) -> Sniffer:
    sniffer = Sniffer()
    for chunk in chunks:
        sniffer.feed(chunk)
    return sniffer


def found(content: bytes) -> str:
    return recognised(fed(content), lambda: io.BytesIO(content))


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"words", "text"),
        ("\ufeff[1]".encode(), "json"),
        ("näher".encode(), "text"),
        ("näher".encode()[:2], "unknown"),
        (b"a\0b", "unknown"),
        (b"a\x01b", "unknown"),
        (hostile.POINTER, "lfs pointer"),
        (hostile.POINTER + b"x" * 1024, "text"),
        (hostile.CALL, "pickle"),
        (b"cos\nsin\ntan\n", "text"),
        (b"cos\nsystem\n.and more", "pickle"),
        (b"N.and more", "text"),
        (b"class: net\nname: x\n", "text"),
        (b"x^2 + y^2 = z^2", "text"),
        (hostile.onnx(), "onnx"),
        (hostile.safetensors({}, b""), "safetensors"),
        (hostile.tarred({"a": b"b"}), "tar"),
        (hostile.png(tail=hostile.zipped({"a": b"b"})), "zip"),
        (b"junk" + hostile.zipped({}), "zip"),
        *((pack(b"text"), kind) for kind, pack in hostile.COMPRESSIONS.items()),
    ],
    ids=repr,
)
def test_content_decides(content: bytes, word: str) -> None:
    assert found(content) == word


@given(st.text(max_size=50), st.lists(st.integers(0, 200), max_size=5))
def test_chunks_make_no_difference(text: str, cuts: list[int]) -> None:
    content = text.encode()
    places = [0, *sorted(cuts), len(content)]
    cut = fed(*(content[a:b] for a, b in itertools.pairwise(places)))
    assert (cut.format(), cut.text, cut.head, cut.tail) == (
        fed(content).format(),
        fed(content).text,
        fed(content).head,
        fed(content).tail,
    )


def test_memory_stays_constant() -> None:
    sniffer = fed(*[b"x" * 1_000_000] * 5)
    assert sniffer.size == 5_000_000
    assert len(sniffer.head) + len(sniffer.tail) <= 4096 + TAIL
