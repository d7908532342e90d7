"""Where a model comes from when no CI says so: the local git commit, as far as the files are really in it.

Whether a file is as committed is compared here, by the object id that git gives such a file.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from weighlock import git
from weighlock.model import Model, ModelFile
from weighlock.predicates import LOCAL, Build

_BUILDER = LOCAL + "#builder"
_BLOB_LIMIT = 100_000_000  # bytes; larger files are kept in git as LFS pointers, if at all


def local(path: Path, model: Model) -> Build:
    """Describe a run on a person's own machine: the model's name, and the commit that holds its files.

    The commit around `path` is named only when at least one file is in it as it is here; how many are, is said too.
    """
    folder = path if path.is_dir() else path.parent
    commit = _said(folder, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").decode(errors="replace").strip()
    tree = _tree(folder) if commit else {}
    same = sum(1 for file in model.files if file.path in tree and _is_committed(file, tree[file.path]))
    internal = {"files": len(model.files), "filesAsCommitted": same}
    if not same:
        return Build(LOCAL, _BUILDER, {"model": model.name}, internal)
    remote = _said(folder, "config", "--get", "remote.origin.url").decode(errors="replace").strip()
    origin = {"uri": f"git+{_without_secret(remote)}"} if remote else {}
    source = {"name": "source", **origin, "digest": {"gitCommit": commit}}
    return Build(LOCAL, _BUILDER, {"model": model.name}, internal, (source,))


def _tree(folder: Path) -> dict[str, str]:
    """Return path below `folder` to object id, for every file of the commit that is checked out."""
    entries = [
        entry.split(b"\t", 1) for entry in _said(folder, "ls-tree", "-r", "-z", "HEAD", ".").split(b"\0") if entry
    ]
    return {os.fsdecode(path): kind.split()[2].decode() for kind, path in entries}


def _is_committed(file: ModelFile, expected: str) -> bool:
    """Tell whether git's object of that id is this file, or the LFS pointer to it."""
    pointer = f"version https://git-lfs.github.com/spec/v1\noid {file.digest}\nsize {file.size}\n".encode()
    if _object_id(pointer, expected) == expected:
        return True
    if file.size > _BLOB_LIMIT:
        return False
    with file.open() as stream:
        return _object_id(stream.read(), expected) == expected


def _object_id(content: bytes, like: str) -> str:
    """Return git's id of a blob, in the algorithm that the length of `like` tells."""
    algorithm = hashlib.sha256 if len(like) == 64 else hashlib.sha1
    return algorithm(b"blob %d\0" % len(content) + content).hexdigest()


def _said(folder: Path, *words: str) -> bytes:
    return git.say(folder, *words) or b""


def _without_secret(url: str) -> str:
    """Return the URL without user name and password, which people leave in remotes."""
    parts = urlsplit(url)
    if not parts.scheme or not parts.hostname:
        return url
    host = parts.hostname + (f":{parts.port}" if parts.port else "")
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
