"""What a rule writes down while it reads a blob: findings, and gaps in its understanding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from weighlock.scanners import Blob, Finding, Severity
from weighlock.scanners.pickles.profiles import Names

FINDINGS = 100  # of one blob; more say nothing new, and a hostile file could hold millions


@dataclass(slots=True)
class Notes:
    """The findings and gaps of one blob; no gap is a claim that every byte was understood."""

    member: str | None = None
    findings: list[Finding] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    names: Names | None = None
    """The globals that a pickle may use, where a policy chose them."""

    def find(self, rule: str, severity: Severity, message: str, offset: int | None = None) -> None:
        """Add a finding, once; where there are too many, only one that is worse than another, in its place."""
        full = len(self.findings) >= FINDINGS
        if full and severity is Severity.REVIEW:
            return
        finding = Finding(rule, severity, message, self.member, offset)
        if any((item.rule, item.message) == (rule, message) for item in self.findings):
            return
        if full:
            least = min(self.findings, key=lambda item: item.severity)
            if least.severity >= severity:
                return
            self.findings.remove(least)
        self.findings.append(finding)

    def gap(self, reason: str) -> None:
        """Add a reason why the content is not understood, once."""
        if reason not in self.gaps and len(self.gaps) < FINDINGS:
            self.gaps.append(reason)


Rule = Callable[[Blob, BinaryIO, Notes], None]
"""Reads a blob from its first byte to its last; `UnclearError` is a gap that ends the reading."""
