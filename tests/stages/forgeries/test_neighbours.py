"""What else hangs there: evil beside good, floods, and lists that lie."""

from __future__ import annotations

import json

import pytest

from fake_registry import FakeRegistry, Reply, Rule
from forged_releases import TYPES, Evidence, ForgedRelease
from local_sigstore import LocalSigstore, github
from stages.forgeries.conftest import Judged, failed, ignored


def test_good_evidence_beside_evil_passes_and_the_evil_is_named(forged: ForgedRelease, judged: Judged) -> None:
    forged.hang(*forged.pieces().values())
    forged.hang(*forged.pieces(github("evil/models")).values())
    outputs = judged(forged)
    assert outputs.passed
    assert len(outputs.verification.collected.ignored) == len(TYPES)
    assert outputs.text().count("evil/models") >= len(TYPES)


def test_the_same_evidence_twice_is_the_same_evidence(forged: ForgedRelease, judged: Judged) -> None:
    for _ in range(2):
        forged.hang(*forged.pieces().values())
    assert judged(forged).passed


def test_a_failed_scan_by_the_same_identity_beside_a_passed_one(forged: ForgedRelease, judged: Judged) -> None:
    forged.hang(*forged.pieces().values())
    scan = forged.pieces()["scan"]
    scan.predicate.update(result="FAILED", passedTests=[])
    forged.hang(scan)
    assert "scan" in failed(judged(forged))


def test_a_bundle_that_is_too_large_to_read(forged: ForgedRelease, judged: Judged) -> None:
    pieces = forged.pieces()
    pieces["scan"].predicate["padding"] = "x" * 8_000_000
    forged.hang(*pieces.values())
    assert "limit" in ignored(judged(forged))


def test_a_flood_of_sixty_referrers_drowns_nothing(
    sigstore: LocalSigstore, evidence: Evidence, fake_registry: FakeRegistry, judged: Judged
) -> None:
    """Before and after the evidence, in a registry that gives them out by twos."""
    flooded = ForgedRelease.make(sigstore, evidence, f"{fake_registry.address}/acme/tiny")
    junk = [json.dumps({"mediaType": "x", "number": number}).encode() for number in range(60)]
    flooded.hang_bundles(*((raw, TYPES["signature"]) for raw in junk[:30]))
    flooded.hang(*flooded.pieces().values())
    flooded.hang_bundles(*((raw, TYPES["scan"]) for raw in junk[30:]))
    outputs = judged(flooded)
    assert outputs.passed
    assert len(outputs.verification.collected.ignored) == 60


@pytest.mark.parametrize("kind", ["application/vnd.oci.empty.v1+json", "application/vnd.cncf.model.manifest.v1+json"])
def test_a_wrong_type_in_the_list_of_a_registry_without_the_api(
    sigstore: LocalSigstore, evidence: Evidence, fake_registry: FakeRegistry, judged: Judged, kind: str
) -> None:
    """What cosign writes there hides evidence from gh and Kyverno; what counts for us is the manifest itself."""
    fake_registry.referrers_api = False
    release = ForgedRelease.make(sigstore, evidence, f"{fake_registry.address}/acme/tiny")
    release.hang(*release.pieces().values())

    def relabel(reply: Reply) -> Reply:
        index = json.loads(reply.body)
        for entry in index["manifests"]:
            entry["artifactType"] = kind
        return Reply(reply.status, {"Content-Type": reply.headers["Content-Type"]}, json.dumps(index).encode())

    tag = f"sha256-{release.subject.digest.hex}"
    fake_registry.rules.append(Rule("GET", tag, change=relabel))
    outputs = judged(release)
    assert fake_registry.requests("GET", tag)
    assert outputs.passed
    assert not outputs.verification.collected.ignored
