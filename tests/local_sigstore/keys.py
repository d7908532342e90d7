"""The keys of the services, and the little DER that they write by hand."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

SHA256 = ec.ECDSA(hashes.SHA256())


@dataclass(frozen=True)
class Key:
    """An ECDSA key on P-256, as the production services but for the newest log have them."""

    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    details = "PKIX_ECDSA_P256_SHA_256"

    @property
    def spki(self) -> bytes:
        return spki(self.private.public_key())

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.spki).digest()

    def sign(self, data: bytes) -> bytes:
        return self.private.sign(data, SHA256)


@dataclass(frozen=True)
class NoteKey:
    """An Ed25519 key, named after the origin of the log whose checkpoints it signs (signed-note, key type 1)."""

    origin: str
    private: ed25519.Ed25519PrivateKey = field(default_factory=ed25519.Ed25519PrivateKey.generate)

    details = "PKIX_ED25519"

    @property
    def spki(self) -> bytes:
        return spki(self.private.public_key())

    @property
    def id(self) -> bytes:
        raw = self.private.public_key().public_bytes_raw()
        return hashlib.sha256(f"{self.origin}\n".encode() + b"\x01" + raw).digest()

    def sign(self, data: bytes) -> bytes:
        return self.private.sign(data)


def spki(key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def der(tag: int, content: bytes) -> bytes:
    """Return one DER value."""
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
