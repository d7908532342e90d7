"""An OCI image layout as a store: embedded, no server needed (image-spec 1.1.1, image-layout.md).

A layout may be hostile or damaged: nothing is used before its digest was checked, and writing again mends it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from weighlock.errors import IntegrityError, MalformedError, NotFoundError
from weighlock.oci import MANIFEST, MANIFEST_LIMIT, REF_NAME, Descriptor, Digest, Manifest
from weighlock.store import Opener, Store, Supply, chunks, describe, hanging, of_type, verified
from weighlock.store.folder import Folder

_log = logging.getLogger(__name__)


class Layout:
    """The `Store` in one folder, which the first write makes."""

    def __init__(self, path: Path) -> None:
        """Name the folder; nothing is read or written yet."""
        self._folder = Folder(path)

    @property
    def name(self) -> str:
        """Return ``oci:DIR``."""
        return self._folder.name

    def resolve(self, tag: str) -> Descriptor | None:
        """Return what ``index.json`` says of `tag`; whether the manifest is there and whole is not looked at."""
        entry = self._folder.listing().tags().get(tag)
        return None if entry is None else _nameless(Descriptor.from_json(entry, f"index.json of {self.name}"))

    def tags(self) -> tuple[str, ...]:
        """List all tags."""
        return tuple(sorted(self._folder.listing().tags()))

    def manifest(self, digest: Digest) -> bytes:
        """Return the manifest's bytes, digested."""
        with self._folder.open(digest) as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > MANIFEST_LIMIT:
                raise IntegrityError(f"{digest} in {self.name} is too large for a manifest: {size} bytes")
            return b"".join(verified(chunks(stream), Descriptor("", digest, size), self.name))

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        """Yield the blob's bytes; they are checked when the last was taken."""
        with self._folder.open(descriptor.digest) as stream:
            yield from verified(chunks(stream), descriptor, self.name)

    def part(self, descriptor: Descriptor, start: int, end: int) -> Generator[bytes, None, None]:
        """Yield the blob's bytes from `start` up to `end`."""
        with self._folder.open(descriptor.digest) as stream:
            stream.seek(start)
            yield from chunks(stream) if end == descriptor.size else Supply(chunks(stream)).take(end - start)

    def splits(self, descriptor: Descriptor) -> bool:  # noqa: ARG002 - part of the port
        """Return False: a disk is read fastest from one end to the other."""
        return False

    def examine(self, descriptor: Descriptor) -> str:
        """Digest the whole blob."""
        for _ in self.blob(descriptor):
            pass
        return "every byte digested"

    def probe(self) -> None:
        """See that the folder is a layout or may become one, and that it may be written to."""
        self._folder.probe()

    def mount(self, descriptor: Descriptor, origin: Store) -> bool:  # noqa: ARG002 - part of the port
        """Return False: layouts share no blobs."""
        return False

    def push_blob(self, descriptor: Descriptor, source: Opener) -> bool:
        """Store a blob; one that is there and damaged is replaced."""
        if self._is_whole(descriptor):
            return False
        with closing(source()) as stream:
            self._folder.write(descriptor.digest, verified(chunks(stream), descriptor, "what was to be stored"))
        return True

    def push_manifest(self, raw: bytes) -> Descriptor:
        """Store a manifest as a blob; it is listed once it is tagged or attached, not before."""
        descriptor = describe(raw)
        if not self._is_whole(descriptor):
            self._folder.write(descriptor.digest, [raw])
        return descriptor

    def referrers(self, subject: Digest, artifact_type: str | None = None) -> tuple[Descriptor, ...]:
        """Read the manifests that ``index.json`` lists and return those that hang on `subject`, or those of a type.

        A layout may list manifests that it does not hold. One that is damaged is nobody's referrer: it is left out,
        with a line in the log, and does not keep a new release from mending the layout.
        """
        listed = {entry.digest for entry in self._folder.listing().descriptors() if entry.media_type == MANIFEST}
        found = (self._referrer(digest, subject) for digest in sorted(listed - {subject}))
        return of_type((descriptor for descriptor in found if descriptor is not None), artifact_type)

    def attach(self, subject: Descriptor, referrers: Sequence[bytes]) -> tuple[Descriptor, ...]:
        """Store referrers and list them in ``index.json``, in one update."""
        attached = tuple(hanging(raw, subject) for raw in referrers)
        for raw in referrers:
            self.push_manifest(raw)
        self._folder.update(lambda listing: listing.listing(map(_nameless, attached)))
        return attached

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        """Make `tag` name the manifest and nothing else."""
        stored = describe(self.manifest(descriptor.digest))
        self._folder.update(lambda listing: listing.tagging(stored, tag))

    def _is_whole(self, descriptor: Descriptor) -> bool:
        try:
            self.examine(descriptor)
        except (NotFoundError, IntegrityError):
            return False
        return True

    def _referrer(self, digest: Digest, subject: Digest) -> Descriptor | None:
        try:
            raw = self.manifest(digest)
            manifest = Manifest.parse(raw, f"{digest} in {self.name}")
        except NotFoundError:
            return None
        except (IntegrityError, MalformedError) as error:
            _log.error("%s; it is not counted as a referrer", error.what)
            return None
        return manifest.descriptor(raw) if manifest.subject and manifest.subject.digest == subject else None


def _nameless(descriptor: Descriptor) -> Descriptor:
    """Return the descriptor without a tag's name: an annotation of a manifest may not become a tag of the layout."""
    annotations = {key: value for key, value in descriptor.annotations.items() if key != REF_NAME}
    return replace(descriptor, annotations=annotations)
