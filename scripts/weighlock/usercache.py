"""The user's own cache folder: entries that are there whole or not at all, and that only the user can have written.

What is in it can always be found out again. So trouble with an entry means that there is none, and a CI run uses the
cache only when it is told to: one that a pull request could write is restored there too easily.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from weighlock.model import open_regular

_CI = ("CI", "GITHUB_ACTIONS")  # the variables by which a CI says that it is one


@dataclass(frozen=True, slots=True)
class Entries:
    """A folder of entries, one file each; each begins with the sha256 of the rest, and has at most `limit` bytes.

    Runs at the same time may read and write the same entry: a file is never changed, only replaced by another.
    """

    folder: Path
    limit: int

    def read(self, key: str) -> bytes | None:
        """Return the entry, None where it is damaged, no plain file, or could have been written by somebody else."""
        try:
            with open_regular(self._place(key)) as stream:
                status = os.fstat(stream.fileno())
                whole = stream.read() if _is_own(status) and status.st_size <= self.limit else b""
        except OSError:
            return None
        checksum, _, body = whole.partition(b"\n")
        return body if checksum == _checksum(body) else None

    def write(self, key: str, body: bytes) -> None:
        """Put an entry in its place; `OSError` where that cannot be."""
        place = self._place(key)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=place.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(_checksum(body) + b"\n" + body)
            Path(name).replace(place)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def drop(self, key: str) -> None:
        """Forget an entry; `OSError` where that cannot be."""
        self._place(key).unlink(missing_ok=True)

    def prune(self, most: int) -> None:
        """Keep the newest `most` files, counting what a run that was killed left behind."""
        ages = []
        for place in self.folder.glob("*/*"):
            with suppress(FileNotFoundError):  # another run was faster
                ages.append((place.lstat().st_mtime_ns, place))
        for _, place in sorted(ages)[: max(len(ages) - most, 0)]:
            place.unlink(missing_ok=True)

    def _place(self, key: str) -> Path:
        return self.folder / key[:2] / key


def wanted(choice: bool | None, environ: Mapping[str, str]) -> bool:  # noqa: FBT001 - an option of the command
    """Tell whether to use the cache: as chosen, else everywhere but in CI."""
    if choice is not None:
        return choice
    return not any(environ.get(name, "").lower() not in {"", "0", "false"} for name in _CI)


def folder(environ: Mapping[str, str], name: str) -> Path | None:
    """Return the folder for entries of one kind, made if need be; None where there is none that is the user's own.

    It is `name` in ``WEIGHLOCK_CACHE_DIR``, else in ``weighlock`` in ``XDG_CACHE_HOME``, else in ``~/.cache``.
    """
    given, base = environ.get("WEIGHLOCK_CACHE_DIR", ""), environ.get("XDG_CACHE_HOME", "")
    with suppress(OSError, RuntimeError):  # nobody knows a home
        around = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
        place = (Path(given) if Path(given).is_absolute() else around / "weighlock") / name
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _is_own(place.stat()):
            return place
    return None


def _is_own(status: os.stat_result) -> bool:
    """Tell whether the user owns it and nobody else may write to it."""
    return os.name == "nt" or (status.st_uid == os.getuid() and not status.st_mode & 0o022)


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()
