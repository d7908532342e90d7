"""The scorecard as a page: what was stopped, what passed as clean, what honest work was blocked, by whom. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Protocol

HARMFUL, HELD, HONEST = "harmful", "held", "honest"
STOPPED, CLEAN = "stopped", "clean"

Answer = tuple[str, int | None, str]


class Subject(Protocol):
    """A judged model."""

    @property
    def family(self) -> str:
        """Return its family."""

    @property
    def kind(self) -> str:
        """Return whether it is harmful, held or honest."""


class Judged(Protocol):
    """One engine's answers, in the order of the subjects."""

    @property
    def answers(self) -> Sequence[Answer]:
        """Return outcome, exit code and words for each subject."""

    @property
    def seconds(self) -> float:
        """Return the seconds of processor time for all."""


HEAD = """# Scorecard

Made by `make scorecard` on {date}: {harmful} harmful files, {held} that harm nobody as they stand but hide or lie, and {honest} honest models.

| engine | harmful: stopped | harmful: passed as clean | harmful: exit code 0 | hides or lies: passed as clean | honest: called unsafe | honest: not passed as clean | CPU seconds |
|---|---:|---:|---:|---:|---:|---:|---:|
"""

NOTES = """
*Stopped*: the engine says that the file is unsafe. *Passed as clean*: it says that it looked and that there is nothing;
a gate on its word lets the file through. Between the two it says that it could not tell (skipped, failed, incomplete,
or left to a person): a gate that fails closed stops these too, whether they are hostile or honest, so the last but one
column is what such a gate costs. *Exit code 0* is what a script sees that looks at nothing else; a library has none.

How each engine was asked:

- weighlock: one `weighlock scan` of all files, with no policy. Unsafe is stopped; review and unscanned are "could not tell".
- modelscan: its command line. An issue is stopped; exit codes 2 (error) and 3 (nothing scanned) are "could not tell".
- picklescan: its command line. Exit code 1 is stopped; 2, a reported error, or no scanned file is "could not tell".
- fickling: its library, stream by stream, the members of zips apart. Above LIKELY_SAFE is stopped; an error is "could not tell".
- modelaudit: its command line, telemetry off. Exit code 1 (a warning or worse) is stopped; 2 is "could not tell".
- hayward: its command line. A finding of high severity or worse is stopped; a coverage gap is "could not tell".

Nobody has a network. A competitor judges each file alone, in a process forked from one that has imported the engine, so
that it does not pay for its start, with 60 seconds and 4 GiB; weighlock reads all files in one run, with its own limits. CPU seconds are for all files on the machine that made the table; they compare engines, and nothing else. A
folder is judged where a model is one. Most competitors know few of the formats here and do not claim the others: read
the families.

This corpus was written by the authors of weighlock, who could look at what it missed. The generators are in
`tests/corpus/hostile`, the honest files in `tests/corpus/honest` with the scripts that made them; each hostile pickle is
shown to reach its payload by an unpickler that calls nothing. A case that weighlock gets wrong is welcome.
"""


def page(results: Mapping[str, Judged], subjects: Sequence[Subject], pins: Mapping[str, str]) -> str:
    """Return the page as Markdown."""
    counts = {kind: sum(subject.kind == kind for subject in subjects) for kind in (HARMFUL, HELD, HONEST)}
    date = dt.datetime.now(dt.timezone.utc).date().isoformat()
    versions = ", ".join(f"`{pin}`" for pin in pins.values())
    return (
        HEAD.format(date=date, **counts)
        + "\n".join(summary(results, subjects))
        + f"\n\nCompetitors: {versions}.\n"
        + NOTES
        + "\n## Harmful files stopped, by family\n\n"
        + _families(results, subjects, HARMFUL, STOPPED)
        + "\n## Harmful files passed as clean, by family\n\n"
        + _families(results, subjects, HARMFUL, CLEAN)
        + "\n## Honest models passed as clean, by family\n\n"
        + _families(results, subjects, HONEST, CLEAN)
    )


def summary(results: Mapping[str, Judged], subjects: Sequence[Subject]) -> list[str]:
    """Return a row of the first table for each engine."""
    rows = []
    for engine, judged in results.items():
        by_kind = {
            kind: [answer for answer, subject in zip(judged.answers, subjects, strict=True) if subject.kind == kind]
            for kind in (HARMFUL, HELD, HONEST)
        }
        harmful, honest = by_kind[HARMFUL], by_kind[HONEST]
        exits = [code for _, code, _ in harmful if code is not None]
        cells = [
            engine,
            _share(harmful, STOPPED),
            _share(harmful, CLEAN),
            str(exits.count(0)) if exits else "–",
            str(_count(by_kind[HELD], CLEAN)),
            _share(honest, STOPPED),
            str(len(honest) - _count(honest, CLEAN)),
            f"{judged.seconds:.0f}",
        ]
        rows.append("| " + " | ".join(cells) + " |")
    return rows


def _count(answers: Sequence[Answer], outcome: str) -> int:
    return sum(answer[0] == outcome for answer in answers)


def _share(answers: Sequence[Answer], outcome: str) -> str:
    count = _count(answers, outcome)
    return f"{count} ({100 * count / len(answers):.1f} %)" if answers else "0"


def _families(results: Mapping[str, Judged], subjects: Sequence[Subject], kind: str, outcome: str) -> str:
    """Return a table of counts: families down, engines across."""
    lines = ["| family | files | " + " | ".join(results) + " |", "|---|" + "---:|" * (len(results) + 1)]
    for family in dict.fromkeys(subject.family for subject in subjects if subject.kind == kind):
        chosen = [index for index, subject in enumerate(subjects) if (subject.kind, subject.family) == (kind, family)]
        counts = [_count([judged.answers[index] for index in chosen], outcome) for judged in results.values()]
        lines.append(f"| {family} | {len(chosen)} | " + " | ".join(map(str, counts)) + " |")
    return "\n".join(lines) + "\n"
