"""Waivers: bound to rule, bytes and day; anything else fails as before and is said."""

from __future__ import annotations

import datetime as dt

import pytest

from weighlock.config import ScanPolicy, Waiver
from weighlock.ledger import Ledger, Row
from weighlock.oci import Digest
from weighlock.scanners import Finding, Report, Severity, Status, Verdict
from weighlock.waivers import apply, lines

TODAY = dt.date(2026, 11, 23)
DIGEST = Digest.of(b"model")


def row(*findings: Finding, status: Status = Status.COMPLETE, verdict: Verdict = Verdict.UNSAFE) -> Row:
    return Row("m.pkl", 5, DIGEST, "pickle", verdict, (Report("strict", "1", status, findings, "why"),))


def waiver(rule: str = "global", digest: Digest = DIGEST, expires: dt.date = TODAY) -> Waiver:
    return Waiver(rule, digest, "we trained it", "team", expires, 7)


GLOBAL = Finding("global", Severity.HIGH, "acme.Model")
OTHER = Finding("other", Severity.LOW, "something else")
UNKNOWN = Finding("unknown", Severity.REVIEW, "acme.Model")


def outcome(item: Row, *waivers: Waiver, **policy: bool) -> tuple[Verdict, int, str]:
    applied = apply(Ledger((item,)), ScanPolicy(waivers=waivers, **policy), TODAY)  # type: ignore[arg-type]
    return applied.ledger.verdict, len(applied.ledger.rows[0].waived), " ".join(applied.notes)


def test_a_waiver_holds_on_its_last_day_and_not_after() -> None:
    assert outcome(row(GLOBAL), waiver()) == (Verdict.SAFE, 1, "")
    verdict, waived, note = outcome(row(GLOBAL), waiver(expires=TODAY - dt.timedelta(days=1)))
    assert (verdict, waived) == (Verdict.UNSAFE, 0)
    assert note == "line 7: the waiver for 'global' ran out on 2026-11-22"


@pytest.mark.parametrize("wrong", [waiver(rule="glob"), waiver(digest=Digest.of(b"changed"))])
def test_another_rule_or_other_bytes_are_not_waived_and_the_waiver_is_reported(wrong: Waiver) -> None:
    verdict, waived, note = outcome(row(GLOBAL), wrong)
    assert (verdict, waived) == (Verdict.UNSAFE, 0)
    assert "fits no file" in note


def test_each_finding_needs_its_own() -> None:
    assert outcome(row(GLOBAL, OTHER), waiver())[0] is Verdict.UNSAFE
    assert outcome(row(GLOBAL, OTHER), waiver(), waiver("other"))[0] is Verdict.SAFE


def test_a_waived_finding_does_not_cover_what_nobody_understood() -> None:
    assert outcome(row(GLOBAL, status=Status.ERROR), waiver())[0] is Verdict.UNSCANNED


def test_a_file_that_nobody_understood_can_be_answered_for() -> None:
    gap = row(status=Status.ERROR, verdict=Verdict.UNSCANNED)
    assert outcome(gap)[0] is Verdict.UNSCANNED
    assert outcome(gap, waiver("unscanned"))[0] is Verdict.SAFE
    found = row(GLOBAL, status=Status.ERROR)
    assert outcome(found, waiver("unscanned"))[0] is Verdict.UNSAFE


def test_a_review_passes_only_where_the_policy_says_so() -> None:
    item = row(UNKNOWN, verdict=Verdict.REVIEW)
    assert outcome(item)[0] is Verdict.REVIEW
    assert outcome(item, review_passes=True)[0] is Verdict.SAFE
    assert outcome(item, waiver("unknown"))[:2] == (Verdict.SAFE, 1)
    assert outcome(row(UNKNOWN, GLOBAL), review_passes=True)[0] is Verdict.UNSAFE


def test_the_lines_to_add_name_every_rule_and_the_digest() -> None:
    gap = row(UNKNOWN, OTHER, OTHER, status=Status.ERROR, verdict=Verdict.UNSCANNED)
    assert [line.split(",")[0] for line in lines(gap)] == ["- {rule: other", "- {rule: unknown", "- {rule: unscanned"]
    assert all(DIGEST.hex in line for line in lines(gap))


def test_nobody_is_invited_to_wave_through_what_is_unsafe() -> None:
    assert lines(row(GLOBAL)) == []


def test_the_ledger_keeps_who_answers() -> None:
    applied = apply(Ledger((row(GLOBAL),)), ScanPolicy(waivers=(waiver(),)), TODAY)
    (entry,) = applied.ledger.to_json()["files"]
    assert entry["verdict"] == "safe"
    assert entry["findings"], "the finding stays visible"
    assert entry["waived"] == [{"rule": "global", "reason": "we trained it", "owner": "team", "expires": "2026-11-23"}]
