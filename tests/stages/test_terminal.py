"""What a person sees on a terminal while bytes move; what a log gets is in ``tests/store/test_parallel.py``."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from commands import SCRIPTS
from fake_registry import FakeRegistry, Reply, Rule

_SECONDS = 60  # in which a bar has to be there


@pytest.mark.skipif(sys.platform == "win32", reason="has no terminals of this kind")
def test_a_terminal_shows_a_bar_and_is_left_clean(fake_registry: FakeRegistry, model: Path) -> None:
    """The registry takes the blobs once the bar was seen."""
    seen = threading.Event()

    def patiently(reply: Reply) -> Reply:
        assert seen.wait(_SECONDS)
        return reply

    fake_registry.rules.append(Rule("PUT", "/blobs/uploads/", change=patiently))
    ours, theirs = os.openpty()
    words = ["package", str(model), "--to", f"{fake_registry.address}/m"]
    environ = {name: os.environ[name] for name in ("PATH", "WEIGHLOCK_CACHE_DIR")}
    environ |= {"PYTHONPATH": str(SCRIPTS), "HOME": "/nonexistent"}
    with subprocess.Popen(
        [sys.executable, "-m", "weighlock", *words], env=environ, stdout=-1, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = _read(ours, b"] sending ")
        seen.set()
        shown += _read(ours)
        out, _ = process.communicate()
    os.close(ours)
    assert process.returncode == 0, shown
    assert out.startswith(b"sha256:")
    assert b"\r\x1b[K[" in shown
    _, _, after = shown.rpartition(b"] sending ")
    assert b"\r\x1b[K" in after, "the last bar is wiped away"


def _read(terminal: int, until: bytes | None = None) -> bytes:
    """Return what a program writes to its terminal: until it writes `until`, or to its end."""
    shown = b""
    while until is None or until not in shown:
        ready, _, _ = select.select([terminal], [], [], _SECONDS)
        if not ready:
            break
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # how Linux says that nobody holds the other end any more
            break
        if not piece:
            break
        shown += piece
    return shown
