"""An image index that others write to as well: what they wrote is kept, only what is ours is added or changed.

The entry point of a layout (``index.json``) and the referrers tag of a registry without the referrers API are both
such an index. Entries stay the JSON objects that they were; an entry with a digest that we cannot read is still kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from weighlock import jsonio
from weighlock.errors import MalformedError
from weighlock.jsonio import Json
from weighlock.oci import INDEX, REF_NAME, Descriptor


@dataclass(frozen=True, slots=True)
class Listing:
    """The entries of an index, and in `rest` the index's other fields."""

    entries: tuple[Json, ...] = ()
    rest: Json = field(default_factory=lambda: {"schemaVersion": 2, "mediaType": INDEX})

    @classmethod
    def parse(cls, raw: bytes, what: str) -> Listing:
        """Read index bytes; what is not an image index is a `MalformedError`."""
        document = jsonio.parse(raw, what)
        if document.get("schemaVersion") != 2 or document.get("mediaType", INDEX) != INDEX:
            raise MalformedError(f"{what} is not an OCI image index")
        entries = jsonio.objects(document, "manifests", what)
        for entry in entries:
            jsonio.field(entry, "digest", str, f"{what} entry")
            jsonio.strings(entry, "annotations", f"{what} entry")
        return cls(tuple(entries), {key: value for key, value in document.items() if key != "manifests"})

    def encode(self) -> bytes:
        """Return the index's bytes; equal listings give equal bytes."""
        document = {**self.rest, "manifests": list(self.entries)}
        try:
            return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
        except ValueError:
            raise MalformedError("the index holds a number that JSON cannot carry") from None

    def descriptors(self) -> tuple[Descriptor, ...]:
        """Return the entries with a sha256 digest; others are no business of ours."""
        readable = (entry for entry in self.entries if entry["digest"].startswith("sha256:"))
        return tuple(Descriptor.from_json(entry, "index entry") for entry in readable)

    def tags(self) -> dict[str, Json]:
        """Return tag to entry; of two entries with one tag, the first stands, as other readers have it."""
        named: dict[str, Json] = {}
        for entry in self.entries:
            name = _name(entry)
            if name is not None:
                named.setdefault(name, entry)
        return named

    def listing(self, descriptors: Iterable[Descriptor]) -> Listing:
        """Return this with `descriptors` listed; an entry that describes one of them in other words is corrected."""
        entries = list(self.entries)
        for descriptor in descriptors:
            wanted = descriptor.to_json()
            at = [place for place, entry in enumerate(entries) if entry["digest"] == wanted["digest"]]
            if not at:
                entries.append(wanted)
            for place in at:
                entries[place] = _described(entries[place], descriptor)
        return Listing(tuple(entries), self.rest)

    def joined(self, earlier: Listing) -> Listing:
        """Return this with those entries of `earlier` whose digest it lacks."""
        missing = (entry for entry in earlier.entries if entry["digest"] not in self.digests())
        return Listing((*self.entries, *missing), self.rest)

    def digests(self) -> frozenset[str]:
        """Return the digests of all entries."""
        return frozenset(entry["digest"] for entry in self.entries)

    def tagging(self, descriptor: Descriptor, tag: str) -> Listing:
        """Return this with `tag` on `descriptor` alone; what carried it before stays listed, with its other tags."""
        digest = str(descriptor.digest)
        if [entry["digest"] for entry in self.entries if _name(entry) == tag] == [digest]:
            return self
        ours = [entry for entry in self.entries if entry["digest"] == digest and _name(entry) in {None, tag}]
        entries = [entry for entry in self.entries if _name(entry) != tag and entry not in ours]
        for entry in self.entries:
            if _name(entry) == tag and entry["digest"] not in {digest, *(kept["digest"] for kept in entries)}:
                entries.append(_named(entry, None))
        entries.append(_named(ours[0] if ours else descriptor.to_json(), tag))
        return Listing(tuple(entries), self.rest)


def _name(entry: Json) -> str | None:
    name: str | None = (entry.get("annotations") or {}).get(REF_NAME)
    return name


def _named(entry: Json, tag: str | None) -> Json:
    annotations = {key: value for key, value in (entry.get("annotations") or {}).items() if key != REF_NAME}
    if tag is not None:
        annotations[REF_NAME] = tag
    bare = {key: value for key, value in entry.items() if key != "annotations"}
    return {**bare, "annotations": annotations} if annotations else bare


def _described(entry: Json, descriptor: Descriptor) -> Json:
    """Bring an entry's artifact type and annotations up to the manifest's; further annotations stay."""
    annotations = {**(entry.get("annotations") or {}), **descriptor.annotations}
    corrected = {**entry, **descriptor.to_json()}
    return {**corrected, "annotations": annotations} if annotations else corrected
