"""What clients have to be told about a local Sigstore: its keys, and where its services are."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from local_sigstore.authority import Certificate
from local_sigstore.keys import Key, NoteKey, b64
from local_sigstore.service import TSA, LocalSigstore

Json = dict[str, Any]

_OPERATOR = "sigstore.local"


def trusted_root(sigstore: LocalSigstore) -> Json:
    """Return the keys of all its services, both logs' among them."""
    logs = [_log(sigstore, key) for key in (sigstore.log1.key, sigstore.log2.key)]
    return {
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "tlogs": logs,
        "certificateAuthorities": [_chain(sigstore, sigstore.url, sigstore.authority.chain)],
        "ctlogs": [_log(sigstore, sigstore.authority.ct.key)],
        "timestampAuthorities": [_chain(sigstore, sigstore.url + TSA, sigstore.tsa.chain)],
    }


def signing_config(sigstore: LocalSigstore, *, rekor: Sequence[int] = (1, 2), tsa: bool = True) -> Json:
    """Return where to sign; of two logs by one operator, clients take the newest version they know."""
    return {
        "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
        "caUrls": [_service(sigstore, sigstore.url, 1)],
        "oidcUrls": [_service(sigstore, sigstore.url, 1)],
        "rekorTlogUrls": [_service(sigstore, sigstore.url, version) for version in rekor],
        "rekorTlogConfig": {"selector": "ANY"},
        "tsaUrls": [_service(sigstore, sigstore.url + TSA, 1)] if tsa else [],
        "tsaConfig": {"selector": "ANY"},
    }


def trust_config(sigstore: LocalSigstore, *, rekor: Sequence[int] = (1, 2), tsa: bool = True) -> str:
    """Return both in one document, Sigstore's ClientTrustConfig."""
    return json.dumps(
        {
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": trusted_root(sigstore),
            "signingConfig": signing_config(sigstore, rekor=rekor, tsa=tsa),
        }
    )


def write(sigstore: LocalSigstore, folder: Path, *, rekor: Sequence[int] = (1, 2), tsa: bool = True) -> Path:
    """Write ``client_trust_config.json``, and the root as ``trusted_root.json`` and, for gh, ``trusted_root.jsonl``."""
    root = json.dumps(trusted_root(sigstore)) + "\n"  # gh wants one line, and its end
    (folder / "trusted_root.json").write_text(root)
    (folder / "trusted_root.jsonl").write_text(root)
    path = folder / "client_trust_config.json"
    path.write_text(trust_config(sigstore, rekor=rekor, tsa=tsa))
    return path


def _valid(sigstore: LocalSigstore) -> Json:
    return {"start": sigstore.start.astimezone(dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")}


def _log(sigstore: LocalSigstore, key: Key | NoteKey) -> Json:
    return {
        "baseUrl": sigstore.url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {"rawBytes": b64(key.spki), "keyDetails": key.details, "validFor": _valid(sigstore)},
        "logId": {"keyId": b64(key.id)},
        "operator": _OPERATOR,
    }


def _chain(sigstore: LocalSigstore, uri: str, chain: Sequence[Certificate]) -> Json:
    return {
        "subject": {"organization": _OPERATOR, "commonName": "sigstore"},
        "uri": uri,
        "certChain": {
            "certificates": [{"rawBytes": b64(one.public_bytes(serialization.Encoding.DER))} for one in chain]
        },
        "validFor": _valid(sigstore),
        "operator": _OPERATOR,
    }


def _service(sigstore: LocalSigstore, url: str, version: int) -> Json:
    return {"url": url, "majorApiVersion": version, "validFor": _valid(sigstore), "operator": _OPERATOR}
