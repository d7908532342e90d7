"""A repository in a registry as a store (distribution-spec 1.1.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weighlock.store import Store
    from weighlock.store.targets import Repository


def open_registry(repository: Repository, *, plain_http: bool, environ: Mapping[str, str]) -> Store:
    """Return the store for `repository`."""
    raise NotImplementedError
