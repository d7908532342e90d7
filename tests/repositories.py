"""Git repositories for tests, made by git itself and by none of the machine's configuration."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

_WHO = ("-c", "user.name=a", "-c", "user.email=a@example.com")
_NOTHING = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


def git(folder: Path, *words: str) -> str:
    """Return what git prints in a folder."""
    done = subprocess.run(
        ["git", *_WHO, *words], cwd=folder, env=os.environ | _NOTHING, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


class Repo:
    """A new repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> str:
        return git(self.folder, *words)

    def commit(self, contents: Mapping[str, bytes | str | None]) -> str:
        """Write files, remove those that are None, commit all that lies there, and return the commit."""
        for name, content in contents.items():
            path = self.folder / name
            if content is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "x")
        return self.git("rev-parse", "HEAD")
