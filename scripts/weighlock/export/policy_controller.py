"""The policy for Sigstore's policy-controller: a ClusterImagePolicy. Pure."""

from __future__ import annotations

from pathlib import Path

from weighlock.export import Export, evidence, head, losses, pins_lost
from weighlock.export.cluster import manifest, name_of, named, public_key
from weighlock.jsonio import Json
from weighlock.predicates import TEST_RESULT
from weighlock.signing.identity import Identity

_KEPT = {"issuer", "identity", "builder"}


def export(asked: Export) -> str:
    """Return the manifest."""
    comments = [*head(asked, "policy-controller"), *losses(asked, {"passed"})]
    for number, item in enumerate(asked.policy.trusted, 1):
        comments += pins_lost(item, number, _KEPT - ({"builder"} if "identity" in item.pins() else set()))
    comments += [
        "  - image volumes, before the release that has sigstore/policy-controller#1974, and KServe's URIs: no release reads them",
        'Traps: a namespace takes part by the label policy.sigstore.dev/include: "true"; referrers are found with the',
        "  config key enable-oci11; several authorities are OR, several policies AND; no-match-policy must stay deny.",
    ]
    glob = asked.images.prefix + ("/**" if asked.images.below else "")
    spec = {
        "images": [{"glob": f"{glob}@sha256:*"}] if not asked.images.below else [{"glob": glob}],
        "authorities": [_authority(asked, number, item.whom) for number, item in enumerate(asked.policy.trusted, 1)],
    }
    document = {
        "apiVersion": "policy.sigstore.dev/v1alpha1",
        "kind": "ClusterImagePolicy",
        "metadata": {"name": "weighlock-models"},
        "spec": spec,
    }
    return manifest(comments, [document])


def _authority(asked: Export, number: int, whom: Path | Identity) -> Json:
    trust: Json = (
        {"key": {"data": public_key(whom)}}
        if isinstance(whom, Path)
        else {"keyless": {"identities": [name_of(whom, "policy-controller")]}}
    )
    return {
        "name": f"identity-{number}",
        "signatureFormat": "bundle",
        **trust,
        "attestations": [_attestation(name, kind) for name, kind in named(evidence(asked.policy)).items()],
    }


def _attestation(name: str, kind: str) -> Json:
    passed = {"policy": {"type": "cue", "data": 'predicate: result: "PASSED"\n'}} if kind == TEST_RESULT else {}
    return {"name": name, "predicateType": kind, **passed}
