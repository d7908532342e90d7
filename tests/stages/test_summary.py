"""What a verification leaves behind and looks at beside the store: the summary for others, and the files on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from commands import Keys
from weighlock import evidence
from weighlock.errors import InputError, RefusedError
from weighlock.intoto import Statement, Subject
from weighlock.oci import Digest
from weighlock.predicates import SUMMARY
from weighlock.signing.key import KeySigner, KeyVerifier
from weighlock.stages import Context, attest, release, verify
from weighlock.store.targets import Target, find, open_store


@pytest.fixture
def target(model: Path, keys: Keys, tmp_path: Path) -> str:
    to = f"oci:{tmp_path}/out:v1"
    assert release.run(release.Inputs(model, to, key=keys.private), Context()).passed
    return to


def summarised(target: str, keys: Keys, folder: Path, **more: Any) -> tuple[verify.Outputs, Any]:
    file = folder / "vsa.json"
    outputs = verify.run(verify.Inputs(target, vsa=file, key=keys.public, **more), Context())
    return outputs, json.loads(file.read_text())


def attached(target: str, by: Keys) -> list[Any]:
    store = open_store(Target.parse(target))
    trusted = evidence.collect(store, find(store, Target.parse(target)), KeyVerifier.load(by.public)).trusted
    return [item.statement for item in trusted if item.statement.predicate_type == SUMMARY]


def test_a_summary_names_artifact_policy_and_every_attestation(target: str, keys: Keys, tmp_path: Path) -> None:
    outputs, found = summarised(target, keys, tmp_path)
    assert found["verificationResult"] == "PASSED"
    assert found["verifiedLevels"] == ["SLSA_BUILD_LEVEL_1"]
    assert found["resourceUri"].endswith(f"/out@{outputs.digest}")
    bundles = {Digest.of(item.bundle.raw).hex for item in outputs.verification.collected.trusted}
    assert {item["digest"]["sha256"] for item in found["inputAttestations"]} == bundles
    assert len(bundles) == 4


def test_a_summary_cites_the_policy_and_claims_no_level_that_was_not_reached(
    target: str, keys: Keys, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yml"
    policy.write_text(f"version: 1\nverify: {{trusted: [{{key: {keys.public}, slsa-level: 2}}]}}\n")
    file = tmp_path / "vsa.json"
    assert verify.run(verify.Inputs(target, vsa=file, policy=policy), Context()).passed
    found = json.loads(file.read_text())
    assert found["policy"] == {
        "uri": "file:policy.yml",
        "digest": {"sha256": Digest.of(policy.read_bytes()).hex},
    }
    assert found["verifiedLevels"] == ["SLSA_BUILD_LEVEL_1"], "whatever the policy believes, it was built on a laptop"


def test_a_summary_is_signed_in_another_name_and_attached_once(
    target: str, keys: Keys, other_keys: Keys, tmp_path: Path
) -> None:
    for _ in range(2):
        outputs, _found = summarised(target, keys, tmp_path, attest=True, attest_key=other_keys.private)
        assert outputs.passed
    (statement,) = attached(target, other_keys)
    assert [str(item.digest) for item in statement.subjects] == [outputs.digest]
    assert statement.predicate["verificationResult"] == "PASSED"
    again, found = summarised(target, keys, tmp_path)
    assert again.passed, "the verifier's own summary is no evidence by the one who released"
    assert len(found["inputAttestations"]) == 4


def test_what_failed_is_written_and_never_signed(target: str, keys: Keys, other_keys: Keys, tmp_path: Path) -> None:
    outputs, found = summarised(target, other_keys, tmp_path, attest=True, attest_key=keys.private)
    assert not outputs.passed
    assert (found["verificationResult"], found["verifiedLevels"]) == ("FAILED", ["FAILED"])
    assert attached(target, keys) == []


def test_a_key_alone_signs_nothing(target: str, keys: Keys) -> None:
    with pytest.raises(InputError, match="nobody asked for"):
        verify.run(verify.Inputs(target, key=keys.public, attest_key=keys.private), Context())


@pytest.mark.parametrize(
    "change",
    [{"verificationResult": "FAILED"}, {"resourceUri": f"oci://x/y@{Digest.of(b'another')}"}, {"resourceUri": None}],
)
def test_nobody_attests_a_summary_of_another_artifact_or_of_a_no(
    target: str, keys: Keys, tmp_path: Path, change: dict[str, Any]
) -> None:
    _, found = summarised(target, keys, tmp_path)
    file = tmp_path / "vsa.json"
    attest.run(attest.Inputs(target, SUMMARY, file, key=keys.private), Context())
    file.write_text(json.dumps({**found, **change}))
    with pytest.raises(RefusedError):
        attest.run(attest.Inputs(target, SUMMARY, file, key=keys.private), Context())


def files(target: str, keys: Keys, folder: Path) -> tuple[bool, str]:
    outputs = verify.run(verify.Inputs(target, files=folder, key=keys.public), Context())
    return outputs.passed, outputs.verification.checks[-1].reason


def test_files_on_disk_are_those_that_were_signed(target: str, keys: Keys, model: Path) -> None:
    assert files(target, keys, model) == (True, "the same 3 files as signed")


def test_changed_missing_and_added_files_are_named(target: str, keys: Keys, model: Path) -> None:
    (model / "model.safetensors").write_bytes(b"other")
    (model / "README.md").unlink()
    (model / "evil.py").write_text("")
    passed, reason = files(target, keys, model)
    assert not passed
    for words in ("changed 'model.safetensors'", "missing 'README.md'", "extra 'evil.py'"):
        assert words in reason


def test_a_folder_that_is_right_does_not_help_an_artifact_that_is_not(
    target: str, other_keys: Keys, model: Path
) -> None:
    assert not verify.run(verify.Inputs(target, files=model, key=other_keys.public), Context()).passed


def test_a_stranger_can_not_vouch(target: str, keys: Keys, tmp_path: Path) -> None:
    """A summary by somebody whom nobody pinned is reported, and changes nothing."""
    _, found = summarised(target, keys, tmp_path)
    store = open_store(Target.parse(target))
    subject = find(store, Target.parse(target))
    statement = Statement((Subject("m", subject.digest),), SUMMARY, found)
    evidence.attach(store, subject, [statement], KeySigner.generate(), created="2026-01-01T00:00:00Z")
    outputs = verify.run(verify.Inputs(target, key=keys.public), Context())
    assert outputs.passed
    assert len(outputs.verification.collected.ignored) == 1
