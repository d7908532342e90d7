"""Waivers: findings that somebody answers for, by rule and file digest, until a day. Pure.

A waiver speaks of one rule in one file with exactly these bytes, so a changed file needs a new one. Afterwards it fails
like before and says so; one that fits nothing is reported, since a policy that nobody needs hides the next finding.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace

from weighlock.config import ScanPolicy, Waiver
from weighlock.ledger import Ledger, Row
from weighlock.oci import Digest
from weighlock.scanners import Verdict, verdict

UNSCANNED = "unscanned"
"""The rule that a waiver names for a file that nobody understood."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The ledger after the policy, and what has to be said about the waivers."""

    ledger: Ledger
    notes: tuple[str, ...]


def apply(ledger: Ledger, policy: ScanPolicy, today: dt.date) -> Applied:
    """Return the ledger with the verdicts that the policy's waivers leave."""
    alive = [waiver for waiver in policy.waivers if waiver.expires >= today]
    rows = tuple(_waive(row, policy, alive) for row in ledger.rows)
    used = {(waiver.rule, row.digest) for row in rows for waiver in row.waived}
    return Applied(replace(ledger, rows=rows), tuple(_notes(ledger, policy, used, today)))


def rules(row: Row) -> list[str]:
    """Return the rules that a waiver for this file would have to name, worst first."""
    findings = sorted((item for report in row.reports for item in report.findings), key=lambda item: -item.severity)
    gap = [UNSCANNED] if row.verdict is Verdict.UNSCANNED else []
    return list(dict.fromkeys([item.rule for item in findings] + gap))


def lines(row: Row) -> list[str]:
    """Return the lines for ``weighlock.yml`` that would let this file pass, for a person to complete.

    There are none for what is unsafe, nor for a file that is not even here: nobody is invited to wave these through.
    """
    if row.verdict is Verdict.UNSAFE or row.format == "lfs pointer":
        return []
    return [
        f'- {{rule: {rule}, sha256: {row.digest.hex}, reason: "…", owner: "…", expires: YYYY-MM-DD}}'
        for rule in rules(row)
    ]


def _waive(row: Row, policy: ScanPolicy, alive: list[Waiver]) -> Row:
    named = set(rules(row))
    fitting = tuple(waiver for waiver in alive if waiver.digest == row.digest and waiver.rule in named)
    if not fitting and not policy.review_passes:
        return row
    waived = {waiver.rule for waiver in fitting}
    kept = [
        replace(report, findings=tuple(item for item in report.findings if item.rule not in waived))
        for report in row.reports
    ]
    left = verdict(kept, policy.fail_on)
    if (left is Verdict.UNSCANNED and UNSCANNED in waived) or (left is Verdict.REVIEW and policy.review_passes):
        left = Verdict.SAFE
    return replace(row, verdict=left, waived=fitting)


def _notes(ledger: Ledger, policy: ScanPolicy, used: set[tuple[str, Digest]], today: dt.date) -> Iterator[str]:
    named = {(rule, row.digest): row.path for row in ledger.rows for rule in rules(row)}
    for waiver in policy.waivers:
        key = (waiver.rule, waiver.digest)
        if waiver.expires < today and key in named:
            yield f"line {waiver.line}: the waiver for '{waiver.rule}' ran out on {waiver.expires}"
        elif key not in used:
            yield f"line {waiver.line}: the waiver for '{waiver.rule}' fits no file of this model; remove it"
