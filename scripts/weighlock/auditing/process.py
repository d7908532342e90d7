"""Running a script of ours in a process of its own: isolated Python, an empty folder, a cleaned environment, a deadline.

The folder that the audit is called in may be a stranger's pull request: a ``pip.py`` in it must not be imported, and no
secret of the surrounding job may be seen by what reads packages (``python -I`` ignores the folder and ``PYTHON*``; the
environment is an allow-list).
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from weighlock.errors import UnfinishedError

# How to reach the user's index and services, and what a Python needs to start; read by pip, requests and OpenSSL.
_KEPT = re.compile(
    r"PIP_((EXTRA_)?INDEX_URL|FIND_LINKS|NO_INDEX|CONFIG_FILE|TRUSTED_HOST|(CLIENT_)?CERT|PROXY|RETRIES)"
    r"|PIP_((DEFAULT_)?TIMEOUT|KEYRING_PROVIDER)|(HTTPS?|ALL|NO)_PROXY|SSL_CERT_(FILE|DIR)|(REQUESTS|CURL)_CA_BUNDLE"
    r"|HOME|USERPROFILE|(LOCAL)?APPDATA|XDG_CONFIG_(HOME|DIRS)|NETRC|PATH|(DY)?LD_LIBRARY_PATH|SYSTEMROOT|LANG|LC_ALL",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Finished:
    """What a process left behind."""

    code: int
    stdout: str
    stderr: str


def run(
    script: Path, arguments: Sequence[str], *, folder: Path, environ: Mapping[str, str], seconds: float, stdin: str = ""
) -> Finished:
    """Run `script` in `folder` and wait; after `seconds` it is ended and `UnfinishedError` is raised."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(script), *arguments],
            cwd=folder,
            env=cleaned(environ, folder),
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UnfinishedError(
            f"the audit's {script.stem} did not end within {seconds:.0f} s",
            remedy="Check that the index and the vulnerability service answer, and run again.",
        ) from None
    return Finished(done.returncode, done.stdout, done.stderr)


def cleaned(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return what of `environ` passes; temporary files go to `folder`, which is removed in any case."""
    kept = {name: value for name, value in environ.items() if _KEPT.fullmatch(name)}
    return {**kept, "TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder)}
