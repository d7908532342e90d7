"""placeholder: the actions helper writes this."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weighlock.errors import WeighlockError
from weighlock.predicates import Build
from weighlock.stages import Outcome


def build(environ: Mapping[str, str]) -> Build | None:
    """Return what GitHub says of this run, None elsewhere."""


def report(stage: str, inputs: Any, outcome: Outcome, environ: Mapping[str, str]) -> None:
    """Write outputs, summary and annotations where GitHub asks for them."""


def complain(error: WeighlockError, environ: Mapping[str, str]) -> None:
    """Annotate the run with an error."""
