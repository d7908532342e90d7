"""GGUF: every byte is described, and every template is judged."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from judging import judged, reasons
from weighlock.scanners import Verdict

STRING, ARRAY, U32, U64, F32 = 8, 9, 4, 10, 6


def string(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def pair(key: str, kind: int, value: bytes) -> bytes:
    return string(key) + struct.pack("<L", kind) + value


def array(kind: int, items: Iterable[bytes]) -> bytes:
    listed = list(items)
    return struct.pack("<LQ", kind, len(listed)) + b"".join(listed)


def tensor(name: str, shape: list[int], *, kind: int = 0, offset: int = 0) -> bytes:
    return string(name) + struct.pack(f"<L{len(shape)}QLQ", len(shape), *shape, kind, offset)


ARCHITECTURE = pair("general.architecture", STRING, string("llama"))
WEIGHTS = (tensor("a", [32, 2], kind=8), tensor("b", [3], offset=96))


def gguf(*pairs: bytes, tensors: tuple[bytes, ...] = WEIGHTS, data: bytes | None = None, **more: Any) -> bytes:
    """Return a file with these key-values, a quantised tensor of 68 bytes and one of three floats."""
    version, alignment = more.get("version", 3), more.get("alignment", 32)
    entries = (ARCHITECTURE, *pairs)
    head = b"GGUF" + struct.pack("<LQQ", version, more.get("tensors", len(tensors)), more.get("pairs", len(entries)))
    head += b"".join(entries) + b"".join(tensors)
    body = b"\1" * 68 + bytes(28) + b"\2" * 12 + bytes(20) if data is None else data
    return head + bytes(-len(head) % alignment) + body


def templated(key: str, source: str) -> bytes:
    return gguf(pair(key, STRING, string(source)))


HONEST = {
    "plain": gguf(),
    "version 2": gguf(version=2),
    "no padding at the end": gguf(data=b"\1" * 68 + bytes(28) + b"\2" * 12),
    "vocabulary only": gguf(
        pair("tokenizer.ggml.tokens", ARRAY, array(STRING, [string("a"), string("é")])), tensors=(), data=b""
    ),
    "scores": gguf(pair("tokenizer.ggml.scores", ARRAY, array(F32, [bytes(4)] * 9))),
    "aligned to 64": gguf(
        pair("general.alignment", U32, struct.pack("<L", 64)),
        tensors=(tensor("a", [3]), tensor("b", [3], offset=64)),
        data=b"\1" * 12 + bytes(52) + b"\2" * 12,
        alignment=64,
    ),
    "template": templated(
        "tokenizer.chat_template", "{% for m in messages %}{{ m['role'] + ': ' + m['content'] }}{% endfor %}"
    ),
}

STOPPED = {
    "template that reaches out": (templated("tokenizer.chat_template", "{{ lipsum.__globals__ }}"), Verdict.UNSAFE, "lipsum"),
    "template under a name": (templated("tokenizer.chat_template.tools", "{{ x.__class__ }}"), Verdict.UNSAFE, "__class__"),
    "template elsewhere": (templated("my.Prompt_TEMPLATE", "{{ x['__mro__'] }}"), Verdict.UNSAFE, "__mro__"),
    "templates in a list": (
        gguf(pair("templates", ARRAY, array(STRING, [string("{{ a }}"), string("{{ a|attr(b) }}")]))),
        Verdict.UNSAFE,
        "builds",
    ),
    "template that breaks": (templated("chat_template", "{% for %}"), Verdict.UNSCANNED, "does not parse"),
    "template too long": (templated("chat_template", "{{ a }}" * 40_000), Verdict.UNSCANNED, "the limit"),
    "version 1": (gguf(version=1), Verdict.UNSCANNED, "version 1"),
    "big-endian": (gguf(version=3 << 24), Verdict.UNSCANNED, "big-endian"),
    "too many pairs": (gguf(pairs=1 << 40), Verdict.UNSCANNED, "the limit"),
    "too many tensors": (gguf(tensors=(), data=b"")[:8] + struct.pack("<QQ", 1 << 40, 0), Verdict.UNSCANNED, "the limit"),
    "long string": (gguf(string("k") + struct.pack("<LQ", STRING, 1 << 60)), Verdict.UNSCANNED, "beyond the file"),
    "long array": (gguf(string("k") + struct.pack("<LLQ", ARRAY, U32, 1 << 60)), Verdict.UNSCANNED, "the limit"),
    "many strings": (gguf(string("k") + struct.pack("<LLQ", ARRAY, STRING, 1 << 40)), Verdict.UNSCANNED, "strings"),
    "array in an array": (gguf(pair("k", ARRAY, array(ARRAY, [bytes(12)]))), Verdict.UNSCANNED, "array in an array"),
    "unknown type": (gguf(pair("k", 13, bytes(4))), Verdict.UNSCANNED, "type 13"),
    "key twice": (gguf(ARCHITECTURE), Verdict.UNSCANNED, "twice"),
    "unknown tensor type": (gguf(tensors=(tensor("a", [32], kind=4),)), Verdict.UNSCANNED, "unknown type 4"),
    "half a block": (gguf(tensors=(tensor("a", [31], kind=8),)), Verdict.UNSCANNED, "blocks"),
    "five dimensions": (gguf(tensors=(tensor("a", [1] * 5),)), Verdict.UNSCANNED, "5 dimensions"),
    "overlap": (gguf(tensors=(WEIGHTS[0], tensor("b", [3], offset=64))), Verdict.UNSCANNED, "overlap"),
    "hole": (gguf(tensors=(tensor("a", [3], offset=32),), data=bytes(44)), Verdict.UNSCANNED, "hole"),
    "beyond the file": (gguf(tensors=(tensor("a", [1 << 40]),)), Verdict.UNSCANNED, "beyond the file"),
    "alignment of nothing": (gguf(pair("general.alignment", U32, bytes(4))), Verdict.UNSCANNED, "aligned"),
    "full padding": (gguf(data=b"\1" * 96 + b"\2" * 12), Verdict.UNSCANNED, "no tensor"),
    "tail": (gguf() + b"tail", Verdict.UNSCANNED, "ends at byte"),
    "full last padding": (gguf(data=b"\1" * 68 + bytes(28) + b"\2" * 32), Verdict.UNSCANNED, "no tensor"),
}  # fmt: skip


@pytest.mark.parametrize("name", HONEST)
def test_honest_files_are_safe(name: str) -> None:
    assert judged(HONEST[name])[0] is Verdict.SAFE, reasons(HONEST[name])


@pytest.mark.parametrize("name", STOPPED)
def test_is_stopped_and_named(name: str) -> None:
    content, verdict, because = STOPPED[name]
    assert because in reasons(content)
    assert judged(content)[0] is verdict


@given(length=st.integers(8, len(HONEST["template"]) - 33))
@settings(max_examples=60, deadline=None)
def test_what_was_cut_is_never_safe(length: int) -> None:
    verdict, reason = judged(HONEST["template"][:length])
    assert verdict is not Verdict.SAFE
    assert "failed" not in reason


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_changed_bytes_crash_nothing(data: st.DataObject) -> None:
    content = bytearray(HONEST["template"])
    for _ in range(4):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    assert "failed" not in judged(bytes(content))[1]


@given(st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
def test_random_bytes_are_never_safe(rest: bytes) -> None:
    verdict, reason = judged(b"GGUF\3\0\0\0" + rest)
    assert "failed" not in reason
    assert verdict is not Verdict.SAFE or rest[:16].strip(b"\0") == b""
