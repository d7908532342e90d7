"""Signing with a key pair: ECDSA on P-256 with SHA-256, keys as PEM files, bundles as cosign writes them.

Sources: Sigstore bundle v0.3 with ``publicKey`` material; DSSE v1. Two spellings of the key's hint are in use: cosign
takes the base64 sha256 of the DER key, `model_signing` the hex sha256 of the PEM text, so an OMS bundle carries the
second. Neither is part of what is verified: the pinned key is.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from weighlock import jsonio
from weighlock.errors import InputError, SignatureError
from weighlock.intoto import Statement
from weighlock.oms import PREDICATE_TYPE as OMS
from weighlock.signing import BUNDLE, IN_TOTO, Bundle, pae
from weighlock.text import printable

_KEY_LIMIT = 64 * 1024  # bytes; no PEM key is larger
_SHA256 = ec.ECDSA(hashes.SHA256())


class KeySigner:
    """A `Signer` that holds a private key."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        """Take the key."""
        self._key = key

    @classmethod
    def load(cls, path: Path, password: str | None) -> KeySigner:
        """Read a PEM private key (PKCS#8 or SEC1), decrypted with `password` where it is encrypted."""
        pem = _read(path, "private key")
        try:
            key = serialization.load_pem_private_key(pem, password.encode() if password else None)
        except TypeError:  # the library's word for "encrypted, no password" and for "password, not encrypted"
            if password:
                return cls.load(path, None)
            raise InputError(
                f"the key {printable(str(path))} is encrypted and no password was given",
                remedy="Put the password into the environment variable WEIGHLOCK_KEY_PASSWORD.",
            ) from None
        except ValueError:
            reason = "the password is wrong, or it is damaged" if password else "it is no PEM private key"
            raise InputError(f"the key {printable(str(path))} cannot be read: {reason}") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise _wrong_kind(path)
        return cls(key)

    @classmethod
    def generate(cls) -> KeySigner:
        """Make a new key."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @property
    def identity(self) -> str:
        """Return ``key sha256:…``, the fingerprint of the public key."""
        return self.verifier().identity

    def verifier(self) -> KeyVerifier:
        """Return the verifier that accepts this key alone."""
        return KeyVerifier(self._key.public_key())

    def certificate(self) -> None:
        """Return None: nobody vouches for a key but the one who pins it."""

    def sign(self, statements: Sequence[bytes]) -> list[Bundle]:
        """Return a bundle around exactly these bytes for each of the statements, in their order."""
        return [self._sign(statement) for statement in statements]

    def _sign(self, statement: bytes) -> Bundle:
        hint = self.verifier().hint(oms=Statement.parse(statement).predicate_type == OMS)
        signature = self._key.sign(pae(IN_TOTO, statement), _SHA256)
        document = {
            "mediaType": BUNDLE,
            "verificationMaterial": {"publicKey": {"hint": hint}, "tlogEntries": []},
            "dsseEnvelope": {
                "payload": base64.b64encode(statement).decode(),
                "payloadType": IN_TOTO,
                "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
            },
        }
        return Bundle.parse(jsonio.canonical(document))

    def pem(self, password: str | None) -> bytes:
        """Return the private key as PKCS#8 PEM, encrypted where there is a password."""
        encryption = (
            serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
        )
        return self._key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


class KeyVerifier:
    """A `Verifier` that pins one public key."""

    def __init__(self, key: ec.EllipticCurvePublicKey) -> None:
        """Take the key."""
        self._key = key

    @classmethod
    def load(cls, path: Path) -> KeyVerifier:
        """Read a PEM public key."""
        pem = _read(path, "public key")
        if b"PRIVATE KEY" in pem:
            raise InputError(
                f"{printable(str(path))} is a private key, and a verifier must not have one",
                remedy="Give the public key (weighlock keygen writes it beside the private one).",
            )
        try:
            key = serialization.load_pem_public_key(pem)
        except ValueError:
            raise InputError(f"{printable(str(path))} is no PEM public key") from None
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise _wrong_kind(path)
        return cls(key)

    @property
    def identity(self) -> str:
        """Return ``key sha256:…``, the fingerprint of the DER public key."""
        return f"key sha256:{hashlib.sha256(self._der()).hexdigest()}"

    def verify(self, bundle: Bundle) -> None:
        """Raise `SignatureError` unless this key signed the bundle, and an in-toto statement in it."""
        if bundle.payload_type != IN_TOTO:
            raise SignatureError("the bundle's payload is no in-toto statement")
        if "publicKey" not in bundle.material or "certificate" in bundle.material:
            raise SignatureError("the bundle was signed with a certificate, and a key is pinned")
        try:
            self._key.verify(bundle.signature, bundle.signed_bytes(), _SHA256)
        except InvalidSignature:
            raise SignatureError("the bundle was signed by another key, or changed after it was signed") from None

    def hint(self, *, oms: bool) -> str:
        """Return the hint that names this key in a bundle, in OMS's spelling or in cosign's."""
        if oms:
            return hashlib.sha256(self.pem()).hexdigest()
        return base64.b64encode(hashlib.sha256(self._der()).digest()).decode()

    def pem(self) -> bytes:
        """Return the public key as PEM."""
        return self._key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def _der(self) -> bytes:
        return self._key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def write_pair(signer: KeySigner, private: Path, public: Path, password: str | None) -> None:
    """Write both halves, the private one readable by its owner only; existing files are never overwritten."""
    for path, data, mode in ((private, signer.pem(password), 0o600), (public, signer.verifier().pem(), 0o644)):
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        except FileExistsError:
            raise InputError(
                f"{printable(str(path))} exists", remedy="Choose another name; keys are never overwritten."
            ) from None
        except OSError as error:
            raise InputError(f"{printable(str(path))} cannot be written: {error.strerror}") from None
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)


def _read(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(_KEY_LIMIT)
    except OSError as error:
        raise InputError(
            f"the {what} {printable(str(path))} cannot be read: {error.strerror}",
            remedy="Make a pair with: weighlock keygen NAME",
        ) from None


def _wrong_kind(path: Path) -> InputError:
    return InputError(
        f"{printable(str(path))} is not an EC key on P-256", remedy="Make one with: weighlock keygen NAME"
    )
