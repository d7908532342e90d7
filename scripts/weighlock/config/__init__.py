"""``weighlock.yml``: what a repository decides about its models, checked against its schema, errors with file and line.

Everything has a default, so a repository without the file works.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from weighlock.config.document import read
from weighlock.config.scan import ScanPolicy, Waiver, scan_policy
from weighlock.errors import InputError
from weighlock.text import printable

__all__ = ["NAME", "Config", "ScanPolicy", "Waiver", "load", "parse"]

NAME = "weighlock.yml"
_LIMIT = 1024 * 1024  # bytes; a larger file is a mistake or an attack


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file."""

    scan: ScanPolicy = field(default_factory=ScanPolicy)


def load(path: Path) -> Config:
    """Read the file; what is wrong with it is an `InputError` that starts with ``weighlock.yml:LINE:``."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(_LIMIT + 1)
    except OSError as error:
        raise InputError(f"{printable(str(path))} cannot be read: {error.strerror}") from None
    if len(raw) > _LIMIT:
        raise InputError(f"{printable(str(path))} is larger than {_LIMIT} bytes")
    return parse(raw, path.name)


def parse(raw: bytes, name: str = NAME) -> Config:
    """Read the file's bytes; `name` stands in errors."""
    document = read(raw, name)
    return Config(scan_policy(document))
