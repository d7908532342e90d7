"""Scanning in this process, for tests with many small models: what a worker finds is the same, and it takes a start."""

from __future__ import annotations

from pathlib import Path

from weighlock.ledger import Ledger
from weighlock.stages.scan import SCANNERS, scan_model


def scanned(folder: Path) -> Ledger:
    """Return the ledger of the model, by all engines that a scan runs."""
    return scan_model(folder, scanners=[make() for make in SCANNERS.values()])[1]
