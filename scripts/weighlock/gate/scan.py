"""What the scan must say. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from weighlock import jsonio
from weighlock.config.verify import ScanRules
from weighlock.errors import RefusedError
from weighlock.gate.case import Case, Shown, newest, predicates, shown
from weighlock.jsonio import Json
from weighlock.ledger import Recorded, recorded
from weighlock.predicates import SCAN, TEST_RESULT
from weighlock.scanners import Severity
from weighlock.text import counted, printable

_SEVERITIES = {item.name.lower(): item for item in Severity}


def scans(case: Case) -> list[Shown]:
    """Return the scans of this manifest; a ledger tells them from evaluations, which have the same type."""
    return [item for item in case.about(TEST_RESULT) if "ledger" in item.statement.predicate]


def ledgers(case: Case) -> list[Recorded]:
    """Return the ledger of every scan of this manifest; there is at least one, and none of them failed."""
    found = predicates(scans(case))
    if not found:
        raise RefusedError("no scan result by the pinned identity is about this digest")
    for predicate in found:
        passed = predicate.get("passedTests")
        if predicate.get("result") != "PASSED" or not isinstance(passed, list) or SCAN not in passed:
            raise RefusedError("a scan result on this digest does not say PASSED")
    return [recorded(jsonio.field(predicate, "ledger", dict, "scan result")) for predicate in found]


def safe(case: Case) -> str:
    """Every scan says that every file is safe: one that says no counts more than all that said yes before."""
    found = ledgers(case)
    for ledger in found:
        for path, verdict in ledger.verdicts.items():
            if verdict != "safe":
                raise RefusedError(f"the ledger says that '{printable(path)}' is {printable(verdict)}")
    return f"{counted(len(found[0].verdicts), 'file')} scanned and safe"


def engines(case: Case, rules: ScanRules) -> str:
    """The newest scan showed every file to these engines, none older than this: old ones know fewer attacks."""
    for row in _rows(case):
        there = {
            jsonio.field(item, "name", str, "ledger engine"): item for item in jsonio.objects(row, "engines", "ledger")
        }
        for name, least in rules.engines.items():
            if name not in there or there[name].get("status") not in {"complete", "partial", "skipped"}:
                raise RefusedError(f"{printable(name)} did not read '{_path(row)}'")
            version = jsonio.field(there[name], "version", str, "ledger engine")
            if not _reaches(version, least):
                raise RefusedError(f"{printable(name)} was {printable(version)}, needed is {printable(least)} or later")
    return shown(f"{name} {least} or later" for name, least in rules.engines.items())


def findings(case: Case, least: Severity) -> str:
    """The newest scan has no finding of this severity or worse, whatever its own policy let pass."""
    for row in _rows(case):
        waived = {str(item.get("rule")) for item in _waivers(row)}
        for finding in jsonio.objects(row, "findings", "ledger row"):
            severity = _SEVERITIES.get(str(finding.get("severity")), Severity.CRITICAL)
            if severity >= least and finding.get("rule") not in waived:
                rule = printable(str(finding.get("rule")))
                raise RefusedError(f"'{_path(row)}' has a finding of severity {severity.name.lower()}: {rule}")
    return f"no finding of severity {least.name.lower()} or worse"


def waivers(case: Case, rules: ScanRules) -> str:
    """Findings that somebody answered for pass where the policy takes that, and only until their last day."""
    count = 0
    for row in _rows(case):
        for waiver in _waivers(row):
            count += 1
            rule = printable(str(waiver.get("rule")))
            if rules.waived == "refuse":
                raise RefusedError(f"'{_path(row)}' passed by a waiver of {rule}")
            expires = _day(waiver.get("expires"))
            if expires is None or expires < case.now.date():
                raise RefusedError(f"the waiver of {rule} in '{_path(row)}' ran out on {expires or 'no day'}")
    return f"{counted(count, 'waiver')}, none of which ran out" if count else "nothing was waived"


def _rows(case: Case) -> Iterator[Json]:
    for predicate in predicates(newest(scans(case))):
        ledger = jsonio.field(predicate, "ledger", dict, "scan result")
        rows = jsonio.objects(ledger, "files", "ledger")
        yield from rows
    if not scans(case):
        raise RefusedError("no scan result by the pinned identity is about this digest")


def _waivers(row: Json) -> list[Json]:
    return jsonio.objects(row, "waived", "ledger row") if row.get("waived") is not None else []


def _path(row: Json) -> str:
    return printable(str(row.get("path")))


def _day(text: object) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _reaches(version: str, least: str) -> bool:
    """Compare plain releases; what is none (a release candidate, say) reaches nothing."""
    parts = [item.split(".") for item in (version, least)]
    if not all(part.isascii() and part.isdecimal() and len(part) < 10 for item in parts for part in item):
        return False
    there, needed = ([int(part) for part in item] for item in parts)
    width = max(len(there), len(needed))
    return [*there, *[0] * (width - len(there))] >= [*needed, *[0] * (width - len(needed))]
