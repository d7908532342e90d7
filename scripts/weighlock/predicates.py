"""What we attest: provenance, scan result, audit result. Pure.

Each function returns a predicate of a type that others have defined; we invent none.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from weighlock.jsonio import Json

SIGNATURE = "https://sigstore.dev/cosign/sign/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
VULNERABILITIES = "https://in-toto.io/attestation/vulns/v0.2"


@dataclass(frozen=True, slots=True)
class Build:
    """What ran: the parts of SLSA provenance v1 that the surroundings know (a CI, or the local git commit)."""

    build_type: str
    builder: str
    external: Json
    internal: Json = field(default_factory=dict)
    dependencies: tuple[Json, ...] = ()
    invocation: str | None = None
