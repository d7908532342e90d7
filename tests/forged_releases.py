"""Keyless releases without a client: complete and right, or wrong in the one piece that a test changes.

The statements are those of an ordinary release; certificates, log entries and timestamps are forged (see
`local_sigstore.forging`), so a test may sign what our own commands refuse to sign.
"""

from __future__ import annotations

import base64
import copy
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_sigstore import Claims, LocalSigstore, forging, github
from releasing import Released, make_release
from weighlock.oci import EMPTY_BYTES, EMPTY_DESCRIPTOR, Descriptor, Digest, Manifest
from weighlock.stages import Context, package
from weighlock.store import read
from weighlock.store.targets import Target, open_store

Json = dict[str, Any]

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PREDICATE_TYPE = "dev.sigstore.bundle.predicateType"
TYPES = {
    "signature": "https://sigstore.dev/cosign/sign/v1",
    "files": "https://model_signing/signature/v1.0",
    "provenance": "https://slsa.dev/provenance/v1",
    "scan": "https://in-toto.io/attestation/test-result/v0.1",
    "audit": "https://in-toto.io/attestation/vulns/v0.2",
}


@dataclass
class Piece:
    """One statement and how it is signed; `spoil` has the last word on the bundle."""

    statement: Json
    claims: Claims
    how: dict[str, Any] = field(default_factory=dict)
    spoil: Callable[[Json], object] | None = None

    @property
    def predicate(self) -> Json:
        predicate: Json = self.statement["predicate"]
        return predicate


@dataclass(frozen=True)
class Evidence:
    """The statements of one release, by short name, and the model that it is a release of."""

    model: Path
    digest: str
    statements: dict[str, Json]

    @classmethod
    def make(cls, folder: Path) -> Evidence:
        released: Released = make_release(folder)
        said = [json.loads(base64.b64decode(json.loads(raw)["dsseEnvelope"]["payload"])) for raw in released.bundles()]
        by_type = {item["predicateType"]: item for item in said}
        return cls(released.model, released.digest, {name: by_type[kind] for name, kind in TYPES.items()})


@dataclass(frozen=True)
class ForgedRelease:
    """The model at `place`, with whatever was hung on it."""

    sigstore: LocalSigstore
    evidence: Evidence
    place: str
    subject: Descriptor

    @classmethod
    def make(cls, sigstore: LocalSigstore, evidence: Evidence, place: str) -> ForgedRelease:
        """Push the model to `place`, ``oci:DIR`` or ``HOST/REPO``."""
        package.run(package.Inputs(evidence.model, place), Context())
        size = len(open_store(Target.parse(place), plain_http=True).manifest(Digest.parse(evidence.digest)))
        return cls(sigstore, evidence, place, Descriptor(MANIFEST, Digest.parse(evidence.digest), size))

    @property
    def target(self) -> str:
        return f"{self.place}@{self.subject.digest}"

    def pieces(self, claims: Claims | None = None, **how: Any) -> dict[str, Piece]:
        """Return everything that a release has, to be changed and then hung."""
        claims = claims or github()
        statements = copy.deepcopy(self.evidence.statements)
        statements["provenance"]["predicate"] = provenance(claims)
        return {name: Piece(statement, claims, dict(how)) for name, statement in statements.items()}

    def bundle(self, piece: Piece) -> bytes:
        """Return the bundle of a piece."""
        raw = piece.how.pop("raw", None) or json.dumps(piece.statement, sort_keys=True, separators=(",", ":")).encode()
        document = forging.bundle(self.sigstore, raw, piece.claims, **piece.how)
        if piece.spoil:
            piece.spoil(document)
        return json.dumps(document).encode()

    def hang(self, *pieces: Piece) -> None:
        """Sign the pieces and hang them on the model, in one update."""
        self.hang_bundles(*((self.bundle(piece), piece.statement["predicateType"]) for piece in pieces))

    def hang_bundles(self, *bundles: tuple[bytes, str]) -> None:
        """Hang bundles, each with the predicate type that its annotation says, on the model."""
        store = open_store(Target.parse(self.place), plain_http=True)
        store.push_blob(EMPTY_DESCRIPTOR, lambda: io.BytesIO(EMPTY_BYTES))
        for bundle, _ in bundles:
            store.push_blob(Descriptor.of(bundle, BUNDLE), lambda bundle=bundle: io.BytesIO(bundle))  # type: ignore[misc]
        store.attach(self.subject, [referrer(self.subject, bundle, kind) for bundle, kind in bundles])

    def hung(self) -> list[tuple[bytes, str]]:
        """Return what hangs on the model: bundles, each with the predicate type in its annotation."""
        store = open_store(Target.parse(self.place), plain_http=True)
        found = []
        for descriptor in store.referrers(self.subject.digest):
            [layer] = Manifest.parse(store.manifest(descriptor.digest)).layers
            found.append((read(store, layer, layer.size), descriptor.annotations[PREDICATE_TYPE]))
        return found


def referrer(subject: Descriptor, bundle: bytes, predicate_type: str) -> bytes:
    """Return the manifest that hangs a bundle on `subject`, as GitHub's attest action writes it."""
    layer = Descriptor.of(bundle, BUNDLE)
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": BUNDLE,
        "config": EMPTY_DESCRIPTOR.to_json(),
        "layers": [layer.to_json()],
        "subject": subject.to_json(),
        "annotations": {
            "org.opencontainers.image.created": "2026-11-25T12:00:00Z",
            "dev.sigstore.bundle.content": "dsse-envelope",
            PREDICATE_TYPE: predicate_type,
        },
    }
    return json.dumps(document).encode()


def provenance(claims: Claims) -> Json:
    """Return the provenance predicate that GitHub's own tool would write for a job with these claims."""
    server = "https://github.com/"
    repository = claims["repository"]
    started, _, _ = claims["workflow_ref"].removeprefix(f"{repository}/").partition("@")
    run = f"{server}{repository}/actions/runs/{claims['run_id']}/attempts/{claims['run_attempt']}"
    internal = ("event_name", "repository_id", "repository_owner_id", "runner_environment")
    commit = {"gitCommit": claims["sha"]}
    return {
        "buildDefinition": {
            "buildType": "https://actions.github.io/buildtypes/workflow/v1",
            "externalParameters": {
                "workflow": {"ref": claims["ref"], "repository": server + repository, "path": started}
            },
            "internalParameters": {"github": {name: claims.get(name, "") for name in internal}},
            "resolvedDependencies": [{"uri": f"git+{server}{repository}@{claims['ref']}", "digest": commit}],
        },
        "runDetails": {
            "builder": {"id": server + claims["job_workflow_ref"]},
            "metadata": {"invocationId": run},
        },
    }
