"""The programs that tests need and that no Python package brings."""

from __future__ import annotations

import os
import shutil

import pytest


def require(*names: str) -> None:
    """Skip the test, naming the programs that are missing; where `CI` is set, fail instead."""
    missing = [name for name in names if shutil.which(name) is None]
    if not missing:
        return
    reason = f"not installed: {', '.join(missing)}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
