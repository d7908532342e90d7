"""What tests of whole stages share: a small model that passes, a key pair, and runs in a process of their own."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from weighlock.signing.key import KeySigner, write_pair

SCRIPTS = Path(__file__).parents[2] / "scripts"


@dataclass(frozen=True)
class Keys:
    private: Path
    public: Path


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    folder = tmp_path_factory.mktemp("keys")
    pair = Keys(folder / "k.key", folder / "k.pub")
    write_pair(KeySigner.generate(), pair.private, pair.public, None)
    return pair


@pytest.fixture(scope="session")
def other_keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    folder = tmp_path_factory.mktemp("others")
    pair = Keys(folder / "k.key", folder / "k.pub")
    write_pair(KeySigner.generate(), pair.private, pair.public, None)
    return pair


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return a folder with a small safetensors model that passes the gate."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    root = tmp_path / "tiny"
    root.mkdir()
    (root / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    (root / "config.json").write_text('{"model_type": "tiny"}')
    (root / "README.md").write_text("# A tiny model\n")
    return root


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
    clean = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SCRIPTS), "HOME": "/nonexistent", **environ}
    done = subprocess.run(
        [sys.executable, "-m", "weighlock", *map(str, words)], env=clean, capture_output=True, text=True, check=False
    )
    return Done(done.returncode, done.stdout, done.stderr)
