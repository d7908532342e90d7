"""The demo, run for real: what it shows, that it can be run again, and that it notices when something is wrong."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WEIGHLOCK = shlex.join([sys.executable, "-m", "weighlock"])


def demo(folder: Path, weighlock: str = WEIGHLOCK) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", ROOT / "tools" / "demo.py", "--folder", folder, "--weighlock", weighlock],
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts"), "GITHUB_ACTIONS": "true"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def pretending(folder: Path, stage: str, instead: str) -> str:
    """Return the command of a weighlock that does the shell command `instead` of one stage."""
    script = folder / "weighlock"
    script.write_text(f'#!/bin/sh\ncase "$1" in {stage}) {instead};; *) exec {WEIGHLOCK} "$@";; esac\n')
    script.chmod(0o755)
    return shlex.quote(str(script))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the demo ran and passed."""
    folder = tmp_path_factory.mktemp("demo")
    done = demo(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_a_second_run_starts_anew_and_deletes_only_what_the_first_made(folder: Path) -> None:
    (folder / "mine.txt").write_text("mine")
    done = demo(folder)
    assert (folder / "mine.txt").read_text() == "mine"
    assert done.returncode == 0, done.stdout + done.stderr
    stages = [line.split()[2] for line in done.stdout.splitlines() if line.startswith("$ weighlock ")]
    assert stages == ["keygen", "release", "release", "inspect", "verify", "verify", "package", "package"]
    assert "nothing to do" in done.stdout
    assert "PASS\n" in done.stdout
    assert " 2. NO   content: 'silero_vad_16k.safetensors'" in done.stdout
    assert "everything did what it should" in done.stdout
    assert "\033" not in done.stdout  # no colours in a log
    assert "\n::" not in done.stdout  # no annotations: the refusal is part of the show


@pytest.mark.parametrize(
    ("stage", "instead", "complaint"),
    [
        ("release", "echo broken; exit 3", "'weighlock release' ended with exit code 3, not 0"),
        ("verify", "echo PASS", "'weighlock verify' ended with exit code 0, not 1"),
        ("package", "echo sha256:same", "this should hold and does not: other bytes have another digest"),
    ],
)
def test_it_fails_loudly_when_a_step_does_not_do_what_it_should(
    stage: str, instead: str, complaint: str, folder: Path, tmp_path: Path
) -> None:
    done = demo(folder, pretending(tmp_path, stage, instead))
    assert done.returncode == 1
    assert "everything did what it should" not in done.stdout
    assert "demo: FAILED" in done.stderr
    assert complaint in done.stderr
