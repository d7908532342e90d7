"""Arrays whose bytes stand between the operations of a pickle: what joblib 0.10 and later write.

Where state is put onto a `NumpyArrayWrapper`, joblib's loader reads the array from the file, at that place, and goes on
behind it: shape times size of an element, or a pickle of its own where the elements are objects. Whoever gets that
length wrong reads numbers as operations, or operations as numbers, so anything but the state that joblib itself writes
is refused. Source: joblib/numpy_pickle.py; numpy/_core/src/multiarray/descriptor.c, `arraydescr_setstate`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from weighlock.scanners.pickles.things import NONE, Thing
from weighlock.scanners.reading import UnclearError

WRAPPERS = frozenset((f"{home}.numpy_pickle", "NumpyArrayWrapper") for home in ("joblib", "sklearn.externals.joblib"))
LONGEST = 1 << 40  # bytes of an array
DEPTH = 8  # of a dtype in a dtype
FIELDS = 1000  # of a dtype

_KEYS = frozenset({"subclass", "shape", "order", "dtype", "allow_mmap", "numpy_array_alignment_bytes"})
_DTYPE = ("numpy", "dtype")
_KIND = re.compile(r"\|?([biufcSUVmMO])(\d{1,6})")
OTHER = object()  # a dict that is neither a wrapper's state nor the fields of a dtype
_READ = object()  # a wrapper whose array was read


@dataclass(frozen=True, slots=True)
class Inline:
    """What follows: `size` bytes, behind a byte that counts padding and the padding where `padded`; None for a pickle."""

    size: int | None
    padded: bool


def store(target: Thing, items: Sequence[Any]) -> None:
    """Keep a dict's items, keys and values in turn, where they are those of a wrapper's state, or the fields of a dtype."""
    if type(items[-1]) is not tuple and not (type(items[0]) is str and items[0] in _KEYS):
        target.kept = OTHER  # as most dicts are, and there may be millions of them
        return
    kept = target.kept
    for key, value in zip(items[::2], items[1::2], strict=False):
        if isinstance(key, str) and key in _KEYS and (kept is None or isinstance(kept, dict)):
            kept = {} if kept is None else kept
            kept[key] = value
        elif _is_field(value) and (kept is None or (isinstance(kept, list) and len(kept) < FIELDS)):
            kept = [] if kept is None else kept
            kept.append(value[0])
        else:
            kept = OTHER
            break
    target.kept = kept


def called(thing: Thing, arguments: Any) -> None:
    """Keep what a dtype is made of."""
    if thing.path == _DTYPE:
        thing.kept = (arguments, None)


def given(thing: Thing, state: Any) -> None:
    """Keep the state of a dtype."""
    if thing.path == _DTYPE:
        arguments, before = thing.kept or (None, None)
        thing.kept = (None, None) if before is not None else (arguments, state)


def inline(wrapper: Thing, state: Any) -> Inline:
    """Return what follows the operation that puts `state` onto `wrapper`, once in its life."""
    if wrapper.kept is _READ:
        raise UnclearError("an array's wrapper is given state twice")
    wrapper.kept = _READ
    items = state.kept if isinstance(state, Thing) and state.kind == "dict" else None
    if not isinstance(items, dict) or not isinstance(items.get("subclass"), Thing):
        raise UnclearError("an array's wrapper has a state that joblib does not write")
    shape, dtype = items.get("shape"), items.get("dtype")
    if not isinstance(shape, tuple) or not all(type(count) is int and 0 <= count <= LONGEST for count in shape):
        raise UnclearError("an array's shape is no tuple of counts")
    size, objects = _element(dtype, DEPTH)
    total = math.prod(shape) * size
    if total > LONGEST:
        raise UnclearError(f"an array of {total} bytes")
    if objects:
        return Inline(None, padded=False)
    aligned = items.get("numpy_array_alignment_bytes", NONE)
    if aligned is not NONE and not (type(aligned) is int and 0 < aligned <= 255):
        raise UnclearError("an array's alignment is no number of bytes")
    return Inline(total, padded=aligned is not NONE)


def _is_field(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and isinstance(value[0], Thing) and value[0].path == _DTYPE


def _element(dtype: Any, depth: int) -> tuple[int, bool]:
    """Return the size of an element in bytes, and whether objects are in it."""
    if not isinstance(dtype, Thing) or dtype.path != _DTYPE or dtype.kind != "instance" or not dtype.kept or not depth:
        raise UnclearError("an array's dtype is not understood")
    arguments, state = dtype.kept
    match = _KIND.fullmatch(arguments[0]) if isinstance(arguments, tuple) and _is_text(arguments) else None
    if match is None:
        raise UnclearError("an array's dtype is not understood")
    kind, size = match[1], int(match[2]) * (4 if match[1] == "U" else 1)
    if state is None:
        return size, kind == "O"
    if not isinstance(state, tuple) or len(state) not in {8, 9} or state[0] not in {3, 4}:
        raise UnclearError("an array's dtype has a state that numpy does not write")
    _, _, base, _, fields, stated, _, flags = state[:8]
    if kind in "SUV" and type(stated) is int and stated >= 0:
        size = stated
    objects = kind == "O" or any(_element(part, depth - 1)[1] for part in _parts(kind, base, fields))
    if type(flags) is not int or (flags & 1) != objects:
        raise UnclearError("an array's dtype is not clear about objects in it")
    return size, objects


def _parts(kind: str, base: Any, fields: Any) -> list[Any]:
    """Return the dtypes that this one is made of."""
    if kind != "V":
        return []
    parts = [base[0]] if isinstance(base, tuple) and len(base) == 2 else []
    if isinstance(fields, Thing) and fields.kind == "dict" and isinstance(fields.kept, list):
        return [*parts, *fields.kept]
    if fields is not NONE or (base is not NONE and not parts):
        raise UnclearError("an array's dtype is not understood")
    return parts


def _is_text(arguments: tuple[Any, ...]) -> bool:
    return bool(arguments) and isinstance(arguments[0], str)
