"""What we attest: scan result, audit result, provenance. Pure.

Each function returns a predicate of a type that others have defined; we invent none. What a later verifier needs beyond
a type's own fields (the ledger, the unaudited requirements) stands in the predicate beside them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from weighlock import __version__
from weighlock.auditing import Audited, AuditResult, Vulnerability
from weighlock.intoto import resource
from weighlock.jsonio import Json
from weighlock.ledger import Ledger, engines
from weighlock.oms import PREDICATE_TYPE as OMS

SIGNATURE = "https://sigstore.dev/cosign/sign/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
VULNERABILITIES = "https://in-toto.io/attestation/vulns/v0.2"
SUMMARY = "https://slsa.dev/verification_summary/v1"

LABELS = {
    SIGNATURE: "signature",
    OMS: "model signature",
    PROVENANCE: "provenance",
    TEST_RESULT: "test result",
    VULNERABILITIES: "dependency audit",
    SUMMARY: "verification summary",
}
"""What people call the evidence of each type."""

GITHUB_WORKFLOW = "https://actions.github.io/buildtypes/workflow/v1"
LOCAL = "https://github.com/weighlock/weighlock/blob/main/docs/buildtypes/local-v1.md"
OWN_MACHINE = LOCAL + "#builder"
"""The builder that claims nothing: the signer's own machine, or a CI whose runs we cannot describe."""
PUBLISH = "https://github.com/weighlock/weighlock/blob/main/docs/buildtypes/publish-v1.md"

EXTERNAL_PARAMETERS = {
    GITHUB_WORKFLOW: frozenset({"workflow"}),
    LOCAL: frozenset({"model"}),
    PUBLISH: frozenset({"workflow", "inputs"}),
}
"""What the build types that we write know as parameters; one beside them may have changed the build."""

PUBLISH_INPUTS = frozenset(
    {
        *(
            "allow-public-log",
            "allow-self-hosted",
            "artifact",
            "base-model",
            "config",
            "dataset",
            "fail-on",
            "lfs",
            "mount-from",
            "parameters",
            "path",
            "registry-username",
            "report",
            "requirements",
            "service",
            "service-url",
        ),
        *("staged", "subject-artifact", "subject-image", "subject-path", "to", "trust-config"),
    }
)
"""What ``publish-model.yml`` may be given, and so what `inputs` in provenance of its build type may hold."""

SCAN = "unsafe-serialization"
"""The name of the one test in a scan result; it tells a scan from an evaluation, which has the same type."""


CONDITIONS = "weighlock-scan-conditions"
"""The name of the digest, in a scan result's configuration, of all that it depends on beside the files."""


@dataclass(frozen=True, slots=True)
class Build:
    """What ran: the parts of SLSA provenance v1 that the surroundings know (a CI, or the local git commit)."""

    build_type: str
    builder: str
    external: Json
    internal: Json = field(default_factory=dict)
    dependencies: tuple[Json, ...] = ()
    invocation: str | None = None


def scan_result(ledger: Ledger, *, finished: str) -> Json:
    """Return the test-result predicate of a scan, the whole ledger in it; `finished` is an RFC 3339 time in UTC."""
    return {
        "result": "PASSED" if ledger.passed else "FAILED",
        "configuration": [
            *(_engine(name, version) for name, version in engines(ledger.rows)),
            *([resource(CONDITIONS, ledger.conditions)] if ledger.conditions else []),
        ],
        "passedTests": [SCAN] if ledger.passed else [],
        "warnedTests": [],
        "failedTests": [] if ledger.passed else [SCAN],
        "ledger": ledger.to_json(),
        "metadata": {"finishedOn": finished},
    }


def vulnerabilities(result: AuditResult) -> Json:
    """Return the vulns predicate of an audit; requirements and what was not audited stand beside the type's own fields.

    A vulnerability that somebody answers for is a result like the others, with the waiver among its annotations.
    """
    found = [
        {"id": known.id, "severity": [], "annotations": [_release(audited), *more]}
        for audited in result.dependencies
        for known, more in _known(audited)
    ]
    report = result.to_json()
    return {
        "scanner": {
            "uri": f"pkg:pypi/{result.engine}@{result.engine_version}",
            "version": result.engine_version,
            "db": {"uri": result.service_url or result.service},
            "result": found,
        },
        "metadata": {"scanStartedOn": result.started, "scanFinishedOn": result.finished},
        **{key: report[key] for key in ("requirements", "dependencies", "unaudited", "excluded")},
    }


def provenance(build: Build, *, started: str, finished: str, byproducts: Sequence[Json] = ()) -> Json:
    """Return the SLSA provenance v1 predicate; `started` and `finished` are RFC 3339 times in UTC."""
    moments = {"startedOn": started, "finishedOn": finished}
    return {
        "buildDefinition": {
            "buildType": build.build_type,
            "externalParameters": build.external,
            "internalParameters": build.internal,
            "resolvedDependencies": list(build.dependencies),
        },
        "runDetails": {
            "builder": {"id": build.builder, "version": {"weighlock": __version__}},
            "metadata": {**moments, **({"invocationId": build.invocation} if build.invocation else {})},
            "byproducts": list(byproducts),
        },
    }


def lasting(predicate_type: str, predicate: Mapping[str, object]) -> Json:
    """Return the predicate without what differs from run to run: two that agree in this need not both be signed."""
    document = dict(predicate)
    if predicate_type == PROVENANCE and isinstance(document.get("runDetails"), dict):
        document["runDetails"] = _without(document["runDetails"], "metadata")
    if predicate_type == TEST_RESULT and isinstance(document.get("configuration"), list):
        document["configuration"] = [item for item in document["configuration"] if not _is_conditions(item)]  # type: ignore[attr-defined]
    if predicate_type == SUMMARY:
        return _without(document, "timeVerified")
    return _without(document, "metadata") if predicate_type in {VULNERABILITIES, TEST_RESULT} else document


def _is_conditions(item: object) -> bool:
    return isinstance(item, dict) and item.get("name") == CONDITIONS


def _known(audited: Audited) -> Iterator[tuple[Vulnerability, list[Json]]]:
    for vulnerability in audited.vulnerabilities:
        yield vulnerability, []
    for waived in audited.waived:
        yield waived.vulnerability, [{"waiver": waived.waiver.to_json()}]


def _release(audited: Audited) -> Json:
    return {"package": audited.dependency.name, "version": audited.dependency.version}


def _without(document: object, key: str) -> Json:
    return {name: value for name, value in dict(document).items() if name != key}  # type: ignore[call-overload]


def _engine(name: str, version: str) -> Json:
    distribution = "weighlock" if name == "strict" else name
    return {"name": name, "uri": f"pkg:pypi/{distribution}@{version}"}
