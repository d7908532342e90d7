"""What the makers of the honest files share. Standard library only: each maker runs in its library's own environment.

``python make_LIBRARY.py`` writes the files of its families below this folder and records in ``manifest.json`` which
versions made them. The files are data to be scanned: no test loads one.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
MANIFEST = HERE / "manifest.json"

Case = Callable[[Path], object]
"""Writes one model to the path it is given, a file or a folder; what it returns is not looked at."""


def make(family: str, cases: Mapping[str, Case], packages: Sequence[str]) -> None:
    """Write every case below the folder `family`, and the versions of `packages` to the manifest."""
    folder = HERE / family
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, case in cases.items():
        case(folder / name)
        if not (folder / name).exists():
            raise FileNotFoundError(f"{family}/{name} was not written")
    versions = {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in packages}}
    known = json.loads(MANIFEST.read_text()) if MANIFEST.exists() else {}
    known[family] = {"models": len(cases), "versions": versions}
    MANIFEST.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
