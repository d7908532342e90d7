"""What evaluations must say: test results that are no scans. Pure.

An evaluation is a statement of in-toto's type test-result. What was measured stands in ``predicate.metrics``, a mapping
of names to numbers beside the type's own fields: ``{"result": "PASSED", …, "metrics": {"auc": 0.914}}``.
"""

from __future__ import annotations

from weighlock import jsonio
from weighlock.config.verify import Threshold
from weighlock.errors import RefusedError
from weighlock.gate.case import Case, Shown, newest, predicates
from weighlock.predicates import TEST_RESULT
from weighlock.text import counted, printable


def evaluations(case: Case) -> list[Shown]:
    """Return the test results on this manifest that are no scans."""
    return [item for item in case.about(TEST_RESULT) if "ledger" not in item.statement.predicate]


def passed(case: Case) -> str:
    """No test result on this digest says no, of whatever test: one that fails counts more than all that passed."""
    found = predicates(evaluations(case))
    for predicate in found:
        if predicate.get("result") != "PASSED":
            raise RefusedError(f"a test result on this digest says {printable(str(predicate.get('result')))!r}")
    return f"{counted(len(found), 'other test result')}, all of them passed" if found else "no other test result"


def reached(case: Case, threshold: Threshold) -> str:
    """The newest evaluation that measured this reaches the bound; no measurement, or no number, is a no."""
    measured = [item for item in evaluations(case) if threshold.metric in _metrics(item)]
    if not measured:
        raise RefusedError(f"no evaluation by the pinned identity measured '{printable(threshold.metric)}'")
    values = [_metrics(item)[threshold.metric] for item in newest(measured)]
    for value in values:
        if not threshold.met(value):
            raise RefusedError(f"{printable(threshold.metric)} is {printable(str(value), 40)}")
    return f"{printable(threshold.metric)} is {values[0]}"


def _metrics(item: Shown) -> jsonio.Json:
    return jsonio.optional(dict(item.statement.predicate), "metrics", dict, "evaluation") or {}
