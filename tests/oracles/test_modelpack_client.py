"""`modelpack-client`, an independent reader of ModelPack, pulls a release from a registry."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import tools
from releasing import Released, content, release


def test_it_pulls_every_byte(released: Released, fresh_repository: Callable[[], str], tmp_path: Path) -> None:
    program = str(Path(sys.executable).parent / "modelpack")
    tools.require(program)
    target = f"{fresh_repository()}:v1"
    release(released.model, target, released.keys)
    done = subprocess.run(
        [program, "--insecure", "pull", target, tmp_path / "pulled"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert content(tmp_path / "pulled") == content(released.model)
