"""GGUF: chat templates that leave the sandbox, and headers that lie about what follows."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from corpus.hostile import Case, Family
from corpus.hostile.assembler import SYSTEM, stream
from corpus.hostile.templates import HOSTILE

GGUF = Family("gguf")
RUNS = "runs Python when the first prompt is rendered (CVE-2024-34359)"
TEMPLATE = "tokenizer.chat_template"


def text(value: str) -> bytes:
    """Return a GGUF string."""
    return struct.pack("<Q", len(value.encode())) + value.encode()


def pair(key: str, value: str) -> bytes:
    """Return a key with a string."""
    return text(key) + struct.pack("<L", 8) + text(value)


def gguf(*pairs: bytes, tensors: bytes = b"", count: int = 0, data: bytes = b"", version: int = 3) -> bytes:
    """Return a GGUF file (ggml's gguf.md): header, pairs, tensor descriptions, data at 32 bytes."""
    described = [pair("general.architecture", "llama"), *pairs]
    header = struct.pack("<4sLQQ", b"GGUF", version, count, len(described)) + b"".join(described) + tensors
    return header + (bytes(-len(header) % 32) + data if data else b"")


def tensor(name: str, size: int, kind: int = 0, offset: int = 0) -> bytes:
    """Return a tensor's description, of one dimension."""
    return text(name) + struct.pack("<LQLQ", 1, size, kind, offset)


def cases() -> Iterator[Case]:
    for name in (
        "attributes",
        "subscripts",
        "attr filter",
        "lipsum",
        "cycler",
        "concatenation",
        "escapes",
        "in a macro",
    ):
        yield GGUF.case(f"template, {name}", "model.gguf", gguf(pair(TEMPLATE, HOSTILE[name])), RUNS)
    template = HOSTILE["attributes"]
    yield GGUF.case("named template", "model.gguf", gguf(pair(TEMPLATE + ".tool_use", template)), RUNS)
    yield GGUF.case("other key", "model.gguf", gguf(pair("adapter.prompt_template", template)), RUNS)
    yield GGUF.case(
        "array of templates", "model.gguf",
        gguf(text("tokenizer.chat_templates") + struct.pack("<LLQ", 9, 8, 2) + text("fine") + text(template)), RUNS,
    )  # fmt: skip
    yield GGUF.case(
        "two templates", "model.gguf", gguf(pair(TEMPLATE, "{{ messages }}"), pair(TEMPLATE, template)), RUNS, held=True
    )
    yield GGUF.case("version 2", "model.gguf", gguf(pair(TEMPLATE, template), version=2), RUNS)
    yield GGUF.case("without an ending", "model", gguf(pair(TEMPLATE, template)), RUNS)
    yield GGUF.case(
        "with tensors",
        "model.gguf",
        gguf(pair(TEMPLATE, template), tensors=tensor("w", 8), count=1, data=bytes(32)),
        RUNS,
    )
    honest = gguf(pair(TEMPLATE, "{{ messages }}"))
    for name, data in {
        "too many pairs": struct.pack("<4sLQQ", b"GGUF", 3, 0, 1 << 40) + honest[24:],
        "too many tensors": struct.pack("<4sLQQ", b"GGUF", 3, 1 << 40, 2) + honest[24:],
        "long string": gguf(struct.pack("<Q", 1 << 62) + b"key"),
        "long array": gguf(text("a") + struct.pack("<LLQ", 9, 8, 1 << 60)),
        "unknown type": gguf(text("a") + struct.pack("<L", 77) + bytes(8)),
        "truncated": honest[:-9],
        "tensor beyond the end": gguf(tensors=tensor("w", 1 << 40), count=1, data=bytes(32)),
        "overlapping tensors": gguf(tensors=tensor("a", 8) + tensor("b", 8), count=2, data=bytes(32)),
        "pickle behind the tensors": gguf(tensors=tensor("w", 8), count=1, data=bytes(32)) + stream(SYSTEM),
        "template that does not parse": gguf(pair(TEMPLATE, "{% if %}{{")),
    }.items():
        yield GGUF.case(name, "model.gguf", data, "reads past its buffers, or hides what follows", held=True)
