"""How a release ends: what is said of an artifact, signed and attached, verified as a consumer would, and tagged last.

`release` and `seal` share it. Nothing is signed before scan and audit have passed and are about exactly the files of
the artifact; nothing is done twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from weighlock import clock, consumers, evidence, gate, oms, predicates, provenance
from weighlock.errors import RefusedError
from weighlock.evidence import Attached, Collected
from weighlock.inputs import Enforced, SignerInputs
from weighlock.intoto import Statement, Subject
from weighlock.jsonio import Json
from weighlock.oci import Descriptor, Digest
from weighlock.predicates import Build
from weighlock.provenance import Told
from weighlock.signing import Certificate, Signer
from weighlock.store import Store
from weighlock.store.targets import Target
from weighlock.text import counted
from weighlock.verification import verify

Results = Sequence[tuple[str, Json]]
"""Predicate types and predicates of what was found out about the files: the scan first."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A packaged model: where it is, its manifest, what people call it, and its files."""

    store: Store
    subject: Descriptor
    name: str
    files: dict[str, Digest]

    @property
    def about(self) -> Subject:
        """Return it as the subject of a statement."""
        return Subject(self.name, self.subject.digest)


@dataclass(frozen=True, slots=True)
class Sealed:
    """What hangs on a digest now, and what of it is new."""

    evidence: tuple[tuple[str, Digest], ...]
    """Predicate type and referrer digest."""
    added: int
    moved: bool
    """Whether the tag was set."""


@dataclass(frozen=True, slots=True)
class _Said:
    """A statement that nobody has signed yet."""

    statement: Statement
    certificate: Certificate | None = None


def require_green(artifact: Artifact, results: Results) -> None:
    """Raise `RefusedError` unless scan and audit passed and are about exactly these files."""
    for kind, predicate in results:
        gate.require_passed(kind, predicate)
    said = [_Said(Statement((artifact.about,), kind, predicate)) for kind, predicate in results]
    try:
        gate.require_green(gate.Case(artifact.subject.digest, artifact.files, said))
    except RefusedError as error:
        raise RefusedError(f"not signed: {error.what}", remedy="Scan and package the same files.") from None


def statements(artifact: Artifact, results: Results, build: Build, told: Told, started: str) -> list[Statement]:
    """Return every statement of a release."""
    about = artifact.about
    return [
        *signatures(artifact.name, artifact.subject, artifact.files),
        provenance.statement(about, artifact.files, build, told, results, started=started),
        *(Statement((about,), kind, predicate) for kind, predicate in results),
    ]


def seal(
    artifact: Artifact,
    wanted: Sequence[Statement],
    signing: Signer,
    tag: str | None,
    say: Callable[[str], None],
    shelve: Callable[[Sequence[Attached]], None] = lambda _bundles: None,
) -> Sealed:
    """Attach what is missing of the evidence, verify all of it as a consumer would, and set the tag last.

    Before the tag, `shelve` takes the bundles wherever else they are looked for.
    """
    store, subject = artifact.store, artifact.subject
    present = evidence.collect(store, subject, signing.verifier()).trusted
    absent = evidence.missing(wanted, present)
    evidence.attach(store, subject, absent, signing, created=clock.now())
    if absent:
        say(f"attached {counted(len(absent), 'statement')} signed by {signing.identity}")
    trusted = _verify(store, subject, signing).trusted
    shelve(trusted)
    held = tuple((item.statement.predicate_type, item.descriptor.digest) for item in trusted)
    return Sealed(held, len(absent), _tag(store, subject, tag, say))


def signatures(name: str, subject: Descriptor, files: dict[str, Digest]) -> list[Statement]:
    """Return the two statements of a signature: over the manifest (cosign) and over the files (OMS)."""
    return [
        Statement((Subject(name, subject.digest),), predicates.SIGNATURE, {}),
        oms.statement(name, files, subject.digest),
    ]


def commands(inputs: SignerInputs, target: Target, signing: Signer, *, plain_http: bool) -> dict[str, str]:
    """Return what a consumer types; for a key, where the public half lies beside it as `keygen` writes it."""
    release = consumers.Release(str(target), not isinstance(target.place, Path), plain_http)
    own = signing.certificate()
    if own is not None:
        return consumers.by_certificate(release, own, inputs.trust_config)
    public = inputs.key.with_suffix(".pub") if inputs.key else None
    return consumers.by_key(release, public) if public and public.is_file() else {}


def _verify(store: Store, subject: Descriptor, signing: Signer) -> Collected:
    """Verify as a consumer would, from the store; return the evidence."""
    verification = verify(store, subject, Enforced(signing.verifier()))
    if not verification.passed:
        failed = next(item for item in verification.checks if not item.ok)
        raise RefusedError(
            f"the release does not verify, so it got no tag: {failed.name}: {failed.reason}",
            remedy="Run again: a rerun adds what is missing. Evidence that says no has to be removed from the target.",
        )
    return verification.collected


def _tag(store: Store, subject: Descriptor, tag: str | None, say: Callable[[str], None]) -> bool:
    """Make the tag name the manifest; return whether it did not before."""
    before = store.resolve(tag) if tag else None
    if tag is None or (before and before.digest == subject.digest):
        return False
    store.tag(subject, tag)
    say(f"tagged '{tag}'" + (f", which was {before.digest}" if before else ""))
    return True
