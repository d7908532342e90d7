"""The nouns of the OCI specifications: Digest, Descriptor, Manifest, Index, and their bytes. Pure.

Sources: image-spec 1.1.1 (descriptor.md, manifest.md, image-index.md), distribution-spec 1.1.1.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from weighlock import jsonio
from weighlock.errors import MalformedError
from weighlock.jsonio import Json
from weighlock.text import printable

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
EMPTY_BYTES = b"{}"
REF_NAME = "org.opencontainers.image.ref.name"
TITLE = "org.opencontainers.image.title"
CREATED = "org.opencontainers.image.created"
MANIFEST_LIMIT = 4 * 1024 * 1024  # bytes; what every registry must take (distribution-spec, "Pushing manifests")

_DESCRIPTOR_FIELDS = frozenset({"mediaType", "digest", "size", "artifactType", "annotations"})
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A sha256 digest; the one number that layer, ledger, signature and bill of materials share."""

    hex: str

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read ``sha256:<64 lower-case hex>``; another algorithm or spelling is a `MalformedError`."""
        if not _DIGEST.fullmatch(text):
            raise MalformedError(f"{printable(text)!r} is not a sha256 digest (sha256:<64 hex digits>)")
        return cls(text.removeprefix("sha256:"))

    @classmethod
    def of(cls, data: bytes) -> Digest:
        """Return the digest of `data`."""
        return cls(hashlib.sha256(data).hexdigest())

    def __str__(self) -> str:
        return f"sha256:{self.hex}"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a piece of content is: media type, digest, size in bytes, and where it says more, annotations."""

    media_type: str
    digest: Digest
    size: int
    artifact_type: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """Fields that we do not use (platform, urls, …), kept so that rewriting an index loses nothing."""

    @classmethod
    def of(cls, data: bytes, media_type: str) -> Descriptor:
        """Describe `data`."""
        return cls(media_type, Digest.of(data), len(data))

    @classmethod
    def from_json(cls, document: Json, what: str = "descriptor") -> Descriptor:
        """Read a descriptor object."""
        size = jsonio.field(document, "size", int, what)
        if size < 0:
            raise MalformedError(f"{what}: 'size' is negative")
        return cls(
            jsonio.field(document, "mediaType", str, what),
            Digest.parse(jsonio.field(document, "digest", str, what)),
            size,
            jsonio.optional(document, "artifactType", str, what),
            jsonio.strings(document, "annotations", what),
            {key: value for key, value in document.items() if key not in _DESCRIPTOR_FIELDS},
        )

    def to_json(self) -> Json:
        """Return the wire form; empty fields are left out."""
        document: Json = {**self.others, "mediaType": self.media_type, "digest": str(self.digest), "size": self.size}
        if self.artifact_type:
            document["artifactType"] = self.artifact_type
        if self.annotations:
            document["annotations"] = dict(self.annotations)
        return document


EMPTY_DESCRIPTOR = Descriptor.of(EMPTY_BYTES, EMPTY)


@dataclass(frozen=True, slots=True)
class Manifest:
    """An image manifest used for an artifact: config, layers, and for a referrer the subject it hangs on."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    artifact_type: str | None = None
    subject: Descriptor | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, raw: bytes, what: str = "manifest") -> Manifest:
        """Read manifest bytes; what is not an OCI image manifest is a `MalformedError`."""
        document = jsonio.parse(raw, what)
        if document.get("schemaVersion") != 2:
            raise MalformedError(f"{what}: 'schemaVersion' is not 2")
        media_type = document.get("mediaType")
        if media_type != MANIFEST:
            raise MalformedError(f"{what}: unknown media type {printable(str(media_type))!r}, expected {MANIFEST}")
        subject = jsonio.optional(document, "subject", dict, what)
        return cls(
            Descriptor.from_json(jsonio.field(document, "config", dict, what), f"{what} config"),
            tuple(Descriptor.from_json(item, f"{what} layer") for item in jsonio.objects(document, "layers", what)),
            jsonio.optional(document, "artifactType", str, what),
            None if subject is None else Descriptor.from_json(subject, f"{what} subject"),
            jsonio.strings(document, "annotations", what),
        )

    def encode(self) -> bytes:
        """Return the canonical bytes; the same fields give the same digest on every machine."""
        document: Json = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.config.to_json(),
            "layers": [layer.to_json() for layer in self.layers],
        }
        if self.artifact_type:
            document["artifactType"] = self.artifact_type
        if self.subject:
            document["subject"] = self.subject.to_json()
        if self.annotations:
            document["annotations"] = dict(self.annotations)
        return jsonio.canonical(document)

    def descriptor(self, raw: bytes | None = None) -> Descriptor:
        """Describe this manifest as an index lists it; `raw` are its stored bytes, where they are at hand.

        The artifact type is the manifest's own, else its config's media type, and all annotations are copied
        (distribution-spec, "Listing Referrers"): readers filter on the descriptor alone.
        """
        data = self.encode() if raw is None else raw
        artifact_type = self.artifact_type or self.config.media_type
        return Descriptor(MANIFEST, Digest.of(data), len(data), artifact_type, self.annotations)


@dataclass(frozen=True, slots=True)
class Index:
    """An image index: the entry point of a layout, and the answer to a question for referrers."""

    manifests: tuple[Descriptor, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, raw: bytes, what: str = "index") -> Index:
        """Read index bytes; its entries keep digest, size, types and annotations."""
        document = jsonio.parse(raw, what)
        if document.get("schemaVersion") != 2 or document.get("mediaType", INDEX) != INDEX:
            raise MalformedError(f"{what} is not an OCI image index")
        entries = jsonio.objects(document, "manifests", what)
        manifests = tuple(Descriptor.from_json(entry, f"{what} entry") for entry in entries)
        return cls(manifests, jsonio.strings(document, "annotations", what))

    def encode(self) -> bytes:
        """Return the canonical bytes."""
        manifests = [descriptor.to_json() for descriptor in self.manifests]
        document: Json = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
        if self.annotations:
            document["annotations"] = dict(self.annotations)
        return jsonio.canonical(document)


def single(descriptors: tuple[Descriptor, ...]) -> tuple[Descriptor, ...]:
    """Return the descriptors with each digest once, the first standing."""
    seen: dict[Digest, Descriptor] = {}
    for descriptor in descriptors:
        seen.setdefault(descriptor.digest, descriptor)
    return tuple(seen.values())
