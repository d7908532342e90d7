"""The gate says no to everything but one: each job succeeded, each part of the plan reported, no model is held."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from weighlock.checking import Checked, Held, Result
from weighlock.planning import Plan, Touched
from weighlock.settling import settle

MODELS = tuple(Touched(path, (), 10, (path,)) for path in ("a", "b", "c"))
PLAN = Plan(None, "f" * 40, False, MODELS, (), ((0, 2), (1,)))
EMPTY = replace(PLAN, models=(), shards=())


def needs(made: Plan = PLAN, /, **results: str) -> str:
    shards = json.dumps(list(range(len(made.shards))), separators=(",", ":"))
    jobs: dict[str, Any] = {"plan": {"result": "success", "outputs": {"shards": shards, "digest": made.digest}}}
    jobs["check"] = {"result": "success", "outputs": {}}
    for name, result in results.items():
        jobs.setdefault(name, {})["result"] = result
    return json.dumps(jobs)


def passed(*paths: str) -> tuple[Checked, ...]:
    return tuple(Checked(path, 1, 10) for path in paths)


RESULTS = [Result(PLAN.digest, 0, passed("a", "c")), Result(PLAN.digest, 1, passed("b"))]


def test_every_part_and_every_job_makes_a_yes() -> None:
    assert settle(needs(), PLAN, RESULTS).passed


def test_an_empty_plan_and_a_skipped_check_are_a_yes() -> None:
    assert settle(needs(EMPTY, check="skipped"), EMPTY, []).passed


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("", "not valid JSON"),
        ("{}", "does not need the job plan"),
        ("[]", "not a JSON object"),
        ('{"plan": 1, "check": 2}', "ended as unknown"),
        (needs(plan="failure"), "plan ended as failure"),
        (needs(plan="cancelled"), "plan ended as cancelled"),
        (needs(plan="skipped"), "plan ended as skipped"),
        (needs(check="skipped"), "check ended as skipped"),
        (needs(check="cancelled"), "check ended as cancelled"),
        (needs(check="failure"), "check ended as failure"),
        (needs(other="skipped"), "other ended as skipped"),
        (needs(EMPTY, check="skipped"), "not the one that the job plan made"),
        (json.dumps({"plan": {"result": "success"}}), "does not need the job check"),
    ],
)
def test_what_the_jobs_say_makes_a_no(said: str, fault: str) -> None:
    settled = settle(said, PLAN, RESULTS)
    assert not settled.passed
    assert any(fault in words for words in settled.faults)


@pytest.mark.parametrize(
    ("results", "fault"),
    [
        ([], "2 parts of the plan did not report: 0, 1"),
        (RESULTS[:1], "1 part of the plan did not report: 1"),
        ([*RESULTS, RESULTS[0]], "part 0 reports twice"),
        ([RESULTS[0], replace(RESULTS[1], plan="0" * 64)], "part 1 is of another plan"),
        ([RESULTS[0], replace(RESULTS[1], models=())], "part 1 does not report the models"),
        ([RESULTS[0], replace(RESULTS[1], models=passed("c"))], "part 1 does not report the models"),
        ([*RESULTS, Result(PLAN.digest, 7, passed("d"))], "part 7 does not report the models"),
        ([*RESULTS, Result(PLAN.digest, -1, passed("b"))], "part -1 does not report the models"),
    ],
)
def test_what_is_missing_or_forged_makes_a_no(results: list[Result], fault: str) -> None:
    settled = settle(needs(), PLAN, results)
    assert not settled.passed
    assert any(fault in words for words in settled.faults)


def test_a_plan_that_another_job_wrote_makes_a_no() -> None:
    assert not settle(needs(), replace(PLAN, models=MODELS[:1], shards=((0,),)), RESULTS[:1]).passed
    assert not settle(needs(), None, RESULTS).passed


def test_a_held_model_makes_a_no_even_where_its_job_succeeded() -> None:
    held = replace(RESULTS[1], models=(Checked("b", 1, 10, (Held("b/x.pkl", "unsafe"),)),))
    settled = settle(needs(), PLAN, [RESULTS[0], held])
    assert not settled.passed
    assert settled.faults == ()
    assert settled.models[0].path == "b"


def test_the_job_that_failed_for_a_held_model_is_no_fault_of_its_own() -> None:
    held = replace(RESULTS[1], models=(Checked("b", 1, 10, (Held("b/x.pkl", "unsafe"),)),))
    assert settle(needs(check="failure"), PLAN, [RESULTS[0], held]).faults == ()
    assert not settle(needs(check="failure"), PLAN, RESULTS).passed
