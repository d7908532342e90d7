"""Torch's format from before its zip archives: five pickles, and behind them the tensors' bytes.

The pickles are a magic number, a version, facts about the machine, the object, and the list of storages; then, in the
order of that list, each storage as a count of elements in eight bytes and its numbers. Source: torch/serialization.py,
`_legacy_load`; torch/csrc/serialization.cpp.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from weighlock.scanners.pickles.opcodes import Operations
from weighlock.scanners.reading import UnclearError

MAGIC = 0x1950A86A20F9469CFC6C
MAGIC_STREAM, KEYS_STREAM = 0, 4
STORAGES = 1_000_000  # in one file


def is_magic(left: Any) -> bool:
    """Tell whether the first pickle is that of such a file."""
    return type(left) is int and left == MAGIC


def tensors(operations: Operations, keys: Sequence[Any], storages: Mapping[str, int]) -> None:
    """Pass over the bytes of every storage that the object names, `storages` being key to size in bytes."""
    if len(keys) != len(storages) or set(keys) != set(storages):
        raise UnclearError("the list of tensor storages does not match those that are named")
    for key in keys:
        count = int.from_bytes(operations.take(8), "little", signed=True)
        size = storages[key]
        if (count or size) and (count <= 0 or size % count or size // count not in {1, 2, 4, 8, 16}):
            raise UnclearError(f"tensor storage {key} does not have the size that it is named with")
        operations.skip(size)
