"""``weighlock gate``: one verdict from the results of all jobs, for one required check.

It never passes by default: a job that was skipped, cancelled or forgotten, a part of the plan that did not report and a
result for other models are each a no. The files are only read; what they say is shown escaped.
"""

from __future__ import annotations

import gzip
import json
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from weighlock import checking, differences, planning, sarif
from weighlock.checking import Checked, Result
from weighlock.config.effects import Change, Effect
from weighlock.errors import MalformedError
from weighlock.inputs import option, output
from weighlock.jsonio import Json
from weighlock.planning import Plan
from weighlock.settling import Settled, settle
from weighlock.stages import Context, Fold, Line, Page, Problem, Section
from weighlock.stages.plan import told
from weighlock.text import counted, printable, size

PLAN_FILE = "plan.json"
RESULT = "check-"
"""How a job's result is called, with its number behind; other files (ledgers) are for people."""
FILE_LIMIT = 200_000_000  # bytes of one result
RUNS = 20  # in a SARIF file, by code scanning's limits
RESULTS = 25_000
COMPRESSED = 10_000_000  # bytes
HELD = 10  # files of one model in the summary
CHANGES = 50  # of the policy
_BROKEN = (KeyError, TypeError, ValueError, AttributeError)
"""What differences raise that no job of ours wrote."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the jobs say, and where their files are."""

    results: Path = option("folder with the plan and the results of all jobs", positional=True, metavar="DIR")
    needs: str = option("GitHub's context `needs`, as JSON", metavar="JSON")
    sarif: Path | None = option("write all findings to this file (SARIF 2.1.0)", default=None, metavar="FILE")


@dataclass(frozen=True, slots=True)
class Outputs:
    """The verdict and what it rests on."""

    settled: Settled
    plan: Plan | None
    verdict: str = output("pass or fail")
    models: int = output("number of models that were checked")
    held: int = output("number of models that do not pass")
    sarif: Path | None = output("the SARIF file, where one was asked for")

    @property
    def passed(self) -> bool:
        """Tell whether every model that the change touches passes."""
        return self.settled.passed

    def data(self) -> Json:
        """Return the verdict, what is wrong with the run, and the models."""
        models = [{"path": model.path, "passed": model.passed} for model in self.settled.models]
        return {"verdict": self.verdict, "faults": list(self.settled.faults), "models": models}

    def text(self) -> str:
        """Return the verdict, and for each model what holds it and what changed."""
        lines = [self._verdict(), *self.settled.faults]
        if self.plan and self.plan.changes:
            lines += ["", "the policy says otherwise than before:", *told(self.plan)]
        for model in self.settled.models:
            lines += ["", f"{'pass' if model.passed else 'fail'}  {printable(model.path)}"]
            for item in model.held:
                lines += [f"      - {printable(item.path)}: {item.message}", f"        {item.remedy}"]
            lines += [f"      {line}" for line in _changed(model)]
        return "\n".join(lines) + "\n"

    def problems(self) -> list[Problem]:
        """Return what is wrong with the run, then what holds a model, worst first."""
        held = checking.worst([item for model in self.settled.models for item in model.held])
        rooted = [Problem(item.path, f"{item.message} {item.remedy}".strip(), item.line, rooted=True) for item in held]
        return [Problem("", fault) for fault in self.settled.faults] + rooted

    def page(self) -> Page:
        """Return the summary of the whole run."""
        lines = [Line("run the jobs again:", fault) for fault in self.settled.faults]
        plan = self.plan
        if plan and plan.policy:
            lines.append(Line("The policy changed, so every model was checked against it. Read its diff with care."))
        lines += _named("gone:", plan.removed if plan else ())
        lines += _named("not in this repository, so not checked here:", plan.absent if plan else ())
        words = "DVC keeps it, and the policy lists no model there, so not checked:"
        lines += _named(words, plan.unknown if plan else ())
        sections = [_section(model, plan) for model in self.settled.models]
        if plan and plan.changes:
            sections.insert(0, _policy(plan.changes))
        return Page(self._verdict(), tuple(lines), tuple(sections))

    def _verdict(self) -> str:
        if self.settled.faults:
            return "❌ Model gate: not everything was checked"
        if self.held:
            return f"❌ Model gate: {self.held} of {counted(self.models, 'model')} must not be merged"
        checked = f"{counted(self.models, 'model')} checked" if self.models else "no model is touched"
        return f"✅ Model gate: {checked}"


def run(inputs: Inputs, _context: Context) -> Outputs:
    """Read the plan and all results below the folder, settle them, and write the findings of all."""
    plan, results, broken = _read(inputs.results)
    settled = settle(inputs.needs, plan, results)
    if broken:
        settled = Settled((*broken, *settled.faults), settled.models)
    if inputs.sarif:
        inputs.sarif.write_text(json.dumps(_merged(settled.models)) + "\n", "utf-8")
    held = sum(not model.passed for model in settled.models)
    verdict = "pass" if settled.passed else "fail"
    return Outputs(settled, plan, verdict, len(settled.models), held, inputs.sarif)


def _read(folder: Path) -> tuple[Plan | None, list[Result], list[str]]:
    plan: Plan | None = None
    results: list[Result] = []
    broken: list[str] = []
    for file in sorted(folder.rglob("*.json")) if folder.is_dir() else ():
        if not file.is_file() or file.is_symlink() or not file.name.startswith((PLAN_FILE, RESULT)):
            continue
        try:
            raw = _bytes(file)
            if file.name == PLAN_FILE:
                plan = planning.read(raw, file.name)
            else:
                results.append(checking.read(raw, printable(file.name)))
        except MalformedError as error:
            broken.append(error.what)
    return plan, results, broken


def _bytes(file: Path) -> bytes:
    with file.open("rb") as stream:
        raw = stream.read(FILE_LIMIT + 1)
    if len(raw) > FILE_LIMIT:
        raise MalformedError(f"{printable(file.name)} is larger than {FILE_LIMIT} bytes")
    return raw


def _merged(models: Sequence[Checked]) -> Json:
    """Return one log within code scanning's limits, with a category for each model; the models that are held come first."""
    runs = [model.run for model in models][:RUNS]
    each = RESULTS // max(1, len(runs))
    while True:
        log = sarif.logged([{**run, "results": list(run.get("results") or ())[:each]} for run in runs])
        if each <= 1 or len(gzip.compress(json.dumps(log).encode())) <= COMPRESSED:
            return log
        each //= 2


def _named(words: str, paths: Sequence[str]) -> list[Line]:
    more = [Line(f"{words} and {len(paths) - HELD} more")] if len(paths) > HELD else []
    return [Line(words, printable(path)) for path in paths[:HELD]] + more


def _policy(changes: Sequence[Change]) -> Section:
    """Return what the policy says otherwise; it stands first, since nobody is asked about a model that it lets pass."""
    lines = [
        Line(f"{change.effect.name.lower()}:", printable(change.what, 400), printable(change.detail, 400))
        for change in changes[:CHANGES]
    ]
    if len(changes) > CHANGES:
        counts = Counter(change.effect.name.lower() for change in changes)
        lines.insert(0, Line("of " + ", ".join(f"{count} {name}" for name, count in counts.items()) + ":"))
        lines.append(Line(f"and {len(changes) - CHANGES} more; the log names them"))
    mark = "⚠️" if changes[0].effect is Effect.LOOSER else "📜"
    return Section(f"{mark} the policy", "", tuple(lines))


def _section(model: Checked, plan: Plan | None) -> Section:
    lines = [Line("", item.path, item.message, item.remedy) for item in model.held[:HELD]]
    if len(model.held) > HELD:
        lines.append(Line(f"and {len(model.held) - HELD} more; the log names them"))
    lines += [Line("", note) for note in model.notes]
    if model.waived:
        lines.append(Line(f"{counted(model.waived, 'finding')} that the policy answers for"))
    lines += [Line(words, value) for words, value in _told(model)]
    folds = [Fold("the difference in", name, text=diff) for name, diff in _diffs(model)]
    base = f" --base {plan.base}" if plan and plan.base else ""
    command = (
        f"weighlock scan {shlex.quote(printable(model.path))}\nweighlock check{base}  # all that this change touches"
    )
    return Section(
        "✅" if model.passed else "❌",
        model.path,
        tuple(lines),
        (*folds, Fold("The same on your machine", text=command)),
    )


def _told(model: Checked) -> Iterator[tuple[str, str]]:
    """Yield what changed as our words and the model's."""
    for line in _changed(model):
        words, colon, value = line.partition(": ")
        yield (words + ":", value) if colon else (line, "")
    if model.files:
        yield f"{counted(model.files, 'file')}, {size(model.size)}", ""


def _changed(model: Checked) -> list[str]:
    if model.changes is None:
        return []
    try:
        return differences.lines(model.changes)
    except _BROKEN:
        return ["the differences cannot be read"]


def _diffs(model: Checked) -> list[tuple[str, str]]:
    try:
        return differences.diffs(model.changes or {})
    except _BROKEN:
        return []
