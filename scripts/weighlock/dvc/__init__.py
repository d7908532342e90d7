"""What DVC keeps of a repository, read from its own files (``*.dvc``, ``dvc.lock``) and never by running DVC. Pure.

DVC names content by MD5, which tells honest bytes from broken ones and nothing more: two files can be made that share one.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from weighlock.config import document
from weighlock.errors import InputError
from weighlock.jsonio import Json

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


def pipeline(path: str) -> str:
    """Return the path of the file that says in which folders the stages of a ``dvc.lock`` run."""
    return posixpath.join(posixpath.dirname(path), "dvc.yaml")


def outs(path: str, content: bytes, stages: bytes = b"") -> Iterator[Out]:
    """Yield what a ``.dvc`` file or ``dvc.lock`` names; a broken file names nothing, and no name leads out.

    `stages` is the ``dvc.yaml`` beside a ``dvc.lock``.
    """
    whole, folders = _plain(path, content), _folders(_plain(pipeline(path), stages))
    locked = whole.get("stages") if posixpath.basename(path) == "dvc.lock" else {"": whole}
    for name, stage in locked.items() if isinstance(locked, dict) else ():
        named = stage.get("outs") if isinstance(stage, dict) else None
        for out in named if isinstance(named, list) else ():
            if isinstance(out, dict) and isinstance(out.get("path"), str):
                below = str(stage.get("wdir") or folders.get(name.partition("@")[0]) or "")
                place = posixpath.normpath(posixpath.join(posixpath.dirname(path), below, out["path"]))
                if place != ".." and not place.startswith(("/", "../")):
                    md5, size = str(out.get("md5") or ""), out.get("size")
                    known = size if isinstance(size, int) else 0
                    yield Out(place, md5.removesuffix(_FOLDER), known, folder=md5.endswith(_FOLDER))


def _plain(path: str, content: bytes) -> Json:
    try:
        return document.plain(content, path) if content else {}
    except InputError:
        return {}


def _folders(whole: Json) -> dict[str, str]:
    """Return the folder of each stage that does not run beside its ``dvc.yaml``; ``foreach`` has it one step further in."""
    stages = whole.get("stages")
    found = {}
    for name, stage in stages.items() if isinstance(stages, dict) else ():
        inner = stage.get("do", stage) if isinstance(stage, dict) else None
        if isinstance(inner, dict) and isinstance(inner.get("wdir"), str):
            found[name] = inner["wdir"]
    return found
