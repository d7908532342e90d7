"""Keyless mode against a local Sigstore: what is signed and verified, and what every service may do wrong."""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import acting
from commands import SCRIPTS
from local_sigstore import (
    COMMIT,
    FULCIO,
    GITHUB_ISSUER,
    REKOR_1,
    REKOR_2,
    TSA,
    Claims,
    Fault,
    LocalSigstore,
    forging,
    github,
    gitlab,
    identity,
    person,
    serving,
    write,
    wrong,
)
from weighlock.errors import InputError, RefusedError, SignatureError, UnfinishedError, WeighlockError
from weighlock.inputs import SignerInputs, VerifierInputs
from weighlock.intoto import Statement, Subject
from weighlock.oci import Digest
from weighlock.signing import Bundle
from weighlock.signing.identity import Identity
from weighlock.signing.key import KeySigner
from weighlock.signing.keyless import certificate
from weighlock.signing.keyless.signer import KeylessSigner
from weighlock.signing.keyless.trust import Trust
from weighlock.signing.keyless.verifier import KeylessVerifier

LOGS = {1: REKOR_1, 2: REKOR_2}


def statement(name: str = "m") -> bytes:
    return Statement((Subject(name, Digest.of(name.encode())),), "https://example.org/p", {"a": 1}).encode()


STATEMENTS = [statement(str(number)) for number in range(5)]


@pytest.fixture
def sigstore(sigstore_that: LocalSigstore) -> LocalSigstore:
    """Return one that the test may break."""
    return sigstore_that


@pytest.fixture(params=[1, 2])
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def signer(
    sigstore: LocalSigstore,
    folder: Path,
    claims: Claims | None = None,
    *,
    version: int = 2,
    limit: float = 20,
    tsa: bool = True,
    source: Callable[[], str] | None = None,
) -> KeylessSigner:
    config = write(sigstore, folder, rekor=[version], tsa=tsa)
    return KeylessSigner(Trust(config), source or (lambda: sigstore.token(claims or github())), limit=limit)


def verifies(
    sigstore: LocalSigstore, folder: Path, bundle: Bundle, *, issuer: str = GITHUB_ISSUER, **pinned: str
) -> None:
    write(sigstore, folder)
    KeylessVerifier.load(Identity(issuer=issuer, **pinned), folder / "trusted_root.json").verify(bundle)


def refused(sigstore: LocalSigstore, folder: Path, bundle: Bundle, **pinned: str) -> str:
    with pytest.raises(SignatureError) as caught:
        verifies(sigstore, folder, bundle, **pinned)
    return caught.value.what


# Signing


def test_many_statements_share_one_certificate(sigstore: LocalSigstore, tmp_path: Path, version: int) -> None:
    signing = signer(sigstore, tmp_path, version=version)
    assert sigstore.count(FULCIO) == 0, "the certificate is asked for when something is signed"
    bundles = signing.sign(STATEMENTS) + signing.sign([statement("later")])
    assert [bundle.payload for bundle in bundles] == [*STATEMENTS, statement("later")]
    assert sigstore.count(FULCIO) == 1
    assert sigstore.count(LOGS[version]) == 6
    for bundle in bundles:
        verifies(sigstore, tmp_path, Bundle.parse(bundle.raw), source="acme/models")


def test_the_certificate_is_there_before_the_statements(sigstore: LocalSigstore, tmp_path: Path) -> None:
    own = signer(sigstore, tmp_path).certificate()
    assert own.identity == identity(github())
    assert (own.issuer, own.source, own.ref) == (GITHUB_ISSUER, "https://github.com/acme/models", "refs/tags/v1.0.0")
    assert (own.source_commit, own.builder_commit, own.workflow_commit) == (COMMIT, COMMIT, COMMIT)
    assert (own.trigger, own.runner, own.visibility) == ("push", "github-hosted", "public")
    assert own.invocation == "https://github.com/acme/models/actions/runs/3003/attempts/1"


def test_a_pipeline_of_gitlab_has_the_same_words(sigstore: LocalSigstore, tmp_path: Path) -> None:
    signing = signer(sigstore, tmp_path, gitlab())
    own = signing.certificate()
    project = "https://gitlab.example/acme/ml/models"
    assert (own.issuer, own.source, own.ref) == ("https://gitlab.example", project, "refs/tags/v1.0.0")
    assert own.identity == own.builder == own.workflow == f"{project}//.gitlab-ci.yml@refs/tags/v1.0.0"
    assert (own.source_commit, own.builder_commit, own.trigger, own.runner) == (COMMIT, COMMIT, "push", "gitlab-hosted")
    assert (own.source_id, own.owner_id, own.visibility) == ("20", "72", "public")
    assert own.invocation == f"{project}/-/jobs/302"
    (bundle,) = signing.sign([statement()])
    verifies(sigstore, tmp_path, bundle, issuer=own.issuer, builder=f"{project}//.gitlab-ci.yml", builder_commit=COMMIT)
    included = signer(sigstore, tmp_path, gitlab(project_path="eve/models"))
    (bundle,) = included.sign([statement()])
    assert "no source is pinned" in refused(sigstore, tmp_path, bundle, issuer=own.issuer, identity=own.identity)


def test_statements_are_signed_side_by_side(sigstore: LocalSigstore, tmp_path: Path) -> None:
    signing = signer(sigstore, tmp_path)
    sigstore.latency[REKOR_2] = 0.5
    begun = time.monotonic()
    signing.sign([statement(str(number)) for number in range(8)])
    assert time.monotonic() - begun < 2


def test_a_person_signs_by_a_token_file(sigstore: LocalSigstore, tmp_path: Path) -> None:
    config = write(sigstore, tmp_path)
    token = sigstore.token_file(tmp_path / "token", person())
    signing = SignerInputs(identity_token_file=token, trust_config=config).signer({})
    (bundle,) = signing.sign([statement()])
    assert signing.identity == "ada@example.com"
    verifies(sigstore, tmp_path, bundle, issuer=person()["iss"], identity="ada@example.com")


def test_a_signer_accepts_its_own_name_and_no_other(sigstore: LocalSigstore, tmp_path: Path) -> None:
    signing = signer(sigstore, tmp_path)
    (own,) = signing.sign([statement()])
    other = signer(sigstore, tmp_path, github(workflow=".github/workflows/other.yml"))
    (foreign,) = other.sign([statement()])
    signing.verifier().verify(own)
    with pytest.raises(SignatureError, match="identity"):
        signing.verifier().verify(foreign)


# Verifying


def test_each_claim_is_compared(sigstore: LocalSigstore, tmp_path: Path) -> None:
    builder = "acme/builder/.github/workflows/publish-model.yml"
    (bundle,) = signer(sigstore, tmp_path, github(job_workflow_ref=f"{builder}@refs/tags/v2")).sign([statement()])
    right = {
        "source": "acme/models",
        "ref": "refs/tags/v1.0.0",
        "trigger": "push",
        "runner": "github-hosted",
        "builder": builder,
        "builder_commit": COMMIT,
    }
    verifies(sigstore, tmp_path, bundle, **right)
    for name, value in {
        "issuer": "https://gitlab.com",
        "source": "acme/builder",
        "ref": "refs/heads/main",
        "trigger": "pull_request",
        "runner": "self-hosted",
        "builder": "acme/builder/.github/workflows/other.yml",
        "builder_commit": "2e" * 20,
        "identity": identity(github()),
    }.items():
        assert name.split("_")[0] in refused(sigstore, tmp_path, bundle, **right | {name: value})


def test_another_sigstore_is_not_believed(sigstore: LocalSigstore, tmp_path: Path) -> None:
    with serving(LocalSigstore()) as other:
        folder = tmp_path / "other"
        folder.mkdir()
        (bundle,) = signer(other, folder).sign([statement()])
    assert "does not verify" in refused(sigstore, tmp_path, bundle, source="acme/models")


def test_a_changed_statement_is_refused(sigstore: LocalSigstore, tmp_path: Path, version: int) -> None:
    (bundle,) = signer(sigstore, tmp_path, version=version).sign([statement()])
    document = json.loads(bundle.raw)
    document["dsseEnvelope"]["payload"] = json.loads(signer(sigstore, tmp_path).sign([statement("x")])[0].raw)[
        "dsseEnvelope"
    ]["payload"]
    changed = Bundle.parse(json.dumps(document).encode())
    assert "does not verify" in refused(sigstore, tmp_path, changed, source="acme/models")


def test_a_bundle_that_breaks_the_library_is_refused(sigstore: LocalSigstore, tmp_path: Path) -> None:
    (bundle,) = signer(sigstore, tmp_path).sign([statement()])
    broken_entries: list[object] = [[], [None], "x", [{"logIndex": {}}]]
    for entries in broken_entries:
        document = json.loads(bundle.raw)
        document["verificationMaterial"]["tlogEntries"] = entries
        broken = Bundle.parse(json.dumps(document).encode())
        assert "does not verify" in refused(sigstore, tmp_path, broken, source="acme/models")


def test_a_certificate_that_had_run_out_is_refused(sigstore: LocalSigstore, tmp_path: Path) -> None:
    late = sigstore.now() - dt.timedelta(hours=1)
    raw = json.dumps(forging.bundle(sigstore, statement(), github(), issued=late)).encode()
    assert "does not verify" in refused(sigstore, tmp_path, Bundle.parse(raw), source="acme/models")


def test_a_key_bundle_under_a_pinned_identity_and_the_reverse_are_refused(
    sigstore: LocalSigstore, tmp_path: Path
) -> None:
    key = KeySigner.generate()
    (keyed,) = key.sign([statement()])
    (keyless,) = signer(sigstore, tmp_path).sign([statement()])
    assert "signed with a key" in refused(sigstore, tmp_path, keyed, source="acme/models")
    with pytest.raises(SignatureError, match="signed with a certificate"):
        key.verifier().verify(keyless)
    both = json.loads(keyless.raw)
    both["verificationMaterial"]["publicKey"] = json.loads(keyed.raw)["verificationMaterial"]["publicKey"]
    for verify in (key.verifier().verify, lambda one: verifies(sigstore, tmp_path, one, source="acme/models")):
        with pytest.raises(SignatureError):
            verify(Bundle.parse(json.dumps(both).encode()))


def test_a_key_and_an_identity_are_not_pinned_together(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a key and an identity are pinned"):
        VerifierInputs(key=tmp_path / "k.pub", issuer=GITHUB_ISSUER, source="acme/models").verifier()
    with pytest.raises(InputError, match="a key and an identity token"):
        SignerInputs(key=tmp_path / "k.key", identity_token_file=tmp_path / "token").signer({})


@pytest.mark.parametrize(
    ("content", "message"),
    [("{}", "no trust configuration"), ("nonsense", "no trust configuration"), ("[" * 100_000, "no trust config")],
)
def test_a_trust_configuration_is_one(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "trust.json").write_text(content)
    with pytest.raises(InputError, match=message):
        Trust(tmp_path / "trust.json")
    with pytest.raises(InputError, match="cannot be read"):
        Trust(tmp_path / "missing.json")


def test_a_trusted_root_without_keys_is_not_one(sigstore: LocalSigstore, tmp_path: Path) -> None:
    write(sigstore, tmp_path)
    root = json.loads((tmp_path / "trusted_root.json").read_text())
    for lost in ("tlogs", "certificateAuthorities"):
        (tmp_path / "less.json").write_text(json.dumps(root | {lost: []}))
        with pytest.raises(InputError, match="cannot be verified with"):
            KeylessVerifier.load(Identity(issuer=GITHUB_ISSUER, source="acme/models"), tmp_path / "less.json")


def test_without_a_network_the_public_keys_of_last_time_are_used(tmp_path: Path) -> None:
    program = "from pathlib import Path; from weighlock.signing.keyless.trust import Trust; "
    program += "print(len(Trust(None).root().get_fulcio_certs()))"
    with acting.network() as inside:
        done = subprocess.run(
            [*inside, sys.executable, "-c", program],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(SCRIPTS)},
            capture_output=True,
            text=True,
            check=True,
        )
    assert int(done.stdout) > 0


def test_a_trusted_root_is_not_enough_to_sign(sigstore: LocalSigstore, tmp_path: Path) -> None:
    write(sigstore, tmp_path)
    with pytest.raises(InputError, match="not where to sign"):
        KeylessSigner(Trust(tmp_path / "trusted_root.json"), lambda: sigstore.token(github()))


# Faults: each is survived, or explained


def failing(signing: KeylessSigner) -> WeighlockError:
    with pytest.raises(WeighlockError) as caught:
        signing.sign(STATEMENTS)
    return caught.value


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 408])
def test_fulcio_down_for_a_moment_is_survived(sigstore: LocalSigstore, tmp_path: Path, status: int) -> None:
    sigstore.faults.append(Fault(FULCIO, status, times=1))
    assert len(signer(sigstore, tmp_path).sign(STATEMENTS)) == 5
    assert sigstore.count(FULCIO) == 2


def test_whoever_waits_is_told_for_what(sigstore: LocalSigstore, tmp_path: Path) -> None:
    said: list[str] = []
    sigstore.faults.append(Fault(FULCIO, 503, times=1))
    KeylessSigner(Trust(write(sigstore, tmp_path)), lambda: sigstore.token(github()), say=said.append).sign(STATEMENTS)
    assert len(said) == 1
    assert said[0].endswith("503: injected")


def test_fulcio_down_for_good_is_explained_in_its_own_words(sigstore: LocalSigstore, tmp_path: Path) -> None:
    sigstore.faults.append(Fault(FULCIO, 503))
    error = failing(signer(sigstore, tmp_path, limit=2))
    assert isinstance(error, UnfinishedError)
    assert "Fulcio" in error.what
    assert "answered 503: injected" in error.what


@pytest.mark.parametrize("status", [400, 401, 403])
def test_fulcios_no_is_final_and_in_its_own_words(sigstore: LocalSigstore, tmp_path: Path, status: int) -> None:
    sigstore.faults.append(Fault(FULCIO, status))
    error = failing(signer(sigstore, tmp_path))
    assert f"answered {status}: injected" in error.what
    assert sigstore.count(FULCIO) == 1


@pytest.mark.parametrize("status", [500, 503, 429, 409])
def test_rekor_down_for_a_moment_or_in_conflict_is_survived_by_a_new_signature(
    sigstore: LocalSigstore, tmp_path: Path, version: int, status: int
) -> None:
    sigstore.faults.append(Fault(LOGS[version], status, times=3))
    bundles = signer(sigstore, tmp_path, version=version).sign(STATEMENTS)
    assert len({bundle.signature for bundle in bundles}) == 5
    assert (sigstore.count(FULCIO), sigstore.count(LOGS[version])) == (1, 8)


def test_rekor_down_for_good_is_explained(sigstore: LocalSigstore, tmp_path: Path, version: int) -> None:
    sigstore.faults.append(Fault(LOGS[version], 502))
    error = failing(signer(sigstore, tmp_path, version=version, limit=2))
    assert "Rekor" in error.what
    assert "502: injected" in error.what


def test_rekors_no_is_final(sigstore: LocalSigstore, tmp_path: Path, version: int) -> None:
    sigstore.faults.append(Fault(LOGS[version], 400))
    assert "400: injected" in failing(signer(sigstore, tmp_path, version=version)).what


@pytest.mark.parametrize("path", [FULCIO, REKOR_2, TSA])
def test_a_service_that_hangs_is_given_up_when_the_time_is_over(
    sigstore: LocalSigstore, tmp_path: Path, path: str
) -> None:
    release = threading.Event()

    def hang() -> None:
        release.wait(30)

    sigstore.faults.append(Fault(path, before=hang))
    begun = time.monotonic()
    error = failing(signer(sigstore, tmp_path, limit=2))
    release.set()
    assert time.monotonic() - begun < 6
    assert "did not answer in time" in error.what


def test_a_timestamp_authority_down_for_a_moment_is_survived(
    sigstore: LocalSigstore, tmp_path: Path, version: int
) -> None:
    sigstore.faults.append(Fault(TSA, 500, times=2))
    for bundle in signer(sigstore, tmp_path, version=version).sign(STATEMENTS):
        verifies(sigstore, tmp_path, bundle, source="acme/models")


def test_a_timestamp_authority_down_for_good_stops_a_log_that_says_no_time(
    sigstore: LocalSigstore, tmp_path: Path
) -> None:
    sigstore.faults.append(Fault(TSA, 500))
    error = failing(signer(sigstore, tmp_path, limit=2))
    assert "timestamp authority" in error.what
    assert sigstore.count(REKOR_2) == 0, "nothing is logged that could not be used"


def test_a_timestamp_authority_down_for_good_does_not_stop_a_log_that_says_the_time(
    sigstore: LocalSigstore, tmp_path: Path
) -> None:
    sigstore.faults.append(Fault(TSA, 500))
    (bundle,) = signer(sigstore, tmp_path, version=1).sign([statement()])
    verifies(sigstore, tmp_path, bundle, source="acme/models")


def test_an_answer_that_is_none_is_explained(sigstore: LocalSigstore, tmp_path: Path, version: int) -> None:
    sigstore.faults.append(Fault(LOGS[version], change=lambda _: ["nonsense"]))
    assert "cannot be used" in failing(signer(sigstore, tmp_path, version=version)).what


def test_a_log_that_lies_is_caught_before_anything_is_published(
    sigstore: LocalSigstore, tmp_path: Path, version: int
) -> None:
    sigstore.faults.append(wrong.same_entry(version))
    signing = signer(sigstore, tmp_path, version=version)
    first, *others = signing.sign(STATEMENTS)
    outcomes = []
    for bundle in (first, *others):
        try:
            signing.verifier().verify(bundle)
            outcomes.append(True)
        except SignatureError:
            outcomes.append(False)
    assert sum(outcomes) <= 1


def test_a_certificate_that_runs_out_is_renewed(sigstore: LocalSigstore, tmp_path: Path) -> None:
    sigstore.cert_minutes = 61.5 / 60
    signing = signer(sigstore, tmp_path)
    bundles = signing.sign(STATEMENTS[:1])
    time.sleep(2)
    bundles += signing.sign(STATEMENTS[1:])
    assert sigstore.count(FULCIO) > 1
    for bundle in bundles:
        signing.verifier().verify(bundle)


def test_another_identity_at_the_renewal_is_refused(sigstore: LocalSigstore, tmp_path: Path) -> None:
    sigstore.cert_minutes = 0.5
    claims = [github(), github(), github(ref="refs/heads/evil")]
    signing = signer(sigstore, tmp_path, source=lambda: sigstore.token(claims.pop(0)))
    signing.certificate()
    with pytest.raises(RefusedError, match="identity changed"):
        signing.sign(STATEMENTS[:1])


def test_the_token_is_asked_for_last(sigstore: LocalSigstore, tmp_path: Path) -> None:
    tokens: list[str] = []

    def source() -> str:
        tokens.append(sigstore.token(github()))
        return tokens[-1]

    signing = signer(sigstore, tmp_path, source=source)
    signing.sign(STATEMENTS)
    assert len(tokens) == 2, "one is looked at before the upload, another is signed with after it"


def test_a_token_file_that_ran_out_is_explained(sigstore: LocalSigstore, tmp_path: Path) -> None:
    sigstore.offset = -3600
    old = sigstore.token(github())
    sigstore.offset = 0
    with pytest.raises(InputError, match="not valid any more") as caught:
        signer(sigstore, tmp_path, source=lambda: old)
    assert "clock" not in caught.value.remedy


def test_a_clock_that_is_behind_is_named_as_such(sigstore: LocalSigstore, tmp_path: Path) -> None:
    sigstore.offset = 60
    with pytest.raises(InputError, match="not valid yet") as caught:
        signer(sigstore, tmp_path)
    assert re.search(r"clock is (5[89]|6[01]) s behind", caught.value.remedy)


def test_a_clock_that_is_ahead_by_a_minute_is_survived(sigstore: LocalSigstore, tmp_path: Path) -> None:
    sigstore.offset = -60
    for bundle in signer(sigstore, tmp_path).sign(STATEMENTS):
        verifies(sigstore, tmp_path, bundle, source="acme/models")


def test_a_clock_that_is_far_ahead_is_named_as_such(sigstore: LocalSigstore, tmp_path: Path) -> None:
    sigstore.offset = -600
    with pytest.raises(InputError) as caught:
        signer(sigstore, tmp_path)
    assert re.search(r"clock is (599|60[0-9]) s ahead", caught.value.remedy)


# What may be published


PUBLIC = "https://rekor.sigstore.dev"


def public_config(sigstore: LocalSigstore, folder: Path) -> Path:
    """Return a configuration that logs where everybody reads."""
    path = write(sigstore, folder)
    document = json.loads(path.read_text())
    document["signingConfig"]["rekorTlogUrls"][0]["url"] = PUBLIC
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize("visibility", ["private", "internal", "", "Public", None])
@pytest.mark.parametrize("named", [True, False], ids=["configured", "default"])
def test_a_repository_that_is_not_public_is_not_named_in_the_public_log(
    sigstore: LocalSigstore, tmp_path: Path, visibility: str | None, named: bool
) -> None:
    trust = Trust(public_config(sigstore, tmp_path) if named else None)
    with pytest.raises(InputError, match="public Sigstore would publish") as caught:
        KeylessSigner(trust, lambda: sigstore.token(github(repository_visibility=visibility)))
    assert all(
        choice in caught.value.remedy for choice in ("--trust-config", "--key", "GitHub's own", "allow-public-log")
    )
    assert sigstore.count(FULCIO) == 0


def test_it_is_where_that_is_allowed_or_where_the_log_is_its_own(sigstore: LocalSigstore, tmp_path: Path) -> None:
    hidden = github(repository_visibility="private")
    assert KeylessSigner(
        Trust(public_config(sigstore, tmp_path)), lambda: sigstore.token(hidden), allow_public_log=True
    )
    assert signer(sigstore, tmp_path, hidden).sign([statement()])


def test_a_person_has_no_repository_to_hide(sigstore: LocalSigstore, tmp_path: Path) -> None:
    assert KeylessSigner(Trust(public_config(sigstore, tmp_path)), lambda: sigstore.token(person()))


@pytest.mark.parametrize("raw", ["", "x", "a.b.c", "a.e30.c", "a.W10.c", "a.bnVsbA.c"])
def test_what_is_no_token_is_said_to_be_none(sigstore: LocalSigstore, tmp_path: Path, raw: str) -> None:
    with pytest.raises(InputError, match="identity token is none"):
        signer(sigstore, tmp_path, source=lambda: raw)


def test_a_token_for_somebody_else_is_named_as_such(sigstore: LocalSigstore, tmp_path: Path) -> None:
    other = sigstore.issuer.token(github(), audience="vault")
    with pytest.raises(InputError, match="not for Sigstore"):
        signer(sigstore, tmp_path, source=lambda: other)


# What a bundle says of its signer


@pytest.mark.parametrize("der", [b"", b"\x30\x00", b"nonsense"])
def test_a_certificate_that_cannot_be_read_claims_nothing(sigstore: LocalSigstore, tmp_path: Path, der: bytes) -> None:
    (bundle,) = signer(sigstore, tmp_path).sign([statement()])
    assert certificate.claimed(bundle).identity == identity(github())
    document = json.loads(bundle.raw)
    document["verificationMaterial"]["certificate"]["rawBytes"] = base64.b64encode(der).decode()
    with pytest.raises(SignatureError, match="no certificate that can be read"):
        certificate.claimed(Bundle.parse(json.dumps(document).encode()))
    assert "does not verify" in refused(sigstore, tmp_path, Bundle.parse(json.dumps(document).encode()), source="a/b")
