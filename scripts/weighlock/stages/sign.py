"""``weighlock sign``: sign an artifact's manifest, and the files in it (OMS), once a scan of it has passed.

Verifiers take any signature for a yes, so there is none without a passed scan of exactly these files by the same
identity: attest the scan result first.
"""

from __future__ import annotations

from dataclasses import dataclass

from weighlock import clock, evidence, gate, sealing
from weighlock.errors import RefusedError
from weighlock.formats.modelpack import ModelPack
from weighlock.inputs import SignerInputs, option, output
from weighlock.intoto import Statement
from weighlock.jsonio import Json
from weighlock.oci import Descriptor, Digest, Manifest
from weighlock.stages import Context, Problem
from weighlock.store.targets import Target, find, open_store


@dataclass(frozen=True, slots=True)
class Inputs(SignerInputs):
    """What `sign` is told."""

    target: str = option("the artifact: oci:DIR@DIGEST or HOST/REPO@DIGEST", positional=True)
    plain_http: bool = option("talk to the registry without TLS (loopback needs no flag)", default=False)


@dataclass(frozen=True, slots=True)
class Outputs:
    """What was attached to a digest by `sign` or `attest`."""

    attached: tuple[tuple[str, Digest], ...]
    """Predicate type and referrer digest of what is new; empty where all of it was there already."""
    digest: str = output("digest that was signed")
    reference: str = output("where it is, by digest")

    passed = True

    def data(self) -> Json:
        """Return the digest and what was attached to it."""
        return {"digest": self.digest, "reference": self.reference, "evidence": evidence_json(self.attached)}

    def text(self) -> str:
        """Return one line for each new referrer."""
        lines = [f"attached {kind} as {digest}" for kind, digest in self.attached]
        return "\n".join(lines or ["nothing to do: it is attached already"]) + "\n"

    def problems(self) -> list[Problem]:
        """Return nothing: a refusal is an error here."""
        return []


def run(inputs: Inputs, context: Context) -> Outputs:
    """Sign the manifest and its files, unless that was done before."""
    signing = inputs.signer(context.environ, context.say)
    target = Target.parse(inputs.target)
    store = open_store(target, plain_http=inputs.plain_http)
    subject = find(store, target)
    files = ModelPack().files(Manifest.parse(store.manifest(subject.digest)))
    digests = {path: layer.digest for path, layer in files.items()}
    present = evidence.collect(store, subject, signing.verifier()).trusted
    case = gate.Case(subject.digest, digests, present)
    try:
        gate.require_green(case)
    except RefusedError as error:
        raise RefusedError(f"not signed: {error.what}", remedy="Attest a passed scan in the same name first.") from None
    wanted = evidence.missing(sealing.signatures(target.name, subject, digests), present)
    attached = evidence.attach(store, subject, wanted, signing, created=clock.now())
    return outputs(f"{store.name}@{subject.digest}", subject, wanted, attached)


def outputs(reference: str, subject: Descriptor, signed: list[Statement], attached: tuple[Descriptor, ...]) -> Outputs:
    """Return what was attached, statement by statement."""
    kinds = [statement.predicate_type for statement in signed]
    pairs = tuple(zip(kinds, (descriptor.digest for descriptor in attached), strict=True))
    return Outputs(attached=pairs, digest=str(subject.digest), reference=reference)


def evidence_json(attached: tuple[tuple[str, Digest], ...]) -> list[Json]:
    """Return the wire form of a list of evidence."""
    return [{"predicateType": kind, "digest": str(digest)} for kind, digest in attached]
