"""Rekor: the public log of signatures, version 1 (a promise and a time) and version 2 (a proof, no time)."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import rfc8785
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from local_sigstore.keys import SHA256, Key, NoteKey, b64
from local_sigstore.merkle import Inclusion, Tree

HOST = "127.0.0.1"
"""The origin of version 2's checkpoints: gh wants the log's host name there, without a port."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """A line of a log, with what proves it; a promise and a time in version 1 only."""

    kind: str
    version: str
    body: bytes
    log: bytes
    inclusion: Inclusion
    checkpoint: str
    time: int = 0
    promise: bytes = b""

    def in_bundle(self) -> Json:
        """Return it as a bundle carries it, which is what version 2 answers with (a TransparencyLogEntry)."""
        proof = {
            "logIndex": str(self.inclusion.index),
            "rootHash": b64(self.inclusion.root),
            "treeSize": str(self.inclusion.size),
            "hashes": [b64(one) for one in self.inclusion.hashes],
            "checkpoint": {"envelope": self.checkpoint},
        }
        promised = {"signedEntryTimestamp": b64(self.promise)}
        return {
            "logIndex": str(self.inclusion.index),
            "logId": {"keyId": b64(self.log)},
            "kindVersion": {"kind": self.kind, "version": self.version},
            **({"integratedTime": str(self.time), "inclusionPromise": promised} if self.promise else {}),
            "inclusionProof": proof,
            "canonicalizedBody": b64(self.body),
        }

    def as_version_1(self) -> Json:
        """Return what version 1 answers with."""
        proof = {
            "logIndex": self.inclusion.index,
            "rootHash": self.inclusion.root.hex(),
            "treeSize": self.inclusion.size,
            "hashes": [one.hex() for one in self.inclusion.hashes],
            "checkpoint": self.checkpoint,
        }
        verification = {"inclusionProof": proof, "signedEntryTimestamp": b64(self.promise)}
        return {
            hashlib.sha256(b"\x00" + self.body).hexdigest(): {
                **_promised(self.body, self.time, self.log, self.inclusion.index),
                "verification": verification,
            }
        }


class Log1:
    """Version 1: entries of many kinds, of which clients send ``dsse`` and ``hashedrekord``."""

    def __init__(self) -> None:
        self.key = Key()
        self.tree = Tree()

    def add(self, proposed: Json, at: dt.datetime) -> Entry:
        """Take an entry as it is posted; `ValueError` where its signature is wrong or it is there already."""
        kind, version = proposed["kind"], proposed["apiVersion"]
        spec = _dsse(proposed["spec"]["proposedContent"]) if kind == "dsse" else _hashed(proposed["spec"])
        body = rfc8785.dumps({"apiVersion": version, "kind": kind, "spec": spec})
        inclusion, time = self.tree.append(body), int(at.timestamp())
        promise = self.key.sign(rfc8785.dumps(_promised(body, time, self.key.id, inclusion.index)))
        note = checkpoint(self.key, f"{HOST} - 1234", HOST, inclusion)
        return Entry(kind, version, body, self.key.id, inclusion, note, time, promise)


class Log2:
    """Version 2: digests and signatures only, and checkpoints signed with Ed25519, as the production log has them."""

    def __init__(self) -> None:
        self.key = NoteKey(HOST)
        self.tree = Tree()

    def add(self, proposed: Json) -> Entry:
        """Take an entry as it is posted; `ValueError` as in version 1."""
        request = proposed["hashedRekordRequestV002"]
        digest, signature = request["digest"], request["signature"]
        certificate = x509.load_der_x509_certificate(_plain(signature["verifier"]["x509Certificate"]["rawBytes"]))
        _check(certificate, _plain(signature["content"]), _plain(digest), prehashed=True)
        spec = {"hashedRekordV002": {"data": {"algorithm": "SHA2_256", "digest": digest}, "signature": signature}}
        body = rfc8785.dumps({"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": spec})
        inclusion = self.tree.append(body)
        note = checkpoint(self.key, HOST, HOST, inclusion)
        return Entry("hashedrekord", "0.0.2", body, self.key.id, inclusion, note)


def checkpoint(key: Key | NoteKey, origin: str, signer: str, inclusion: Inclusion) -> str:
    """Return the signed note about a tree (c2sp.org/tlog-checkpoint)."""
    note = f"{origin}\n{inclusion.size}\n{b64(inclusion.root)}\n"
    return f"{note}\n\u2014 {signer} {b64(key.id[:4] + key.sign(note.encode()))}\n"


def pae(kind: bytes, payload: bytes) -> bytes:
    """Return what a DSSE signature covers, without a line of the code under test."""
    return b" ".join((b"DSSEv1", str(len(kind)).encode(), kind, str(len(payload)).encode(), payload))


def _dsse(proposed: Mapping[str, Any]) -> Json:
    """Return what version 1 keeps of an envelope: hashes and signatures."""
    text = proposed["envelope"]
    envelope = json.loads(text)
    payload = _plain(envelope["payload"])
    kept = []
    for signature, verifier in zip(envelope["signatures"], proposed["verifiers"], strict=True):
        certificate = x509.load_pem_x509_certificate(_plain(verifier))
        _check(certificate, _plain(signature["sig"]), pae(envelope["payloadType"].encode(), payload))
        kept.append({"signature": signature["sig"], "verifier": verifier})
    return {
        "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(text.encode()).hexdigest()},
        "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()},
        "signatures": kept,
    }


def _hashed(spec: Json) -> Json:
    certificate = x509.load_pem_x509_certificate(_plain(spec["signature"]["publicKey"]["content"]))
    digest = bytes.fromhex(spec["data"]["hash"]["value"])
    _check(certificate, _plain(spec["signature"]["content"]), digest, prehashed=True)
    return spec


def _check(certificate: x509.Certificate, signature: bytes, data: bytes, *, prehashed: bool = False) -> None:
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    try:
        key.verify(signature, data, ec.ECDSA(utils.Prehashed(hashes.SHA256())) if prehashed else SHA256)
    except InvalidSignature:
        raise ValueError("the signature does not verify") from None


def _promised(body: bytes, time: int, log: bytes, index: int) -> Json:
    return {"body": b64(body), "integratedTime": time, "logID": log.hex(), "logIndex": index}


def _plain(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
