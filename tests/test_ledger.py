"""The ledger: what a verifier takes from it, and what it refuses."""

from __future__ import annotations

import pytest

from weighlock.errors import MalformedError
from weighlock.ledger import Ledger, Row, engines, recorded
from weighlock.oci import Digest
from weighlock.scanners import Finding, Report, Severity, Status, Verdict

A, B = Digest.of(b"a"), Digest.of(b"b")


def row(path: str = "a", verdict: Verdict = Verdict.SAFE, *reports: Report, digest: Digest = A) -> Row:
    return Row(path, 1, digest, "text", verdict, reports)


def test_the_worst_row_decides() -> None:
    rows = [row("a"), row("b", Verdict.UNSCANNED), row("c", Verdict.REVIEW)]
    assert Ledger(tuple(rows)).verdict is Verdict.UNSCANNED
    assert Ledger((*rows, row("d", Verdict.UNSAFE))).verdict is Verdict.UNSAFE


def test_a_ledger_without_rows_has_not_passed() -> None:
    assert not Ledger(()).passed


def test_only_safe_passes() -> None:
    assert [Ledger((row("a", verdict),)).passed for verdict in Verdict] == [True, False, False, False]


def test_what_is_written_can_be_read_back() -> None:
    read = recorded(Ledger((row("a"), row("b", Verdict.UNSAFE, digest=B))).to_json())
    assert read.digests == {"a": A, "b": B}
    assert read.verdicts == {"a": "safe", "b": "unsafe"}


@pytest.mark.parametrize(
    "files",
    [
        None,
        [1],
        [{"path": "a", "sha256": A.hex}],
        [{"path": "a", "sha256": "A" * 64, "verdict": "safe"}],
        [{"path": 1, "sha256": A.hex, "verdict": "safe"}],
        [{"path": "a", "sha256": A.hex, "verdict": "safe"}] * 2,
    ],
)
def test_a_ledger_that_is_none_is_refused(files: object) -> None:
    with pytest.raises(MalformedError, match=r"ledger|digest"):
        recorded({"verdict": "safe", "files": files})


def test_reasons_come_worst_first_with_their_place() -> None:
    findings = (Finding("low", Severity.LOW, "odd"), Finding("high", Severity.HIGH, "bad", "data.pkl", 7))
    reports = (Report("x", "1", Status.ERROR, findings, "cut short"), Report("y", "2", Status.SKIPPED))
    assert row("a", Verdict.UNSAFE, *reports).reasons() == [
        "high: bad (in data.pkl, at byte 7)",
        "low: odd",
        "cut short",
    ]


def test_engines_are_listed_once() -> None:
    reports = (Report("x", "1", Status.COMPLETE), Report("w", "2", Status.SKIPPED))
    assert engines([row("a", Verdict.SAFE, *reports), row("b", Verdict.SAFE, *reports)]) == [("w", "2"), ("x", "1")]
