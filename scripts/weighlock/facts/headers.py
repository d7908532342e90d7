"""The headers of safetensors, GGUF and ONNX: which tensors there are, and what else they say. Tensors are never read.

Sources: as in the formats' rules (`weighlock.scanners.strict`), which have judged the same bytes before.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from weighlock.scanners import protobuf
from weighlock.scanners.reading import UnclearError, exactly, number

HEADER_LIMIT = 25_000_000  # bytes of JSON
TENSORS = 100_000  # in one file
TEXT = 400_000  # bytes of a string that is kept

_GGML = {0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K",
         13: "Q5_K", 14: "Q6_K", 15: "Q8_K", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 30: "BF16"}  # fmt: skip
_WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING, _ARRAY = 8, 9
_SAID = {"general.license": "licence", "general.base_model.0.repo_url": "base model"}
_ONNX = {
    1: "F32",
    2: "U8",
    3: "I8",
    5: "I16",
    6: "I32",
    7: "I64",
    8: "STRING",
    9: "BOOL",
    10: "F16",
    11: "F64",
    16: "BF16",
}


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself: tensors with dtype and shape, templates, and what belongs on a model card."""

    tensors: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    card: Mapping[str, str] = field(default_factory=dict)


def read(form: str, stream: BinaryIO, size: int) -> Header:
    """Return what the file of this format says; nothing for other formats. `UnclearError` where it is broken."""
    reader = _READERS.get(form)
    return reader(stream, size) if reader else Header()


def _safetensors(stream: BinaryIO, _size: int) -> Header:
    raw = exactly(stream, number(stream, 8, "the header's length"), "the safetensors header", HEADER_LIMIT)
    try:
        header = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise UnclearError(str(error)) from None
    entries = header.items() if isinstance(header, dict) else ()
    tensors = {
        name: _shape(entry.get("dtype"), entry.get("shape")) for name, entry in entries if _is_tensor(name, entry)
    }
    return Header(tensors)


def _is_tensor(name: str, entry: Any) -> bool:
    return name != "__metadata__" and isinstance(entry, dict)


def _shape(kind: Any, shape: Any) -> str:
    sizes = shape if isinstance(shape, list) else []
    return f"{kind} [{', '.join(str(size) for size in sizes)}]"[:200]


def _gguf(stream: BinaryIO, _size: int) -> Header:
    exactly(stream, 8, "the GGUF header")
    tensors, pairs = number(stream, 8, "the GGUF header"), number(stream, 8, "the GGUF header")
    if max(tensors, pairs) > TENSORS:
        raise UnclearError("more entries than are compared")
    texts: dict[str, str] = {}
    said: dict[str, str] = {}
    for _ in range(pairs):
        key = _string(stream)
        value = _value(stream, number(stream, 4, "a GGUF type"))
        if value is not None and "template" in key.lower():
            texts[key] = value
        elif value is not None and key in _SAID:
            said[_SAID[key]] = value
    return Header(dict(_gguf_tensor(stream) for _ in range(tensors)), texts, said)


def _gguf_tensor(stream: BinaryIO) -> tuple[str, str]:
    name = _string(stream)
    count = number(stream, 4, "a tensor's dimensions")
    if count > 4:
        raise UnclearError("a tensor of more than four dimensions")
    shape = [number(stream, 8, "a tensor's shape") for _ in range(count)]
    kind = number(stream, 4, "a tensor's type")
    number(stream, 8, "a tensor's offset")
    return name, _shape(_GGML.get(kind, f"type {kind}"), shape[::-1])


def _string(stream: BinaryIO) -> str:
    return exactly(stream, number(stream, 8, "a length"), "a string", TEXT).decode("utf-8", "backslashreplace")


def _value(stream: BinaryIO, kind: int) -> str | None:
    """Return a string; pass over anything else."""
    if kind == _STRING:
        return _string(stream)
    if kind != _ARRAY:
        exactly(stream, _width(kind), "a value")
        return None
    inner, count = number(stream, 4, "a GGUF type"), number(stream, 8, "a GGUF length")
    if inner == _STRING:
        for _ in range(count):
            stream.seek(number(stream, 8, "a length"), os.SEEK_CUR)
    else:
        stream.seek(count * _width(inner), os.SEEK_CUR)
    return None


def _width(kind: int) -> int:
    if kind not in _WIDTHS:
        raise UnclearError("a value of an unknown type")
    return _WIDTHS[kind]


def _onnx(stream: BinaryIO, size: int) -> Header:
    tensors: dict[str, str] = {}
    for graph in _messages(stream, 0, size, 7):
        for tensor in _messages(stream, graph.start, graph.start + graph.length, 5):
            if len(tensors) >= TENSORS:
                raise UnclearError("more tensors than are compared")
            name, kind = _onnx_tensor(stream, tensor)
            tensors[name] = kind
    return Header(tensors)


def _onnx_tensor(stream: BinaryIO, tensor: protobuf.Field) -> tuple[str, str]:
    name, kind, shape = "", 0, []
    for item in protobuf.fields(stream, tensor.start, tensor.start + tensor.length):
        if item.number == 1 and item.wire == protobuf.VARINT:
            shape.append(item.value)
        elif item.number == 1:
            shape += _packed(protobuf.content(stream, item, TEXT))
        elif item.number == 2:
            kind = item.value
        elif item.number == 8:
            name = protobuf.content(stream, item, TEXT).decode("utf-8", "backslashreplace")
    return name, _shape(_ONNX.get(kind, f"type {kind}"), shape)


def _packed(data: bytes) -> Iterator[int]:
    value, shift = 0, 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            yield value
            value, shift = 0, 0


def _messages(stream: BinaryIO, start: int, end: int, wanted: int) -> Iterator[protobuf.Field]:
    return (
        item for item in protobuf.fields(stream, start, end) if (item.number, item.wire) == (wanted, protobuf.BYTES)
    )


_READERS: Mapping[str, Callable[[BinaryIO, int], Header]] = {
    "safetensors": _safetensors,
    "gguf": _gguf,
    "onnx": _onnx,
}
