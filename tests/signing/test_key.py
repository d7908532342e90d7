"""Key mode: bundles as cosign and model_signing read them, and every key that must not work."""

from __future__ import annotations

import base64
import hashlib
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from weighlock import oms
from weighlock.errors import InputError, MalformedError, SignatureError
from weighlock.intoto import Statement, Subject
from weighlock.oci import Digest
from weighlock.signing import BUNDLE, Bundle
from weighlock.signing.key import KeySigner, KeyVerifier, write_pair

STATEMENT = Statement((Subject("m", Digest.of(b"m")),), "https://example.org/p", {"a": 1}).encode()


@pytest.fixture(scope="module")
def signer() -> KeySigner:
    return KeySigner.generate()


def document(bundle: Bundle) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(bundle.raw)
    return parsed


def test_the_signed_bytes_are_the_statement_to_the_letter(signer: KeySigner) -> None:
    (bundle,) = signer.sign([STATEMENT])
    signer.verifier().verify(Bundle.parse(bundle.raw))
    assert bundle.payload == STATEMENT


def test_the_bundle_is_what_cosign_writes(signer: KeySigner) -> None:
    content = document(signer.sign([STATEMENT])[0])
    der = serialization.load_pem_public_key(signer.verifier().pem()).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert content["mediaType"] == BUNDLE
    assert content["verificationMaterial"] == {
        "publicKey": {"hint": base64.b64encode(hashlib.sha256(der).digest()).decode()},
        "tlogEntries": [],
    }
    assert content["dsseEnvelope"]["payloadType"] == "application/vnd.in-toto+json"
    assert [set(item) for item in content["dsseEnvelope"]["signatures"]] == [{"sig", "keyid"}]


def test_a_model_signature_carries_the_hint_that_model_signing_compares(signer: KeySigner) -> None:
    statement = oms.statement("m", {"a": Digest.of(b"a")}, Digest.of(b"m")).encode()
    hint = document(signer.sign([statement])[0])["verificationMaterial"]["publicKey"]["hint"]
    assert hint == hashlib.sha256(signer.verifier().pem()).hexdigest()


@pytest.mark.parametrize("part", ["payload", "signature", "type", "other key", "certificate"])
def test_a_bundle_that_was_touched_or_signed_by_another_is_refused(signer: KeySigner, part: str) -> None:
    bundle = (KeySigner.generate() if part == "other key" else signer).sign([STATEMENT])[0]
    content = document(bundle)
    envelope = content["dsseEnvelope"]
    if part == "payload":
        envelope["payload"] = base64.b64encode(STATEMENT.replace(b'"a":1', b'"a":2')).decode()
    elif part == "signature":
        raw = bytearray(base64.b64decode(envelope["signatures"][0]["sig"]))
        raw[-1] ^= 1
        envelope["signatures"][0]["sig"] = base64.b64encode(raw).decode()
    elif part == "type":
        envelope["payloadType"] = "text/plain"
    elif part == "certificate":
        content["verificationMaterial"] = {"certificate": {"rawBytes": ""}, "tlogEntries": []}
    with pytest.raises(SignatureError):
        signer.verifier().verify(Bundle.parse(json.dumps(content).encode()))


@pytest.mark.parametrize(
    "change",
    [
        {"mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.1"},
        {"dsseEnvelope": None},
        {"verificationMaterial": []},
        {"dsseEnvelope": {"payload": "!", "payloadType": "x", "signatures": [{"sig": ""}]}},
        {"dsseEnvelope": {"payload": "", "payloadType": "x", "signatures": []}},
        {"dsseEnvelope": {"payload": "", "payloadType": "x", "signatures": [{"sig": ""}, {"sig": ""}]}},
        {"dsseEnvelope": {"payload": "", "payloadType": "x", "signatures": [{"keyid": ""}]}},
        {"extra": 1},
        {"messageSignature": {}},
        {"dsseEnvelope": {"payload": "", "payloadType": "x", "signatures": [{"sig": ""}], "extra": 1}},
        {"dsseEnvelope": {"payload": "", "payloadType": "x", "signatures": [{"sig": "", "extra": 1}]}},
        {"verificationMaterial": {"publicKey": {"hint": ""}, "extra": 1}},
    ],
)
def test_a_bundle_of_another_shape_is_refused(signer: KeySigner, change: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        Bundle.parse(json.dumps({**document(signer.sign([STATEMENT])[0]), **change}).encode())


def test_a_pair_is_written_once_and_the_private_half_is_private(signer: KeySigner, tmp_path: Path) -> None:
    private, public = tmp_path / "k.key", tmp_path / "k.pub"
    write_pair(signer, private, public, None)
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    KeyVerifier.load(public).verify(KeySigner.load(private, None).sign([STATEMENT])[0])
    before = private.read_bytes()
    with pytest.raises(InputError, match="never overwritten"):
        write_pair(KeySigner.generate(), private, public, None)
    assert private.read_bytes() == before


def test_a_password_opens_the_key_and_nothing_else_does(signer: KeySigner, tmp_path: Path) -> None:
    path = tmp_path / "k.key"
    path.write_bytes(signer.pem("right"))
    assert KeySigner.load(path, "right").identity == signer.identity
    with pytest.raises(InputError, match="password is wrong"):
        KeySigner.load(path, "wrong")
    with pytest.raises(InputError, match="encrypted and no password") as caught:
        KeySigner.load(path, None)
    assert "WEIGHLOCK_KEY_PASSWORD" in caught.value.remedy


def test_a_password_that_is_not_needed_does_no_harm(signer: KeySigner, tmp_path: Path) -> None:
    path = tmp_path / "k.key"
    path.write_bytes(signer.pem(None))
    assert KeySigner.load(path, "unused").identity == signer.identity


@pytest.mark.parametrize("kind", ["missing", "text", "empty", "ed25519", "p384", "folder"])
def test_a_file_that_is_no_fitting_key_is_an_input_error(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "k.key"
    pkcs8 = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    if kind == "folder":
        path.mkdir()
    elif kind == "ed25519":
        path.write_bytes(ed25519.Ed25519PrivateKey.generate().private_bytes(*pkcs8))
    elif kind == "p384":
        path.write_bytes(ec.generate_private_key(ec.SECP384R1()).private_bytes(*pkcs8))
    elif kind != "missing":
        path.write_bytes(b"hello" if kind == "text" else b"")
    with pytest.raises(InputError):
        KeySigner.load(path, None)
    with pytest.raises(InputError):
        KeyVerifier.load(path)


def test_a_verifier_takes_no_private_key(signer: KeySigner, tmp_path: Path) -> None:
    path = tmp_path / "k.key"
    path.write_bytes(signer.pem(None))
    with pytest.raises(InputError, match="is a private key"):
        KeyVerifier.load(path)
