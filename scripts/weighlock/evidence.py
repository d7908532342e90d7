"""Evidence on a digest: bundles as OCI referrers, written in one batch and read back.

A referrer is a manifest with an empty config, the bundle as its only layer and the model's manifest as its subject, as
cosign v3 and GitHub's attest action write it.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from weighlock.errors import MalformedError, NotFoundError, RefusedError
from weighlock.intoto import Statement
from weighlock.oci import CREATED, EMPTY_BYTES, EMPTY_DESCRIPTOR, Descriptor, Manifest
from weighlock.predicates import lasting
from weighlock.signing import BUNDLE, BUNDLE_LIMIT, Bundle, Certificate, Signer, Verifier
from weighlock.store import Store, read
from weighlock.text import printable, size

PREDICATE_TYPE = "dev.sigstore.bundle.predicateType"
_CONTENT = "dev.sigstore.bundle.content"
LIMIT = 1000  # bundles on one digest
BYTES = 200_000_000  # of all bundles on it together
_STREAMS = 8


@dataclass(frozen=True, slots=True)
class Attached:
    """A referrer that holds a bundle: its descriptor, the bundle, and the statement inside, not yet believed."""

    descriptor: Descriptor
    bundle: Bundle
    statement: Statement
    certificate: Certificate | None = None
    """Whose certificate signed it, once that was verified; None for a key."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """A bundle that is no evidence, and why; it is reported and never passed over in silence."""

    descriptor: Descriptor
    reason: str


@dataclass(frozen=True, slots=True)
class Collected:
    """What hangs on a digest: `trusted` was signed by the pinned identity, `ignored` was not or cannot be read."""

    trusted: tuple[Attached, ...]
    ignored: tuple[Ignored, ...]


def collect(store: Store, subject: Descriptor, verifier: Verifier) -> Collected:
    """Read all bundles that hang on `subject` and keep those that the verifier's identity signed.

    Anybody who may write to a registry may hang things there. What is no bundle is not asked for. More than `LIMIT`
    bundles, or bundles of more than `BYTES` together, are a `RefusedError`: to read some of them only would let an
    attacker choose which.
    """
    listed = store.referrers(subject.digest, BUNDLE)
    if len(listed) > LIMIT:
        raise _flood(f"{len(listed)} bundles hang on {subject.digest}, more than {LIMIT} are not read")
    with ThreadPoolExecutor(_STREAMS) as pool:
        layers = list(pool.map(lambda item: _layer(store, item, subject), listed))
        total = sum(layer.size for layer in layers if isinstance(layer, Descriptor) and layer.size <= BUNDLE_LIMIT)
        if total > BYTES:
            raise _flood(f"the bundles on {subject.digest} have {size(total)}, more than {size(BYTES)} are not read")
        held = pool.map(lambda item, layer: _read(store, item, layer), listed, layers)
        judged = [_believed(item, verifier) for item in held]
    return Collected(
        tuple(item for item in judged if isinstance(item, Attached)),
        tuple(item for item in judged if isinstance(item, Ignored)),
    )


def fetch(store: Store, descriptor: Descriptor, subject: Descriptor) -> Attached:
    """Read one referrer; `MalformedError` unless it hangs on `subject` and holds exactly one bundle."""
    return _attached(store, descriptor, _bundle_of(store, descriptor, subject))


def _bundle_of(store: Store, descriptor: Descriptor, subject: Descriptor) -> Descriptor:
    manifest = Manifest.parse(store.manifest(descriptor.digest), "referrer")
    if manifest.subject is None or manifest.subject.digest != subject.digest:
        raise MalformedError("the referrer hangs on another digest")
    if manifest.artifact_type != BUNDLE:  # a registry that was asked for bundles need not have listed it
        shown = printable(manifest.artifact_type or manifest.config.media_type)
        raise MalformedError(f"the referrer holds no Sigstore bundle, its type is '{shown}'")
    if len(manifest.layers) != 1 or manifest.layers[0].media_type != BUNDLE:
        raise MalformedError("the referrer does not hold exactly one Sigstore bundle")
    return manifest.layers[0]


def _attached(store: Store, descriptor: Descriptor, layer: Descriptor) -> Attached:
    bundle = Bundle.parse(read(store, layer, BUNDLE_LIMIT))
    return Attached(descriptor, bundle, Statement.parse(bundle.payload))


def _layer(store: Store, descriptor: Descriptor, subject: Descriptor) -> Descriptor | Ignored:
    try:
        return _bundle_of(store, descriptor, subject)
    except (RefusedError, NotFoundError) as error:
        return Ignored(descriptor, error.what)


def _read(store: Store, descriptor: Descriptor, layer: Descriptor | Ignored) -> Attached | Ignored:
    if isinstance(layer, Ignored):
        return layer
    try:
        return _attached(store, descriptor, layer)
    except (RefusedError, NotFoundError) as error:
        return Ignored(descriptor, error.what)


def _believed(item: Attached | Ignored, verifier: Verifier) -> Attached | Ignored:
    if isinstance(item, Ignored):
        return item
    try:
        return dataclasses.replace(item, certificate=verifier.verify(item.bundle))
    except RefusedError as error:
        return Ignored(item.descriptor, error.what)


def _flood(what: str) -> RefusedError:
    return RefusedError(
        what, remedy="Remove what does not belong there; who may write to the repository may hang things on it."
    )


def missing(wanted: Sequence[Statement], present: Sequence[Attached]) -> list[Statement]:
    """Return the wanted statements that are not among the `present` ones, compared by what lasts of them."""
    there = [_identity(attached.statement) for attached in present]
    return [statement for statement in wanted if _identity(statement) not in there]


def attach(
    store: Store, subject: Descriptor, statements: Sequence[Statement], signer: Signer, *, created: str
) -> tuple[Descriptor, ...]:
    """Sign the statements and hang them on `subject`, all in one update; `created` is an RFC 3339 time in UTC."""
    if not statements:
        return ()
    verifier = signer.verifier()
    referrers = []
    bundles = signer.sign([statement.encode() for statement in statements])
    for statement, bundle in zip(statements, bundles, strict=True):
        verifier.verify(bundle)  # as a consumer would, before anybody can see it
        layer = Descriptor.of(bundle.raw, BUNDLE)
        if layer.size > BUNDLE_LIMIT:
            raise RefusedError(
                f"the bundle for {statement.predicate_type} has {layer.size} bytes, verifiers read {BUNDLE_LIMIT}",
                remedy="Make the predicate smaller.",
            )
        push_bytes(store, layer, bundle.raw)
        referrers.append(_referrer(layer, subject, statement.predicate_type, created))
    push_bytes(store, EMPTY_DESCRIPTOR, EMPTY_BYTES)
    return store.attach(subject, [referrer.encode() for referrer in referrers])


def push_bytes(store: Store, descriptor: Descriptor, data: bytes) -> None:
    """Store a small blob."""
    store.push_blob(descriptor, lambda: io.BytesIO(data))


def _referrer(layer: Descriptor, subject: Descriptor, predicate_type: str, created: str) -> Manifest:
    plain = Descriptor(subject.media_type, subject.digest, subject.size)
    annotations = {CREATED: created, _CONTENT: "dsse-envelope", PREDICATE_TYPE: predicate_type}
    return Manifest(EMPTY_DESCRIPTOR, (layer,), BUNDLE, plain, annotations)


def _identity(statement: Statement) -> tuple[object, ...]:
    digests = tuple(subject.digest for subject in statement.subjects)
    return digests, statement.predicate_type, lasting(statement.predicate_type, statement.predicate)
