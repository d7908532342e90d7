"""Fulcio: certificates of ten minutes for whoever an identity token names, each with a promise of the CT log in it."""

from __future__ import annotations

import datetime as dt
import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from local_sigstore.keys import Key, der

Certificate = x509.Certificate

GITHUB = "https://github.com/"
_FULCIO = "1.3.6.1.4.1.57264.1."
_SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_OLD = {1: "iss", 2: "event_name", 3: "sha", 4: "workflow", 5: "repository", 6: "ref"}
_NEW = {
    8: "iss",
    9: "job_workflow_ref",
    10: "job_workflow_sha",
    11: "runner_environment",
    12: "repository",
    13: "sha",
    14: "ref",
    15: "repository_id",
    16: "repository_owner",
    17: "repository_owner_id",
    18: "workflow_ref",
    19: "workflow_sha",
    20: "event_name",
    22: "repository_visibility",
}
_URLS = {9, 12, 16, 18}


class CtLog:
    """A certificate transparency log that promises everything and shows nothing."""

    def __init__(self) -> None:
        self.key = Key()

    def promise(self, precertificate: bytes, issuer: Key, at: dt.datetime) -> bytes:
        """Return the SCT list over the TBS bytes of a certificate that is still without it (RFC 6962, 3.2 and 3.3)."""
        stamp = struct.pack(">Q", int(at.timestamp() * 1000))
        entry = hashlib.sha256(issuer.spki).digest() + len(precertificate).to_bytes(3, "big") + precertificate
        signature = self.key.sign(b"\x00\x00" + stamp + b"\x00\x01" + entry + b"\x00\x00")
        sct = b"\x00" + self.key.id + stamp + b"\x00\x00" + b"\x04\x03" + _sized(signature)
        return der(0x04, _sized(_sized(sct)))


@dataclass
class Authority:
    """A root, the intermediate that issues, and the CT log it reports to."""

    start: dt.datetime
    organization: str = "sigstore.local"
    ct: CtLog = field(default_factory=CtLog)
    key: Key = field(default_factory=Key)
    root_key: Key = field(default_factory=Key)

    def __post_init__(self) -> None:
        end = self.start + dt.timedelta(days=3650)
        root, issuing = name(self.organization, "a root"), name(self.organization, "an intermediate")
        self.root = ca(root, root, self.root_key, self.root_key, (self.start, end))
        self.intermediate = ca(issuing, root, self.key, self.root_key, (self.start, end), path_length=0)

    @property
    def chain(self) -> list[Certificate]:
        return [self.intermediate, self.root]

    def issue(
        self,
        public: ec.EllipticCurvePublicKey,
        claims: Mapping[str, Any],
        at: dt.datetime,
        minutes: float = 10,
        *,
        sct: bool = True,
    ) -> Certificate:
        """Return the certificate for what the token claims."""
        at = at.replace(microsecond=0)
        builder = x509.CertificateBuilder(
            self.intermediate.subject,
            x509.Name([]),
            public,
            x509.random_serial_number(),
            at,
            at + dt.timedelta(minutes=minutes),
        )
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
        builder = builder.add_extension(key_usage(sign=True), critical=True).add_extension(usage, critical=False)
        for extension in key_identifiers(public, self.key):
            builder = builder.add_extension(extension, critical=False)
        builder = builder.add_extension(x509.SubjectAlternativeName([_subject(claims)]), critical=True)
        for number, value in _vouched(claims).items():
            oid = x509.ObjectIdentifier(f"{_FULCIO}{number}")
            builder = builder.add_extension(x509.UnrecognizedExtension(oid, value), critical=False)
        if sct:
            precertificate = builder.sign(self.key.private, hashes.SHA256()).tbs_certificate_bytes
            promise = x509.UnrecognizedExtension(_SCT_LIST, self.ct.promise(precertificate, self.key, at))
            builder = builder.add_extension(promise, critical=False)
        return builder.sign(self.key.private, hashes.SHA256())


def _subject(claims: Mapping[str, Any]) -> x509.GeneralName:
    if "job_workflow_ref" in claims:
        return x509.UniformResourceIdentifier(GITHUB + claims["job_workflow_ref"])
    if "ci_config_ref_uri" in claims:
        return x509.UniformResourceIdentifier(f"https://{claims['ci_config_ref_uri']}")
    if "email" in claims:
        return x509.RFC822Name(claims["email"])
    return x509.UniformResourceIdentifier(claims["sub"])


def _vouched(claims: Mapping[str, Any]) -> dict[int, bytes]:
    """Return the values of Fulcio's extensions: raw bytes up to number 6, DER strings after it (docs/oid-info.md)."""
    if "ci_config_ref_uri" in claims:
        new = {number: der(0x0C, value.encode()) for number, value in _of_gitlab(claims).items()}
        return {1: str(claims["iss"]).encode(), **new}
    values = {number: str(claims[claim]).encode() for number, claim in _OLD.items() if claim in claims}
    for number, claim in _NEW.items():
        if claim in claims:
            values[number] = der(0x0C, ((GITHUB if number in _URLS else "") + str(claims[claim])).encode())
    if "run_id" in claims:
        run = f"{GITHUB}{claims['repository']}/actions/runs/{claims['run_id']}/attempts/{claims['run_attempt']}"
        values[21] = der(0x0C, run.encode())
    return values


def _of_gitlab(claims: Mapping[str, Any]) -> dict[int, str]:
    """Return the texts of the extensions for a job of GitLab's (Fulcio's config/identity/config.yaml, gitlab-pipeline)."""
    server, pipeline = claims["iss"], f"https://{claims['ci_config_ref_uri']}"
    project = f"{server}/{claims['project_path']}"
    values = {
        8: claims["iss"],
        9: pipeline,
        10: claims.get("ci_config_sha"),
        11: claims.get("runner_environment"),
        12: project,
        13: claims["sha"],
        14: f"refs/{'heads' if claims['ref_type'] == 'branch' else 'tags'}/{claims['ref']}",
        15: claims["project_id"],
        16: f"{server}/{claims['namespace_path']}",
        17: claims["namespace_id"],
        18: pipeline,
        19: claims.get("ci_config_sha"),
        20: claims["pipeline_source"],
        21: f"{project}/-/jobs/{claims['job_id']}",
        22: claims.get("project_visibility"),
    }
    return {number: str(value) for number, value in values.items() if value is not None}


def name(organization: str, common: str) -> x509.Name:
    """Return a name with the one organization that gh wants to read in it."""
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization), x509.NameAttribute(NameOID.COMMON_NAME, common)]
    )


def ca(
    subject: x509.Name,
    issuer: x509.Name,
    key: Key,
    by: Key,
    valid: tuple[dt.datetime, dt.datetime],
    path_length: int | None = None,
) -> Certificate:
    """Return an authority's certificate; with a path length it is one that issues code signing certificates only."""
    public = key.private.public_key()
    builder = x509.CertificateBuilder(issuer, subject, public, x509.random_serial_number(), *valid)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    builder = builder.add_extension(key_usage(sign=False), critical=True)
    if path_length is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
    for extension in key_identifiers(public, by):
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(by.private, hashes.SHA256())


def key_usage(*, sign: bool) -> x509.KeyUsage:
    """Return the usage of a leaf, which signs data, or of an authority, which signs certificates."""
    return x509.KeyUsage(
        digital_signature=sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=not sign,
        crl_sign=not sign,
        encipher_only=False,
        decipher_only=False,
    )


def key_identifiers(public: ec.EllipticCurvePublicKey, issuer: Key) -> list[x509.ExtensionType]:
    """Return which key a certificate is for, and whose it was issued with."""
    return [
        x509.SubjectKeyIdentifier.from_public_key(public),
        x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.private.public_key()),
    ]


def _sized(data: bytes) -> bytes:
    return struct.pack(">H", len(data)) + data
