"""The gate as a list of attacks: every way in which evidence may be missing, wrong or about something else."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from weighlock import clock, oms, predicates
from weighlock.config.verify import (
    Allowed,
    AuditRules,
    EvaluationRules,
    ProvenanceRules,
    Rules,
    ScanRules,
    Threshold,
)
from weighlock.errors import RefusedError
from weighlock.gate import Case, judge, require_green, require_passed
from weighlock.intoto import Statement, Subject
from weighlock.ledger import Ledger, Row
from weighlock.oci import Digest
from weighlock.predicates import (
    LOCAL,
    OWN_MACHINE,
    PROVENANCE,
    PUBLISH,
    SIGNATURE,
    TEST_RESULT,
    VULNERABILITIES,
    Build,
)
from weighlock.scanners import Report, Severity, Status, Verdict
from weighlock.signing import Certificate

MANIFEST, OTHER = Digest.of(b"manifest"), Digest.of(b"another manifest")
FILES = {"model.onnx": Digest.of(b"onnx"), "README.md": Digest.of(b"readme")}
REQUIREMENTS = {"requirements.txt": Digest.of(b"numpy==2")}
CLEAN: dict[str, Any] = {
    "scanner": {"uri": "pkg:pypi/pip-audit@2", "version": "2", "db": {"uri": "osv"}, "result": []},
    "metadata": {"scanStartedOn": "", "scanFinishedOn": ""},
    "requirements": [{"path": "requirements.txt", "sha256": REQUIREMENTS["requirements.txt"].hex}],
    "dependencies": [],
    "unaudited": [],
    "excluded": [],
}


def about(predicate_type: str, predicate: Any, digest: Digest = MANIFEST) -> Statement:
    return Statement((Subject("m", digest),), predicate_type, predicate)


def ledger(files: dict[str, Digest], verdict: Verdict = Verdict.SAFE) -> Any:
    reports = (Report("strict", "1", Status.COMPLETE),)
    return predicates.scan_result(
        Ledger(tuple(Row(path, 1, digest, "text", verdict, reports) for path, digest in files.items())),
        finished="2026-01-01T00:00:00Z",
    )


def evidence(files: dict[str, Digest]) -> dict[str, Statement]:
    build = Build("https://example.org/build", "https://example.org/builder", {})
    origin = predicates.provenance(build, started="2026-01-01T00:00:00Z", finished="2026-01-01T00:00:01Z")
    return {
        "signature": about(SIGNATURE, {}),
        "model": oms.statement("m", files, MANIFEST),
        "provenance": about(PROVENANCE, origin),
        "scan": about(TEST_RESULT, ledger(files)),
    }


@dataclasses.dataclass(frozen=True)
class By:
    """Evidence by a key, or by whoever has the certificate."""

    statement: Statement
    certificate: Certificate | None = None


def failed(files: dict[str, Digest], statements: dict[str, Statement]) -> list[str]:
    return [
        check.name for check in judge(Case(MANIFEST, files, [By(item) for item in statements.values()])) if not check.ok
    ]


def test_complete_evidence_passes() -> None:
    assert failed(FILES, evidence(FILES)) == []


@pytest.mark.parametrize(
    ("missing", "names"),
    [
        ("signature", ["signature"]),
        ("model", ["model-signature", "closure"]),
        ("provenance", ["provenance"]),
        ("scan", ["scan", "closure"]),
    ],
)
def test_each_piece_is_needed(missing: str, names: list[str]) -> None:
    statements = evidence(FILES)
    del statements[missing]
    assert failed(FILES, statements) == names


ATTACKS: dict[str, tuple[Callable[[], dict[str, Statement]], list[str]]] = {
    "a signature of another digest": (lambda: {"signature": about(SIGNATURE, {}, OTHER)}, ["signature"]),
    "provenance of another digest": (lambda: {"provenance": about(PROVENANCE, {}, OTHER)}, ["provenance"]),
    "provenance without a builder": (
        lambda: {"provenance": about(PROVENANCE, {"buildDefinition": {"buildType": "x", "externalParameters": {}}})},
        ["provenance"],
    ),
    "a scan of another digest": (lambda: {"scan": about(TEST_RESULT, ledger(FILES), OTHER)}, ["scan", "closure"]),
    "a failed scan": (lambda: {"scan": about(TEST_RESULT, ledger(FILES, Verdict.UNSAFE))}, ["scan", "closure"]),
    "a failed scan beside a passed one": (
        lambda: {"second": about(TEST_RESULT, ledger(FILES, Verdict.UNSCANNED))},
        ["scan", "closure"],
    ),
    "a scan that says PASSED over an unsafe row": (
        lambda: {"scan": about(TEST_RESULT, {**ledger(FILES, Verdict.UNSAFE), **passed()})},
        ["scan"],
    ),
    "another test's result in place of the scan": (
        lambda: {"scan": about(TEST_RESULT, {**ledger(FILES), "passedTests": ["auc>=0.9"]})},
        ["scan", "closure"],
    ),
    "a result without a ledger": (lambda: {"scan": about(TEST_RESULT, passed())}, ["scan", "closure"]),
    "a file that was never scanned": (
        lambda: {"scan": about(TEST_RESULT, ledger({"README.md": FILES["README.md"]}))},
        ["closure"],
    ),
    "a scanned file that is no layer": (
        lambda: {"scan": about(TEST_RESULT, ledger({**FILES, "x": OTHER}))},
        ["closure"],
    ),
    "a file that was swapped after the scan": (
        lambda: {"scan": about(TEST_RESULT, ledger({**FILES, "model.onnx": OTHER}))},
        ["closure"],
    ),
    "a model signature bound to another manifest": (
        lambda: {"model": oms.statement("m", FILES, OTHER)},
        ["model-signature", "closure"],
    ),
    "a model signature over other bytes": (
        lambda: {"model": oms.statement("m", {**FILES, "model.onnx": OTHER}, MANIFEST)},
        ["model-signature", "closure"],
    ),
    "a second model signature over other bytes": (
        lambda: {"second": oms.statement("m", {**FILES, "model.onnx": OTHER}, MANIFEST)},
        ["model-signature", "closure"],
    ),
    "an audit that found something": (lambda: {"audit": about(VULNERABILITIES, vulnerable())}, ["audit"]),
    "an audit that lists a vulnerability and reports none": (
        lambda: {"audit": about(VULNERABILITIES, {**CLEAN, "dependencies": [{"vulnerabilities": [{"id": "x"}]}]})},
        ["audit"],
    ),
    "an audit with gaps": (
        lambda: {"audit": about(VULNERABILITIES, {**CLEAN, "unaudited": [{"requirement": "x", "reason": "y"}]})},
        ["audit"],
    ),
    "an audit of another shape": (lambda: {"audit": about(VULNERABILITIES, {"scanner": {}})}, ["audit"]),
}


def passed() -> dict[str, Any]:
    return {"result": "PASSED", "configuration": [], "passedTests": [predicates.SCAN]}


def vulnerable(*annotations: Any) -> dict[str, Any]:
    return {**CLEAN, "scanner": {**CLEAN["scanner"], "result": [{"id": "PYSEC-1", "annotations": list(annotations)}]}}


@pytest.mark.parametrize("attack", ATTACKS)
def test_evidence_that_does_not_fit_fails(attack: str) -> None:
    change, names = ATTACKS[attack]
    assert failed(FILES, {**evidence(FILES), **change()}) == names


def test_a_model_with_requirements_needs_the_audit_of_these_requirements() -> None:
    files = {**FILES, **REQUIREMENTS}
    good = {**evidence(files), "audit": about(VULNERABILITIES, CLEAN)}
    other = about(VULNERABILITIES, {**CLEAN, "requirements": [{"path": "requirements.txt", "sha256": OTHER.hex}]})
    assert failed(files, good) == []
    assert failed(files, evidence(files)) == ["audit"]
    assert failed(files, {**good, "audit": other}) == ["audit"]


def test_the_reason_names_the_file_and_nothing_raw() -> None:
    evil = "x\n::error::\x1b[2J"
    statements = {**evidence(FILES), "scan": about(TEST_RESULT, ledger({**FILES, evil: OTHER}))}
    (check,) = [
        item for item in judge(Case(MANIFEST, FILES, [By(item) for item in statements.values()])) if not item.ok
    ]
    assert "no layer" in check.reason
    assert check.reason.isprintable()


@pytest.mark.parametrize(
    ("predicate_type", "predicate"),
    [
        (TEST_RESULT, {"result": "FAILED"}),
        (TEST_RESULT, {"result": "WARNED"}),
        (TEST_RESULT, {}),
        (VULNERABILITIES, vulnerable()),
        (VULNERABILITIES, {"scanner": {"result": []}}),
    ],
)
def test_a_predicate_that_says_no_is_never_signed(predicate_type: str, predicate: dict[str, Any]) -> None:
    with pytest.raises(RefusedError):
        require_passed(predicate_type, predicate)


def test_a_predicate_that_says_yes_may_be_signed() -> None:
    require_passed(TEST_RESULT, {"result": "PASSED"})
    require_passed(VULNERABILITIES, CLEAN)
    require_passed("https://example.org/other", {})


def test_a_signature_waits_for_the_scan_of_these_files() -> None:
    scan = evidence(FILES)["scan"]
    require_green(Case(MANIFEST, FILES, [By(scan)]))
    with pytest.raises(RefusedError):
        require_green(Case(MANIFEST, FILES, []))
    with pytest.raises(RefusedError, match="differ"):
        require_green(Case(MANIFEST, {**FILES, "x": OTHER}, [By(scan)]))


NOW = dt.datetime(2026, 1, 31, tzinfo=dt.timezone.utc)
BUILDER = "https://github.com/acme/ml/.github/workflows/release.yml@refs/heads/main"


def certificate(issued: str = "2026-01-30T00:00:00Z", builder: str = BUILDER) -> Certificate:
    moment = clock.read(issued)
    assert moment is not None
    return Certificate("https://issuer.example", builder, moment, builder=builder)


def no(rules: Rules, *more: By, files: dict[str, Digest] = FILES, licences: tuple[str, ...] = ()) -> list[str]:
    """Return the names of what fails under these rules, with complete evidence and `more`."""
    shown = [*(By(item) for item in evidence(files).values()), *more]
    return [item.name for item in judge(Case(MANIFEST, files, shown, licences, NOW), rules) if not item.ok]


def scanned(finished: str, *, version: str = "1", **row: Any) -> Statement:
    predicate = ledger(FILES)
    predicate["metadata"] = {"finishedOn": finished}
    for file in predicate["ledger"]["files"]:
        file["engines"][0]["version"] = version
        file.update(row)
    return about(TEST_RESULT, predicate)


def evaluated(result: str = "PASSED", finished: str = "2026-01-30T00:00:00Z", **metrics: Any) -> Statement:
    predicate = {"result": result, "configuration": [], "metrics": metrics, "metadata": {"finishedOn": finished}}
    return about(TEST_RESULT, predicate)


FINDING = [{"rule": "pickle.global", "severity": "medium", "message": "", "member": None, "offset": None}]
WAIVED = [{"rule": "pickle.global", "reason": "r", "owner": "o", "expires": "2026-01-15"}]
AUC = Rules(evaluation=EvaluationRules((Threshold("auc", ">=", 0.9),)))
MONTH = Rules(scan=ScanRules(max_age=30))


def test_rules_that_are_met_pass() -> None:
    rules = Rules(
        ScanRules({"strict": "1"}, Severity.LOW, "refuse", 31),
        AuditRules(required=True, max_age=31),
        ProvenanceRules(("https://example.org/build",), 31),
        EvaluationRules((Threshold("auc", ">=", 0.9),), 31),
        ("MIT",),
        (SIGNATURE,),
    )
    audit = about(VULNERABILITIES, {**CLEAN, "metadata": {"scanFinishedOn": "2026-01-30T00:00:00Z"}})
    assert no(rules, By(audit), By(evaluated(auc=0.9)), licences=("mit",)) == []


OLD = "2025-12-01T00:00:00Z"
RULES: dict[str, tuple[Rules, list[Callable[[], By]], list[str]]] = {
    "a scan that grew old": (Rules(scan=ScanRules(max_age=29)), [], ["scan-age"]),
    "an old scan beside a fresh one": (MONTH, [lambda: By(scanned(OLD))], []),
    "an old scan signed again today": (
        Rules(scan=ScanRules(max_age=29)),
        [lambda: By(scanned("2026-01-01T00:00:00Z"), certificate())],
        ["scan-age"],
    ),
    "a scan that does not say when": (MONTH, [lambda: By(scanned("yesterday"))], ["scan-age"]),
    "a scan from the future": (MONTH, [lambda: By(scanned("2027-01-01T00:00:00Z"))], ["scan-age"]),
    "an engine that is too old": (Rules(scan=ScanRules({"strict": "1.1"})), [], ["scan-engines"]),
    "an engine that took no part": (Rules(scan=ScanRules({"modelscan": "0.8"})), [], ["scan-engines"]),
    "a release candidate of an engine": (
        Rules(scan=ScanRules({"strict": "2"})),
        [lambda: By(scanned("2026-01-30T00:00:00Z", version="2rc1"))],
        ["scan-engines"],
    ),
    "an old engine beside a newer scan": (
        Rules(scan=ScanRules({"strict": "2"})),
        [lambda: By(scanned("2026-01-30T00:00:00Z", version="2.0"))],
        [],
    ),
    "a newer scan by an old engine": (
        Rules(scan=ScanRules({"strict": "1"})),
        [lambda: By(scanned("2026-01-30T00:00:00Z", version="0.9"))],
        ["scan-engines"],
    ),
    "an engine that choked": (
        Rules(scan=ScanRules({"strict": "1"})),
        [lambda: By(scanned("2026-01-30T00:00:00Z", engines=[{"name": "strict", "version": "1", "status": "error"}]))],
        ["scan-engines"],
    ),
    "a finding that the scan let pass": (
        Rules(scan=ScanRules(fail_on=Severity.MEDIUM)),
        [lambda: By(scanned("2026-01-30T00:00:00Z", findings=FINDING))],
        ["scan-findings"],
    ),
    "a finding below the level": (
        Rules(scan=ScanRules(fail_on=Severity.HIGH)),
        [lambda: By(scanned("2026-01-30T00:00:00Z", findings=FINDING))],
        [],
    ),
    "a waiver where none is taken": (
        Rules(scan=ScanRules(waived="refuse")),
        [lambda: By(scanned("2026-01-30T00:00:00Z", waived=WAIVED))],
        ["scan-waivers"],
    ),
    "a waiver that ran out": (
        Rules(scan=ScanRules(waived="unexpired")),
        [lambda: By(scanned("2026-01-30T00:00:00Z", waived=WAIVED))],
        ["scan-waivers"],
    ),
    "no audit where one is required": (Rules(audit=AuditRules(required=True)), [], ["audit"]),
    "a vulnerability with another name than the allowed": (
        Rules(audit=AuditRules(allowed=(Allowed("PYSEC-2", "r", dt.date(2026, 12, 31)),))),
        [lambda: By(about(VULNERABILITIES, vulnerable()))],
        ["audit"],
    ),
    "a vulnerability that is allowed": (
        Rules(audit=AuditRules(allowed=(Allowed("PYSEC-1", "r", dt.date(2026, 12, 31)),))),
        [lambda: By(about(VULNERABILITIES, vulnerable()))],
        [],
    ),
    "a vulnerability that was allowed until yesterday": (
        Rules(audit=AuditRules(allowed=(Allowed("PYSEC-1", "r", dt.date(2026, 1, 30)),))),
        [lambda: By(about(VULNERABILITIES, vulnerable()))],
        ["audit"],
    ),
    "a waived vulnerability": (
        Rules(),
        [lambda: By(about(VULNERABILITIES, vulnerable({"waiver": {}})))],
        [],
    ),
    "a waived vulnerability where none may pass": (
        Rules(audit=AuditRules(waived=False)),
        [lambda: By(about(VULNERABILITIES, vulnerable({"waiver": {}})))],
        ["audit"],
    ),
    "an unknown build type": (Rules(provenance=ProvenanceRules(("https://example.org/x",))), [], ["build-type"]),
    "no evaluation": (AUC, [], ["auc>=0.9"]),
    "an evaluation of something else": (AUC, [lambda: By(evaluated(f1=0.99))], ["auc>=0.9"]),
    "a metric below the bound": (AUC, [lambda: By(evaluated(auc=0.899))], ["auc>=0.9"]),
    "a metric that is a word": (AUC, [lambda: By(evaluated(auc="0.99"))], ["auc>=0.9"]),
    "a metric that is a switch": (AUC, [lambda: By(evaluated(auc=True))], ["auc>=0.9"]),
    "a metric that is nothing": (AUC, [lambda: By(evaluated(auc=None))], ["auc>=0.9"]),
    "a newer evaluation that is worse": (
        AUC,
        [lambda: By(evaluated(auc=0.99, finished=OLD)), lambda: By(evaluated(auc=0.5))],
        ["auc>=0.9"],
    ),
    "a newer evaluation that is better": (
        AUC,
        [lambda: By(evaluated(auc=0.5, finished=OLD)), lambda: By(evaluated(auc=0.95))],
        [],
    ),
    "an evaluation without a time beside a good one": (
        AUC,
        [lambda: By(evaluated(auc=0.5, finished="")), lambda: By(evaluated(auc=0.95))],
        ["auc>=0.9"],
    ),
    "an evaluation that failed, without any policy": (Rules(), [lambda: By(evaluated("FAILED"))], ["test-results"]),
    "an evaluation with warnings": (Rules(), [lambda: By(evaluated("WARNED"))], ["test-results"]),
    "no evidence of a type that is asked for": (
        Rules(evidence=("https://cyclonedx.org/bom",)),
        [],
        ["evidence"],
    ),
    "no licence": (Rules(licences=("MIT",)), [], ["licence"]),
}


@pytest.mark.parametrize("attack", RULES)
def test_what_a_rule_does_not_let_pass_fails(attack: str) -> None:
    rules, more, names = RULES[attack]
    assert no(rules, *(item() for item in more)) == names


def test_a_licence_that_is_not_on_the_list_fails() -> None:
    assert no(Rules(licences=("MIT",)), licences=("mit", "AGPL-3.0-only")) == ["licence"]


def built(builder: str = BUILDER, build_type: str = LOCAL, **external: Any) -> Statement:
    build = Build(build_type, builder, external)
    return about(PROVENANCE, predicates.provenance(build, started="", finished="2026-01-30T00:00:00Z"))


def test_a_builder_signs_for_itself_only() -> None:
    assert no(Rules(), By(built(), certificate())) == []
    assert no(Rules(), By(built("https://github.com/actions/runner"), certificate())) == ["builder"]
    assert no(Rules(), By(built(BUILDER.replace("main", "v1")), certificate())) == ["builder"]
    assert no(Rules(), By(built(OWN_MACHINE), certificate())) == [], "a person names no builder"


def test_our_own_build_types_have_no_unknown_parameters() -> None:
    assert no(Rules(), By(built(model="m"))) == []
    assert no(Rules(), By(built(model="m", inputs={"skip-scan": "true"}))) == ["parameters"]
    assert no(Rules(), By(built(build_type="https://example.org/theirs", anything=1))) == []


def test_the_trusted_builder_was_given_nothing_that_its_workflow_does_not_have() -> None:
    def published(**inputs: str) -> Statement:
        return built(build_type=PUBLISH, workflow={}, inputs=inputs)

    assert no(Rules(), By(published(path="models/m"))) == []
    assert no(Rules(), By(published(path="models/m", skip="scan"))) == ["parameters"]
    assert no(Rules(), By(built(build_type=PUBLISH, workflow={}))) == ["parameters"], "no inputs are not all inputs"


def test_the_same_scan_at_another_time_is_recognised_on_a_rerun() -> None:
    one, other = scanned("2026-01-01T00:00:00Z"), scanned("2026-01-30T00:00:00Z")
    assert predicates.lasting(TEST_RESULT, one.predicate) == predicates.lasting(TEST_RESULT, other.predicate)
