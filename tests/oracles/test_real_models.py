"""Models that people use go from a folder to a release and back, and the files that come back are the ones that left."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from real_models import MODELS, real_model
from releasing import content, make_keys, pull, release, verifies
from weighlock import oms


@pytest.mark.parametrize("name", MODELS)
def test_a_real_model(name: str, oracle: Callable[[str], str], tmp_path: Path) -> None:
    model, keys, target = real_model(name), make_keys(tmp_path), f"oci:{tmp_path}/layout:v1"
    release(model, target, keys)
    assert verifies(target, keys)
    pull(target, tmp_path / name, tmp_path / "model.sig", keys)
    assert content(tmp_path / name) == {path: data for path, data in content(model).items() if path not in oms.IGNORED}
    words = ("verify", "key", model, "--signature", tmp_path / "model.sig", "--public_key", keys.public)
    done = subprocess.run(
        [oracle("bin/model_signing"), *words], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
