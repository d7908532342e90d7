"""cosign verifies our keyless releases: by identity, with the root of the Sigstore that they were signed in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from conformance.conftest import Run
from conformance.test_cosign import statements
from local_sigstore import GITHUB_ISSUER, LocalSigstore, github, identity, write
from releasing import Released
from weighlock import predicates
from weighlock.stages import Context, release

BUILDER = "acme/builder/.github/workflows/publish-model.yml@refs/tags/v2.0.0"


@dataclass(frozen=True)
class Place:
    """A keyless release, and whom a verifier pins."""

    target: str
    digest: str
    pins: tuple[str, ...]

    def pinning(self, name: str) -> tuple[str, ...]:
        return (*self.pins, "--certificate-identity", name)


@pytest.fixture(params=[1, 2], ids=["Rekor v1", "Rekor v2"])
def place(
    request: pytest.FixtureRequest, repository: str, released: Released, sigstore: LocalSigstore, tmp_path: Path
) -> Place:
    """Release with the job's identity."""
    trust = write(sigstore, tmp_path, rekor=[request.param])
    token = sigstore.token_file(tmp_path / "token", github(job_workflow_ref=BUILDER))
    wanted = release.Inputs(released.model, f"{repository}:v1", identity_token_file=token, trust_config=trust)
    outputs = release.run(wanted, Context(environ={}))
    assert outputs.passed
    root = ("--trusted-root", str(tmp_path / "trusted_root.json"), "--allow-http-registry")
    return Place(f"{repository}:v1", outputs.digest, (*root, "--certificate-oidc-issuer", GITHUB_ISSUER))


SIGNER = identity(github(job_workflow_ref=BUILDER))


def test_it_accepts_the_signature(run: Run, place: Place) -> None:
    done = run("cosign", "verify", *place.pinning(SIGNER), place.target)
    assert done.returncode == 0, done.stdout + done.stderr
    assert place.digest in done.stdout


@pytest.mark.parametrize(
    ("kind", "predicate_type"),
    [
        ("slsaprovenance1", predicates.PROVENANCE),
        (predicates.TEST_RESULT, predicates.TEST_RESULT),
        (predicates.VULNERABILITIES, predicates.VULNERABILITIES),
    ],
)
def test_it_accepts_the_attestations(run: Run, place: Place, kind: str, predicate_type: str) -> None:
    done = run("cosign", "verify-attestation", "--type", kind, *place.pinning(SIGNER), place.target)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [item["predicateType"] for item in statements(done.stdout)] == [predicate_type]


@pytest.mark.parametrize(
    "other", [identity(github()), SIGNER.replace("v2.0.0", "v2.0.1")], ids=["the caller", "another tag"]
)
def test_it_rejects_another_identity(run: Run, place: Place, other: str) -> None:
    assert run("cosign", "verify", *place.pinning(other), place.target).returncode != 0


def test_it_rejects_what_another_sigstore_signed(run: Run, place: Place, tmp_path: Path) -> None:
    write(LocalSigstore(), tmp_path)  # over the root that is pinned
    assert run("cosign", "verify", *place.pinning(SIGNER), place.target).returncode != 0
