"""Documents that name code: every object of a JSON or YAML document is shown to all who know a loader's keys."""

from __future__ import annotations

from typing import Any

from weighlock.scanners.strict.named import (
    detectors,
    huggingface,
    hydra,
    keras,
    mlflow,
    serialized,
    skops,
    templates,
    torch_export,
    torchserve,
)
from weighlock.scanners.strict.notes import Notes
from weighlock.scanners.strict.pairs import Pairs, objects

__all__ = ["Pairs", "search"]

LOADERS = (*(detectors, huggingface, hydra, keras, mlflow, serialized, skops, templates, torch_export, torchserve),)


def search(document: Any, notes: Notes) -> None:
    """Find every object in `document` that names code."""
    for pairs in objects(document, notes):
        for loader in LOADERS:
            loader.look(pairs, notes)
