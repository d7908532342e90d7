"""Signing and verifying statements: the `Signer` and `Verifier` ports, and the Sigstore bundle that passes between.

A bundle (``application/vnd.dev.sigstore.bundle.v0.3+json``) holds a DSSE envelope, the statement inside it and what a
verifier needs. Its bytes are kept as they came; the statement is never serialised again after it was signed.
Implementations: `key` (a PEM key pair). Nothing here says who may sign what: that is the gate's business.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from weighlock import jsonio
from weighlock.errors import MalformedError
from weighlock.jsonio import Json

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
IN_TOTO = "application/vnd.in-toto+json"
_FIELDS = frozenset({"mediaType", "verificationMaterial", "dsseEnvelope"})
_ENVELOPE = frozenset({"payload", "payloadType", "signatures"})
_SIGNATURE = frozenset({"sig", "keyid"})
_MATERIAL = frozenset({"certificate", "publicKey", "tlogEntries", "timestampVerificationData"})
BUNDLE_LIMIT = 10_000_000  # bytes; a larger one is not read by the cluster verifiers


@dataclass(frozen=True, slots=True)
class Bundle:
    """A parsed Sigstore bundle around a DSSE envelope; `raw` are its bytes as stored."""

    raw: bytes
    payload_type: str
    payload: bytes
    signature: bytes
    material: Json
    """The verification material: ``publicKey`` with a hint, or ``certificate``, and the log entries."""

    @classmethod
    def parse(cls, raw: bytes) -> Bundle:
        """Read bundle bytes; anything but one DSSE signature in a v0.3 bundle is a `MalformedError`.

        So is a field that the format does not know: Go's verifiers refuse it, and two readers shall never see two things.
        """
        document = jsonio.parse(raw, "bundle")
        if document.get("mediaType") != BUNDLE:
            raise MalformedError("bundle: 'mediaType' is not that of a Sigstore bundle v0.3")
        envelope = jsonio.field(document, "dsseEnvelope", dict, "bundle")
        material = jsonio.field(document, "verificationMaterial", dict, "bundle")
        signatures = jsonio.objects(envelope, "signatures", "bundle envelope")
        if len(signatures) != 1:
            raise MalformedError(f"bundle: {len(signatures)} signatures, exactly one is allowed")
        for part, known in (
            (document, _FIELDS),
            (envelope, _ENVELOPE),
            (signatures[0], _SIGNATURE),
            (material, _MATERIAL),
        ):
            if part.keys() - known:
                raise MalformedError("bundle: a field that the specification does not know")
        kind = jsonio.field(envelope, "payloadType", str, "bundle envelope")
        if not kind.isascii():
            raise MalformedError("bundle: 'payloadType' is no media type")
        return cls(
            raw,
            kind,
            _decode(jsonio.field(envelope, "payload", str, "bundle envelope"), "payload"),
            _decode(jsonio.field(signatures[0], "sig", str, "bundle signature"), "signature"),
            material,
        )

    def signed_bytes(self) -> bytes:
        """Return what the signature covers: the pre-authentication encoding of the envelope."""
        return pae(self.payload_type, self.payload)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate authority vouches for: the claims of the identity token that the signer had.

    The fields after `issued` are those of a CI job, empty for a person. Source: Fulcio's certificate extensions
    1.3.6.1.4.1.57264.1.8 to .22 (docs/oid-info.md), whose values are kept as they are, URLs with their server.
    """

    issuer: str
    identity: str
    """The subject alternative name: a workflow's URL with its ref, or an e-mail address."""
    issued: dt.datetime
    """When it was issued, in UTC; it holds for some minutes, so this is when it signed."""
    source: str = ""
    source_commit: str = ""
    ref: str = ""
    source_id: str = ""
    owner: str = ""
    owner_id: str = ""
    visibility: str = ""
    trigger: str = ""
    runner: str = ""
    builder: str = ""
    """The workflow that signed, with its ref; the reusable one where there is one."""
    builder_commit: str = ""
    workflow: str = ""
    """The workflow that was started, with its ref."""
    workflow_commit: str = ""
    invocation: str = ""


class Signer(Protocol):
    """Something that can sign statements in one name."""

    @property
    def identity(self) -> str:
        """Return in whose name it signs, for messages."""

    def certificate(self) -> Certificate | None:
        """Return what a certificate authority vouches for of this signer, asking it where need be; None for a key."""

    def sign(self, statements: Sequence[bytes]) -> list[Bundle]:
        """Return a bundle around exactly these bytes for each of the statements, in their order."""

    def verifier(self) -> Verifier:
        """Return the verifier that accepts this signer's bundles and no others."""


class Verifier(Protocol):
    """Something that knows one pinned identity."""

    @property
    def identity(self) -> str:
        """Return whom it accepts, for messages: what was enforced is always printed."""

    def verify(self, bundle: Bundle) -> Certificate | None:
        """Return whose certificate signed, None for a key; `SignatureError` unless it is the pinned identity's."""


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return DSSE's pre-authentication encoding (DSSE v1, protocol.md)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _decode(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedError(f"bundle: the {what} is not base64") from None
