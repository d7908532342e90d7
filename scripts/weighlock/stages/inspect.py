"""``weighlock inspect``: show what hangs on a digest, as a tree. It shows; whether to believe it, `verify` says."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from weighlock import evidence
from weighlock.errors import NotFoundError, RefusedError
from weighlock.evidence import PREDICATE_TYPE
from weighlock.formats.modelpack import FILEPATH
from weighlock.inputs import VerifierInputs, option, output
from weighlock.jsonio import Json
from weighlock.oci import CREATED, TITLE, Descriptor, Manifest
from weighlock.predicates import LABELS
from weighlock.signing import Certificate, Verifier
from weighlock.stages import Context, Problem
from weighlock.store import Store
from weighlock.store.targets import Target, find, open_store
from weighlock.text import counted, printable, size

_CLAIMS = ("issuer", "identity", "source", "ref", "trigger", "runner", "builder", "builder_commit")


@dataclass(frozen=True, slots=True)
class Inputs(VerifierInputs):
    """What `inspect` is told."""

    target: str = option("the artifact: oci:DIR[:TAG|@DIGEST] or HOST/REPO[:TAG|@DIGEST]", positional=True)
    plain_http: bool = option("talk to the registry without TLS (loopback needs no flag)", default=False)


@dataclass(frozen=True, slots=True)
class Referrer:
    """Something that hangs on the digest; `signed` is None where nobody was pinned."""

    descriptor: Descriptor
    predicate_type: str | None
    signed: bool | None
    reason: str = ""
    claimed: Certificate | None = None
    """Whose certificate is in it, as the bundle says and nobody verified."""

    def to_json(self) -> Json:
        """Return the wire form."""
        return {
            "digest": str(self.descriptor.digest),
            "artifactType": self.descriptor.artifact_type,
            "predicateType": self.predicate_type,
            "created": self.descriptor.annotations.get(CREATED),
            "signed": self.signed,
            "reason": self.reason,
            "claimed": None if self.claimed is None else {name: getattr(self.claimed, name) for name in _CLAIMS},
        }

    def line(self) -> str:
        """Return the referrer on one line."""
        mark = {
            None: self._claim(),
            True: "  signed by the pinned identity",
            False: f"  NOT signed by the pinned identity: {self.reason}",
        }[self.signed]
        kind = self.predicate_type or self.descriptor.artifact_type or "unknown"
        return f"{LABELS.get(kind, printable(kind))}  {self.descriptor.digest}{mark}"

    def _claim(self) -> str:
        if self.claimed is None:
            return ""
        return f"  says {printable(self.claimed.identity)} by {printable(self.claimed.issuer)}, not verified"


@dataclass(frozen=True, slots=True)
class Outputs:
    """What is there."""

    manifest: Manifest
    referrers: tuple[Referrer, ...]
    digest: str = output("digest that the target names")
    reference: str = output("where it is, by digest")

    passed = True

    def data(self) -> Json:
        """Return manifest, layers and referrers."""
        return {
            "digest": self.digest,
            "reference": self.reference,
            "artifactType": self.manifest.artifact_type,
            "layers": [{"path": _path(layer), **layer.to_json()} for layer in self.manifest.layers],
            "referrers": [referrer.to_json() for referrer in self.referrers],
        }

    def text(self) -> str:
        """Return the tree."""
        layers = [f"{printable(_path(layer))}  {size(layer.size)}  {layer.digest}" for layer in self.manifest.layers]
        branches = [
            (f"{printable(str(self.manifest.artifact_type))}: {counted(len(layers), 'file')}", layers),
            (f"evidence: {counted(len(self.referrers), 'referrer')}", [item.line() for item in self.referrers]),
        ]
        lines = [self.reference]
        for number, (title, leaves) in enumerate(branches, 1):
            last = number == len(branches)
            lines.append(("└─ " if last else "├─ ") + title)
            stem = "   " if last else "│  "
            lines += [stem + ("└─ " if leaf is leaves[-1] else "├─ ") + leaf for leaf in leaves]
        return "\n".join(lines) + "\n"

    def problems(self) -> list[Problem]:
        """Return nothing: inspecting judges nothing."""
        return []


def run(inputs: Inputs, context: Context) -> Outputs:  # noqa: ARG001 - every stage takes the two
    """Read the manifest and list its referrers."""
    pinned = inputs.verifier() if inputs.pin() else None
    target = Target.parse(inputs.target)
    store = open_store(target, plain_http=inputs.plain_http)
    subject = find(store, target)
    manifest = Manifest.parse(store.manifest(subject.digest))
    referrers = tuple(_look(store, item, subject, pinned) for item in store.referrers(subject.digest))
    return Outputs(manifest, referrers, digest=str(subject.digest), reference=f"{store.name}@{subject.digest}")


def _look(store: Store, descriptor: Descriptor, subject: Descriptor, pinned: Verifier | None) -> Referrer:
    predicate_type = descriptor.annotations.get(PREDICATE_TYPE)
    if pinned is None:
        return Referrer(descriptor, predicate_type, None, claimed=_claimed(store, descriptor, subject))
    try:
        attached = evidence.fetch(store, descriptor, subject)
        pinned.verify(attached.bundle)
    except (RefusedError, NotFoundError) as error:
        return Referrer(descriptor, predicate_type, signed=False, reason=error.what)
    return Referrer(descriptor, attached.statement.predicate_type, signed=True)


def _claimed(store: Store, descriptor: Descriptor, subject: Descriptor) -> Certificate | None:
    """Return what a bundle says of its signer, None where it is no bundle or has a key's."""
    if importlib.util.find_spec("cryptography") is None:
        return None  # to look at a registry takes no more than its client
    from weighlock.signing.keyless import certificate  # noqa: PLC0415 - as above

    try:
        return certificate.claimed(evidence.fetch(store, descriptor, subject).bundle)
    except (RefusedError, NotFoundError):
        return None


def _path(layer: Descriptor) -> str:
    return layer.annotations.get(FILEPATH) or layer.annotations.get(TITLE) or "(no name)"
