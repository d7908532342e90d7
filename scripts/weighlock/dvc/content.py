"""What DVC keeps, brought from a DVC cache into the work tree, and what lies there held against what DVC's files name.

DVC is never run: its remotes may need credentials, and its files may come with a pull request. A cache is a folder of
files named by their MD5 (``dvc fetch`` fills ``.dvc/cache``); nobody vouches for it, so what was brought is compared like
anything else. MD5 says that these are the bytes that were meant, not that nobody made others with the same MD5.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from weighlock.dvc import Out
from weighlock.errors import InputError
from weighlock.model import check_path, open_regular

_MD5 = re.compile(r"[0-9a-f]{32}")
_LISTING = 64 * 1024 * 1024  # bytes of a folder's list
_PIECE = 1024 * 1024
_LAYOUTS = ("files/md5", ".")
"""Where a cache of DVC 3 keeps its files, and one of DVC 2."""


def bring(top: Path, outs: Iterable[Out], cache: Path) -> None:
    """Copy from the cache what is not in the work tree at `top`; what is not in the cache stays away.

    Nothing is written over, through a link, or into the folders of git and DVC.
    """
    for out in outs:
        if not out.folder:
            _copy(top, out.path, cache, out.md5)
            continue
        for name, md5 in _listed(cache, out.md5):
            _copy(top, f"{out.path}/{name}", cache, md5)


def wrong(top: Path, out: Out) -> str:
    """Say what is wrong with what lies where DVC keeps something, in words of ours; nothing where it is what DVC names."""
    place = top / out.path
    if not os.path.lexists(place):
        return "DVC keeps it, and its content is not here"
    if not _MD5.fullmatch(out.md5):
        return "DVC names no MD5 of its content, so nobody can tell whether it is the one that is meant"
    try:
        found = _md5_of_folder(place) if out.folder else _md5_of(place)
    except OSError as error:
        return f"it cannot be read: {error.strerror or error}"
    return "" if found == out.md5 else "what lies here is not what DVC names"


def _listed(cache: Path, md5: str) -> Iterator[tuple[str, str]]:
    """Yield the files that a folder's list names, those that a work tree can hold."""
    stored = _stored(cache, md5, ".dir")
    if stored is None or stored.stat().st_size > _LISTING:
        return
    try:
        listed = json.loads(stored.read_bytes())
    except (ValueError, RecursionError):
        return
    for item in listed if isinstance(listed, list) else ():
        if isinstance(item, dict) and isinstance(item.get("relpath"), str) and isinstance(item.get("md5"), str):
            yield item["relpath"], item["md5"]


def _stored(cache: Path, md5: str, ending: str = "") -> Path | None:
    if not _MD5.fullmatch(md5):
        return None
    places = (cache / layout / md5[:2] / (md5[2:] + ending) for layout in _LAYOUTS)
    return next((place for place in places if place.is_file()), None)


def _copy(top: Path, path: str, cache: Path, md5: str) -> None:
    stored, target = _stored(cache, md5), top / path
    if stored is None or not _writable(top, path) or os.path.lexists(target):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with stored.open("rb") as source, target.open("xb") as stream:
        while piece := source.read(_PIECE):
            stream.write(piece)


def _writable(top: Path, path: str) -> bool:
    """Tell whether the path leads to where it says, by no link at all, and not into what git and DVC obey."""
    try:
        check_path(path)
        folder = (top / path).parent.resolve()
    except (InputError, OSError, RuntimeError):
        return False
    plain = folder == (top.resolve() / path).parent
    return plain and not {part.casefold() for part in path.split("/")} & {".git", ".dvc"}


def _md5_of(place: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with open_regular(place) as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _md5_of_folder(place: Path) -> str:
    """Return the digest of the list that DVC makes of a folder, as its JSON is written: sorted, with Python's spaces."""
    found = [
        {"md5": _md5_of(Path(folder, name)), "relpath": Path(folder, name).relative_to(place).as_posix()}
        for folder, _, names in os.walk(place, onerror=_raise)
        for name in names
    ]
    listing = json.dumps(sorted(found, key=lambda item: item["relpath"]), sort_keys=True)
    return hashlib.md5(listing.encode(), usedforsecurity=False).hexdigest()


def _raise(error: OSError) -> None:
    raise error
