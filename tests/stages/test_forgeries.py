"""Keyless evidence as a list of attacks: everything is right but for one thing, and `verify` says no.

Each forgery hangs on a model in a layout whose other evidence is complete. What is in a bundle that does not verify is
ignored, by name and reason, and the gate then misses it; what verifies and says the wrong thing is a failed step.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from fake_registry import FakeRegistry, Reply, Rule
from forged_releases import TYPES, Evidence, ForgedRelease, Json, Piece
from local_sigstore import GITHUB_ISSUER, LocalSigstore, github, identity, person, write
from releasing import make_keys
from weighlock.signing.key import KeySigner
from weighlock.stages import Context, verify

BUILDER = "acme/builder/.github/workflows/publish-model.yml"
COMMIT = "2e" * 20


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return Evidence.make(tmp_path_factory.mktemp("evidence"))


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory, sigstore: LocalSigstore) -> Path:
    return write(sigstore, tmp_path_factory.mktemp("trust"))


@pytest.fixture
def forged(sigstore: LocalSigstore, evidence: Evidence, tmp_path: Path) -> ForgedRelease:
    """Return a model in a layout that nothing hangs on yet."""
    return ForgedRelease.make(sigstore, evidence, f"oci:{tmp_path}/layout")


@pytest.fixture
def judged(trust: Path) -> Callable[..., verify.Outputs]:
    """Return a function that verifies a release, pinning the workflow that ordinarily signs or what is given."""

    def run(release: ForgedRelease, **pinned: Any) -> verify.Outputs:
        pins = {"issuer": GITHUB_ISSUER, **(pinned or {"identity": identity(github())})}
        return verify.run(verify.Inputs(release.target, **{"trust_config": trust, **pins}), Context(environ={}))

    return run


Judged = Callable[..., verify.Outputs]


def failed(outputs: verify.Outputs) -> dict[str, str]:
    """Return the steps that said no, with their reasons."""
    assert outputs.passed == all(check.ok for check in outputs.verification.checks)
    return {check.name: check.reason for check in outputs.verification.checks if not check.ok}


def ignored(outputs: verify.Outputs) -> str:
    """Return why the one bundle was ignored; the release does not pass then."""
    assert not outputs.passed
    [one] = outputs.verification.collected.ignored
    assert one.reason in outputs.text()
    return one.reason


def replaced(forged: ForgedRelease, change: Callable[[Piece], object], name: str = "scan") -> None:
    """Hang complete evidence with one piece changed."""
    pieces = forged.pieces()
    change(pieces[name])
    forged.hang(*pieces.values())


def spoiled(forged: ForgedRelease, spoil: Callable[[Json], object]) -> None:
    """Hang complete evidence with the scan's bundle changed after it was signed."""
    replaced(forged, lambda piece: setattr(piece, "spoil", spoil))


def material(bundle: Json) -> Json:
    found: Json = bundle["verificationMaterial"]
    return found


def test_what_is_forged_here_is_right_but_for_the_forgery(forged: ForgedRelease, judged: Judged) -> None:
    forged.hang(*forged.pieces().values())
    outputs = judged(forged)
    assert outputs.passed
    assert not outputs.verification.collected.ignored
    assert identity(github()) in outputs.text()


# The bundle: signature, certificate, log and time


def test_a_payload_that_was_changed(forged: ForgedRelease, judged: Judged) -> None:
    def spoil(bundle: Json) -> None:
        payload = base64.b64decode(bundle["dsseEnvelope"]["payload"]).replace(b'"warnedTests":[]', b'"warnedTests": []')
        bundle["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()

    spoiled(forged, spoil)
    assert "signature" in ignored(judged(forged))


def test_a_signature_of_another_bundle(forged: ForgedRelease, judged: Judged) -> None:
    other = json.loads(forged.bundle(forged.pieces()["audit"]))
    spoiled(forged, lambda bundle: bundle["dsseEnvelope"].update(signatures=other["dsseEnvelope"]["signatures"]))
    assert "verified time" in ignored(judged(forged))


def test_two_signatures(forged: ForgedRelease, judged: Judged) -> None:
    spoiled(forged, lambda bundle: bundle["dsseEnvelope"]["signatures"].append({"sig": "AAAA"}))
    assert "2 signatures" in ignored(judged(forged))


def test_no_log_entry(forged: ForgedRelease, judged: Judged) -> None:
    spoiled(forged, lambda bundle: material(bundle).update(tlogEntries=[]))
    assert "exactly one log entry" in ignored(judged(forged))


def test_two_log_entries(forged: ForgedRelease, judged: Judged) -> None:
    spoiled(forged, lambda bundle: material(bundle).update(tlogEntries=material(bundle)["tlogEntries"] * 2))
    assert "exactly one log entry" in ignored(judged(forged))


@pytest.mark.parametrize(("rekor", "words"), [(1, "does not match bundle"), (2, "inconsistent with other materials")])
def test_the_log_entry_of_another_bundle(forged: ForgedRelease, judged: Judged, rekor: int, words: str) -> None:
    """What CVE-2026-22703 of cosign was: the entry is genuine, and about something else."""
    pieces = forged.pieces(rekor=rekor, at=forged.sigstore.now())
    other = json.loads(forged.bundle(forged.pieces(rekor=rekor, at=pieces["scan"].how["at"])["audit"]))
    pieces["scan"].spoil = lambda bundle: material(bundle).update(tlogEntries=material(other)["tlogEntries"])
    forged.hang(*pieces.values())
    assert words in ignored(judged(forged))


def test_a_log_entry_whose_body_was_changed(forged: ForgedRelease, judged: Judged) -> None:
    def spoil(bundle: Json) -> None:
        [entry] = material(bundle)["tlogEntries"]
        body = base64.b64decode(entry["canonicalizedBody"]).replace(b'"apiVersion":', b'"apiVersion": ')
        entry["canonicalizedBody"] = base64.b64encode(body).decode()

    spoiled(forged, spoil)
    assert "invalid log entry" in ignored(judged(forged))


@pytest.mark.parametrize("rekor", [1, 2])
def test_a_proof_that_leads_to_another_root(forged: ForgedRelease, judged: Judged, rekor: int) -> None:
    def spoil(bundle: Json) -> None:
        [entry] = material(bundle)["tlogEntries"]
        entry["inclusionProof"]["rootHash"] = base64.b64encode(bytes(32)).decode()

    def change(piece: Piece) -> None:
        piece.how["rekor"], piece.spoil = rekor, spoil

    replaced(forged, change)
    assert "root hash" in ignored(judged(forged))


def test_a_checkpoint_that_the_log_did_not_sign(forged: ForgedRelease, judged: Judged) -> None:
    def spoil(bundle: Json) -> None:
        [entry] = material(bundle)["tlogEntries"]
        note = entry["inclusionProof"]["checkpoint"]["envelope"]
        head, _, signature = note.rpartition(" ")
        entry["inclusionProof"]["checkpoint"]["envelope"] = f"{head} {signature[:8]}{'A' * 80}\n"

    spoiled(forged, spoil)
    assert "checkpoint" in ignored(judged(forged))


def test_no_proof_of_inclusion(forged: ForgedRelease, judged: Judged) -> None:
    spoiled(forged, lambda bundle: material(bundle)["tlogEntries"][0].pop("inclusionProof"))
    assert "failed to load bundle" in ignored(judged(forged))


def test_no_time(forged: ForgedRelease, judged: Judged) -> None:
    spoiled(forged, lambda bundle: material(bundle).pop("timestampVerificationData"))
    assert "signed timestamp" in ignored(judged(forged))


def test_a_time_stamped_on_another_signature(forged: ForgedRelease, judged: Judged) -> None:
    other = json.loads(forged.bundle(forged.pieces()["audit"]))
    stamp = material(other)["timestampVerificationData"]
    spoiled(forged, lambda bundle: material(bundle).update(timestampVerificationData=stamp))
    assert "verified time" in ignored(judged(forged))


def test_a_time_by_a_stranger(forged: ForgedRelease, judged: Judged) -> None:
    stranger = LocalSigstore()
    piece = forged.pieces()["scan"]
    foreign = json.loads(ForgedRelease(stranger, forged.evidence, forged.place, forged.subject).bundle(piece))
    spoiled(
        forged,
        lambda bundle: material(bundle).update(
            timestampVerificationData=material(foreign)["timestampVerificationData"]
        ),
    )
    assert "verified time" in ignored(judged(forged))


@pytest.mark.parametrize(("rekor", "tsa"), [(1, True), (1, False), (2, True)])
def test_a_certificate_that_had_run_out(
    forged: ForgedRelease, judged: Judged, sigstore: LocalSigstore, rekor: int, tsa: bool
) -> None:
    issued = sigstore.now() - dt.timedelta(minutes=11)
    replaced(forged, lambda piece: piece.how.update(rekor=rekor, tsa=tsa, issued=issued))
    assert "not valid at validation time" in ignored(judged(forged))


def test_a_certificate_from_the_future(forged: ForgedRelease, judged: Judged, sigstore: LocalSigstore) -> None:
    replaced(forged, lambda piece: piece.how.update(issued=sigstore.now() + dt.timedelta(minutes=5)))
    assert "not valid at validation time" in ignored(judged(forged))


def test_a_certificate_of_another_authority(forged: ForgedRelease, judged: Judged) -> None:
    replaced(forged, lambda piece: piece.how.update(authority=LocalSigstore().authority))
    assert "signature does not match" in ignored(judged(forged))


def test_a_certificate_that_no_log_promised(forged: ForgedRelease, judged: Judged) -> None:
    replaced(forged, lambda piece: piece.how.update(sct=False))
    assert "SCT" in ignored(judged(forged))


def test_everything_by_another_sigstore(forged: ForgedRelease, judged: Judged, evidence: Evidence) -> None:
    """All of it is right, for somebody who trusts another root."""
    other = ForgedRelease(LocalSigstore(), evidence, forged.place, forged.subject)
    other.hang(*other.pieces().values())
    outputs = judged(forged)
    assert "bundles" in failed(outputs)
    assert len(outputs.verification.collected.ignored) == len(TYPES)


def test_a_payload_that_is_no_statement(forged: ForgedRelease, judged: Judged) -> None:
    replaced(forged, lambda piece: piece.how.update(payload_type="application/json"))
    assert "no in-toto statement" in ignored(judged(forged))


def test_a_key_where_an_identity_is_pinned(forged: ForgedRelease, judged: Judged, tmp_path: Path) -> None:
    key = KeySigner.load(make_keys(tmp_path).private, None)
    pieces = forged.pieces()
    scan = pieces.pop("scan").statement
    forged.hang(*pieces.values())
    [bundle] = key.sign([json.dumps(scan).encode()])
    forged.hang_bundles((bundle.raw, TYPES["scan"]))
    assert "signed with a key" in ignored(judged(forged))


def test_a_key_beside_the_certificate(forged: ForgedRelease, judged: Judged) -> None:
    spoiled(forged, lambda bundle: material(bundle).update(publicKey={"hint": "AAAA"}))
    assert "signed with a key" in ignored(judged(forged))


def test_a_hint_that_names_the_pinned_key_over_a_signature_by_another(forged: ForgedRelease, tmp_path: Path) -> None:
    """In key mode, too, a name in the bundle is nothing: the pinned key decides."""
    for name in ("mine", "evil"):
        (tmp_path / name).mkdir()
    mine, evil = make_keys(tmp_path / "mine"), make_keys(tmp_path / "evil")
    scan = json.dumps(forged.pieces()["scan"].statement).encode()
    [bundle] = KeySigner.load(evil.private, None).sign([scan])
    [right] = KeySigner.load(mine.private, None).sign([scan])
    document = json.loads(bundle.raw)
    document["verificationMaterial"] = json.loads(right.raw)["verificationMaterial"]
    forged.hang_bundles((json.dumps(document).encode(), TYPES["scan"]))
    outputs = verify.run(verify.Inputs(forged.target, key=mine.public), Context())
    assert "signed by another key" in ignored(outputs)


# Who signed


def test_another_workflow_of_the_same_repository(forged: ForgedRelease, judged: Judged) -> None:
    replaced(forged, lambda piece: setattr(piece, "claims", github(workflow=".github/workflows/test.yml")))
    assert "test.yml" in ignored(judged(forged))


@pytest.mark.parametrize(
    "claims",
    [
        github("evil/models"),
        github(ref="refs/heads/main"),
        github(ref="refs/tags/v1.0.0.1"),
        github(iss="https://token.actions.githubusercontent.com/evil"),
        github(job_workflow_ref="acme/models/.github/workflows/release.yml@refs/tags/v1.0.0/../x"),
        person(),
        person(issuer=GITHUB_ISSUER),
    ],
    ids=["repository", "branch", "longer tag", "issuer", "longer workflow", "person", "person of the issuer"],
)
def test_another_identity(forged: ForgedRelease, judged: Judged, claims: dict[str, Any]) -> None:
    replaced(forged, lambda piece: setattr(piece, "claims", claims))
    assert "signed by another" in ignored(judged(forged))


def test_the_same_workflow_file_for_another_source(forged: ForgedRelease, judged: Judged) -> None:
    """A builder signs for everybody who calls it, so its name alone says nothing about whose model it is."""
    builder = f"{BUILDER}@refs/tags/v2"
    forged.hang(*forged.pieces(github("evil/models", job_workflow_ref=builder)).values())
    outputs = judged(forged, builder=BUILDER, source="acme/models")
    assert "bundles" in failed(outputs)
    assert "evil/models" in outputs.text()


def test_a_builder_tag_that_was_moved_to_another_commit(forged: ForgedRelease, judged: Judged) -> None:
    claims = github(job_workflow_ref=f"{BUILDER}@refs/tags/v2", job_workflow_sha="bad0" * 10)
    forged.hang(*forged.pieces(claims).values())
    pinned = {"source": "acme/models", "builder": BUILDER}
    assert judged(forged, **pinned).passed
    outputs = judged(forged, **pinned, builder_commit=COMMIT)
    assert "bundles" in failed(outputs)
    assert "builder's commit" in outputs.text()


@pytest.mark.parametrize(
    ("claims", "pinned"),
    [
        (github(event_name="pull_request_target"), {"trigger": "push"}),
        (github(runner_environment="self-hosted"), {"runner": "github-hosted"}),
        (github(ref="refs/heads/main"), {"ref": "refs/tags/v1.0.0"}),
        (github(runner_environment=None), {"runner": "github-hosted"}),
    ],
    ids=["trigger", "runner", "ref", "no runner named"],
)
def test_another_run_of_the_right_source(
    forged: ForgedRelease, judged: Judged, claims: dict[str, Any], pinned: Mapping[str, str]
) -> None:
    forged.hang(*forged.pieces(claims).values())
    assert judged(forged, source="acme/models").passed
    outputs = judged(forged, source="acme/models", **pinned)
    assert "bundles" in failed(outputs)


# What is said, and about what


def test_a_right_signature_on_another_digest(forged: ForgedRelease, judged: Judged) -> None:
    """The evidence of one model, carried over to another as it is."""
    pieces = forged.pieces()
    for piece in pieces.values():
        for subject in piece.statement["subject"]:
            subject["digest"] = {"sha256": "0" * 64}
    pieces["files"].predicate["oci"] = {"manifest": "sha256:" + "0" * 64}
    forged.hang(*pieces.values())
    assert {"signature", "model-signature", "provenance", "scan"} <= failed(judged(forged)).keys()


def test_a_wrong_predicate_type(forged: ForgedRelease, judged: Judged) -> None:
    replaced(forged, lambda piece: piece.statement.update(predicateType="https://example.org/scan/v1"))
    assert "scan" in failed(judged(forged))


def test_a_type_in_the_annotation_that_the_statement_has_not(forged: ForgedRelease, judged: Judged) -> None:
    """Annotations are nobody's word; CVE-2026-39395 of cosign believed a type that was not the signed one."""
    pieces = forged.pieces()
    scan = pieces.pop("scan")
    scan.statement["predicateType"] = "https://example.org/scan/v1"
    forged.hang(*pieces.values())
    forged.hang_bundles((forged.bundle(scan), TYPES["scan"]))
    assert "scan" in failed(judged(forged))


@pytest.mark.parametrize("where", ["statement", "subject"])
def test_a_field_that_the_specification_does_not_know(forged: ForgedRelease, judged: Judged, where: str) -> None:
    """Go's verifiers refuse it and sigstore-python does not."""

    def change(piece: Piece) -> None:
        (piece.statement if where == "statement" else piece.statement["subject"][0])["size"] = 1

    replaced(forged, change)
    assert "specification does not know" in ignored(judged(forged))


def test_a_field_twice(forged: ForgedRelease, judged: Judged) -> None:
    """One reader takes the first and another the last."""

    def change(piece: Piece) -> None:
        raw = json.dumps(piece.statement)
        piece.how["raw"] = raw.replace('"predicate":', '"predicate": {"result": "FAILED"}, "predicate":').encode()

    replaced(forged, change)
    assert "a key stands twice" in ignored(judged(forged))


def test_only_a_failed_scan(forged: ForgedRelease, judged: Judged) -> None:
    def change(piece: Piece) -> None:
        piece.predicate.update(result="FAILED", passedTests=[], failedTests=["unsafe-serialization"])

    replaced(forged, change)
    assert "PASSED" in failed(judged(forged))["scan"]


def test_a_passed_scan_with_an_unsafe_row(forged: ForgedRelease, judged: Judged) -> None:
    def change(piece: Piece) -> None:
        piece.predicate["ledger"]["files"][0]["verdict"] = "unsafe"

    replaced(forged, change)
    assert "unsafe" in failed(judged(forged))["scan"]


def test_an_audit_that_found_something(forged: ForgedRelease, judged: Judged) -> None:
    replaced(
        forged, lambda piece: piece.predicate["scanner"].update(result=[{"id": "PYSEC-1", "severity": []}]), "audit"
    )
    assert "audit" in failed(judged(forged))


def test_a_file_added_to_the_layers_after_the_scan(forged: ForgedRelease, judged: Judged) -> None:
    def change(piece: Piece) -> None:
        rows = piece.predicate["ledger"]["files"]
        piece.predicate["ledger"]["files"] = [row for row in rows if row["path"] != "model.safetensors"]

    replaced(forged, change)
    assert "'model.safetensors' is a layer only" in failed(judged(forged))["closure"]


def test_a_file_changed_after_the_scan(forged: ForgedRelease, judged: Judged) -> None:
    def change(piece: Piece) -> None:
        piece.predicate["ledger"]["files"][0]["sha256"] = "0" * 64

    replaced(forged, change)
    assert "closure" in failed(judged(forged))


@pytest.mark.parametrize("name", ["signature", "files", "provenance", "scan", "audit"])
def test_a_piece_that_is_not_there(forged: ForgedRelease, judged: Judged, name: str) -> None:
    pieces = forged.pieces()
    del pieces[name]
    forged.hang(*pieces.values())
    assert failed(judged(forged))


def test_the_model_signature_alone(forged: ForgedRelease, judged: Judged) -> None:
    """It is about files and not about the manifest, and no scan comes with it."""
    forged.hang(forged.pieces()["files"])
    assert {"signature", "provenance", "scan"} <= failed(judged(forged)).keys()


def sorted_as_text(piece: Piece) -> None:
    before = list(piece.predicate["resources"])
    piece.predicate["resources"].sort(key=lambda item: item["name"])
    assert piece.predicate["resources"] != before


def extra_file(piece: Piece) -> None:
    piece.predicate["resources"].append({"name": "zzz", "algorithm": "sha256", "digest": "0" * 64})


def missing_file(piece: Piece) -> None:
    del piece.predicate["resources"][0]


def two_subjects(piece: Piece) -> None:
    piece.statement["subject"] *= 2


def no_binding(piece: Piece) -> None:
    del piece.predicate["oci"]


@pytest.mark.parametrize("change", [sorted_as_text, extra_file, missing_file, two_subjects, no_binding])
def test_a_model_signature_of_another_shape(
    forged: ForgedRelease, judged: Judged, change: Callable[[Piece], None]
) -> None:
    replaced(forged, change, "files")
    assert "model-signature" in failed(judged(forged))


# What else hangs there


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


# What a policy asks


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
