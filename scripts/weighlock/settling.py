"""One verdict from the results of many jobs: what is missing, skipped or failed is a no. Pure.

Any job of a run can write files in the name of another, so a yes rests on what only GitHub says: the results of the
jobs that this one needs, and their outputs. The files say which models are held, and why; they cannot turn a no around.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from weighlock import jsonio
from weighlock.checking import Checked, Result
from weighlock.errors import MalformedError
from weighlock.jsonio import Json
from weighlock.planning import Plan
from weighlock.text import counted, printable

PLAN, CHECK = "plan", "check"
"""The jobs that a gate needs; another one may be there, and has to succeed as well."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The verdict: what is wrong with the run itself, and the models."""

    faults: tuple[str, ...]
    """Printable sentences; any of them is a no."""
    models: tuple[Checked, ...]

    @property
    def passed(self) -> bool:
        """Tell whether every model of the plan was checked and passed."""
        return not self.faults and all(model.passed for model in self.models)


def settle(needs: str, plan: Plan | None, results: Sequence[Result]) -> Settled:
    """Return the verdict. `needs` is GitHub's context of that name as JSON; `plan` was read from a file, like `results`."""
    models = sorted((model for result in results for model in result.models), key=lambda item: (item.passed, item.path))
    try:
        jobs = jsonio.parse(needs, "needs")
        faults = [*_jobs(jobs), *_plan(jobs, plan, results)]
    except MalformedError as error:
        faults = [str(error)]
    held = any(not model.passed for model in models)
    if held:  # the job that failed is the one that holds a model
        faults = [fault for fault in faults if fault != _ended(CHECK, "failure")]
    return Settled(tuple(faults), tuple(models))


def _jobs(jobs: Json) -> Iterator[str]:
    """Say which job did not end as it must; what may be skipped is named here, and nothing else."""
    for name in (PLAN, CHECK):
        if name not in jobs:
            yield f"the gate does not need the job {name}"
    for name, job in jobs.items():
        result = jsonio.field(job, "result", str, "needs") if isinstance(job, dict) else "unknown"
        if result == "skipped" and name == CHECK and _output(jobs, "shards") == "[]":
            continue
        if result != "success":
            yield _ended(printable(name), printable(result))


def _ended(job: str, result: str) -> str:
    return f"the job {job} ended as {result}"


def _plan(jobs: Json, plan: Plan | None, results: Sequence[Result]) -> Iterator[str]:
    if plan is None:
        yield "the plan is not here"
    elif plan.digest != _output(jobs, "digest"):
        yield "the plan is not the one that the job plan made"
    elif _output(jobs, "shards") != f"[{','.join(str(number) for number in range(len(plan.shards)))}]":
        yield "the jobs that were started are not those of the plan"
    else:
        yield from _parts(plan, results)


def _parts(plan: Plan, results: Sequence[Result]) -> Iterator[str]:
    """Say which part of the plan did not report, or reports something else than that part."""
    told: dict[int, Result] = {}
    for result in results:
        if result.shard in told:
            yield f"part {result.shard} reports twice"
        told[result.shard] = result
        if result.plan != plan.digest:
            yield f"part {result.shard} is of another plan"
    missing = [number for number in range(len(plan.shards)) if number not in told]
    if missing:
        names = ", ".join(map(str, missing[:10]))
        yield f"{counted(len(missing), 'part')} of the plan did not report: {names}{', …' if missing[10:] else ''}"
    for number, result in sorted(told.items()):
        planned = [plan.models[place].path for place in plan.shards[number]] if 0 <= number < len(plan.shards) else []
        if [model.path for model in result.models] != planned:
            yield f"part {number} does not report the models that it was to check"


def _output(jobs: Mapping[str, Json], name: str) -> str:
    job = jobs.get(PLAN)
    outputs = job.get("outputs") if isinstance(job, dict) else None
    return str(outputs.get(name, "")) if isinstance(outputs, dict) else ""
