"""The arguments of pickle operations, as leniently as CPython's unpicklers read them; `LONG` for what was passed over."""

from __future__ import annotations

import codecs
from typing import Any

from weighlock.scanners.reading import UnclearError

LONG = object()


def text(data: bytes | None, encoding: str = "utf-8", errors: str = "strict") -> Any:
    """Return a string."""
    if data is None:
        return LONG
    try:
        return data.decode(encoding, errors)
    except ValueError:
        raise UnclearError("a string that is not what its opcode says") from None


def raw(data: bytes | None) -> Any:
    """Return bytes."""
    return LONG if data is None else data


def integer(data: bytes | None) -> Any:
    """Return a number in two's complement."""
    return LONG if data is None else int.from_bytes(data, "little", signed=True)


def decimal(line: bytes | None) -> Any:
    """Return a number in digits."""
    if line is None:
        return LONG
    digits = line.strip().removesuffix(b"L")
    try:
        return int(digits, 10 if digits.isdigit() else 0)
    except ValueError:
        raise UnclearError("a number that is none") from None


def real(line: bytes | None) -> Any:
    """Return a float in digits."""
    try:
        return LONG if line is None else float(line)
    except ValueError:
        raise UnclearError("a float that is none") from None


def quoted(line: bytes | None) -> Any:
    """Return a string in quotes, with Python 2's escapes."""
    if line is None:
        return LONG
    line = line.strip()
    if len(line) < 2 or line[:1] not in {b'"', b"'"} or line[-1:] != line[:1]:
        raise UnclearError("a string without its quotes")
    try:
        return text(codecs.escape_decode(line[1:-1])[0], "latin-1")  # as pickle.py does
    except ValueError:
        raise UnclearError("a string with a broken escape") from None
