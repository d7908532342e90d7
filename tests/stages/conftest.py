"""What tests of whole stages share: a small model that passes, and key pairs."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from commands import Keys
from weighlock.signing.key import KeySigner, write_pair


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
