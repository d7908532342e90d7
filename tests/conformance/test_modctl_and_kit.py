"""modctl, the own client of ModelPack, and kit read our releases."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from conformance.conftest import Run
from releasing import Released, content


def test_it_pulls_every_byte(run: Run, place: str, released: Released, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run("modctl", "pull", "--plain-http", "--extract-from-remote", "--extract-dir", out, f"{place}:v1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert content(out) == content(released.model)


def test_it_reads_the_config(run: Run, place: str, released: Released) -> None:
    done = run("modctl", "inspect", "--remote", "--plain-http", f"{place}:v1")
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    # Its "Digest" is that of the manifest as it would have written it, so what is compared is the layers.
    layers = {layer["Filepath"]: layer["Digest"] for layer in said["Layers"]}
    assert layers == {
        path: f"sha256:{hashlib.sha256(data).hexdigest()}" for path, data in content(released.model).items()
    }
    assert (said["Family"], said["Architecture"], said["Format"]) == ("tiny", "transformer", "safetensors")


def test_kit_unpacks_every_byte(run: Run, place: str, released: Released, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run("kit", "unpack", "--plain-http", "--dir", out, f"{place}:v1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert content(out) == content(released.model)
