"""The hostile corpus: each pickle in it would do its harm, and nothing in it passes as safe."""

from __future__ import annotations

import pytest

from corpus import measured
from corpus.hostile import Case, cases, truth
from weighlock.scanners import Verdict

CASES = cases()
HARMFUL = [case for case in CASES if not case.held]

Found = list[tuple[Case, Verdict]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    return list(zip(CASES, measured.verdicts(CASES, tmp_path_factory.mktemp("hostile")), strict=True))


def test_is_large() -> None:
    assert len(HARMFUL) >= 300


def test_names_are_unique() -> None:
    assert len({str(case) for case in CASES}) == len(CASES)


def test_each_pickle_reaches_what_it_claims() -> None:
    tame = [
        str(case)
        for case in CASES
        if case.reaches and not any(case.reaches in event for event in truth.events(case.build()))
    ]
    assert tame == []


def test_the_proof_sees_nothing_in_an_honest_pickle() -> None:
    assert truth.events(b"\x80\x02}U\x01aK\x01s.") == []


def test_nothing_is_safe(found: Found) -> None:
    assert [str(case) for case, verdict in found if verdict is Verdict.SAFE] == []


def test_nearly_all_is_unsafe(found: Found) -> None:
    missed = [str(case) for case, verdict in found if not case.held and verdict is not Verdict.UNSAFE]
    assert len(missed) <= 0.05 * len(HARMFUL), missed


def test_no_family_falls_below_its_floor(found: Found) -> None:
    reached = measured.shares(*zip(*found, strict=True))
    floors = measured.floors()
    assert set(reached) == set(floors)
    assert {family: share for family, share in reached.items() if share < floors[family]} == {}
