"""Digests that are known before a file is read. They are hints: they save time and decide nothing.

Two kinds, trusted differently:

- What we weighed ourselves (`Weighed`), by the file's place and stamp, in the user's own cache. `package` takes such a
  digest without reading the file. What it sends is digested again on the way, so a wrong one never gets bytes out.
- What names say (`named`): a pointer of Git LFS, a blob of Hugging Face's cache. Whoever made the folder wrote them, so
  no file is taken for what its name says; a store is asked for such a digest early, while the file is read.

Nothing is signed by either: `scan`, `seal` and `release` read every byte.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from weighlock import git
from weighlock.errors import MalformedError, UnfinishedError
from weighlock.model import Entry, ModelFile, Stamp, open_regular, stamp_of
from weighlock.oci import Digest
from weighlock.text import printable
from weighlock.usercache import Entries

LEAST = 4 * 1024 * 1024
"""Size in bytes from which a digest is kept. Smaller files are always read: that is fast, and descriptions are made of them."""
_MOST = 4096  # entries that are kept
_ENTRY_LIMIT = 512  # bytes of an entry
_FRESH = 2 * 10**9  # ns; in this time a file may change again without a change of its times, on coarse file systems
_METADATA = Path(".cache/huggingface/download")  # where huggingface_hub keeps notes in a folder it downloads to
_METADATA_LIMIT = 1024  # bytes
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Weighed:
    """Digests of files that earlier runs weighed. One holds while device, inode, size, mtime and ctime are the same.

    What is left is a program that writes through a memory map, which some systems note late or never, and a file server
    whose clock is behind by more than two seconds. Who can write the user's cache is the user.
    """

    def __init__(
        self,
        folder: Path,
        say: Callable[[str], None] = lambda _words: None,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        """Keep digests in `folder`; make this before any file is read, since what changed later than that is not kept."""
        self._entries = Entries(folder, _ENTRY_LIMIT)
        self._say = say
        self._began = now()

    def known(self, entry: Entry) -> ModelFile | None:
        """Return the file as if it had been weighed now, None where it has to be read."""
        if entry.size < LEAST:
            return None
        try:
            with open_regular(entry.source) as stream:
                stamp = stamp_of(stream)
        except OSError:
            return None  # who reads it says why it cannot be read
        key = _key(entry.source)
        head, _, digest = (self._entries.read(key) or b"").decode(errors="replace").rpartition(" ")
        if head != _head(key, stamp):
            return None
        try:
            return ModelFile(entry.path, stamp[2], Digest.parse(digest), entry.source, entry.executable, stamp)
        except MalformedError:
            return None

    def keep(self, files: Iterable[ModelFile]) -> None:
        """Keep the digests of files that this run weighed, but of none that changed shortly before it, or after."""
        settled = [file for file in files if file.size >= LEAST and max(file.stamp[3:]) < self._began - _FRESH]
        try:
            for file in settled:
                key = _key(file.source)
                self._entries.write(key, f"{_head(key, file.stamp)} {file.digest}".encode())
            if settled:
                self._entries.prune(_MOST)
        except OSError as error:
            self._say(f"the digest cache cannot be written: {printable(str(error))}")

    def forget(self, files: Iterable[ModelFile]) -> None:
        """Drop what is kept of these files."""
        try:
            for file in files:
                self._entries.drop(_key(file.source))
        except OSError as error:
            self._say(f"the digest cache cannot be written, remove it: {printable(str(error))}")


def named(root: Path, entries: Sequence[Entry]) -> dict[str, Digest]:
    """Return path to digest for the files of the model at `root` whose digest a name or a note claims to be known."""
    return {**dict(_of_hugging_face(root, entries)), **_of_git_lfs(root, entries)}


def _of_git_lfs(root: Path, entries: Sequence[Entry]) -> dict[str, Digest]:
    """Read the pointers in the commit that is checked out; what git cannot say is no hint."""
    folder = root if root.is_dir() else root.parent
    top, prefix = git.say(folder, "rev-parse", "--show-toplevel"), git.say(folder, "rev-parse", "--show-prefix")
    if not top or prefix is None:
        return {}
    repository = git.Repository(Path(os.fsdecode(top.removesuffix(b"\n"))))
    below = os.fsdecode(prefix.removesuffix(b"\n"))
    found = {}
    try:
        commit = repository.commit("HEAD")
        blobs = repository.files(commit) if commit else {}
        with repository.reading() as reader:
            for entry in entries:
                blob = blobs.get(below + (entry.path if root.is_dir() else root.name))
                pointer = reader.pointer(blob) if blob and blob.size != entry.size else None
                if pointer and pointer.size == entry.size:
                    found[entry.path] = Digest(pointer.sha256)
    except UnfinishedError:
        return {}
    return found


def _of_hugging_face(root: Path, entries: Sequence[Entry]) -> Iterator[tuple[str, Digest]]:
    """Read names of ``blobs/<sha256>``, to which snapshots link, and the notes beside a download to a plain folder.

    Those of 40 digits are git's and say nothing of a sha256.
    """
    notes = (root if root.is_dir() else root.parent) / _METADATA
    for entry in entries:
        own = entry.source.name if entry.source.parent.name == "blobs" else ""
        said = own or _etag(notes / f"{entry.path}.metadata")
        if _SHA256.fullmatch(said):
            yield entry.path, Digest(said)


def _etag(note: Path) -> str:
    """Return the second line of a note of huggingface_hub: commit, etag, time."""
    try:
        with open_regular(note) as stream:
            lines = stream.read(_METADATA_LIMIT).decode(errors="replace").split("\n")
    except OSError:
        return ""
    return lines[1] if len(lines) > 1 else ""


def _key(source: Path) -> str:
    return hashlib.sha256(os.fsencode(source)).hexdigest()


def _head(key: str, stamp: Stamp) -> str:
    return " ".join(map(str, (key, *stamp)))
