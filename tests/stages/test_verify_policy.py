"""Verification under a policy file, and against whoever may write to the registry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from commands import SCRIPTS, Keys, weighlock
from fake_registry import FakeRegistry
from weighlock import evidence
from weighlock.errors import InputError, RefusedError
from weighlock.intoto import Statement, Subject
from weighlock.oci import MANIFEST, Descriptor, Digest
from weighlock.signing.key import KeySigner
from weighlock.stages import Context, attest, pull, release, scan, verify
from weighlock.store.targets import Target, find, open_store


@pytest.fixture
def target(model: Path, keys: Keys, tmp_path: Path) -> str:
    to = f"oci:{tmp_path}/out:v1"
    assert release.run(release.Inputs(model, to, key=keys.private), Context()).passed
    return to


def written(folder: Path, keys: Keys, rules: str = "", name: str = "policy.yml") -> Path:
    file = folder / name
    file.write_text(f"version: 1\nverify:\n  trusted:\n  - key: {keys.public}\n{rules}")
    return file


def verified(target: str, policy: Path) -> verify.Outputs:
    return verify.run(verify.Inputs(target, policy=policy), Context())


def failed(outputs: verify.Outputs) -> list[str]:
    return [item.name for item in outputs.verification.checks if not item.ok]


def test_a_policy_is_enforced_and_cited(target: str, keys: Keys, tmp_path: Path) -> None:
    policy = written(tmp_path, keys, "  max-age: 1\n  scan: {engines: {strict: 0.1}, fail-on: low}\n")
    outputs = verified(target, policy)
    assert outputs.passed
    digest = str(Digest.of(policy.read_bytes()))
    assert f"policy policy.yml, {digest}" in outputs.text()
    assert outputs.data()["policy"] == {"name": "policy.yml", "digest": digest}
    names = [item.name for item in outputs.verification.checks]
    assert [name for name in names if "-" in name and name.startswith(("scan", "prov"))] == [
        "provenance-age",
        "scan-engines",
        "scan-findings",
        "scan-age",
    ]


def test_what_the_policy_asks_and_nobody_attested_fails(target: str, keys: Keys, tmp_path: Path) -> None:
    policy = written(tmp_path, keys, '  evaluation: {thresholds: ["auc>=0.9"]}\n  licences: [MIT]\n')
    assert failed(verified(target, policy)) == ["auc>=0.9", "licence"]
    result = {"result": "PASSED", "configuration": [], "metrics": {"auc": 0.93}}
    (tmp_path / "evaluation.json").write_text(json.dumps(result))
    kind = "https://in-toto.io/attestation/test-result/v0.1"
    attest.run(attest.Inputs(target, kind, tmp_path / "evaluation.json", key=keys.private), Context())
    assert failed(verified(target, policy)) == ["licence"]


def test_any_of_several_identities_counts(target: str, keys: Keys, other_keys: Keys, tmp_path: Path) -> None:
    alone = written(tmp_path, other_keys, name="alone.yml")
    assert failed(verified(target, alone))[0] == "bundles"
    both = written(tmp_path, other_keys, f"  - key: {keys.public}\n", "both.yml")
    outputs = verified(target, both)
    assert outputs.passed
    assert outputs.enforced.verifier.identity.count("key sha256:") == 2


def test_a_pull_obeys_the_policy_too(target: str, keys: Keys, tmp_path: Path) -> None:
    policy = written(tmp_path, keys, "  licences: [MIT]\n")
    assert not pull.run(pull.Inputs(target, tmp_path / "there", policy=policy), Context()).passed
    assert not (tmp_path / "there").exists()


def test_an_identity_beside_a_policy_is_refused(target: str, keys: Keys, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="identity beside it"):
        verify.run(verify.Inputs(target, policy=written(tmp_path, keys), key=keys.public), Context())


def test_a_file_that_names_nobody_is_no_policy(target: str, tmp_path: Path) -> None:
    (tmp_path / "weighlock.yml").write_text("version: 1\nscan: {fail-on: high}\n")
    with pytest.raises(InputError, match="no section 'verify'"):
        verified(target, tmp_path / "weighlock.yml")


def test_a_policy_in_the_folder_is_not_picked_up(
    target: str, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, keys, name="weighlock.yml")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="no identity is pinned"):
        verify.run(verify.Inputs(target), Context())


def test_the_verdict_under_a_policy_keeps_its_shape(target: str, keys: Keys, tmp_path: Path) -> None:
    done = weighlock("verify", target, "--policy", written(tmp_path, keys), "--json")
    assert done.code == 0
    jsonschema.validate(done.json, json.loads((SCRIPTS / "weighlock" / "schemas" / "verify.json").read_text()))


def flood(target: str, count: int, size: int = 1) -> Descriptor:
    """Hang so many statements by a stranger on the release, each with a name of so many bytes."""
    store = open_store(Target.parse(target))
    subject = find(store, Target.parse(target))
    praise = [
        Statement((Subject("x" * size, subject.digest),), "https://example.org/praise", {"number": number})
        for number in range(count)
    ]
    evidence.attach(store, subject, praise, KeySigner.generate(), created="2026-01-01T00:00:00Z")
    return subject


def test_a_flood_of_referrers_is_read_and_each_is_reported(target: str, keys: Keys) -> None:
    flood(target, 60)
    outputs = verify.run(verify.Inputs(target, key=keys.public), Context())
    assert outputs.passed
    assert outputs.text().count("ignored sha256:") == 60
    assert len(outputs.data()["ignored"]) == 60


class Listing:
    """A store that lists more than it has, as one under attack would."""

    def __init__(self, store: Any, count: int) -> None:
        self.store, self.count, self.read = store, count, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def referrers(self, subject: Digest, artifact_type: str | None = None) -> tuple[Descriptor, ...]:
        return self.store.referrers(subject, artifact_type) * self.count  # type: ignore[no-any-return]


def test_a_flood_beyond_the_limit_ends_the_verification_and_says_so(target: str, keys: Keys) -> None:
    store: Any = Listing(open_store(Target.parse(target)), evidence.LIMIT)
    enforced = verify.Inputs(target, key=keys.public).enforced()
    verification = verify.verify(store, find(store, Target.parse(target)), enforced)
    assert not verification.passed
    assert verification.checks[-1].name == "bundles"
    assert f"more than {evidence.LIMIT} are not read" in verification.checks[-1].reason


def test_ten_thousand_foreign_referrers_cost_one_question(model: Path, keys: Keys, fake_registry: FakeRegistry) -> None:
    to = f"{fake_registry.address}/acme/model:v1"
    subject = release.run(release.Inputs(model, to, key=keys.private), Context()).digest
    document: dict[str, Any] = {"mediaType": MANIFEST, "artifactType": "application/vnd.example.foreign"}
    for number in range(10_000):
        raw = json.dumps({**document, "subject": {"digest": subject}, "number": number}).encode()
        fake_registry.manifests[str(Digest.of(raw))] = (MANIFEST, raw)
    fake_registry.page, fake_registry.seen = 100, []
    outputs = verify.run(verify.Inputs(to, key=keys.public), Context())
    assert outputs.passed
    assert len(fake_registry.requests("GET", "/referrers/")) == 1
    assert outputs.verification.collected.ignored == ()


def test_bundles_of_more_bytes_than_are_read_end_it_before_one_is_read(target: str, keys: Keys) -> None:
    subject = flood(target, 1, size=5_000_000)
    store: Any = Listing(open_store(Target.parse(target)), 40)
    with pytest.raises(RefusedError, match=r"more than 200\.0 MB are not read"):
        evidence.collect(store, subject, KeySigner.load(keys.private, None).verifier())


def test_the_licence_of_the_card_is_what_the_policy_compares(model: Path, keys: Keys, tmp_path: Path) -> None:
    (model / "README.md").write_text("---\nlicense: mit\n---\n# A tiny model\n")
    to = f"oci:{tmp_path}/licensed:v1"
    assert release.run(release.Inputs(model, to, key=keys.private), Context()).passed
    assert verified(to, written(tmp_path, keys, "  licences: [Apache-2.0, MIT]\n")).passed
    outputs = verified(to, written(tmp_path, keys, "  licences: [Apache-2.0]\n"))
    assert failed(outputs) == ["licence"]
    assert "mit is none of Apache-2.0" in outputs.text()


def test_a_scan_that_grew_old_is_renewed_and_not_by_a_rerun(
    target: str, model: Path, keys: Keys, tmp_path: Path
) -> None:
    file, kind = tmp_path / "scan.json", "https://in-toto.io/attestation/test-result/v0.1"
    scan.run(scan.Inputs(model, predicate=file), Context())

    def attested(*, again: bool) -> int:
        return len(attest.run(attest.Inputs(target, kind, file, again=again, key=keys.private), Context()).attached)

    assert attested(again=False) == 0, "the same as the release attested"
    assert attested(again=True) == 1
    assert verified(target, written(tmp_path, keys, "  scan: {max-age: 1}\n")).passed
