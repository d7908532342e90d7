"""``weighlock copy``: carry an artifact with all that hangs on it to another place, by digest, and tag it last.

From a layout to a registry, back, or between registries: the bytes stay the same, and so do all digests and signatures.
Blobs are streamed and digested on the way, or mounted inside one registry; what is there already is not moved again.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from weighlock.errors import MalformedError, NotFoundError, RefusedError
from weighlock.inputs import Enforced, VerifierInputs, option, output
from weighlock.jsonio import Json
from weighlock.oci import Descriptor, Digest, Manifest
from weighlock.stages import Context, Problem
from weighlock.stages.verify import verify
from weighlock.store import Opener, Readable, Store, limits
from weighlock.store.planning import Plan, plan
from weighlock.store.sending import send
from weighlock.store.targets import Target, find, open_store
from weighlock.text import counted

_DEPTH = 3  # a referrer of a referrer of a referrer; deeper is nobody's evidence


@dataclass(frozen=True, slots=True)
class Inputs(VerifierInputs):
    """What `copy` is told."""

    target: str = option("the artifact: oci:DIR[:TAG|@DIGEST] or HOST/REPO[:TAG|@DIGEST]", positional=True)
    to: str = option("where to copy it: oci:DIR[:TAG] or HOST/REPO[:TAG]", positional=True, metavar="TARGET")
    plain_http: bool = option("talk to the registries without TLS (loopback needs no flag)", default=False)


@dataclass(frozen=True, slots=True)
class Outputs:
    """What `copy` did."""

    blobs: int
    """How many blobs were moved."""
    bytes: int
    referrers: int
    skipped: tuple[str, ...]
    """Why referrers were left behind: they are damaged, or no manifests that we know."""
    tag: str
    digest: str = output("digest of the artifact, the same in both places")
    reference: str = output("where the copy is, by digest")

    passed = True

    def data(self) -> Json:
        """Return reference, totals and tag."""
        totals = {"blobs": self.blobs, "bytes": self.bytes, "referrers": self.referrers}
        return {
            "digest": self.digest,
            "reference": self.reference,
            "tag": self.tag or None,
            **totals,
            "skipped": list(self.skipped),
        }

    def text(self) -> str:
        """Return the reference alone, so that a shell can take it."""
        return f"{self.reference}\n"

    def problems(self) -> list[Problem]:
        """Return nothing: what cannot be copied is an error."""
        return []


@dataclass(frozen=True, slots=True)
class Node:
    """A manifest to copy, its bytes, and what hangs on it."""

    descriptor: Descriptor
    raw: bytes
    manifest: Manifest
    referrers: tuple[Node, ...]

    def all(self) -> Iterator[Node]:
        """Yield this and all that hangs on it."""
        yield self
        for node in self.referrers:
            yield from node.all()


def run(inputs: Inputs, context: Context) -> Outputs:
    """Read what there is, move blobs, then the manifest, then what hangs on it, then the tag."""
    target, place = Target.parse(inputs.target), Target.place_of(inputs.to)
    source = open_store(target, plain_http=inputs.plain_http)
    store = open_store(place, plain_http=inputs.plain_http)
    subject = find(source, target)
    if inputs.pin():
        _refuse_unless_verified(source, subject, inputs.enforced())
    store.probe()
    skipped: list[str] = []
    node = _read(source, subject.digest, _DEPTH, skipped)
    for reason in skipped:
        context.say(f"warning: a referrer is not copied: {reason}")
    origin = source if target.shares_registry(place) else None
    blobs = [blob for one in node.all() for blob in (one.manifest.config, *one.manifest.layers)]
    planned = plan(store, blobs, origin)
    if isinstance(place.place, Path):
        limits.check_room(place.place, sum(blob.size for blob in planned.absent()))
    moved = _move_blobs(source, store, planned, context)
    store.push_manifest(node.raw)
    _attach(store, node)
    if place.tag:
        store.tag(node.descriptor, place.tag)
        context.say(f"tagged '{place.tag}'")
    return Outputs(
        blobs=len(moved),
        bytes=sum(blob.size for blob in moved),
        referrers=sum(1 for _ in node.all()) - 1,
        skipped=tuple(skipped),
        tag=place.tag or "",
        digest=str(node.descriptor.digest),
        reference=f"{store.name}@{node.descriptor.digest}",
    )


def _refuse_unless_verified(source: Store, subject: Descriptor, enforced: Enforced) -> None:
    verification = verify(source, subject, enforced)
    for item in verification.checks:
        if not item.ok:
            raise RefusedError(
                f"{source.name}@{subject.digest} does not verify, so it was not copied: {item.name}: {item.reason}"
            )


def _read(source: Store, digest: Digest, depth: int, skipped: list[str]) -> Node:
    """Read a manifest and all that hangs on it; what hangs there and cannot be read is named in `skipped`."""
    raw = source.manifest(digest)
    manifest = Manifest.parse(raw, f"{digest} in {source.name}")
    hanging = []
    for item in source.referrers(digest):
        try:
            if not depth:
                raise MalformedError(f"{item.digest} hangs on something that hangs on too much else")
            hanging.append(_read(source, item.digest, depth - 1, skipped))
        except (RefusedError, NotFoundError) as error:
            skipped.append(error.what)
    return Node(manifest.descriptor(raw), raw, manifest, tuple(hanging))


def _move_blobs(source: Store, store: Store, planned: Plan, context: Context) -> list[Descriptor]:
    """Do what is planned; return what was not there before."""
    for line in planned.lines():
        context.say(line)
    sources: dict[Digest, Opener] = {blob.digest: _opener(source, blob) for blob, _ in planned.moves}
    moved = send(store, planned, sources, context.display)
    context.say(f"copied {counted(len(moved), 'blob')}")
    return moved


def _attach(store: Store, node: Node) -> None:
    if node.referrers:
        store.attach(node.descriptor, [referrer.raw for referrer in node.referrers])
    for referrer in node.referrers:
        _attach(store, referrer)


def _opener(source: Store, blob: Descriptor) -> Opener:
    def opened() -> Readable:
        return _Reading(source.blob(blob))

    return opened


class _Reading(io.RawIOBase):
    """What a store yields, as something to read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces

    def read(self, _size: int = -1, /) -> bytes:
        """Return the next piece, whatever its size."""
        return next(self._pieces, b"")
