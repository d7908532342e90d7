"""What a policy asks: evidence that verifies and is too old, by another builder, or of an unknown kind."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

from forged_releases import ForgedRelease, Piece
from local_sigstore import GITHUB_ISSUER, LocalSigstore, github, identity
from stages.forgeries.conftest import BUILDER, COMMIT, Judged, failed, replaced
from weighlock.stages import Context, verify


def ruled(forged: ForgedRelease, trust: Path, folder: Path, rules: str, **pins: str) -> verify.Outputs:
    """Verify under a policy file that trusts the workflow that ordinarily signs, or what is given."""
    trusted = {"issuer": GITHUB_ISSUER, **(pins or {"identity": identity(github())})}
    file = folder / "policy.yml"
    file.write_text(f"version: 1\nverify:\n  trusted:\n  - {json.dumps(trusted)}\n  {rules}\n")
    return verify.run(verify.Inputs(forged.target, policy=file, trust_config=trust), Context(environ={}))


def test_evidence_older_than_the_policy_allows(
    forged: ForgedRelease, sigstore: LocalSigstore, trust: Path, tmp_path: Path
) -> None:
    forged.hang(*forged.pieces(at=sigstore.now() - dt.timedelta(days=40)).values())
    assert ruled(forged, trust, tmp_path, "max-age: 41").passed
    reasons = failed(ruled(forged, trust, tmp_path, "max-age: 39"))
    assert {"provenance-age", "scan-age", "audit-age"} <= reasons.keys()
    assert "40 days old" in reasons["scan-age"]


def test_an_old_scan_that_is_signed_again_is_new_and_an_old_one_beside_it_does_not_count(
    forged: ForgedRelease, sigstore: LocalSigstore, trust: Path, tmp_path: Path
) -> None:
    forged.hang(*forged.pieces(at=sigstore.now() - dt.timedelta(days=40)).values())
    forged.hang(forged.pieces()["scan"])
    assert "scan-age" not in failed(ruled(forged, trust, tmp_path, "max-age: 39"))


def test_a_newer_scan_that_failed_is_not_outweighed_by_an_older_one_that_passed(
    forged: ForgedRelease, sigstore: LocalSigstore, trust: Path, tmp_path: Path
) -> None:
    forged.hang(*forged.pieces(at=sigstore.now() - dt.timedelta(days=1)).values())
    scan = forged.pieces()["scan"]
    scan.predicate.update(result="FAILED", passedTests=[])
    forged.hang(scan)
    assert "PASSED" in failed(ruled(forged, trust, tmp_path, "max-age: 30"))["scan"]


def test_a_scan_by_an_engine_older_than_the_policy_asks(forged: ForgedRelease, trust: Path, tmp_path: Path) -> None:
    forged.hang(*forged.pieces().values())
    assert ruled(forged, trust, tmp_path, "scan: {engines: {strict: '0.1'}}").passed
    outputs = ruled(forged, trust, tmp_path, "scan: {engines: {strict: '99.0'}}")
    assert "needed is 99.0 or later" in failed(outputs)["scan-engines"]


def test_a_builder_tag_that_was_moved_is_refused_by_the_policy_too(
    forged: ForgedRelease, trust: Path, tmp_path: Path
) -> None:
    claims = github(job_workflow_ref=f"{BUILDER}@refs/tags/v2", job_workflow_sha="bad0" * 10)
    forged.hang(*forged.pieces(claims).values())
    pins = {"source": "acme/models", "builder": BUILDER}
    assert ruled(forged, trust, tmp_path, "", **pins).passed
    assert "bundles" in failed(ruled(forged, trust, tmp_path, "", **pins, **{"builder-commit": COMMIT}))


def test_provenance_that_names_another_builder_than_signed_it(forged: ForgedRelease, judged: Judged) -> None:
    def change(piece: Piece) -> None:
        piece.predicate["runDetails"]["builder"]["id"] = f"https://github.com/{BUILDER}@refs/tags/v2"

    replaced(forged, change, "provenance")
    reasons = failed(judged(forged))
    assert any("signed it" in reason for reason in reasons.values())


def test_an_external_parameter_that_the_build_type_does_not_know(forged: ForgedRelease, judged: Judged) -> None:
    def change(piece: Piece) -> None:
        piece.predicate["buildDefinition"]["externalParameters"]["flags"] = "--no-scan"

    replaced(forged, change, "provenance")
    reasons = failed(judged(forged))
    assert any("unknown external parameters: flags" in reason for reason in reasons.values())


def test_a_build_type_that_the_policy_does_not_know(forged: ForgedRelease, trust: Path, tmp_path: Path) -> None:
    forged.hang(*forged.pieces().values())
    known = "https://example.org/buildtypes/ours/v1"
    reasons = failed(ruled(forged, trust, tmp_path, f"provenance: {{build-types: ['{known}']}}"))
    assert any("is none of" in reason for reason in reasons.values())
