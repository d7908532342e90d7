"""numpy arrays: the header is a literal that must describe every byte behind it; objects are a pickle and judged as one.

Source: numpy/lib/format.py, NEP 1. The header is read as Python literals, as numpy reads it, and limited as there.
"""

from __future__ import annotations

import ast
import math
import re
from typing import Any, BinaryIO

from weighlock.scanners import Blob
from weighlock.scanners.reading import UnclearError, exactly, number, section
from weighlock.scanners.strict.notes import Notes
from weighlock.scanners.strict.pickle import judge
from weighlock.scanners.strict.syntax import parsed

HEADER_LIMIT = 10_000  # bytes, as in numpy

_SIMPLE = re.compile(r"[<>|=]?([biufcSVUmM?O])(\d{0,6})(?:\[[0-9a-zA-Z]{1,8}\])?")


def npy(blob: Blob, stream: BinaryIO, notes: Notes) -> None:
    """Check the header against the file's size."""
    magic = exactly(stream, 8, "the numpy header")
    width = {1: 2, 2: 4, 3: 4}.get(magic[6])
    if width is None or magic[7]:
        raise UnclearError(f"numpy's format version {magic[6]}.{magic[7]} is unknown")
    length = number(stream, width, "the numpy header's length")
    shape, size = _header(exactly(stream, length, "the numpy header", HEADER_LIMIT), magic[6])
    start = 8 + width + length
    if size is None:
        judge("pickle", section(stream, start, blob.size - start), notes)
    elif math.prod(shape) * size != blob.size - start:
        raise UnclearError(f"the numpy header describes {math.prod(shape) * size} bytes, {blob.size - start} follow it")


def _header(raw: bytes, version: int) -> tuple[tuple[int, ...], int | None]:
    """Return the shape and the size in bytes of an element, None for objects."""
    try:
        header = ast.literal_eval(
            parsed(raw.decode("utf-8" if version == 3 else "latin-1"), "eval", "the numpy header")
        )
    except (ValueError, TypeError, RecursionError, MemoryError) as error:
        raise UnclearError(f"the numpy header is no literal: {type(error).__name__}") from None
    if not isinstance(header, dict) or set(header) != {"descr", "fortran_order", "shape"}:
        raise UnclearError("the numpy header is not made of descr, fortran_order and shape")
    shape = header["shape"]
    if not isinstance(shape, tuple) or not all(type(item) is int and item >= 0 for item in shape):
        raise UnclearError("the numpy header's shape is no tuple of counts")
    return shape, _size(header["descr"])


def _size(described: Any) -> int | None:
    """Return the bytes of one element of this dtype, None where an object is in it."""
    if isinstance(described, str) and (match := _SIMPLE.fullmatch(described)):
        count = int(match[2] or (1 if match[1] == "?" else 0))
        return None if match[1] == "O" else count * 4 if match[1] == "U" else count
    if isinstance(described, list) and described:
        parts = [_field(part) for part in described]
        return None if None in parts else sum(part or 0 for part in parts)
    raise UnclearError("the numpy header's dtype is not understood")


def _field(part: Any) -> int | None:
    if not isinstance(part, tuple) or not 2 <= len(part) <= 3 or not _is_name(part[0]):
        raise UnclearError("the numpy header's dtype is not understood")
    size = _size(part[1])
    shape = part[2] if len(part) == 3 else ()
    if not isinstance(shape, tuple) or not all(type(item) is int and item >= 0 for item in shape):
        raise UnclearError("the numpy header's dtype is not understood")
    return None if size is None else size * math.prod(shape)


def _is_name(name: Any) -> bool:
    """Tell whether this is a field's name, or its title and name."""
    both = isinstance(name, tuple) and len(name) == 2 and all(isinstance(part, str) for part in name)
    return isinstance(name, str) or both
