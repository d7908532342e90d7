"""``weighlock.yml``: what a repository decides about its models, checked against its schema, errors with file and line.

Everything has a default, so a repository without the file works.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from weighlock.config.audit import AuditPolicy, AuditWaiver, audit_policy
from weighlock.config.document import read
from weighlock.config.models import Dataset, ModelEntry, entry_at, read_models
from weighlock.config.scan import ScanPolicy, Waiver, scan_policy
from weighlock.config.verify import VerifyPolicy, verify_policy
from weighlock.errors import InputError
from weighlock.text import printable

__all__ = [
    "NAME",
    "AuditPolicy",
    "AuditWaiver",
    "Config",
    "Dataset",
    "ModelEntry",
    "ScanPolicy",
    "VerifyPolicy",
    "Waiver",
    "config_for",
    "entry_at",
    "load",
    "load_here",
    "parse",
]

NAME = "weighlock.yml"
_LIMIT = 1024 * 1024  # bytes; a larger file is a mistake or an attack


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file."""

    models: tuple[ModelEntry, ...] = ()
    scan: ScanPolicy = field(default_factory=ScanPolicy)
    audit: AuditPolicy = field(default_factory=AuditPolicy)
    verify: VerifyPolicy | None = None
    root: Path = Path()
    """The repository: the folder of the file, from which the models' paths start."""


def config_for(model: Path, file: Path | None, say: Callable[[str], None]) -> Config:
    """Return what `file` says, by default ``weighlock.yml`` here, and all defaults where there is none.

    A ``weighlock.yml`` inside the model is not read by itself: a model must not approve itself.
    """
    here = Path(NAME)
    if file is None and here.is_file() and here.resolve().is_relative_to(model.resolve()):
        say(f"{NAME} lies in the model and is not read; to trust it, give it with --config")
        return Config()
    return load(file) if file else load_here()


def load_here() -> Config:
    """Read ``weighlock.yml`` here; all defaults where there is none."""
    here = Path(NAME)
    return load(here) if here.is_file() else Config()


def load(path: Path) -> Config:
    """Read the file; what is wrong with it is an `InputError` that starts with ``weighlock.yml:LINE:``."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(_LIMIT + 1)
    except OSError as error:
        raise InputError(f"{printable(str(path))} cannot be read: {error.strerror}") from None
    if len(raw) > _LIMIT:
        raise InputError(f"{printable(str(path))} is larger than {_LIMIT} bytes")
    return parse(raw, path.name, path.parent)


def parse(raw: bytes, name: str = NAME, root: Path = Path()) -> Config:
    """Read the file's bytes; `name` stands in errors, and paths start from `root`."""
    document = read(raw, name)
    verify = verify_policy(document, raw, root)
    return Config(read_models(document), scan_policy(document), audit_policy(document), verify, root)
