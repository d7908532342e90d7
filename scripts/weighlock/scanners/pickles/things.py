"""What stands on the machine's stack in place of objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

OPAQUE = object()  # a scalar, bytes, or anything else that no rule asks about
NONE = object()  # None, which some rules tell from what else is opaque


@dataclass(slots=True, eq=False)
class Thing:
    """A placeholder: a ``global``, an ``instance`` that a call made, a ``list``, ``dict``, ``set`` or ``persistent``."""

    kind: str
    module: str = ""
    name: str = ""
    special: tuple[str, ...] = ()
    """Of a dict: its keys that are names with a meaning to Python (``__class__``), at most a few."""
    kept: Any = None
    """What `weighlock.scanners.pickles.arrays` has to know of it; most things are not its business."""
    weight: int = 1
    """Of a list, dict or set: the number of objects in it at any depth, each as often as it is met."""

    @property
    def path(self) -> tuple[str, str]:
        """Return module and name."""
        return self.module, self.name


SPECIAL = (
    frozenset(dir(object)) | frozenset(dir(lambda: None)) | {"__setstate__", "__slots__", "__bases__", "__mro__"}
) - {"__doc__"}
"""Attribute names through which an object's behaviour is replaced; its words are none (statsmodels keeps them)."""
COMPUTED = "a computed name"
"""Stands among an object's special keys for one that is not written in the stream, and could be any of `SPECIAL`."""
DICTS = frozenset(
    {("builtins", "dict"), ("__builtin__", "dict"), ("collections", "OrderedDict"), ("collections", "Counter")}
)
TEXTS = frozenset({"str", "unicode", "str_", "scalar"})
"""Names of callables that return a string made from their arguments."""
