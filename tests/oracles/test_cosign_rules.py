"""The rules by which cosign v3 finds a release's evidence, written down again and without cryptography.

It asks the registry for all referrers (or the fallback tag), takes from the descriptor alone whether one is a bundle, and
believes a bundle when layer 0 is one with a DSSE envelope, whose statement names the manifest's digest.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

import fake_registry as fakes
from releasing import Released, release
from weighlock import oms, predicates

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


def get(url: str, accept: str) -> requests.Response:
    return requests.get(url, headers={"Accept": accept}, timeout=10)


def referrers(registry: str, repository: str, digest: str) -> list[Any]:
    """Return the descriptors that the referrers API lists, else the fallback tag."""
    base = f"http://{registry}/v2/{repository}"
    answer = get(f"{base}/referrers/{digest}", INDEX)
    if answer.status_code == 404:
        answer = get(f"{base}/manifests/{digest.replace(':', '-')}", INDEX)
    manifests: list[Any] = page(answer)
    while "next" in answer.links:
        answer = get(f"http://{registry}{answer.links['next']['url']}", INDEX)
        manifests += page(answer)
    return manifests


def page(answer: requests.Response) -> list[Any]:
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == INDEX
    manifests: list[Any] = answer.json()["manifests"]
    return manifests


def statement(registry: str, repository: str, descriptor: Any) -> Any:
    """Return the statement in a referrer that is a bundle."""
    assert descriptor["mediaType"] == MANIFEST
    assert descriptor["artifactType"] == BUNDLE
    base = f"http://{registry}/v2/{repository}"
    raw = get(f"{base}/manifests/{descriptor['digest']}", MANIFEST)
    assert len(raw.content) == descriptor["size"]
    manifest = raw.json()
    assert manifest["artifactType"] == BUNDLE
    assert manifest["annotations"] == descriptor["annotations"]
    layer = manifest["layers"][0]
    assert layer["mediaType"] == BUNDLE
    bundle = get(f"{base}/blobs/{layer['digest']}", "*/*").json()
    assert bundle["mediaType"] == BUNDLE
    assert "publicKey" in bundle["verificationMaterial"]
    envelope = bundle["dsseEnvelope"]
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    assert len(envelope["signatures"]) == 1
    said = json.loads(base64.b64decode(envelope["payload"], validate=True))
    assert said["predicateType"] == manifest["annotations"]["dev.sigstore.bundle.predicateType"]
    return said


@pytest.fixture(params=["docker-registry", "with the referrers API"])
def place(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Return a registry's address and an unused repository in it."""
    if request.param == "docker-registry":
        fresh: Callable[[], str] = request.getfixturevalue("fresh_repository")
        registry, _, repository = fresh().partition("/")
        return registry, repository
    fake: fakes.FakeRegistry = request.getfixturevalue("fake_registry")
    return fake.address, "tests/model"


def test_they_find_every_signature(place: tuple[str, str], released: Released) -> None:
    registry, repository = place
    digest = release(released.model, f"{registry}/{repository}:v1", released.keys)
    found = [statement(registry, repository, descriptor) for descriptor in referrers(registry, repository, digest)]
    about = [
        said["predicateType"]
        for said in found
        if any(subject["digest"].get("sha256") == digest[7:] for subject in said["subject"])
    ]
    kinds = [predicates.SIGNATURE, predicates.PROVENANCE, predicates.TEST_RESULT, predicates.VULNERABILITIES]
    assert sorted(about) == sorted(kinds)
    others = {said["predicateType"] for said in found} - set(about)
    assert others == {oms.PREDICATE_TYPE}  # about the files; it is passed over
    signature = next(said for said in found if said["predicateType"] == predicates.SIGNATURE)
    assert signature["predicate"] == {}
    assert signature["subject"][0]["name"] == f"{registry}/{repository}"
