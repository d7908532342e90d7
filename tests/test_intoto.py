"""Statements are strict: what other Python tools let pass is refused here."""

from __future__ import annotations

import json
from typing import Any

import pytest

from weighlock.errors import MalformedError
from weighlock.intoto import SUBJECT_LIMIT, Statement, Subject, subjects
from weighlock.oci import Digest

GOOD: dict[str, Any] = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": "m", "digest": {"sha256": "0" * 64}}],
    "predicateType": "https://example.org/p",
    "predicate": {"free": ["data"]},
}


def test_a_statement_survives_its_bytes() -> None:
    statement = Statement((Subject("m", Digest.of(b"x")),), "https://example.org/p", {"b": 1, "a": [True, None]})
    assert Statement.parse(statement.encode()) == statement
    assert statement.encode() == Statement.parse(statement.encode()).encode()
    assert statement.covers(Digest.of(b"x"))
    assert not statement.covers(Digest.of(b"y"))


@pytest.mark.parametrize(
    "change",
    [
        {"_type": "https://in-toto.io/Statement/v0.1"},
        {"extra": 1},
        {"subject": []},
        {"subject": "m"},
        {"subject": [{"name": "m", "digest": {"sha256": "0" * 64}, "size": 1}]},
        {"subject": [{"name": "m", "digest": {"sha256": "0" * 63}}]},
        {"subject": [{"name": "m", "digest": {"sha256": "A" * 64}}]},
        {"subject": [{"name": "m", "digest": {"gitCommit": "0" * 40}}]},
        {"subject": [{"digest": {"sha256": "0" * 64}}]},
        {"subject": GOOD["subject"] * (SUBJECT_LIMIT + 1)},
        {"predicateType": None},
        {"predicate": "text"},
    ],
)
def test_a_statement_outside_the_specification_is_refused(change: dict[str, Any]) -> None:
    Statement.parse(json.dumps(GOOD))  # type: ignore[arg-type]
    with pytest.raises(MalformedError):
        Statement.parse(json.dumps({**GOOD, **change}).encode())


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"\xff", b'{"a":1,"a":2}', b'{"a":NaN}', b"[" * 100_000])
def test_bytes_that_are_no_json_object_are_refused(raw: bytes) -> None:
    with pytest.raises(MalformedError):
        Statement.parse(raw)


def test_subjects_stop_at_the_limit_and_the_first_stays_first() -> None:
    digest = Digest.of(b"")
    found = subjects(("manifest", digest), files=[(str(number), digest) for number in range(2000)])
    assert len(found) == SUBJECT_LIMIT
    assert found[0].name == "manifest"
