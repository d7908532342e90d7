"""The bundle: a signature, a certificate, a log entry or a time that is not what it seems."""

from __future__ import annotations

import base64
import datetime as dt
import json
from pathlib import Path

import pytest

from forged_releases import TYPES, Evidence, ForgedRelease, Json, Piece
from local_sigstore import LocalSigstore, github, identity
from releasing import make_keys
from stages.forgeries.conftest import Judged, failed, ignored, material, replaced, spoiled
from weighlock.signing.key import KeySigner
from weighlock.stages import Context, verify


def test_what_is_forged_here_is_right_but_for_the_forgery(forged: ForgedRelease, judged: Judged) -> None:
    forged.hang(*forged.pieces().values())
    outputs = judged(forged)
    assert outputs.passed
    assert not outputs.verification.collected.ignored
    assert identity(github()) in outputs.text()


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
