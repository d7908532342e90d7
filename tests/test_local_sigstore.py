"""The local Sigstore is one that sigstore-python signs with and that gh, which is Go, believes; its faults are faults."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from sigstore import dsse
from sigstore.errors import VerificationError
from sigstore.models import Bundle, ClientTrustConfig
from sigstore.oidc import IdentityError, IdentityToken, detect_credential
from sigstore.sign import SigningContext
from sigstore.verify import Verifier, policy

import tools
from local_sigstore import (
    FULCIO,
    REKOR_1,
    REKOR_2,
    TSA,
    Claims,
    Fault,
    LocalSigstore,
    forging,
    github,
    identity,
    person,
    trust_config,
    write,
    wrong,
)
from servers import local_sigstore

MODEL = b"weights"
KINDS = pytest.mark.parametrize(("rekor", "tsa"), [(1, True), (1, False), (2, True)])


def statement(content: bytes = MODEL, kind: str = "https://slsa.dev/provenance/v1") -> bytes:
    subject = {"name": "model.bin", "digest": {"sha256": hashlib.sha256(content).hexdigest()}}
    document = {"_type": "https://in-toto.io/Statement/v1", "subject": [subject], "predicateType": kind}
    return json.dumps(document | {"predicate": {}}).encode()


def signed(
    sigstore: LocalSigstore, claims: Claims, *statements: bytes, rekor: int = 2, tsa: bool = True
) -> list[Bundle]:
    """Sign with sigstore-python, which knows the trust configuration and nothing else."""
    context = SigningContext.from_trust_config(
        ClientTrustConfig.from_json(trust_config(sigstore, rekor=[rekor], tsa=tsa))
    )
    with context.signer(IdentityToken(sigstore.token(claims))) as signer:
        return [signer.sign_dsse(dsse.Statement(one)) for one in statements or [statement()]]


def verified(sigstore: LocalSigstore, bundle: Bundle, claims: Claims) -> bytes:
    """Verify with sigstore-python and return the payload."""
    verifier = Verifier(trusted_root=ClientTrustConfig.from_json(trust_config(sigstore)).trusted_root)
    pinned = policy.AllOf([policy.Identity(identity=identity(claims)), policy.OIDCIssuerV2(claims["iss"])])
    return verifier.verify_dsse(bundle, pinned)[1]


def refused(sigstore: LocalSigstore, bundle: Bundle, claims: Claims) -> str:
    with pytest.raises(VerificationError) as caught:
        verified(sigstore, bundle, claims)
    return str(caught.value)


def forged(sigstore: LocalSigstore, **how: object) -> Bundle:
    return Bundle.from_json(json.dumps(forging.bundle(sigstore, statement(), github(), **how)))  # type: ignore[arg-type]


def gh(folder: Path, sigstore: LocalSigstore, bundles: Sequence[str], *words: str) -> subprocess.CompletedProcess[str]:
    """Ask gh whether the bundles vouch for `MODEL`."""
    tools.require("gh")
    write(sigstore, folder)
    (folder / "model.bin").write_bytes(MODEL)
    (folder / "bundles.jsonl").write_text("".join(f"{json.dumps(json.loads(one))}\n" for one in bundles))
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "GH_NO_UPDATE_NOTIFIER": "1", "GH_PROMPT_DISABLED": "1"}
    command = ["gh", "attestation", "verify", "model.bin", "--bundle", "bundles.jsonl", "--custom-trusted-root"]
    return subprocess.run(
        [*command, "trusted_root.jsonl", *words, "--format", "json"],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


# Signing and verifying


@KINDS
@pytest.mark.parametrize("claims", [github(), person()], ids=["job", "person"])
def test_sigstore_python_signs_and_verifies(sigstore: LocalSigstore, rekor: int, tsa: bool, claims: Claims) -> None:
    [bundle] = signed(sigstore, claims, rekor=rekor, tsa=tsa)
    assert verified(sigstore, bundle, claims) == statement()


def test_a_job_gets_its_token_and_one_certificate_is_enough(
    sigstore: LocalSigstore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in sigstore.job(github()).items():
        monkeypatch.setenv(name, value)
    token = IdentityToken(detect_credential() or "")
    assert (token.issuer, token.identity) == (github()["iss"], github()["sub"])
    before = sigstore.count(FULCIO)
    signed(sigstore, github(), statement(), statement(b"other"), rekor=1)
    assert sigstore.count(FULCIO) == before + 1


@KINDS
def test_gh_accepts_what_was_signed(tmp_path: Path, sigstore: LocalSigstore, rekor: int, tsa: bool) -> None:
    [bundle] = signed(sigstore, github(), rekor=rekor, tsa=tsa)
    done = gh(tmp_path, sigstore, [bundle.to_json()], "-R", "acme/models")
    assert done.returncode == 0, done.stderr
    [found] = json.loads(done.stdout)
    certificate = found["verificationResult"]["signature"]["certificate"]
    assert certificate["buildSignerURI"] == identity(github())
    assert certificate["sourceRepositoryOwnerIdentifier"] == "2002"
    assert certificate["runInvocationURI"] == "https://github.com/acme/models/actions/runs/3003/attempts/1"


def test_gh_tells_the_reusable_workflow_from_its_caller(tmp_path: Path, sigstore: LocalSigstore) -> None:
    builder = "acme/builder/.github/workflows/publish-model.yml"
    [bundle] = signed(sigstore, github(job_workflow_ref=f"{builder}@refs/tags/v2"))
    assert gh(tmp_path, sigstore, [bundle.to_json()], "-R", "acme/models").returncode == 1
    assert gh(tmp_path, sigstore, [bundle.to_json()], "-R", "acme/models", "--signer-workflow", builder).returncode == 0


@pytest.mark.parametrize("words", [["-R", "acme/other"], ["-R", "acme/models", "--source-ref", "refs/heads/main"]])
def test_gh_refuses_another_identity(tmp_path: Path, sigstore: LocalSigstore, words: list[str]) -> None:
    [bundle] = signed(sigstore, github())
    assert gh(tmp_path, sigstore, [bundle.to_json()], *words).returncode == 1


# Forged bundles


@KINDS
def test_a_forged_bundle_is_right_unless_told_otherwise(
    tmp_path: Path, sigstore: LocalSigstore, rekor: int, tsa: bool
) -> None:
    bundle = forged(sigstore, rekor=rekor, tsa=tsa)
    assert verified(sigstore, bundle, github()) == statement()
    assert gh(tmp_path, sigstore, [bundle.to_json()], "-R", "acme/models").returncode == 0


@KINDS
def test_a_forged_bundle_may_be_old(tmp_path: Path, sigstore: LocalSigstore, rekor: int, tsa: bool) -> None:
    bundle = forged(sigstore, rekor=rekor, tsa=tsa, at=sigstore.now() - dt.timedelta(days=90))
    assert verified(sigstore, bundle, github()) == statement()
    assert gh(tmp_path, sigstore, [bundle.to_json()], "-R", "acme/models").returncode == 0


def test_a_certificate_that_no_log_promised_is_refused(sigstore: LocalSigstore) -> None:
    refused(sigstore, forged(sigstore, sct=False), github())  # gh asks for no promise where the root is a custom one


def test_a_certificate_of_another_authority_is_refused(tmp_path: Path, sigstore: LocalSigstore) -> None:
    bundle = forged(sigstore, authority=LocalSigstore().authority)
    refused(sigstore, bundle, github())
    assert gh(tmp_path, sigstore, [bundle.to_json()], "-R", "acme/models").returncode == 1


@KINDS
def test_a_certificate_that_had_run_out_is_refused(
    tmp_path: Path, sigstore: LocalSigstore, rekor: int, tsa: bool
) -> None:
    bundle = forged(sigstore, rekor=rekor, tsa=tsa, issued=sigstore.now() - dt.timedelta(minutes=11))
    refused(sigstore, bundle, github())
    assert gh(tmp_path, sigstore, [bundle.to_json()], "-R", "acme/models").returncode == 1


# Faults while signing


@pytest.mark.parametrize("rekor", [1, 2])
def test_a_log_may_answer_with_another_entry(sigstore_that: LocalSigstore, rekor: int) -> None:
    sigstore_that.faults.append(wrong.same_entry(rekor))
    right, mixed = signed(sigstore_that, github(), statement(), statement(b"other"), rekor=rekor)
    verified(sigstore_that, right, github())
    refused(sigstore_that, mixed, github())


@pytest.mark.parametrize("rekor", [1, 2])
def test_a_log_may_answer_with_another_root(sigstore_that: LocalSigstore, rekor: int) -> None:
    sigstore_that.faults.append(wrong.other_root(rekor))
    [bundle] = signed(sigstore_that, github(), rekor=rekor)  # a client that signs believes what it is told
    assert "root hash" in refused(sigstore_that, bundle, github())


def test_services_fail_as_often_as_told(sigstore_that: LocalSigstore) -> None:
    slept: list[float] = []
    sigstore_that.faults += [
        Fault(REKOR_1, 502, times=1),
        Fault(TSA, 500, times=1),
        Fault(FULCIO, before=lambda: slept.append(1)),
    ]
    with pytest.raises(Exception, match="502"):
        signed(sigstore_that, github(), rekor=1)
    [bundle] = signed(sigstore_that, github(), rekor=1)
    verified(sigstore_that, bundle, github())
    assert slept == [1, 1]
    assert [sigstore_that.count(path) for path in (FULCIO, REKOR_1, TSA, REKOR_2)] == [2, 2, 2, 0]


def test_a_service_may_be_slow(sigstore_that: LocalSigstore) -> None:
    sigstore_that.latency[TSA] = 0.3
    started = time.monotonic()
    signed(sigstore_that, github())
    assert time.monotonic() - started >= 0.3


def test_its_clock_may_differ(sigstore_that: LocalSigstore) -> None:
    sigstore_that.offset = -3600
    with pytest.raises(IdentityError):
        IdentityToken(sigstore_that.token(github()))


def test_a_certificate_may_be_short(sigstore_that: LocalSigstore) -> None:
    sigstore_that.cert_minutes = -1
    with pytest.raises(Exception, match=r"^$") as caught:
        signed(sigstore_that, github())
    assert type(caught.value).__name__ == "ExpiredCertificate"


def test_a_log_takes_an_entry_once(sigstore_that: LocalSigstore) -> None:
    [bundle] = signed(sigstore_that, github(), rekor=1)
    certificate = base64.b64encode(bundle.signing_certificate.public_bytes(serialization.Encoding.PEM)).decode()
    envelope = json.loads(bundle.to_json())["dsseEnvelope"]
    content = {"envelope": json.dumps(envelope), "verifiers": [certificate]}
    proposed = {"apiVersion": "0.0.1", "kind": "dsse", "spec": {"proposedContent": content}}
    once = requests.post(sigstore_that.url + REKOR_1, json=proposed, timeout=10)
    assert once.status_code == 201
    again = requests.post(sigstore_that.url + REKOR_1, json=proposed, timeout=10)
    assert again.status_code == 409
    assert "equivalent entry already exists" in again.json()["message"]


def test_a_fault_of_the_authority_is_one_for_the_client(sigstore_that: LocalSigstore) -> None:
    sigstore_that.sct = False
    with pytest.raises(VerificationError):
        signed(sigstore_that, github())
    sigstore_that.sct, sigstore_that.issuing = True, LocalSigstore().authority
    with pytest.raises(VerificationError):
        signed(sigstore_that, github())


def test_a_stranger_gets_no_certificate_and_no_token(sigstore_that: LocalSigstore) -> None:
    stranger = LocalSigstore()
    context = SigningContext.from_trust_config(ClientTrustConfig.from_json(trust_config(sigstore_that)))
    with pytest.raises(Exception, match=r"^$") as caught, context.signer(IdentityToken(stranger.token(github()))):
        pass
    assert type(caught.value).__name__ == "FulcioClientError"
    url = sigstore_that.job(github())["ACTIONS_ID_TOKEN_REQUEST_URL"]
    assert requests.get(url, headers={"Authorization": "bearer guessed"}, timeout=10).status_code == 401


# In a process of its own


def test_it_runs_as_a_program(tmp_path: Path) -> None:
    claims = tmp_path / "claims.json"
    claims.write_text(json.dumps(github(ref="refs/heads/main")))
    with local_sigstore(tmp_path, "--rekor", "1", "--no-tsa", "--claims", str(claims)) as ready:
        environ = ready["environ"]
        authorization = {"Authorization": f"bearer {environ['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"}
        url = f"{environ['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience=sigstore"
        token = IdentityToken(requests.get(url, headers=authorization, timeout=10).json()["value"])
        config = ClientTrustConfig.from_json(Path(ready["trust_config"]).read_text())
        with SigningContext.from_trust_config(config).signer(token) as signer:
            bundle = signer.sign_dsse(dsse.Statement(statement()))
    pinned = policy.Identity(identity="https://github.com/acme/models/.github/workflows/release.yml@refs/heads/main")
    Verifier(trusted_root=config.trusted_root).verify_dsse(bundle, pinned)
