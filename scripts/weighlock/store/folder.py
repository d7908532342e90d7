"""The folder of an OCI image layout as files: is it one, make it one, its index, its blobs (image-spec, image-layout.md).

Everything is written aside and renamed into place (`durable`), and ``index.json`` is changed under a lock on the file
``oci-layout``, so writers may be killed and may run at the same time. Nothing is read through a link.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from weighlock import jsonio
from weighlock.errors import InputError, IntegrityError, MalformedError, NotFoundError, StoreError
from weighlock.model import open_regular
from weighlock.oci import Digest
from weighlock.store import durable
from weighlock.store.listing import Listing
from weighlock.text import printable

_MARK = b'{"imageLayoutVersion":"1.0.0"}'
_OURS = frozenset({"oci-layout", "index.json", "blobs", "ingest"})
_INDEX_LIMIT = 64 * 1024 * 1024  # bytes; layouts that many share list more than a registry's manifest may
_NOT_PLAIN = frozenset({None, errno.ELOOP, errno.ENXIO, errno.EISDIR})  # what links, pipes and folders answer


class Folder:
    """One layout's folder; the first write makes it, or mends one that a crash left half made."""

    def __init__(self, path: Path) -> None:
        """Name the folder; nothing is read or written yet."""
        self.name = f"oci:{printable(str(path))}"
        self._path = path
        self._blobs = path / "blobs" / "sha256"
        self._scratch = path / "ingest"
        self._ready = False

    def listing(self) -> Listing:
        """Return what ``index.json`` lists: nothing where the folder or the file is not there yet."""
        what = f"index.json of {self.name}"
        if not self._is_layout():
            return Listing()
        try:
            return Listing.parse(self._small("index.json"), what)
        except FileNotFoundError:
            return Listing()
        except MalformedError as error:
            raise MalformedError(
                error.what, remedy="Restore the file from a copy, or use a new folder; the blobs are not touched."
            ) from None

    def probe(self) -> None:
        """Raise what a write would raise; nothing is made."""
        self._is_layout()
        place = next(folder for folder in (self._path, *self._path.absolute().parents) if folder.exists())
        if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
            raise StoreError(
                f"{self.name} cannot be written to", remedy="Mend the permissions, or name another folder."
            )

    def update(self, change: Callable[[Listing], Listing]) -> None:
        """Replace ``index.json`` with what `change` makes of it, while no other writer can."""
        with self._writing("index.json"):
            self._prepare()
            with durable.locked(self._path / "oci-layout"):
                before = self.listing()
                after = change(before)
                if after != before:
                    durable.write(self._path / "index.json", [after.encode()], self._scratch)

    def write(self, digest: Digest, pieces: Iterable[bytes]) -> None:
        """Store a blob's bytes, in place of what is there; an error in `pieces` leaves everything as it was."""
        with self._writing(str(digest)):
            self._prepare()
            durable.write(self._blobs / digest.hex, pieces, self._scratch)

    @contextmanager
    def open(self, digest: Digest) -> Iterator[BinaryIO]:
        """Open a blob; its bytes are not checked here."""
        try:
            with open_regular(self._blobs / digest.hex) as stream:
                yield stream
        except (FileNotFoundError, NotADirectoryError):
            self._is_layout()  # says it better where there is something else in the layout's place
            raise NotFoundError(f"{self.name} does not hold {digest}") from None
        except OSError as error:
            if error.errno in _NOT_PLAIN:
                raise IntegrityError(f"{digest} in {self.name} is a link or otherwise not a plain file") from None
            raise StoreError(f"{digest} in {self.name} cannot be read: {_reason(error)}") from None

    def _is_layout(self) -> bool:
        """Tell whether there is a layout: False for nothing and for a bare beginning, an error for something else."""
        try:
            names = {child.name for child in self._path.iterdir()}
        except FileNotFoundError:
            return False
        except NotADirectoryError:
            raise InputError(f"{self.name} is a file", remedy="Name a folder, or a path that is new.") from None
        except OSError as error:
            raise StoreError(f"{self.name} cannot be read: {_reason(error)}") from None
        mark = self._small("oci-layout") if "oci-layout" in names else b""
        if mark != _MARK and _MARK.startswith(mark):
            if not names <= _OURS:
                raise InputError(
                    f"{self.name} holds other files and is no OCI layout",
                    remedy="Name an empty folder, or one that is not there yet.",
                )
            return "index.json" in names
        what = f"oci-layout of {self.name}"
        version = jsonio.field(jsonio.parse(mark, what), "imageLayoutVersion", str, what)
        if version != "1.0.0":
            raise InputError(f"{self.name} is an OCI layout of a version that we do not know: {printable(version)}")
        return True

    def _small(self, name: str) -> bytes:
        """Read one of the layout's own files; raises `FileNotFoundError` where it is missing."""
        try:
            with open_regular(self._path / name) as stream:
                raw = stream.read(_INDEX_LIMIT + 1)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StoreError(f"{name} of {self.name} cannot be read: {_reason(error)}") from None
        if len(raw) > _INDEX_LIMIT:
            raise MalformedError(f"{name} of {self.name} has more than {_INDEX_LIMIT} bytes")
        return raw

    def _prepare(self) -> None:
        """Make what is missing of the layout, and clear away what killed writers left."""
        if self._ready:
            return
        self._is_layout()
        self._path.mkdir(parents=True, exist_ok=True)
        with durable.locked(self._path / "oci-layout") as stream:
            written = stream.read()
            if written != _MARK and _MARK.startswith(written):
                durable.finish(stream, _MARK[len(written) :])
        for folder in (self._path / "blobs", self._blobs, self._scratch):
            if folder.is_symlink():
                raise InputError(f"'{folder.name}' in {self.name} is a link", remedy="Use a layout without links.")
            folder.mkdir(exist_ok=True)
        durable.sweep(self._scratch)
        self._ready = True

    @contextmanager
    def _writing(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"{what} could not be written to {self.name}: {_reason(error)}",
                remedy="Make room or mend the permissions and run again; what was written whole is kept.",
            ) from None


def _reason(error: OSError) -> str:
    return printable(error.strerror or str(error))
