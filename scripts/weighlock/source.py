"""Where a model comes from when no CI says so: the local git commit.

Only git commands that run no hook, filter or file-system monitor are used, since a folder's own git configuration may
be hostile.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from weighlock.jsonio import Json
from weighlock.predicates import Build

LOCAL = "https://github.com/weighlock/weighlock/blob/main/docs/buildtypes/local-v1.md"
_BUILDER = "https://github.com/weighlock/weighlock/blob/main/docs/buildtypes/local-v1.md#builder"
_SECONDS = 10


def local(path: Path, model: str) -> Build:
    """Describe a run on a person's own machine: the model's name, and the commit checked out around `path` if any."""
    return Build(LOCAL, _BUILDER, {"model": model}, dependencies=_commit(path))


def _commit(path: Path) -> tuple[Json, ...]:
    folder = path if path.is_dir() else path.parent
    commit = _git(folder, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if not commit:
        return ()
    remote = _git(folder, "config", "--get", "remote.origin.url")
    origin = {"uri": f"git+{_without_secret(remote)}"} if remote else {}
    return ({"name": "source", **origin, "digest": {"gitCommit": commit}},)


def _git(folder: Path, *words: str) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", *words],
            cwd=folder,
            env=environ,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else ""


def _without_secret(url: str) -> str:
    """Return the URL without user name and password, which people leave in remotes."""
    parts = urlsplit(url)
    if not parts.scheme or not parts.hostname:
        return url
    host = parts.hostname + (f":{parts.port}" if parts.port else "")
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
