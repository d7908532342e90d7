"""Sealing what other jobs made: nothing that was handed over is believed, and a release in one step is the same."""

from __future__ import annotations

import hashlib
import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from commands import Keys, weighlock
from weighlock.inputs import Enforced
from weighlock.predicates import PROVENANCE
from weighlock.signing.key import KeyVerifier
from weighlock.stages.verify import verify
from weighlock.store.targets import Target, find, open_store


@dataclass(frozen=True)
class Handed:
    """What the other jobs made."""

    layout: Path
    digest: str
    scan: Path
    scan_digest: str
    keys: Keys

    @property
    def target(self) -> str:
        return f"oci:{self.layout}@{self.digest}"

    def seal(self, *words: str | Path, scan: Path | None = None) -> Any:
        given = ("--scan", scan or self.scan, "--tag", "v1", "--key", self.keys.private, "--json", *words)
        return weighlock("seal", self.target, *given)

    def provenance(self) -> Any:
        target = Target.parse(f"oci:{self.layout}:v1")
        store = open_store(target)
        verification = verify(store, find(store, target), Enforced(KeyVerifier.load(self.keys.public)))
        statements = [item.statement for item in verification.collected.trusted]
        (found,) = [item for item in statements if item.predicate_type == PROVENANCE]
        return found


@pytest.fixture
def handed(model: Path, keys: Keys, tmp_path: Path) -> Handed:
    scan, layout = tmp_path / "scan.json", tmp_path / "out"
    assert weighlock("scan", model, "--predicate", scan).code == 0
    digest = weighlock("package", model, "--to", f"oci:{layout}").out.strip()
    return Handed(layout, digest, scan, "sha256:" + hashlib.sha256(scan.read_bytes()).hexdigest(), keys)


def test_what_is_sealed_verifies_and_has_its_tag(handed: Handed, keys: Keys) -> None:
    sealed = handed.seal("--scan-digest", handed.scan_digest)
    assert sealed.code == 0, sealed.err
    assert (sealed.json["digest"], sealed.json["tag"]) == (handed.digest, "v1")
    assert weighlock("verify", f"oci:{handed.layout}:v1", "--key", keys.public).code == 0
    again = handed.seal("--scan-digest", handed.scan_digest)
    assert again.json == sealed.json
    assert "weighed 3 files again" in again.err


def test_a_release_of_the_same_files_finds_nothing_to_do(handed: Handed, model: Path, keys: Keys) -> None:
    assert handed.seal().code == 0
    released = weighlock("release", model, "--to", f"oci:{handed.layout}:v1", "--key", keys.private, "--json")
    assert released.json["digest"] == handed.digest


def refused(handed: Handed, message: str, *words: str | Path, scan: Path | None = None, code: int = 1) -> None:
    done = handed.seal(*words, scan=scan)
    assert done.code == code, done.err
    assert message in done.err
    assert weighlock("inspect", handed.target, "--json").json["referrers"] == []
    assert weighlock("inspect", f"oci:{handed.layout}:v1").code == 2, "there is no tag"


def test_a_scan_result_that_was_exchanged_on_the_way_is_refused(handed: Handed) -> None:
    handed.scan.write_text(handed.scan.read_text() + " ")
    refused(handed, "not what was handed over", "--scan-digest", handed.scan_digest)


def test_a_scan_of_other_files_is_refused(handed: Handed, model: Path) -> None:
    (model / "README.md").write_text("# Another\n")
    other = handed.scan.with_name("other.json")
    assert weighlock("scan", model, "--predicate", other).code == 0
    refused(handed, "README.md", scan=other)


def test_a_failed_scan_is_refused(handed: Handed, model: Path) -> None:
    (model / "x.pkl").write_bytes(pickle.dumps({1, 2}) + b"trailing")
    failed = handed.scan.with_name("failed.json")
    assert weighlock("scan", model, "--predicate", failed).code == 1
    refused(handed, "PASSED", scan=failed)


def test_a_scan_that_only_claims_to_have_passed_is_refused(handed: Handed) -> None:
    document = json.loads(handed.scan.read_text())
    document["ledger"]["files"][0]["verdict"] = "unscanned"
    handed.scan.write_text(json.dumps(document))
    refused(handed, "unscanned")


def test_damaged_bytes_are_not_signed(handed: Handed, model: Path) -> None:
    blob = handed.layout / "blobs/sha256" / hashlib.sha256((model / "README.md").read_bytes()).hexdigest()
    content = bytearray(blob.read_bytes())
    content[0] ^= 1
    blob.chmod(0o644)
    blob.write_bytes(content)
    done = handed.seal()
    assert done.code == 1
    assert "other bytes" in done.err


def test_a_model_with_requirements_needs_their_audit(model: Path, keys: Keys, tmp_path: Path) -> None:
    (model / "requirements.txt").write_text("# none\n")
    scan, audit, layout = tmp_path / "scan.json", tmp_path / "audit.json", tmp_path / "out"
    weighlock("scan", model, "--predicate", scan)
    weighlock("audit", model / "requirements.txt", "--predicate", audit)
    digest = weighlock("package", model, "--to", f"oci:{layout}").out.strip()
    words = ("seal", f"oci:{layout}@{digest}", "--scan", scan, "--tag", "v1", "--key", keys.private)
    refused = weighlock(*words)
    assert refused.code == 1
    assert "no audit result" in refused.err
    assert weighlock(*words, "--audit", audit).code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["seal", "oci:out:v1", "--scan", "s.json", "--key", "KEY"], "is no digest"),
        (["seal", "oci:out", "--scan", "s.json", "--key", "KEY"], "is no digest"),
        (["seal", "oci:out@sha256:" + "0" * 64, "--scan", "none", "--key", "KEY"], "cannot be read"),
        (["seal", "oci:out@sha256:" + "0" * 64, "--key", "KEY"], "scan is missing"),
        (
            ["seal", "oci:out@sha256:" + "0" * 64, "--scan", "s.json", "--scan-digest", "md5:1", "--key", "KEY"],
            "sha256",
        ),
        (
            ["seal", "oci:out@sha256:" + "0" * 64, "--scan", "s.json", "--key", "KEY", "--external-parameters", "{"],
            "external-parameters",
        ),
        (
            [
                "seal",
                "oci:out@sha256:" + "0" * 64,
                "--scan",
                "s.json",
                "--key",
                "KEY",
                "--external-parameters",
                '{"x": ""}',
            ],
            "no input of publish-model.yml",
        ),
    ],
)
def test_wrong_inputs(
    keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.json").write_text("{}")
    done = weighlock(*(str(keys.private) if word == "KEY" else word for word in words))
    assert done.code == 2, done.err
    assert message in done.err


def test_one_statement_covers_wheel_image_and_model_and_says_what_they_were_made_of(
    handed: Handed, tmp_path: Path, keys: Keys
) -> None:
    wheel, parameters = tmp_path / "a-1-py3-none-any.whl", tmp_path / "p.json"
    wheel.write_text("wheel")
    parameters.write_text('{"epochs": 3}')
    image = "ghcr.io/acme/app@sha256:" + "ab" * 32
    sealed = handed.seal(
        *("--subject-path", wheel, "--subject-image", image, "--parameters", parameters),
        *("--base-model", f"base=hf://acme/base@{'1f' * 20}", "--dataset", f"train={wheel}"),
    )
    assert sealed.code == 0, sealed.err
    statement = handed.provenance()
    assert [item.name for item in statement.subjects][1:3] == [wheel.name, "ghcr.io/acme/app"]
    assert str(statement.subjects[0].digest) == handed.digest
    definition = statement.predicate["buildDefinition"]
    roles = [item["annotations"]["role"] for item in definition["resolvedDependencies"] if "annotations" in item]
    assert roles == ["base-model", "dataset"]
    byproducts = [item["name"] for item in statement.predicate["runDetails"]["byproducts"]]
    assert byproducts == ["scan-ledger", "hyperparameters"]
    assert weighlock("verify", f"oci:{handed.layout}:v1", "--key", keys.public).code == 0
