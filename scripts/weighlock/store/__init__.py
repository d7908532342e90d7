"""Where artifacts live: the `Store` port, and the check that every byte passes on its way in or out.

A store holds blobs and manifests by digest, lists the referrers of a manifest, and moves tags. Its two implementations
are `layout` (an OCI image layout in a folder) and `registry` (the distribution API); `targets` opens the one that a
TARGET names. Everything is idempotent: content that is there already is success.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from weighlock import jsonio
from weighlock.errors import IntegrityError, MalformedError
from weighlock.oci import EMPTY, MANIFEST, Descriptor, Digest, Manifest

CHUNK = 1024 * 1024  # bytes a read; large enough that hashing releases the GIL for long


class Readable(Protocol):
    """Bytes to read from first to last; a file opened in binary mode is one."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, none at the end."""

    def close(self) -> None:
        """Give back what it holds."""


Opener = Callable[[], Readable]


class Store(Protocol):
    """A place for one repository's artifacts.

    Errors: `NotFoundError` for what is not there, `IntegrityError` for bytes that do not match their digest or size,
    `StoreError` where the place itself fails. Blobs may be read and stored from several threads at once.
    """

    @property
    def name(self) -> str:
        """Return the place as a person would write it, without tag or digest: ``oci:DIR`` or ``HOST/REPO``."""

    def resolve(self, tag: str) -> Descriptor | None:
        """Return what `tag` names now, or None; None too where the place is not there yet."""

    def tags(self) -> tuple[str, ...]:
        """List some of the tags that are there, sorted; for people, not complete in a large registry."""

    def manifest(self, digest: Digest) -> bytes:
        """Return the manifest's bytes, which have this digest."""

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        """Yield the blob's bytes; the check of digest and size comes after the last chunk, so use nothing before it."""

    def part(self, descriptor: Descriptor, start: int, end: int) -> Generator[bytes, None, None]:
        """Yield the blob's bytes from `start` up to `end`, unchecked: who joins the parts checks all."""

    def splits(self, descriptor: Descriptor) -> bool:
        """Tell whether parts of the blob can be had at once, and sooner than one after another."""

    def examine(self, descriptor: Descriptor) -> str:
        """Check that the blob is there as described, as thoroughly as is cheap here; return in words what was checked."""

    def probe(self) -> None:
        """Find out whether blobs may be stored here: raises now what storing one would raise later, and leaves nothing."""

    def mount(self, descriptor: Descriptor, origin: Store) -> bool:
        """Take a blob over from `origin` without moving its bytes; False where that cannot be."""

    def push_blob(self, descriptor: Descriptor, source: Opener) -> bool:
        """Store a blob read from `source()` (opened again for each attempt); return False if it was there already."""

    def push_manifest(self, raw: bytes) -> Descriptor:
        """Store manifest bytes under their digest, without a tag."""

    def referrers(self, subject: Digest, artifact_type: str | None = None) -> tuple[Descriptor, ...]:
        """List the manifests that hang on `subject`; each descriptor has artifact type and annotations.

        With `artifact_type`, all of this type, and of others only those whose type the place may not know.
        """

    def attach(self, subject: Descriptor, referrers: Sequence[bytes]) -> tuple[Descriptor, ...]:
        """Store manifests whose subject is `subject` and list them as its referrers, all in one update."""

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        """Make `tag` name the manifest, which must be there."""


def verified(chunks: Iterable[bytes], descriptor: Descriptor, where: str) -> Iterator[bytes]:
    """Pass `chunks` on and raise `IntegrityError` unless, in sum, they are what `descriptor` says.

    A stream that is too long is cut off at the first byte too many.
    """
    sha256 = hashlib.sha256()
    count = 0
    for chunk in chunks:
        count += len(chunk)
        if count > descriptor.size:
            raise IntegrityError(f"{descriptor.digest} in {where} is longer than the {descriptor.size} bytes described")
        sha256.update(chunk)
        yield chunk
    if count != descriptor.size:
        raise IntegrityError(f"{descriptor.digest} in {where} has {count} bytes, described are {descriptor.size}")
    if sha256.hexdigest() != descriptor.digest.hex:
        raise IntegrityError(
            f"{descriptor.digest} in {where} holds other bytes: their digest is sha256:{sha256.hexdigest()}",
            remedy="The content was damaged or replaced; take it from its origin again.",
        )


def describe(raw: bytes, what: str = "manifest") -> Descriptor:
    """Describe the bytes of a manifest or an index, of OCI or of a kind that we do not know, as an index lists them."""
    document = jsonio.parse(raw, what)
    media_type = jsonio.field(document, "mediaType", str, what)
    if media_type == MANIFEST:
        return Manifest.parse(raw, what).descriptor(raw)
    artifact_type = jsonio.optional(document, "artifactType", str, what)
    return Descriptor(
        media_type, Digest.of(raw), len(raw), artifact_type, jsonio.strings(document, "annotations", what)
    )


def of_type(descriptors: Iterable[Descriptor], artifact_type: str | None) -> tuple[Descriptor, ...]:
    """Return the referrers of a type, all where it is None; one whose type is not told may be of any.

    Instead of the manifest's own type, some lists have that of its empty config (NVIDIA/aicr#1957).
    """
    wanted = {artifact_type, None, "", EMPTY}
    return tuple(item for item in descriptors if artifact_type is None or item.artifact_type in wanted)


def hanging(raw: bytes, subject: Descriptor) -> Descriptor:
    """Describe the manifest in `raw`, which must have `subject` as its subject."""
    manifest = Manifest.parse(raw, "referrer")
    if manifest.subject is None or manifest.subject.digest != subject.digest:
        raise MalformedError(f"{Digest.of(raw)} is no referrer of {subject.digest}")
    return manifest.descriptor(raw)


def read(store: Store, descriptor: Descriptor, limit: int) -> bytes:
    """Return a small blob whole and verified; more than `limit` bytes are refused before a byte is read."""
    if descriptor.size > limit:
        raise IntegrityError(f"{descriptor.digest} in {store.name} has {descriptor.size} bytes, the limit is {limit}")
    return b"".join(store.blob(descriptor))


@dataclass(slots=True)
class Supply:
    """Bytes that come in pieces of one size and go in pieces of another."""

    content: Iterator[bytes]
    rest: bytes = b""

    def take(self, count: int) -> Iterator[bytes]:
        """Yield the next `count` bytes, fewer at the end."""
        while count and (chunk := self.rest or next(self.content, b"")):
            chunk, self.rest = chunk[:count], chunk[count:]
            count -= len(chunk)
            yield chunk


def chunks(stream: Readable) -> Iterator[bytes]:
    """Yield the rest of `stream` in pieces of `CHUNK` bytes."""
    while piece := stream.read(CHUNK):
        yield piece
