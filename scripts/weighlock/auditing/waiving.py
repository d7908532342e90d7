"""Waivers of an audit: known vulnerabilities that somebody answers for, by name and package, until a day. Pure.

What is waived is told apart and stays in the report. A waiver that ran out lets nothing pass and says so; one that
fits nothing is reported, since it would hide the vulnerability that comes next.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from weighlock.auditing import Audited, AuditResult, Vulnerability, Waived
from weighlock.config import AuditPolicy, AuditWaiver


@dataclass(frozen=True, slots=True)
class Applied:
    """The result after the policy, and what has to be said about the waivers."""

    result: AuditResult
    notes: tuple[str, ...]


def apply(result: AuditResult, policy: AuditPolicy, today: dt.date) -> Applied:
    """Return the result with what the policy's waivers cover set apart."""
    alive = [waiver for waiver in policy.waivers if waiver.expires >= today]
    waived = tuple(_waive(item, alive) for item in result.dependencies)
    return Applied(replace(result, dependencies=waived), tuple(_notes(result, policy, today)))


def _waive(item: Audited, alive: Sequence[AuditWaiver]) -> Audited:
    left, waived = [], []
    for vulnerability in item.vulnerabilities:
        waiver = next((waiver for waiver in alive if _fits(waiver, item, vulnerability)), None)
        if waiver is None:
            left.append(vulnerability)
        else:
            waived.append(Waived(vulnerability, waiver))
    return replace(item, vulnerabilities=tuple(left), waived=tuple(waived))


def _fits(waiver: AuditWaiver, item: Audited, vulnerability: Vulnerability) -> bool:
    names = {vulnerability.id, *vulnerability.aliases}
    return waiver.package == item.dependency.name and waiver.vulnerability in names


def _notes(result: AuditResult, policy: AuditPolicy, today: dt.date) -> Iterator[str]:
    for waiver in policy.waivers:
        about = f"line {waiver.line}: the waiver for {waiver.vulnerability} in {waiver.package}"
        if not any(_fits(waiver, item, known) for item in result.dependencies for known in item.vulnerabilities):
            yield f"{about} fits nothing that was found; remove it"
        elif waiver.expires < today:
            yield f"{about} ran out on {waiver.expires}"
