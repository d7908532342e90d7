"""A ValidatingAdmissionPolicy, which needs no controller: models come by digest and from this registry alone. Pure.

It cannot see signatures. So verify in the pipeline, and let the cluster take nothing but digests from where it writes to.
"""

from __future__ import annotations

from weighlock.export import Export, head, losses, pins_lost
from weighlock.export.cluster import TEMPLATES, manifest, resources
from weighlock.jsonio import Json

_MODEL = "a model has to come from {images} by digest"


def export(asked: Export) -> str:
    """Return the policies, each with the binding without which it does nothing."""
    comments = [*head(asked, "vap"), "  - any signature or attestation: an admission policy sees the reference alone"]
    comments += losses(asked, ())
    for number, item in enumerate(asked.policy.trusted, 1):
        comments += pins_lost(item, number, ()) if item.key is None else [f"  - identity {number}: its key"]
    comments += ["Traps: other kinds that make pods (custom resources) are seen when they make them, as pods."]
    words = _MODEL.format(images=asked.images)
    documents = []
    for name, constraints, expressions in _policies(asked):
        documents += _documents(f"weighlock-{name}", constraints, expressions, words)
    return manifest(comments, documents)


def _policies(asked: Export) -> list[tuple[str, Json, list[str]]]:
    volume, uri = f"r'^{asked.images.pattern()}'", f"r'^oci://{asked.images.pattern()}'"
    cron = "object.spec.jobTemplate.spec.template.spec"
    found = [("pods", resources("", "v1", "pods"), [_volumes("object.spec", volume)])]
    found += [
        (group, resources(group, "v1", *names), [_volumes("object.spec.template.spec", volume)])
        for group, names in TEMPLATES.items()
    ]
    found.append(("cronjobs", resources("batch", "v1", "cronjobs"), [_volumes(cron, volume)]))
    found.append(("inferenceservices", resources("serving.kserve.io", "v1beta1", "inferenceservices"), _kserve(uri)))
    model = f"!has(object.spec.model) || !has(object.spec.model.uri) || object.spec.model.uri.matches({uri})"
    named = ("llminferenceservices", "llminferenceserviceconfigs")
    found.append(("llminferenceservices", resources("serving.kserve.io", "v1alpha1", *named), [model]))
    return found


def _volumes(at: str, pattern: str) -> str:
    fits = f"has(v.image.reference) && v.image.reference.matches({pattern})"
    return f"!has({at}.volumes) || {at}.volumes.all(v, !has(v.image) || ({fits}))"


def _kserve(pattern: str) -> list[str]:
    one, many = "object.spec.predictor.model", "object.spec.predictor.storageUris"
    return [
        f"!has({one}) || !has({one}.storageUri) || {one}.storageUri.matches({pattern})",
        f"!has({one}) || !has({one}.storageUris) || {one}.storageUris.all(u, has(u.uri) && u.uri.matches({pattern}))",
        f"!has({many}) || {many}.all(u, has(u.uri) && u.uri.matches({pattern}))",
        f"!has({one}) || !has({one}.storage)",  # the same by the key of a secret, with no URI to look at
    ]


def _documents(name: str, constraints: Json, expressions: list[str], words: str) -> list[Json]:
    version = "admissionregistration.k8s.io/v1"
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": constraints,
        "validations": [{"expression": expression, "message": words} for expression in expressions],
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    return [
        {"apiVersion": version, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name}, "spec": spec},
        {
            "apiVersion": version,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": binding,
        },
    ]
