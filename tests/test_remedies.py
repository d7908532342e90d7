"""What to do: every rule has words of its own family, and the worst finding decides."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from weighlock import remedies
from weighlock.ledger import Row
from weighlock.oci import Digest
from weighlock.scanners import Finding, Report, Severity, Status, Verdict

SOURCES = Path(__file__).parents[1] / "scripts" / "weighlock" / "scanners"
FOUND = {
    rule
    for path in SOURCES.rglob("*.py")
    for rule in re.findall(
        r"(?:find\(|RULE = |MODULE = |FILE = |LAMBDA = )\s*\"([a-z]+(?:\.[a-z-]+)?)\"", path.read_text()
    )
}


def row(*findings: Finding, format: str = "pickle") -> Row:  # noqa: A002 - the ledger's word
    report = Report("strict", "1", Status.COMPLETE, findings)
    return Row("m", 1, Digest.of(b""), format, Verdict.UNSAFE, (report,))


def test_the_rules_are_found() -> None:
    assert {"native", "r.code", "xml.entity", "json.remote-code"} <= FOUND


@pytest.mark.parametrize("rule", sorted(FOUND - {"global", "tflite.operator"}))
def test_a_rule_has_more_to_say_than_do_not_load_it(rule: str) -> None:
    assert remedies.of(row(Finding(rule, Severity.HIGH, "x"))) != remedies.of(row(Finding("?", Severity.HIGH, "x")))


def test_the_worst_finding_decides() -> None:
    secret = Finding("text.private-key", Severity.HIGH, "x")
    name = Finding("name.mismatch", Severity.LOW, "x")
    assert remedies.of(row(name, secret)) == remedies.of(row(secret))


def test_what_waits_for_a_person_is_not_called_unsafe() -> None:
    assert "look at it" in remedies.of(row(Finding("pickle.global", Severity.REVIEW, "acme.Model")))


def test_a_gap_and_a_pointer_have_their_own_words() -> None:
    assert "Convert it" in remedies.of(row(format="unknown"))
    assert "Fetch" in remedies.of(row(format="lfs pointer"))
