"""A model: the files below one folder, walked in one order, contained, and each read once.

`walk` lists what there is; `weigh` reads a file from its first byte to its last and returns its digest. Everything
that uses a file later (scan, package) checks with `unchanged` that it is still the file that was weighed.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from weighlock.errors import InputError, UnfinishedError
from weighlock.oci import Digest
from weighlock.oms import IGNORED
from weighlock.text import printable

PATH_LIMIT = 1024  # bytes of a relative path in UTF-8; longer ones break annotations and other systems' paths
_CHUNK = 1024 * 1024

Stamp = tuple[int, int, int, int, int]  # device, inode, size in bytes, mtime and ctime in ns
Opener = Callable[[Path], BinaryIO]


class Sink(Protocol):
    """Something that sees every byte of a file in order."""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes; do not keep the buffer."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file that the walk found: its name in the model, where its content is (a link is resolved already), its size now."""

    path: str
    source: Path
    executable: bool
    size: int


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A weighed file: name in the model, size in bytes, digest, and the stamp it had while it was read."""

    path: str
    size: int
    digest: Digest
    source: Path
    executable: bool
    stamp: Stamp

    def open(self) -> BinaryIO:
        """Open the content again, refusing a file that is no longer the one that was weighed."""
        stream = open_regular(self.source)
        if stamp_of(stream) != self.stamp:
            stream.close()
            raise _changed(self.path)
        return stream


@dataclass(frozen=True, slots=True)
class Model:
    """A model: its name (of the folder, for people) and its files in the order of their paths' bytes."""

    name: str
    files: tuple[ModelFile, ...]

    def digests(self) -> dict[str, Digest]:
        """Return path to digest, the set that all evidence must agree on."""
        return {file.path: file.digest for file in self.files}


def walk(root: Path) -> list[Entry]:
    """List the files of the model at `root` (a folder, or one file), sorted by the bytes of their paths.

    Links inside the root count as what they point at; git's own files at the root (`oms.IGNORED`) are left out. Raises
    `InputError` for a link that leaves the root or goes in circles, for anything that is not a file or folder, for a
    name that other systems could not hold, and for a model without files.
    """
    top = _top(root)
    if top.is_file():
        entries = [_entry(top, top.name)]
    else:
        entries = sorted(_below(top, top, "", ()), key=lambda entry: entry.path.encode())
    if not entries:
        raise InputError(f"{printable(str(root))} holds no files", remedy="Give the folder that holds the model.")
    _refuse_folded_twins(entries)
    return entries


def weigh(entry: Entry, sinks: Iterable[Sink] = (), opener: Opener | None = None) -> ModelFile:
    """Read the file once, feeding sha256 and every sink; a file that changes meanwhile is an `UnfinishedError`."""
    feeds = [sink.feed for sink in sinks]
    sha256 = hashlib.sha256()
    count = 0
    try:
        with (opener or open_regular)(entry.source) as stream:
            before = stamp_of(stream)
            while count <= before[2] and (chunk := stream.read(_CHUNK)):  # a file that grows would never end
                sha256.update(chunk)
                count += len(chunk)
                for feed in feeds:
                    feed(chunk)
            after = stamp_of(stream)
    except OSError as error:
        raise _unreadable(entry.path, error) from None
    if before != after or count != after[2]:
        raise _changed(entry.path)
    return ModelFile(entry.path, count, Digest(sha256.hexdigest()), entry.source, entry.executable, after)


def check_path(path: str) -> None:
    """Raise `InputError` for a relative path that a model may not use; the rule for packing and for pulling alike."""
    shown = printable(path)
    try:
        length = len(path.encode())
    except UnicodeEncodeError:
        raise InputError(f"the name '{shown}' is not valid UTF-8", remedy="Rename the file.") from None
    if length > PATH_LIMIT:
        raise InputError(f"the name '{shown}' has {length} bytes, the limit is {PATH_LIMIT}", remedy="Shorten it.")
    if not path or path.startswith("/") or any(part in {"", ".", ".."} for part in path.split("/")):
        raise InputError(f"the name '{shown}' is not a plain relative path")
    if "\\" in path or ":" in path.split("/", maxsplit=1)[0][1:2] or not path.isprintable():
        raise InputError(
            f"the name '{shown}' holds a backslash, a drive letter or a character that does not print",
            remedy="Rename the file: other systems could not hold this name.",
        )


def folded(path: str) -> str:
    """Return the form in which two paths are the same on file systems that ignore case."""
    return path.casefold()


def open_regular(source: Path) -> BinaryIO:
    """Open a regular file for reading, never through a link and never blocking on a pipe."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(source, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("not a regular file")
    return os.fdopen(descriptor, "rb", buffering=0)


def stamp_of(stream: BinaryIO) -> Stamp:
    """Return what changes with an open file; its ctime, too, since programs can set an mtime back and that not."""
    status = os.fstat(stream.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _top(root: Path) -> Path:
    try:
        return root.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(
            f"{printable(str(root))}: {printable(reason or 'cannot be read')}", remedy="Give the folder of a model."
        ) from None


def _below(folder: Path, top: Path, prefix: str, above: tuple[Path, ...]) -> Iterator[Entry]:
    if folder in above:
        raise InputError(f"the link '{printable(prefix.rstrip('/'))}' leads in a circle", remedy="Remove it.")
    try:
        with os.scandir(folder) as listing:
            children = sorted(listing, key=lambda child: os.fsencode(child.name))
    except OSError as error:
        raise _unreadable(prefix or ".", error) from None
    for child in children:
        path = prefix + child.name
        if path in IGNORED:
            continue
        check_path(path)
        source = _contained(Path(child.path), top, path) if child.is_symlink() else Path(child.path)
        if source.is_dir():
            yield from _below(source, top, path + "/", (*above, folder))
        else:
            yield _entry(source, path)


def _contained(link: Path, top: Path, path: str) -> Path:
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):
        raise InputError(f"the link '{printable(path)}' points at nothing", remedy="Remove or mend it.") from None
    if target != top and top not in target.parents:
        raise InputError(
            f"the link '{printable(path)}' points out of the model",
            remedy="Copy the model with its contents (cp -rL, or a download into a plain folder) and give the copy.",
        )
    return target


def _entry(source: Path, path: str) -> Entry:
    check_path(path)
    try:
        status = source.lstat()
    except OSError as error:
        raise _unreadable(path, error) from None
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"'{printable(path)}' is neither a file nor a folder", remedy="Move it out of the model.")
    return Entry(path, source, bool(status.st_mode & 0o100), status.st_size)


def _refuse_folded_twins(entries: list[Entry]) -> None:
    seen: dict[str, str] = {}
    for entry in entries:
        twin = seen.setdefault(folded(entry.path), entry.path)
        if twin != entry.path:
            raise InputError(
                f"'{printable(twin)}' and '{printable(entry.path)}' differ only in case",
                remedy="Rename one: a file system that ignores case would keep only one of them.",
            )


def _unreadable(path: str, error: OSError) -> InputError:
    reason = printable(error.strerror or str(error))
    return InputError(f"'{printable(path)}' cannot be read: {reason}", remedy="Mend its permissions or move it away.")


def _changed(path: str) -> UnfinishedError:
    return UnfinishedError(
        f"'{printable(path)}' changed while it was in use", remedy="Stop what writes to the model and run again."
    )
