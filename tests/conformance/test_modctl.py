"""modctl, ModelPack's own client, reads our releases."""

from __future__ import annotations

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
    assert said["Digest"] == released.digest
    assert (said["Family"], said["Architecture"], said["Format"]) == ("tiny", "transformer", "safetensors")
