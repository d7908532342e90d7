"""The gate as a list of attacks: every way in which evidence may be missing, wrong or about something else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from weighlock import oms, predicates
from weighlock.errors import RefusedError
from weighlock.gate import Case, judge, require_green, require_passed
from weighlock.intoto import Statement, Subject
from weighlock.ledger import Ledger, Row
from weighlock.oci import Digest
from weighlock.predicates import PROVENANCE, SIGNATURE, TEST_RESULT, VULNERABILITIES, Build
from weighlock.scanners import Report, Status, Verdict

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
        Ledger(tuple(Row(path, 1, digest, "text", verdict, reports) for path, digest in files.items()))
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


def failed(files: dict[str, Digest], statements: dict[str, Statement]) -> list[str]:
    return [check.name for check in judge(Case(MANIFEST, files, list(statements.values()))) if not check.ok]


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
        lambda: {"provenance": about(PROVENANCE, {"buildDefinition": {"buildType": "x"}})},
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


def vulnerable() -> dict[str, Any]:
    return {**CLEAN, "scanner": {**CLEAN["scanner"], "result": [{"id": "PYSEC-1"}]}}


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
    (check,) = [item for item in judge(Case(MANIFEST, FILES, list(statements.values()))) if not item.ok]
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
    require_green(Case(MANIFEST, FILES, [scan]))
    with pytest.raises(RefusedError):
        require_green(Case(MANIFEST, FILES, []))
    with pytest.raises(RefusedError, match="differ"):
        require_green(Case(MANIFEST, {**FILES, "x": OTHER}, [scan]))
