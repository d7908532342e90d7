"""What a place will refuse, said in the first second: limits on the size of a file, on their number, and on time.

Sources: GitHub's documentation of the container registry (10 GB a layer, 10 minutes an upload); distribution-spec 1.1.1
(a manifest of 4 MiB has to be taken); modctl's own limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from weighlock.errors import InputError
from weighlock.oci import MANIFEST_LIMIT
from weighlock.store.parallel import Streams
from weighlock.store.targets import Repository
from weighlock.text import counted, printable, size

_GIGA = 1_000_000_000
_GHCR = "ghcr.io"
_GHCR_LAYER = 10 * _GIGA  # bytes
_GHCR_SECONDS = 600
_GHCR_STREAMS = 3  # more end in resets and hangs, as several projects report of it
_SHARD = 5 * _GIGA  # bytes; what Hugging Face's libraries save in by default
_RESHARD = "Save it in shards of 5 GB: save_pretrained(…, max_shard_size='5GB')."
_ENTRY = 380  # bytes of a layer in a manifest, at least, without its path, which stands there twice
_MODCTL_FILES, _MODCTL_FILE = 2048, 128 * _GIGA


def check(place: Path | Repository, files: Sequence[tuple[str, int]]) -> list[str]:
    """Return warnings on storing files (path, bytes) at `place`; what cannot work is an `InputError`."""
    check_manifest(sum(_ENTRY + 2 * len(path.encode()) for path, _ in files), len(files))
    at_github = isinstance(place, Repository) and place.host == _GHCR
    warnings = []
    for path, count in files:
        name = f"'{printable(path)}' has {size(count)}"
        if at_github and count > _GHCR_LAYER:
            raise InputError(f"{name}, and {_GHCR} takes {size(_GHCR_LAYER)} a file", remedy=_RESHARD)
        if at_github and count > _SHARD:
            rate = size(count // _GHCR_SECONDS)
            warnings.append(f"{name}: {_GHCR} ends an upload after 10 minutes, so this needs {rate}/s. {_RESHARD}")
        if count > _MODCTL_FILE:
            warnings.append(f"{name}: modctl reads no file beyond {size(_MODCTL_FILE)}")
    if len(files) > _MODCTL_FILES:
        warnings.append(f"the model has {len(files)} files: modctl reads no more than {_MODCTL_FILES}")
    return warnings


def streams(place: str) -> Streams:
    """Return how many streams may go to a store of this name at once."""
    return Streams(most=_GHCR_STREAMS) if place.startswith(f"{_GHCR}/") else Streams()


def check_manifest(length: int, files: int) -> None:
    """Raise `InputError` for a manifest of `length` bytes that registries need not take."""
    if length > MANIFEST_LIMIT:
        raise InputError(
            f"{counted(files, 'file')} make a manifest of {size(length)}, registries take {size(MANIFEST_LIMIT)}",
            remedy="Put what belongs together into one file, or release the parts as models of their own.",
        )
