"""What DVC keeps of a repository, read from its own files (``*.dvc``, ``dvc.lock``) and never by running DVC. Pure.

DVC names content by MD5, which tells honest bytes from broken ones and nothing more: two files can be made that share one.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from weighlock.config import document
from weighlock.errors import InputError

_FOLDER = ".dir"  # ends the digest of a folder: it is that of DVC's list of its files


@dataclass(frozen=True, slots=True)
class Out:
    """A file or folder that DVC keeps: its path from the repository's top, its MD5 (empty: not known), its size in bytes."""

    path: str
    md5: str
    size: int = 0
    folder: bool = False


def is_dvc(path: str) -> bool:
    """Tell whether a file of that name is DVC's and names what it keeps."""
    return path.endswith(".dvc") or posixpath.basename(path) == "dvc.lock"


def outs(path: str, content: bytes) -> Iterator[Out]:
    """Yield what a ``.dvc`` file or ``dvc.lock`` names; a broken file names nothing, and no name leads out."""
    try:
        whole = document.plain(content, path) if content else {}
    except InputError:
        return
    stages = whole.get("stages") if posixpath.basename(path) == "dvc.lock" else {"": whole}
    for stage in stages.values() if isinstance(stages, dict) else ():
        named = stage.get("outs") if isinstance(stage, dict) else None
        for out in named if isinstance(named, list) else ():
            if isinstance(out, dict) and isinstance(out.get("path"), str):
                folder = posixpath.join(posixpath.dirname(path), str(stage.get("wdir") or ""))
                place = posixpath.normpath(posixpath.join(folder, out["path"]))
                if place != ".." and not place.startswith(("/", "../")):
                    md5, size = str(out.get("md5") or ""), out.get("size")
                    known = size if isinstance(size, int) else 0
                    yield Out(place, md5.removesuffix(_FOLDER), known, folder=md5.endswith(_FOLDER))
