"""The policy for Kyverno 1.15 and later: ImageValidatingPolicy for image volumes and for KServe's URIs. Pure."""

from __future__ import annotations

from pathlib import Path

from weighlock.export import Export, evidence, head, losses, pins_lost
from weighlock.export.cluster import manifest, name_of, named, public_key, resources
from weighlock.jsonio import Json
from weighlock.predicates import TEST_RESULT
from weighlock.signing.identity import Identity

_KEPT = {"issuer", "identity", "builder"}
_VOLUMES = "object.spec.?volumes.orValue([]).filter(v, has(v.image)).map(v, v.image.reference)"
_KSERVE = (
    "[object.spec.?predictor.?model.?storageUri.orValue('')]"
    " + object.spec.?predictor.?model.?storageUris.orValue([]).map(u, u.uri)"
    " + object.spec.?predictor.?storageUris.orValue([]).map(u, u.uri)"
)
_LLM = "[object.spec.?model.?uri.orValue('')]"


def export(asked: Export) -> str:
    """Return one policy for pods, and one for each kind of KServe's that names a model."""
    comments = [*head(asked, "kyverno"), *losses(asked, {"passed"})]
    for number, item in enumerate(asked.policy.trusted, 1):
        comments += pins_lost(item, number, _KEPT - ({"builder"} if "identity" in item.pins() else set()))
    comments += [
        "Traps: Kyverno reads 50 referrers and bundles of 10 MB at most, and no fallback tag whose entries have the empty type;",
        "  images beyond matchImageReferences are another policy's business (--to vap denies them);",
        "  a policy of keys needs a version with kyverno#16267 mended. Not run in a cluster: try it with the Kyverno CLI first.",
    ]
    kserve = "serving.kserve.io"
    return manifest(
        comments,
        [
            _policy(asked, "weighlock-image-volumes", resources("", "v1", "pods"), _VOLUMES),
            _policy(
                asked, "weighlock-inferenceservices", resources(kserve, "v1beta1", "inferenceservices"), _oci(_KSERVE)
            ),
            _policy(
                asked,
                "weighlock-llminferenceservices",
                resources(kserve, "v1alpha1", "llminferenceservices"),
                _oci(_LLM),
            ),
        ],
    )


def _oci(uris: str) -> str:
    """Return the references behind ``oci://``; another scheme stays as it is, and no reference looks like that."""
    return f"({uris}).filter(u, u != '').map(u, u.startsWith('oci://') ? u.substring(6) : u)"


def _policy(asked: Export, name: str, constraints: Json, images: str) -> Json:
    kinds = named(evidence(asked.policy))
    attestors = [_attestor(number, item.whom) for number, item in enumerate(asked.policy.trusted, 1)]
    listed = "[" + ", ".join(f"attestors.{item['name']}" for item in attestors) + "]"
    return {
        "apiVersion": "policies.kyverno.io/v1",
        "kind": "ImageValidatingPolicy",
        "metadata": {"name": name},
        "spec": {
            "validationActions": ["Deny"],
            "failurePolicy": "Fail",
            "matchConstraints": constraints,
            "matchImageReferences": [{"glob": f"{asked.images.prefix}{'/' if asked.images.below else ''}*"}],
            "images": [{"name": "models", "expression": images}],
            "attestors": attestors,
            "attestations": [{"name": short, "intoto": {"type": kind}} for short, kind in kinds.items()],
            "validationConfigurations": {"mutateDigest": False, "verifyDigest": True, "required": True},
            "validations": [
                {
                    "expression": f"images.models.all(i, i.matches(r'^{asked.images.pattern()}'))",
                    "message": f"a model has to come from {asked.images} by digest",
                },
                *(_attested(short, listed) for short in kinds),
                *(_passed(short) for short, kind in kinds.items() if kind == TEST_RESULT),
            ],
        },
    }


def _attestor(number: int, whom: Path | Identity) -> Json:
    name = f"identity{number}"
    if isinstance(whom, Path):
        return {"name": name, "cosign": {"key": {"data": public_key(whom)}, "ctlog": {"insecureIgnoreTlog": True}}}
    return {"name": name, "cosign": {"keyless": {"identities": [name_of(whom, "Kyverno")]}}}


def _attested(short: str, attestors: str) -> Json:
    words = f"verifyAttestationSignatures(i, attestations.{short}, {attestors})"
    return {
        "expression": f"images.models.map(i, {words}).all(e, e > 0)",
        "message": f"no {short} by a trusted identity is attached to the model",
    }


def _passed(short: str) -> Json:
    """Return the rule that reads the result; it stands after the one that verifies the signature, which it needs."""
    return {
        "expression": f"images.models.map(i, extractPayload(i, attestations.{short}).result == 'PASSED').all(e, e)",
        "message": "a test of the model did not pass",
    }
