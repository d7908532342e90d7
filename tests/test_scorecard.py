"""The scorecard counts what engines said, and puts no answer into two columns."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import judges
import scorecard_page
from scorecard_page import Answer


@dataclass(frozen=True)
class Subject:
    family: str
    kind: str


@dataclass(frozen=True)
class Judged:
    answers: Sequence[Answer]
    seconds: float = 1.0


SUBJECTS = [Subject("a", "harmful"), Subject("a", "harmful"), Subject("b", "harmful"), Subject("c", "held")]
SUBJECTS += [Subject("d", "honest"), Subject("d", "honest")]
ONE: list[Answer] = [("stopped", 1, ""), ("clean", 0, ""), ("unclear", 0, ""), *[("clean", 0, "")] * 3]
TWO: list[Answer] = [*[("clean", None, "")] * 3, ("unclear", None, ""), *[("stopped", None, "")] * 2]
RESULTS = {"one": Judged(ONE), "two": Judged(TWO)}


def test_a_row_tells_stopped_from_passed_and_from_exit_code_0() -> None:
    one, two = scorecard_page.summary(RESULTS, SUBJECTS)
    assert one == "| one | 1 (33.3 %) | 1 (33.3 %) | 2 | 1 | 0 (0.0 %) | 0 | 1 |"
    assert two == "| two | 0 (0.0 %) | 3 (100.0 %) | – | 0 | 2 (100.0 %) | 2 | 1 |"


def test_the_page_counts_each_family_once() -> None:
    page = scorecard_page.page(RESULTS, SUBJECTS, {"one": "one==1"})
    assert "3 harmful files, 1 that harm" in page
    assert "| a | 2 | 1 | 0 |" in page
    assert "`one==1`" in page


def test_a_command_that_ends_without_a_code_ended_well() -> None:
    assert judges.command(sys.exit, "x") == (0, "")
    assert judges.command(lambda: sys.exit("no"), "x")[0] == 1


def test_a_report_is_read_from_the_file_that_the_command_names() -> None:
    assert judges.report(lambda: Path(sys.argv[-1]).write_text('{"a": 1}') and None, "x") == (0, {"a": 1})
