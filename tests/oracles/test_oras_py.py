"""`oras` for Python, which knows nothing of models, pulls a release by the titles of its layers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from releasing import Released, content, release

PULL = """
import sys
import oras.client
oras.client.OrasClient(insecure=True).pull(target=sys.argv[1], outdir=sys.argv[2])
"""


def test_it_pulls_every_byte(released: Released, fresh_repository: Callable[[], str], tmp_path: Path) -> None:
    target = f"{fresh_repository()}:v1"
    release(released.model, target, released.keys)
    done = subprocess.run(
        [sys.executable, "-c", PULL, target, tmp_path / "pulled"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert content(tmp_path / "pulled") == content(released.model)
