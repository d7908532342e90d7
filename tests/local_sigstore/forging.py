"""Bundles without a client: right in every part, or wrong in the one that a test names.

A client refuses to sign with a certificate that no log promised or that has run out; whoever attacks does not.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import serialization

from local_sigstore.authority import Authority, Certificate
from local_sigstore.keys import Key, b64
from local_sigstore.rekor import Entry, Json, pae
from local_sigstore.service import LocalSigstore

IN_TOTO = "application/vnd.in-toto+json"


def bundle(
    sigstore: LocalSigstore,
    statement: bytes,
    claims: Mapping[str, Any],
    *,
    rekor: int = 2,
    tsa: bool = True,
    sct: bool = True,
    authority: Authority | None = None,
    at: dt.datetime | None = None,
    issued: dt.datetime | None = None,
    payload_type: str = IN_TOTO,
) -> Json:
    """Return a bundle, signed and logged at a time, with a certificate of ten minutes that was issued then or `issued`."""
    at, key = at or sigstore.now(), Key()
    public = key.private.public_key()
    leaf = (authority or sigstore.authority).issue(public, claims, issued or at, sct=sct)
    signature = key.sign(pae(payload_type.encode(), statement))
    envelope = {"payload": b64(statement), "payloadType": payload_type, "signatures": [{"sig": b64(signature)}]}
    entry = _logged(sigstore, envelope, leaf, rekor, at)
    stamp = b64(sigstore.tsa.stamp(hashlib.sha256(signature).digest(), at))
    return {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {
            "certificate": {"rawBytes": b64(leaf.public_bytes(serialization.Encoding.DER))},
            "tlogEntries": [entry.in_bundle()],
            **({"timestampVerificationData": {"rfc3161Timestamps": [{"signedTimestamp": stamp}]}} if tsa else {}),
        },
        "dsseEnvelope": envelope,
    }


def _logged(sigstore: LocalSigstore, envelope: Json, leaf: Certificate, rekor: int, at: dt.datetime) -> Entry:
    if rekor == 1:
        pem = b64(leaf.public_bytes(serialization.Encoding.PEM))
        content = {"envelope": json.dumps(envelope), "verifiers": [pem]}
        return sigstore.log1.add({"apiVersion": "0.0.1", "kind": "dsse", "spec": {"proposedContent": content}}, at)
    certificate = {"rawBytes": b64(leaf.public_bytes(serialization.Encoding.DER))}
    verifier = {"x509Certificate": certificate, "keyDetails": Key.details}
    signed = pae(envelope["payloadType"].encode(), base64.b64decode(envelope["payload"]))
    signature = {"content": envelope["signatures"][0]["sig"], "verifier": verifier}
    return sigstore.log2.add(
        {"hashedRekordRequestV002": {"digest": b64(hashlib.sha256(signed).digest()), "signature": signature}}
    )
