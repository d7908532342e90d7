"""Pickles written operation by operation, so that they say what no pickler would write. Calls nothing.

Functions return a body: operations without PROTO and STOP, which `stream` puts around it.
"""

from __future__ import annotations

import pickle
import struct
from typing import Any


def stream(*bodies: bytes, protocol: int = 2) -> bytes:
    """Return a whole pickle; protocols 0 and 1 have no PROTO."""
    start = b"" if protocol < 2 else b"\x80" + bytes([protocol])
    return start + b"".join(bodies) + b"."


def literal(value: Any, *, text: bool = False) -> bytes:
    """Return the operations that push plain data, in protocol 0 or 2."""
    return pickle.dumps(value, 0)[:-1] if text else pickle.dumps(value, 2)[2:-1]


def named(module: str, name: str) -> bytes:
    """Return GLOBAL."""
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def short(text: str | bytes) -> bytes:
    """Return SHORT_BINUNICODE."""
    raw = text.encode() if isinstance(text, str) else text
    return b"\x8c" + bytes([len(raw)]) + raw


def stacked(module: str, name: str) -> bytes:
    """Return STACK_GLOBAL behind its two operands."""
    return short(module) + short(name) + b"\x93"


def arguments(values: tuple[Any, ...], *, text: bool = False) -> bytes:
    """Return the operations that push a tuple of plain data; bytes objects among them are operations already."""
    parts = [value if isinstance(value, bytes) else literal(value, text=text) for value in values]
    return b"(" + b"".join(parts) + b"t"


def call(module: str, name: str, *values: Any, text: bool = False) -> bytes:
    """Return GLOBAL, arguments and REDUCE."""
    return named(module, name) + arguments(values, text=text) + b"R"


def state(target: bytes, value: Any) -> bytes:
    """Return BUILD on what `target` pushes."""
    return target + (value if isinstance(value, bytes) else literal(value)) + b"b"


def frame(body: bytes, *, off: int = 0) -> bytes:
    """Return the body in a protocol 4 frame whose length is wrong by `off`."""
    return b"\x95" + struct.pack("<Q", len(body) + off) + body


SYSTEM = call("os", "system", "true")
"""Calls ``os.system('true')``."""
RAN = "call os.system"
HONEST = pickle.dumps({"weights": [0.5, 1.5], "name": "net"}, 2)
