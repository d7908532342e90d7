"""The command line as a person uses it: in a process of its own, with an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).parents[1] / "scripts"


@dataclass(frozen=True)
class Keys:
    """The files of a key pair."""

    private: Path
    public: Path


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def weighlock(*words: str | Path, **environ: str) -> Done:
    """Run the command line in a process of its own, as a person would."""
    cache = {"WEIGHLOCK_CACHE_DIR": os.environ["WEIGHLOCK_CACHE_DIR"]}
    clean = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SCRIPTS), "HOME": "/nonexistent", **cache, **environ}
    done = subprocess.run(
        [sys.executable, "-m", "weighlock", *map(str, words)], env=clean, capture_output=True, text=True, check=False
    )
    return Done(done.returncode, done.stdout, done.stderr)
