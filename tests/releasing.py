"""Releases for outside eyes to judge: a small model with awkward names, a key pair, and the ordinary release of it."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path

from weighlock.signing.key import KeySigner, write_pair
from weighlock.stages import Context
from weighlock.stages.pull import Inputs as PullInputs
from weighlock.stages.pull import run as run_pull
from weighlock.stages.release import Inputs as ReleaseInputs
from weighlock.stages.release import run as run_release
from weighlock.stages.verify import Inputs as VerifyInputs
from weighlock.stages.verify import run as run_verify


@dataclass(frozen=True)
class Keys:
    """The two files of a key pair."""

    private: Path
    public: Path


@dataclass(frozen=True)
class Released:
    """A release: its source folder, key pair, layout and digest."""

    model: Path
    keys: Keys
    layout: Path
    digest: str

    @property
    def target(self) -> str:
        return f"oci:{self.layout}:v1"

    def bundles(self) -> list[bytes]:
        """Return the bundles of all evidence, read without our own parsers."""
        blobs = self.layout / "blobs" / "sha256"
        index = json.loads((self.layout / "index.json").read_bytes())
        manifests = [json.loads((blobs / entry["digest"][7:]).read_bytes()) for entry in index["manifests"]]
        return [(blobs / item["layers"][0]["digest"][7:]).read_bytes() for item in manifests if "subject" in item]


def make_keys(folder: Path) -> Keys:
    pair = Keys(folder / "k.key", folder / "k.pub")
    write_pair(KeySigner.generate(), pair.private, pair.public, None)
    return pair


def make_model(folder: Path) -> Path:
    """Write a model that sorts differently by path and by path components, with an empty file and names to escape."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    weights = struct.pack("<Q", len(header)) + header
    files = {
        "model.safetensors": weights + b"12345678",
        "sub/part.safetensors": weights + b"abcdefgh",
        "sub-x.txt": b"after 'sub/part.safetensors' by components, before it by characters\n",
        "config.json": b'{"model_type": "tiny", "torch_dtype": "float32", "transformers_version": "5"}',
        "README.md": b"# A tiny model\n",
        "requirements.txt": b"# none, which is audited all the same, without any service\n",
        "empty.txt": b"",
        "with space/\u00fc\u4e2d.json": b'{"umlaut": "\xc3\xbc"}',
        "same.txt": b"# A tiny model\n",  # the bytes of another file: one blob, two layers
    }
    for path, content in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    """Return path to bytes of all files below `folder`."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def release(model: Path, target: str, keys: Keys) -> str:
    """Release and return the digest."""
    outputs = run_release(ReleaseInputs(model, target, key=keys.private), Context())
    assert outputs.passed, outputs.text()
    return outputs.digest


def make_release(folder: Path) -> Released:
    """Release a model from `folder`/tiny to `folder`/layout."""
    keys, model, layout = make_keys(folder), make_model(folder / "tiny"), folder / "layout"
    return Released(model, keys, layout, release(model, f"oci:{layout}:v1", keys))


def verifies(target: str, keys: Keys) -> bool:
    """Tell whether our own verification passes."""
    return run_verify(VerifyInputs(target, key=keys.public), Context()).passed


def pull(target: str, folder: Path, signature: Path, keys: Keys) -> None:
    """Pull the files and the model signature."""
    outputs = run_pull(PullInputs(target, folder, signature, key=keys.public), Context())
    assert outputs.passed, outputs.text()
