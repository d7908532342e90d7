"""Run pip in this process so that it can start no other: a script of its own, started with ``python -I``.

``--only-binary`` keeps pip from building what an index offers, but not a dependency that a wheel names by URL
(``Requires-Dist: x @ https://…/x.tar.gz``), which pip fetches and builds. Building, and fetching by git, always takes a
child process, so none is allowed: an audit hook can't be taken away again once it is set.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import PurePath

PROCESS_EVENTS = frozenset(
    {"subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile"}
)


def refuse(event: str, arguments: tuple[object, ...]) -> None:
    """Raise `PermissionError` when a process is to be started (pip takes an `OSError` as "that tool is missing")."""
    if event in PROCESS_EVENTS and not _asks_musl(arguments):
        raise PermissionError("the audit lets pip start no process: only wheels are read, nothing is built")


def _asks_musl(arguments: tuple[object, ...]) -> bool:
    """Tell whether this is musl's loader, which pip asks for its version to know what wheels fit (PEP 656)."""
    return bool(arguments) and PurePath(str(arguments[0])).match("/lib/ld-musl-*.so.1")


if __name__ == "__main__":
    sys.addaudithook(refuse)
    sys.argv[0] = "pip"
    runpy.run_module("pip", run_name="__main__", alter_sys=True)
