"""SARIF 2.1.0: a ledger's findings as code scanning takes them. Pure.

Source: GitHub, "SARIF support for code scanning": a stable rule id, a relative path and a fingerprint decide what is
the same result; the rule carries ``security-severity``.
"""

from __future__ import annotations

import hashlib
from urllib.parse import quote

from weighlock import __version__
from weighlock.jsonio import Json
from weighlock.ledger import Ledger, Row
from weighlock.scanners import Finding, Severity, Verdict
from weighlock.text import printable

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
RESULTS = 5000  # as many as code scanning shows
_SCORES = {
    Severity.REVIEW: "1.0",
    Severity.LOW: "3.0",
    Severity.MEDIUM: "5.0",
    Severity.HIGH: "8.0",
    Severity.CRITICAL: "9.8",
}
_LEVELS = {
    Severity.REVIEW: "warning",
    Severity.LOW: "note",
    Severity.MEDIUM: "warning",
    Severity.HIGH: "error",
    Severity.CRITICAL: "error",
}


def log(ledger: Ledger) -> Json:
    """Return a log of one run."""
    return logged([run(ledger, "weighlock/scan/")])


def logged(runs: list[Json]) -> Json:
    """Return a log of these runs, each of which has a category of its own."""
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": runs}


def run(ledger: Ledger, category: str, folder: str = "") -> Json:
    """Return a run: a result for each finding nobody answers for, and for each file that nobody understood.

    `folder` is where the model lies in the repository, with a slash at its end.
    """
    found = [(row, finding) for row in ledger.rows for finding in _findings(row)]
    rules = {finding.rule: finding.severity for _, finding in sorted(found, key=lambda pair: pair[1].severity)}
    driver = {
        "name": "weighlock",
        "version": __version__,
        "rules": [{"id": rule, "properties": {"security-severity": _SCORES[worst]}} for rule, worst in rules.items()],
    }
    results = [_result(row, finding, folder) for row, finding in found[:RESULTS]]
    return {"tool": {"driver": driver}, "automationDetails": {"id": category}, "results": results}


def empty(category: str) -> Json:
    """Return a run without results, for a model of which nothing is known."""
    return run(Ledger(()), category)


def _findings(row: Row) -> list[Finding]:
    waived = {waiver.rule for waiver in row.waived}
    findings = [item for report in row.reports for item in report.findings if item.rule not in waived]
    if row.verdict is Verdict.UNSCANNED:
        reasons = "; ".join(report.reason for report in row.reports if report.reason)
        findings.append(Finding("unscanned", Severity.HIGH, reasons or "no engine understood this file"))
    return findings


def _result(row: Row, finding: Finding, folder: str) -> Json:
    identity = f"{finding.rule}\n{row.digest}\n{finding.member}\n{finding.message}"
    return {
        "ruleId": finding.rule,
        "level": _LEVELS[finding.severity],
        "message": {"text": printable(f"{finding.message}{finding.place}", 1000)},
        "locations": [
            {"physicalLocation": {"artifactLocation": {"uri": quote(folder + row.path)}, "region": {"startLine": 1}}}
        ],
        "partialFingerprints": {"weighlock/v1": hashlib.sha256(identity.encode(errors="replace")).hexdigest()},
        "properties": {"digest": str(row.digest), "member": finding.member, "offset": finding.offset},
    }
