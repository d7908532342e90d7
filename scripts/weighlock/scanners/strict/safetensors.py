"""safetensors: the header is JSON that must describe every byte behind it; the tensors are never read.

Rule (huggingface/safetensors, README "Format", and what its reader refuses): length of at most 100 MB, an object with
unique keys, each tensor's shape x dtype equal to its span, the spans gapless and in sum the rest of the file.
"""

from __future__ import annotations

import json
import math
from typing import Any, BinaryIO

from weighlock.scanners import Blob
from weighlock.scanners.reading import UnclearError, exactly, number
from weighlock.scanners.strict.notes import Notes

HEADER_LIMIT = 100_000_000  # bytes, as in the reference reader

_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "C64": 64, "F64": 64, "I64": 64,
    "U64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip


def safetensors(blob: Blob, stream: BinaryIO, _notes: Notes) -> None:
    """Check the header against the file's size."""
    length = number(stream, 8, "the header's length")
    if length > HEADER_LIMIT:
        raise UnclearError(f"a safetensors header of {length} bytes, the limit is {HEADER_LIMIT}")
    header = _header(exactly(stream, length, "the safetensors header"))
    end = 0
    for start, stop, name in sorted(_span(name, tensor) for name, tensor in header.items() if name != "__metadata__"):
        if start != end:
            raise UnclearError(f"tensor {name} starts at {start}, the one before ends at {end}: a hole or an overlap")
        end = stop
    behind = blob.size - 8 - length
    if end != behind:
        raise UnclearError(f"the header describes {end} bytes, {behind} bytes follow it")


def _header(raw: bytes) -> dict[str, Any]:
    try:
        header = json.loads(raw.decode(), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise UnclearError(f"the safetensors header is not valid: {error}") from None
    if not isinstance(header, dict):
        raise UnclearError("the safetensors header is no object")
    notes = header.get("__metadata__", {})
    if not isinstance(notes, dict) or not all(isinstance(value, str) for value in notes.values()):
        raise UnclearError("the safetensors header's __metadata__ is not a map of strings")
    return header


def _span(name: str, tensor: Any) -> tuple[int, int, str]:
    if not isinstance(tensor, dict) or set(tensor) != {"dtype", "shape", "data_offsets"}:
        raise UnclearError(f"tensor {name} is not described by dtype, shape and data_offsets")
    shape, offsets = tensor["shape"], tensor["data_offsets"]
    bits = _BITS.get(str(tensor["dtype"]))
    if bits is None:
        raise UnclearError(f"tensor {name} has the unknown dtype {tensor['dtype']}")
    if not _counts(shape) or not _counts(offsets) or len(offsets) != 2:
        raise UnclearError(f"tensor {name} has a shape or offsets that are no counts")
    if math.prod(shape) * bits != (offsets[1] - offsets[0]) * 8:
        raise UnclearError(f"tensor {name} spans {offsets[1] - offsets[0]} bytes, its shape and dtype say otherwise")
    return offsets[0], offsets[1], name


def _counts(value: Any) -> bool:
    plain = isinstance(value, list) and len(value) <= 64
    return plain and all(type(item) is int and 0 <= item < 1 << 63 for item in value)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key stands twice")
    return document
