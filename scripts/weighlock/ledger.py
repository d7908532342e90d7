"""The scan ledger: one row for every file of a model, and the verdict over all of them. Pure.

It is a contract (`scan --report`), the heart of the scan attestation, and one of the sets that the evidence closure
compares. Its schema ships as ``schemas/ledger.json``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from weighlock import jsonio
from weighlock.config import Waiver
from weighlock.errors import MalformedError
from weighlock.jsonio import Json
from weighlock.oci import Digest
from weighlock.scanners import Finding, Report, Severity, Status, Verdict


@dataclass(frozen=True, slots=True)
class Row:
    """What was found out about one file."""

    path: str
    size: int
    digest: Digest
    format: str
    verdict: Verdict
    reports: tuple[Report, ...]
    waived: tuple[Waiver, ...] = ()
    """What of the findings somebody answers for."""
    asked: Mapping[str, int | None] = field(default_factory=dict)
    """What the verdict depends on beside this file: path to size in bytes of others, None for one that is not there."""

    def to_json(self) -> Json:
        """Return the row's wire form."""
        findings = [_finding_json(finding) for report in self.reports for finding in report.findings]
        beside = self.verdict is Verdict.SAFE and self.asked
        return {
            "path": self.path,
            "size": self.size,
            "sha256": self.digest.hex,
            "format": self.format,
            "verdict": self.verdict.name.lower(),
            "engines": [_engine_json(report) for report in self.reports],
            "findings": findings,
            **({"waived": [waiver.to_json() for waiver in self.waived]} if self.waived else {}),
            **({"beside": dict(self.asked)} if beside else {}),
        }

    def reasons(self) -> list[str]:
        """Say why the verdict is not safe, worst first; hostile text inside, so escape it before printing."""
        found = (finding for report in self.reports for finding in report.findings)
        findings = [_words(finding) for finding in sorted(found, key=lambda item: -item.severity)]
        gaps = dict.fromkeys(report.reason for report in self.reports if report.reason)
        return [*findings, *gaps]


@dataclass(frozen=True, slots=True)
class Ledger:
    """All rows, in the order of their paths."""

    rows: tuple[Row, ...]
    conditions: Digest | None = None
    """Digest of all that the rows depend on beside the files: engines, rules, what is installed, the policy's part."""

    @property
    def verdict(self) -> Verdict:
        """Return the worst verdict of a row; a ledger without rows is unscanned."""
        return max((row.verdict for row in self.rows), default=Verdict.UNSCANNED)

    @property
    def passed(self) -> bool:
        """Tell whether the model may pass."""
        return self.verdict is Verdict.SAFE

    def to_json(self) -> Json:
        """Return the wire form."""
        return {"verdict": self.verdict.name.lower(), "files": [row.to_json() for row in self.rows]}


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a verifier takes from an attested ledger: path, digest and verdict of each file."""

    verdicts: dict[str, str]
    digests: dict[str, Digest]


def recorded(document: Json) -> Recorded:
    """Read the ledger inside a scan attestation; a path that stands twice is a `MalformedError`."""
    rows = jsonio.objects(document, "files", "ledger")
    paths = [jsonio.field(row, "path", str, "ledger row") for row in rows]
    if len(set(paths)) != len(paths):
        raise MalformedError("ledger: a path stands twice")
    return Recorded(
        dict(zip(paths, (jsonio.field(row, "verdict", str, "ledger row") for row in rows), strict=True)),
        dict(zip(paths, (_digest(row) for row in rows), strict=True)),
    )


def engines(rows: Iterable[Row]) -> list[tuple[str, str]]:
    """Return the engines that took part, each with its version, sorted."""
    return sorted({(report.engine, report.version) for row in rows for report in row.reports})


def _digest(row: Json) -> Digest:
    return Digest.parse("sha256:" + jsonio.field(row, "sha256", str, "ledger row"))


def _words(finding: Finding) -> str:
    return f"{finding.rule}: {finding.message}{finding.place}"


def _engine_json(report: Report) -> Json:
    document: Json = {"name": report.engine, "version": report.version, "status": report.status.value}
    return document if report.status is Status.COMPLETE or not report.reason else {**document, "reason": report.reason}


def _finding_json(finding: Finding) -> Json:
    return {
        "rule": finding.rule,
        "severity": Severity(finding.severity).name.lower(),
        "message": finding.message,
        "member": finding.member,
        "offset": finding.offset,
    }
