"""A timestamp authority (RFC 3161): a signed statement that it saw a digest at a time."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from dataclasses import dataclass, field

from asn1crypto import algos, cms, core, tsp  # type: ignore[import-untyped]
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from local_sigstore.authority import Certificate, ca, key_identifiers, key_usage, name
from local_sigstore.keys import Key

_SHA256 = algos.DigestAlgorithm({"algorithm": "sha256"})
_POLICY = "1.3.6.1.4.1.57264.2"


@dataclass
class TimestampAuthority:
    """A root and the certificate that stamps."""

    start: dt.datetime
    key: Key = field(default_factory=Key)
    root_key: Key = field(default_factory=Key)

    def __post_init__(self) -> None:
        valid = (self.start, self.start + dt.timedelta(days=3650))
        root, leaf = name("sigstore.local", "a root of time"), name("sigstore.local", "a clock")
        self.root = ca(root, root, self.root_key, self.root_key, valid)
        public = self.key.private.public_key()
        builder = x509.CertificateBuilder(root, leaf, public, x509.random_serial_number(), *valid)
        stamps = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(key_usage(sign=True), critical=True).add_extension(stamps, critical=True)
        for extension in key_identifiers(public, self.root_key):
            builder = builder.add_extension(extension, critical=False)
        self.leaf = builder.sign(self.root_key.private, hashes.SHA256())

    @property
    def chain(self) -> list[Certificate]:
        return [self.leaf, self.root]

    def answer(self, query: bytes, at: dt.datetime) -> bytes:
        """Return the response to a DER ``TimeStampReq``."""
        request = tsp.TimeStampReq.load(query)
        return self.stamp(request["message_imprint"]["hashed_message"].native, at, request["nonce"].native)

    def stamp(self, digest: bytes, at: dt.datetime, nonce: int | None = None) -> bytes:
        """Return a DER ``TimeStampResp`` about a SHA-256 digest."""
        info = tsp.TSTInfo(
            {
                "version": "v1",
                "policy": _POLICY,
                "message_imprint": {"hash_algorithm": _SHA256, "hashed_message": digest},
                "serial_number": secrets.randbits(63),
                "gen_time": at.replace(microsecond=0),
                **({"nonce": nonce} if nonce is not None else {}),
            }
        )
        signed = cms.SignedData(
            {
                "version": "v3",
                "digest_algorithms": [_SHA256],
                "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(info.dump())},
                "certificates": [self._certificate()],
                "signer_infos": [self._signer(info.dump())],
            }
        )
        token = cms.ContentInfo({"content_type": "signed_data", "content": signed})
        answer: bytes = tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": token}).dump()
        return answer

    def _signer(self, info: bytes) -> cms.SignerInfo:
        certificate = self._certificate()
        identifier = {"cert_hash": hashlib.sha256(certificate.dump()).digest()}
        attributes = cms.CMSAttributes(
            [
                _attribute("content_type", "tst_info"),
                _attribute("message_digest", hashlib.sha256(info).digest()),
                _attribute("signing_certificate_v2", tsp.SigningCertificateV2({"certs": [identifier]})),
            ]
        )
        # Encoded as the SET that is signed; inside SignerInfo it gets a tag of its own.
        signature = self.key.sign(attributes.dump())
        issuer = {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
        return cms.SignerInfo(
            {
                "version": "v1",
                "sid": cms.SignerIdentifier({"issuer_and_serial_number": issuer}),
                "digest_algorithm": _SHA256,
                "signed_attrs": attributes,
                "signature_algorithm": {"algorithm": "sha256_ecdsa"},
                "signature": signature,
            }
        )

    def _certificate(self) -> asn1_x509.Certificate:
        return asn1_x509.Certificate.load(self.leaf.public_bytes(serialization.Encoding.DER))


def _attribute(kind: str, value: object) -> cms.CMSAttribute:
    return cms.CMSAttribute({"type": kind, "values": [value]})
