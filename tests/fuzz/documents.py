"""Documents that our parsers read from registries, models and repositories: one of each kind that is in order."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

from weighlock import jsonio
from weighlock.jsonio import Json

_HEX = "0123456789abcdef" * 4
_BLOB = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": f"sha256:{_HEX}", "size": 12}
_TITLED = {**_BLOB, "annotations": {"org.opencontainers.image.title": "model.safetensors"}}
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def parsed(content: bytes) -> Json:
    """Return the JSON object."""
    return jsonio.parse(content, "document")


def _json(*documents: Any) -> tuple[bytes, ...]:
    return tuple(json.dumps(document).encode() for document in documents)


_PLAIN = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": _BLOB, "layers": [_TITLED, _TITLED]}
MANIFESTS = _json(_PLAIN, {**_PLAIN, "artifactType": "application/x", "subject": _BLOB, "annotations": {"a": "b"}})
INDEXES = _json(
    {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []},
    {"schemaVersion": 2, "manifests": [{**_BLOB, "mediaType": _MANIFEST, "artifactType": "application/x"}, _TITLED]},
)
_STATEMENT = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": "model", "digest": {"sha256": _HEX}}],
    "predicateType": "https://slsa.dev/provenance/v1",
    "predicate": {"buildDefinition": {"buildType": "https://example.org/v1", "externalParameters": {}}},
}
STATEMENTS = _json(_STATEMENT)
BUNDLES = _json(
    {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": "abc"}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(json.dumps(_STATEMENT).encode()).decode(),
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"sig": "MEUCIQ=="}],
        },
    }
)
_ROW = {"path": "a", "size": 1, "sha256": _HEX, "format": "text", "verdict": "safe", "engines": [], "findings": []}
LEDGERS = _json({"verdict": "safe", "files": [_ROW, {**_ROW, "path": "b"}]})
CONFIGURATIONS = (
    b"version: 1\n",
    b"""version: 1
scan:
  fail-on: high
  waivers:
  - rule: unscanned
    sha256: %b
    reason: our own format
    owner: team
    expires: 2027-06-30
"""
    % _HEX.encode(),
)
REFERENCES = (
    b"oci:folder:v1",
    b"oci:folder@sha256:%b" % _HEX.encode(),
    b"registry.example.org:5000/team/model:v1",
    b"[::1]:5000/team/model@sha256:%b" % _HEX.encode(),
    b"localhost/a/b",
)
REQUIREMENTS = (
    b"numpy==1.26.4 --hash=sha256:%b\n" % _HEX.encode(),
    b"# comment\ntorch>=2,<3 ; python_version >= '3.10' \\\n  and sys_platform == 'linux'\nx[a,b]~=1.0\n-r more.txt\n",
)


def _segment(marker: int, data: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data


PICTURES = {
    "dot.gif": b"GIF89a\1\0\1\0\x80\0\0" + bytes(6) + b",\0\0\0\0\1\0\1\0\0\2\2D\1\0;",
    "dot.webp": b"RIFF\x12\0\0\0WEBPVP8L\6\0\0\0/\0\0\0\0\0",
    "dot.jpg": b"".join(
        [
            b"\xff\xd8" + _segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0") + _segment(0xDB, bytes(65)),
            _segment(0xC0, b"\x08\0\1\0\1\1\1\x11\0") + _segment(0xC4, bytes(17)),
            _segment(0xDA, b"\1\1\0\0\x3f\0") + b"\x12\xff\0\x34\xff\xd9",
        ]
    ),
}
