"""``weighlock plan``: say which models a change touches, and share them out among jobs by their bytes.

Run it in the top folder of a git repository. What is not committed is not seen.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from weighlock import planning
from weighlock.config import NAME
from weighlock.errors import InputError
from weighlock.git import Repository
from weighlock.inputs import option, output
from weighlock.jsonio import Json
from weighlock.planning import Plan
from weighlock.stages import Context, Problem
from weighlock.text import counted, printable, size

SHARD_SIZE = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeInputs:
    """Which change is meant, for the stages that look at one."""

    base: str = option("commit to compare with (default: none, so that all models count as changed)", default="")
    head: str = option("commit to look at, the one that is checked out", default="HEAD")
    config: str = option("path of the policy in the repository", default=NAME, metavar="PATH")
    shard_size: int = option("megabytes that one job should check", default=SHARD_SIZE, metavar="MB")

    def plan(self, say: Callable[[str], None]) -> tuple[Repository, Plan]:
        """Return the repository in the current folder, and what the change touches."""
        if self.shard_size < 1:
            raise InputError("shard-size: give at least one megabyte")
        repository = Repository.at(Path())
        commits = planning.between(repository, self.base, self.head)
        plan = planning.made(repository, commits, self.config, self.shard_size * 1_000_000)
        say(f"comparing {plan.head[:12]} with {plan.base[:12] if plan.base else 'nothing'}")
        return repository, plan


def told(plan: Plan) -> list[str]:
    """Return what the policy says otherwise, a line each, what lets more pass first."""
    return [
        f"  {change.effect.name.lower()}: {printable(change.what, 400)}  {printable(change.detail, 400)}".rstrip()
        for change in plan.changes
    ]


@dataclass(frozen=True, slots=True)
class Inputs(ChangeInputs):
    """Which change to look at, and where to write the plan."""

    report: Path | None = option("write the plan to this file (JSON)", default=None, metavar="FILE")


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the change touches."""

    plan: Plan
    shards: str = output("numbers of the jobs to start, as a JSON list: a matrix; [] where no model is touched")
    models: int = output("number of models that the change touches")
    digest: str = output("digest of the plan; every job that makes the same plan finds the same")

    @property
    def passed(self) -> bool:
        """Tell that there is a plan."""
        return True

    def data(self) -> Json:
        """Return the plan (``schemas/plan.json``)."""
        return self.plan.to_json()

    def text(self) -> str:
        """Return the models that have to be checked, each with the changed files that say so."""
        plan = self.plan
        total = size(sum(model.size for model in plan.models))
        jobs = counted(len(plan.shards), "job")
        lines = [
            f"{counted(len(plan.models), 'model')} to check, {total}, {jobs}" if plan.models else "nothing to check"
        ]
        lines += ["the policy changed, so all models are checked"] if plan.policy else []
        lines += told(plan)
        for model in plan.models:
            lines += [f"\n{printable(model.path)} ({size(model.size)})"]
            lines += [f"  {printable(path)}" for path in model.why]
        lines += [f"\n{printable(path)} is gone" for path in plan.removed]
        lines += [f"\n{printable(path)} is not in this repository, so it is not checked here" for path in plan.absent]
        words = "is kept by DVC and no model is listed there, so it is not checked"
        lines += [f"\n{printable(path)} {words}" for path in plan.unknown]
        return "\n".join(lines) + "\n"

    def page(self) -> None:
        """Leave the summary to `gate`."""

    def problems(self) -> list[Problem]:
        """Return none: a plan judges nothing."""
        return []


def run(inputs: Inputs, context: Context) -> Outputs:
    """Make the plan, and write it where that was asked for."""
    _, plan = inputs.plan(context.say)
    if inputs.report:
        inputs.report.parent.mkdir(parents=True, exist_ok=True)
        inputs.report.write_text(json.dumps(plan.to_json(), indent=2) + "\n", "utf-8")
    shards = json.dumps(list(range(len(plan.shards))), separators=(",", ":"))
    return Outputs(plan, shards, len(plan.models), plan.digest)
