"""Content judged by the strict engine alone, without a file."""

from __future__ import annotations

import io

from weighlock.scanners import Blob, Severity, Verdict
from weighlock.scanners.examine import Examined, examine
from weighlock.scanners.sniff import Sniffer, recognised
from weighlock.scanners.strict import Strict


def examined(content: bytes, name: str = "file") -> Examined:
    """Return what the engine says of a file with this content."""
    sniffer = Sniffer()
    sniffer.feed(content)

    def opener() -> io.BytesIO:
        return io.BytesIO(content)

    blob = Blob(name, recognised(sniffer, opener), len(content), opener)
    return examine(blob, [Strict()], Severity.LOW)


def judged(content: bytes, name: str = "file") -> tuple[Verdict, str]:
    """Return the verdict, and why something was not understood."""
    result = examined(content, name)
    return result.verdict, "; ".join(report.reason for report in result.reports)


def reasons(content: bytes, name: str = "file") -> str:
    """Return all that is said against the content, a line each."""
    reports = examined(content, name).reports
    findings = [finding.message + finding.place for report in reports for finding in report.findings]
    return "\n".join([*findings, *(report.reason for report in reports)])
