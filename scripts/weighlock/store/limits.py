"""What a place will refuse, said in the first second: limits on the size of a file, on their number, on time, on disk.

Sources: GitHub's documentation of the container registry (10 GB a layer, 10 minutes an upload); distribution-spec 1.1.1
(a manifest of 4 MiB has to be taken); modctl's own limits.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from shutil import disk_usage

from weighlock.errors import InputError, UnfinishedError
from weighlock.oci import MANIFEST_LIMIT
from weighlock.store.parallel import Streams
from weighlock.store.targets import Repository, at_github
from weighlock.text import counted, printable, size

_GIGA = 1_000_000_000
_GITHUB_LAYER = 10 * _GIGA  # bytes
_GITHUB_SECONDS = 600
_GITHUB_STREAMS = 3  # more end in resets and hangs, as several projects report of it
_SHARD = 5 * _GIGA  # bytes; what Hugging Face's libraries save in by default
_RESHARD = "Save it in shards of 5 GB: save_pretrained(…, max_shard_size='5GB')."
_ENTRY = 380  # bytes of a layer in a manifest, at least, without its path, which stands there twice
_MODCTL_FILES, _MODCTL_FILE = 2048, 128 * _GIGA


def check(place: Path | Repository, files: Sequence[tuple[str, int]]) -> list[str]:
    """Return warnings on storing files (path, bytes) at `place`; what cannot work is an `InputError`."""
    check_manifest(sum(_ENTRY + 2 * len(path.encode()) for path, _ in files), len(files))
    github = place.host if isinstance(place, Repository) and at_github(place.host) else ""
    warnings = []
    for path, count in files:
        name = f"'{printable(path)}' has {size(count)}"
        if github and count > _GITHUB_LAYER:
            raise InputError(f"{name}, and {github} takes {size(_GITHUB_LAYER)} a file", remedy=_RESHARD)
        if github and count > _SHARD:
            rate = size(count // _GITHUB_SECONDS)
            warnings.append(f"{name}: {github} ends an upload after 10 minutes, so this needs {rate}/s. {_RESHARD}")
        if count > _MODCTL_FILE:
            warnings.append(f"{name}: modctl reads no file beyond {size(_MODCTL_FILE)}")
    if len(files) > _MODCTL_FILES:
        warnings.append(f"the model has {len(files)} files: modctl reads no more than {_MODCTL_FILES}")
    return warnings


def check_room(
    folder: Path, count: int, *, free: Callable[[Path], int] = lambda folder: disk_usage(folder).free
) -> None:
    """Raise `UnfinishedError` where a folder, there or not yet, has no room for `count` more bytes."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    room = free(there)
    if count > room:
        raise UnfinishedError(
            f"{printable(str(folder))} has room for {size(room)}, and {size(count)} are to come",
            remedy="Make room, or name a folder on a larger disk.",
        )


def least(layout: Path, sizes: Iterable[int]) -> int:
    """Return how many bytes of files with these sizes a layout lacks at least, before a file is read.

    A file may be there only where a blob has its size, and files of one size may be one blob.
    """
    try:
        with os.scandir(layout / "blobs" / "sha256") as blobs:
            there = {blob.stat(follow_symlinks=False).st_size for blob in blobs}
    except OSError:  # no layout yet; what else is wrong with it, the layout says
        there = set()
    return sum(set(sizes) - there)


def streams(place: str) -> Streams:
    """Return how many streams may go to a store of this name at once."""
    return Streams(most=_GITHUB_STREAMS) if at_github(place.partition("/")[0]) else Streams()


def check_manifest(length: int, files: int) -> None:
    """Raise `InputError` for a manifest of `length` bytes that registries need not take."""
    if length > MANIFEST_LIMIT:
        raise InputError(
            f"{counted(files, 'file')} make a manifest of {size(length)}, registries take {size(MANIFEST_LIMIT)}",
            remedy="Put what belongs together into one file, or release the parts as models of their own.",
        )
