"""The verification summary (SLSA VSA v1): a verdict that others can rely on without verifying again. Pure.

Source: slsa.dev/spec/v1.0/verification_summary. It names the policy and every attestation that was believed, each by its digest.
A level is what the policy says that its identities reach, the lowest of them; what nobody said is level 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from weighlock import __version__
from weighlock.config.verify import Trusted, VerifyPolicy
from weighlock.errors import RefusedError
from weighlock.jsonio import Json, canonical
from weighlock.oci import Digest
from weighlock.predicates import SUMMARY
from weighlock.text import printable

_VERIFIER = "https://github.com/weighlock/weighlock"
_FLAGS = "https://github.com/weighlock/weighlock/blob/main/docs/policy.md#without-a-policy"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification found: of what, by whose word, and over which attestations."""

    resource: str
    """URI of the artifact, with its digest."""
    passed: bool
    identity: str
    policy: VerifyPolicy | None
    level: int
    """The build level that was reached."""
    attestations: Sequence[Digest]
    """Digests of the bundles that were believed."""
    dependencies: Sequence[int] = field(default=())
    """The build level of each thing that was followed and passed."""


def summary(verdict: Verdict, *, time: str) -> Json:
    """Return the predicate; `time` is RFC 3339 in UTC."""
    levels = [f"SLSA_BUILD_LEVEL_{verdict.level}"] if verdict.passed else ["FAILED"]
    counts = Counter(f"SLSA_BUILD_LEVEL_{number}" for number in verdict.dependencies)
    return {
        "verifier": {"id": _VERIFIER, "version": {"weighlock": __version__}},
        "timeVerified": time,
        "resourceUri": verdict.resource,
        "policy": _cited(verdict),
        "inputAttestations": [{"digest": {"sha256": item.hex}} for item in verdict.attestations],
        "verificationResult": "PASSED" if verdict.passed else "FAILED",
        "verifiedLevels": levels,
        **({"dependencyLevels": dict(sorted(counts.items()))} if counts else {}),
        "slsaVersion": "1.0",
    }


def level(trusted: Iterable[Trusted], *, own_machine: bool) -> int:
    """Return the lowest build level that these identities are believed to reach; a machine of one's own reaches the first."""
    return 1 if own_machine else min((item.level for item in trusted), default=1)


def uri(place: str, digest: Digest) -> str:
    """Return the URI of an artifact in a registry or a layout."""
    return f"{place if place.startswith('oci:') else f'oci://{place}'}@{digest}"


def require_about(predicate_type: str, predicate: Json, digest: Digest) -> None:
    """Raise `RefusedError` for a summary that says no, or that is about another artifact than it shall be attached to."""
    if predicate_type != SUMMARY:
        return
    if predicate.get("verificationResult") != "PASSED":
        raise RefusedError("the verification summary does not say PASSED")
    resource = predicate.get("resourceUri")
    if not isinstance(resource, str) or not resource.endswith(f"@{digest}"):
        raise RefusedError(f"the verification summary is about {printable(str(resource))}, not about {digest}")


def _cited(verdict: Verdict) -> Json:
    """Return the policy as it is cited: the file, or the identity that the flags pinned."""
    if verdict.policy is not None:
        return {"uri": f"file:{verdict.policy.name}", "digest": {"sha256": verdict.policy.digest.hex}}
    return {"uri": _FLAGS, "digest": {"sha256": Digest.of(canonical({"identity": verdict.identity})).hex}}
