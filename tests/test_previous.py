"""Earlier results: taken for the same bytes under the same conditions, and for nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from weighlock import predicates
from weighlock.ledger import Ledger, Row
from weighlock.oci import Digest
from weighlock.previous import known
from weighlock.scanners import Finding, Report, Severity, Status, Verdict

A, B = Digest.of(b"a"), Digest.of(b"b")
CONDITIONS = Digest.of(b"engines, rules, policy")
REPORTS = (Report("strict", "1", Status.COMPLETE), Report("modelscan", "2", Status.SKIPPED, (), "not given"))


def row(**changes: Any) -> Row:
    given: dict[str, Any] = {
        "path": "a",
        "size": 1,
        "digest": A,
        "format": "text",
        "verdict": Verdict.SAFE,
        "reports": REPORTS,
    }
    return Row(**(given | changes))


def predicate(*rows: Row, conditions: Digest | None = CONDITIONS) -> dict[str, Any]:
    return predicates.scan_result(Ledger(rows, conditions), finished="2026-01-01T00:00:00Z")


def test_a_safe_row_says_again_what_it_said() -> None:
    found = known([predicate(row(asked={"b": 3, "c": None}))], CONDITIONS)
    assert list(found) == [("a", A)]
    assert found["a", A].format == "text"
    assert found["a", A].examined.reports == REPORTS
    assert found["a", A].examined.verdict is Verdict.SAFE
    assert found["a", A].examined.asked == {"b": 3, "c": None}


def test_rows_of_several_results_add_up() -> None:
    assert len(known([predicate(row()), predicate(row(path="b", digest=B))], CONDITIONS)) == 2


@pytest.mark.parametrize(
    "held",
    [
        pytest.param(row(verdict=Verdict.REVIEW), id="review"),
        pytest.param(row(verdict=Verdict.UNSCANNED), id="unscanned"),
        pytest.param(row(verdict=Verdict.UNSAFE), id="unsafe"),
        pytest.param(row(reports=(Report("strict", "1", Status.ERROR),)), id="an engine in trouble"),
        pytest.param(
            row(reports=(Report("strict", "1", Status.COMPLETE, (Finding("r", Severity.LOW, "w"),)),)),
            id="a finding below what fails",
        ),
        pytest.param(row(format="tensor storage"), id="told by another file"),
    ],
)
def test_what_is_not_beyond_doubt_is_scanned(held: Row) -> None:
    given = predicate()
    given["ledger"]["files"] = [held.to_json()]
    assert known([given], CONDITIONS) == {}


def test_what_somebody_answered_for_is_scanned() -> None:
    given = predicate(row())
    given["ledger"]["files"][0]["waived"] = []
    assert known([given], CONDITIONS) == {}


@pytest.mark.parametrize(
    "conditions", [None, Digest.of(b"other rules")], ids=["a release that did not say", "other conditions"]
)
def test_other_conditions_are_none(conditions: Digest | None) -> None:
    assert known([predicate(row(), conditions=conditions)], CONDITIONS) == {}


def _two_conditions(document: dict[str, Any]) -> None:
    document["configuration"] += predicate(conditions=B)["configuration"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda document: document.update(configuration={}),
        lambda document: document.pop("configuration"),
        lambda document: document["configuration"].append({"name": predicates.CONDITIONS}),
        _two_conditions,
        lambda document: document.update(ledger=[]),
        lambda document: document["ledger"].update(files={}),
        lambda document: document["ledger"]["files"][0].update(sha256="A" * 64),
        lambda document: document["ledger"]["files"][0].update(path=7),
        lambda document: document["ledger"]["files"][0].update(engines=[{"name": "strict"}]),
        lambda document: document["ledger"]["files"][0]["engines"][0].update(status="fine"),
        lambda document: document["ledger"]["files"][0].update(beside={"b": "3"}),
    ],
)
def test_a_damaged_result_is_none(damage: Callable[[dict[str, Any]], object]) -> None:
    document = predicate(row())
    damage(document)
    assert known([document], CONDITIONS) == {}


def test_conditions_make_no_second_scan_result_of_the_same_files() -> None:
    first, second = (predicates.lasting(predicates.TEST_RESULT, predicate(row(), conditions=item)) for item in (A, B))
    assert first == second
