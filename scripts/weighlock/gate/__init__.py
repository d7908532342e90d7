"""The gate: what a model must show to pass, step by step. Pure; it decides and never reads.

Verification reads here as the rule is written: each step is a function that raises `RefusedError` (or one of its kinds)
with the one sentence that says why not. Signatures were checked before: only trusted statements come in. Where several
pieces of evidence speak of one thing, one that says no is a no, and what a policy asks beyond that, the newest must show.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from weighlock.config.verify import AuditRules, Rules
from weighlock.errors import RefusedError
from weighlock.gate import audit, evaluation, provenance, scan, signed
from weighlock.gate.audit import REQUIREMENTS
from weighlock.gate.case import Case, Check, Shown, check, fresh, shown
from weighlock.predicates import PROVENANCE, TEST_RESULT, VULNERABILITIES
from weighlock.text import printable

__all__ = ["REQUIREMENTS", "Case", "Check", "Rules", "Shown", "check", "judge", "require_green", "require_passed"]

_NO_POLICY = AuditRules()


def judge(case: Case, rules: Rules | None = None) -> list[Check]:
    """Return the checks on the evidence, in order; the model passes when all of them are ok."""
    return [check(name, step) for name, step in _steps(case, rules or Rules())]


def require_green(case: Case) -> None:
    """Raise `RefusedError` unless scan and audit of exactly these files passed: what a signature has to wait for."""
    scan.safe(case)
    audit.clean(case, _NO_POLICY)
    signed.scanned_files(case)


def require_passed(predicate_type: str, predicate: Mapping[str, object]) -> None:
    """Raise `RefusedError` for a predicate that says no: verifiers take any signed statement for a yes, so sign none."""
    if predicate_type == TEST_RESULT and predicate.get("result") != "PASSED":
        raise RefusedError(f"the test result is {printable(str(predicate.get('result')))!r}, not 'PASSED'")
    if predicate_type == VULNERABILITIES:
        audit.clean_audit(dict(predicate), _NO_POLICY, dt.date.max)


def _steps(case: Case, rules: Rules) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "signature", partial(signed.signature, case)
    yield "model-signature", partial(signed.model_signature, case)
    yield from _provenance(case, rules)
    yield from _scan(case, rules)
    yield "audit", partial(audit.clean, case, rules.audit)
    if (days := rules.audit.max_age) is not None and (case.about(VULNERABILITIES) or REQUIREMENTS in case.files):
        yield "audit-age", partial(fresh, case.about(VULNERABILITIES), days, case)
    yield from _evaluation(case, rules)
    for kind in rules.evidence:
        yield "evidence", partial(_attested, case, kind)
    if rules.licences:
        yield "licence", partial(_licensed, case, rules.licences)
    yield "closure", partial(signed.closure, case)


def _provenance(case: Case, rules: Rules) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "provenance", partial(provenance.there, case)
    if not case.about(PROVENANCE):
        return  # which has just been said
    yield "builder", partial(provenance.builder_signed, case)
    yield "parameters", partial(provenance.parameters, case)
    if rules.provenance.build_types:
        yield "build-type", partial(provenance.build_type, case, rules.provenance)
    if (days := rules.provenance.max_age) is not None:
        yield "provenance-age", partial(fresh, case.about(PROVENANCE), days, case)


def _scan(case: Case, rules: Rules) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "scan", partial(scan.safe, case)
    if rules.scan.engines:
        yield "scan-engines", partial(scan.engines, case, rules.scan)
    if (least := rules.scan.fail_on) is not None:
        yield "scan-findings", partial(scan.findings, case, least)
    if rules.scan.waived != "accept":
        yield "scan-waivers", partial(scan.waivers, case, rules.scan)
    if (days := rules.scan.max_age) is not None:
        yield "scan-age", partial(fresh, scan.scans(case), days, case)


def _evaluation(case: Case, rules: Rules) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "test-results", partial(evaluation.passed, case)
    for threshold in rules.evaluation.thresholds:
        yield printable(str(threshold)), partial(evaluation.reached, case, threshold)
    if (days := rules.evaluation.max_age) is not None and rules.evaluation.thresholds:
        yield "evaluation-age", partial(fresh, evaluation.evaluations(case), days, case)


def _attested(case: Case, kind: str) -> str:
    """The policy asks for evidence of this type, and it is there; what it says is its readers' business."""
    if not case.about(kind):
        raise RefusedError(f"no evidence of type {printable(kind)} by the pinned identity is about this digest")
    return printable(kind)


def _licensed(case: Case, allowed: tuple[str, ...]) -> str:
    """The model has a licence, and each that it names is on the list."""
    if not case.licences:
        raise RefusedError("the model names no licence")
    known = {item.lower() for item in allowed}  # SPDX identifiers are the same in any case
    if others := [item for item in case.licences if item.lower() not in known]:
        raise RefusedError(f"the licence {shown(others)} is none of {shown(allowed)}")
    return shown(case.licences)
