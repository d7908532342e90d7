"""``weighlock check``: scan and audit the models that a change touches, and say how each differs from before.

One of several jobs takes a share of the models (``--shard``); on a laptop, one run takes them all. The result goes into
a file that `gate` reads; a model that cannot even be scanned is a result, too.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from weighlock import changes, checking, dvc, facts, finding, git, holding, sarif
from weighlock.auditing import Service
from weighlock.auditing.audit import Tools
from weighlock.checking import Checked, Held, Result
from weighlock.config import NAME, ScanPolicy
from weighlock.dvc import content
from weighlock.errors import InputError, WeighlockError
from weighlock.git import Repository
from weighlock.inputs import option, output
from weighlock.jsonio import Json
from weighlock.planning import Plan, Touched
from weighlock.scanners import Verdict
from weighlock.stages import Context, Problem, audit, compare
from weighlock.stages.compare import Earlier
from weighlock.stages.plan import ChangeInputs
from weighlock.stages.scan import scan_model
from weighlock.text import counted, printable
from weighlock.touching import Tree

ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs(ChangeInputs):
    """Which change, which part of the plan, and where to write the result."""

    shard: str = option("number of the part of the plan to check (default: all of it)", default=ALL, metavar="NUMBER")
    plan_digest: str = option("digest of the plan that the parts are numbered in", default="", metavar="HEX")
    report: Path | None = option("write the result to this file (JSON)", default=None, metavar="FILE")
    ledgers: Path | None = option("write each model's ledger into this folder", default=None, metavar="DIR")
    lfs: bool = option("fetch what Git LFS keeps of the models that are checked", default=False)
    dvc_cache: Path | None = option(
        "folder that `dvc fetch` filled (.dvc/cache), from which what DVC keeps of the models is taken",
        default=None,
        metavar="DIR",
    )
    service: Service = option("vulnerability service: pypi or osv", default=Service.PYPI)
    service_url: str = option("URL of the vulnerability service, for a mirror", default="", metavar="URL")


@dataclass(frozen=True, slots=True)
class Outputs:
    """What was found out about each model."""

    result: Result
    verdict: str = output("pass or fail")
    models: int = output("number of models that were checked")
    report: Path | None = output("the result's file, where one was asked for")

    @property
    def passed(self) -> bool:
        """Tell whether nothing holds any model."""
        return all(model.passed for model in self.result.models)

    def data(self) -> Json:
        """Return the result (``schemas/check.json``)."""
        return self.result.to_json()

    def text(self) -> str:
        """Return what holds each model, why, and what to do about it."""
        lines = [f"{self.verdict}: {counted(self.models, 'model')} checked"]
        for model in self.result.models:
            lines += ["", f"{'pass' if model.passed else 'fail'}  {printable(model.path)}"]
            lines += [f"      {printable(note)}" for note in model.notes]
            for item in model.held:
                lines += [f"      - {printable(item.path)}: {item.message}", f"        {item.remedy}"]
        return "\n".join(lines) + "\n"

    def page(self) -> None:
        """Leave the summary to `gate`."""

    def problems(self) -> list[Problem]:
        """Return what holds the models, worst first."""
        held = checking.worst([item for model in self.result.models for item in model.held])
        return [Problem(item.path, f"{item.message} {item.remedy}".strip(), item.line) for item in held]


def run(inputs: Inputs, context: Context, *, using: Tools | None = None) -> Outputs:
    """Check the models of the part of the plan that is asked for, and write the result."""
    repository, plan = inputs.plan(context.say)
    if plan.head != repository.commit("HEAD"):
        raise InputError("head: only what is checked out can be checked", remedy="Check that commit out first.")
    if inputs.plan_digest and inputs.plan_digest != plan.digest:
        raise InputError(
            "this job makes another plan than the one that it is to do a part of",
            remedy="Run all jobs again: the commits, or Weighlock, changed between them.",
        )
    number, chosen = _part(plan, inputs.shard)
    rules = compare.policy_here(inputs.config, context.say)  # before anything comes from elsewhere
    if inputs.lfs:
        _fetch(repository, chosen, context)
    kept = _kept(repository, chosen, inputs)
    with tempfile.TemporaryDirectory(prefix="weighlock-") as scratch:
        work = _Work(inputs, context, repository, plan.base, rules, Path(scratch), kept, using)
        models = tuple(work.check(model, position) for position, model in enumerate(chosen))
    result = Result(plan.digest, number, models)
    if inputs.report:
        inputs.report.parent.mkdir(parents=True, exist_ok=True)
        inputs.report.write_text(json.dumps(result.to_json()) + "\n", "utf-8")
    verdict = "pass" if all(model.passed for model in models) else "fail"
    return Outputs(result, verdict, len(models), inputs.report)


def _part(plan: Plan, shard: str) -> tuple[int, list[Touched]]:
    if shard == ALL:
        return 0, list(plan.models)
    if not shard.isascii() or not shard.isdecimal() or len(shard) > 3 or int(shard) >= len(plan.shards):
        raise InputError(f"shard: the plan has no part '{printable(shard)}', only {len(plan.shards)}")
    return int(shard), [plan.models[position] for position in plan.shards[int(shard)]]


def _fetch(repository: Repository, chosen: list[Touched], context: Context) -> None:
    """Bring the content of the models' LFS files; where that fails, they stay pointers, which the scan holds."""
    touched = {model.path for model in chosen}
    with repository.reading() as reader:
        paths = [
            path
            for path, blob in repository.files("HEAD").items()
            if finding.owners(path, touched) and reader.pointer(blob)
        ]
    if paths and not git.pull_lfs(repository.top, paths, context.environ):
        context.say("Git LFS could not bring the content of the models' files; is git-lfs installed?")


def _kept(repository: Repository, chosen: list[Touched], inputs: Inputs) -> list[dvc.Out]:
    """Return what DVC keeps of the models, after bringing what the cache has of it; never a policy."""
    with repository.reading() as reader:
        outs = Tree(repository.files("HEAD"), reader).outs()
    kept = [out for out in outs if any(_of(out, model.path) for model in chosen)]
    if inputs.dvc_cache:
        wanted = [out for out in kept if not finding.inside(inputs.config, out.path)]
        content.bring(repository.top, wanted, inputs.dvc_cache)
    return kept


def _of(out: dvc.Out, model: str) -> bool:
    return finding.inside(out.path, model) or finding.inside(model, out.path)


@dataclass(frozen=True, slots=True)
class _Work:
    inputs: Inputs
    context: Context
    repository: Repository
    base: str | None
    rules: ScanPolicy
    scratch: Path
    kept: Sequence[dvc.Out]
    using: Tools | None

    def check(self, model: Touched, position: int) -> Checked:
        """Return what is to be said of a model; one that cannot be scanned is held, with the reason."""
        self.context.say(f"checking {printable(model.path)}")
        audited = [item for path in model.requirements for item in self._audit(path)]
        try:
            return self._scanned(model, position, audited)
        except WeighlockError as error:
            held = (Held(model.path, holding.sentence(error.what), error.remedy, verdict="error"), *audited)
            return Checked(model.path, 0, model.size, held, run=sarif.empty(checking.category(model.path)))

    def _scanned(self, model: Touched, position: int, audited: list[Held]) -> Checked:
        path, notes = Path(model.path), list[str]()
        if not path.resolve().is_relative_to(self.repository.top.resolve()):
            raise InputError("the model is a link out of the repository", remedy="Commit the files themselves.")
        wrong = [*self._wrong(model.path)]
        if not path.exists():
            if wrong:
                return Checked(
                    model.path, 0, model.size, (*wrong, *audited), run=sarif.empty(checking.category(model.path))
                )
            raise InputError("the model is not in the repository", remedy="Commit it, or what DVC names of it.")
        earlier = Earlier(self.repository, self.base or "", self.rules, self.scratch)
        found, ledger = scan_model(path, policy=self.rules, say=self._listening(notes), kept=earlier.cache)
        rows = {row.path: row for row in ledger.rows}
        if self.inputs.ledgers:
            self.inputs.ledgers.mkdir(parents=True, exist_ok=True)
            (self.inputs.ledgers / f"{position}.json").write_text(
                json.dumps(ledger.to_json(), indent=2) + "\n", "utf-8"
            )
        before = earlier.side(model.path, found, self.context.say) if self.base else None
        after = changes.side(ledger, facts.of(found, rows))
        folder = holding.folder(model.path)
        held = [holding.judged(row, folder) for row in ledger.rows if row.verdict is not Verdict.SAFE]
        return Checked(
            model.path,
            len(ledger.rows),
            after.size,
            tuple(checking.worst([*held, *wrong, *audited])),
            tuple(notes),
            sum(len(row.waived) for row in ledger.rows),
            changes.between(before, after) if self.base else None,
            sarif.run(ledger, checking.category(model.path), folder),
        )

    def _wrong(self, model: str) -> Iterator[Held]:
        """Yield what DVC keeps of a model and is not here, or is not what lies here."""
        for out in self.kept:
            if _of(out, model) and (words := content.wrong(self.repository.top, out)):
                yield holding.kept(out.path, words)

    def _listening(self, notes: list[str]) -> Callable[[str], None]:
        """Return what takes the scan's progress, and keeps what it says of waivers that ran out."""

        def say(words: str) -> None:
            if words.startswith(f"{NAME}, ") and "ran out" in words:
                notes.append(words)
            self.context.say(words)

        return say

    def _audit(self, path: str) -> Iterator[Held]:
        config = Path(self.inputs.config)
        policy = config if config.is_file() else None
        inputs = audit.Inputs(Path(path), policy, self.inputs.service, self.inputs.service_url)
        try:
            outputs = audit.run(inputs, self.context, using=self.using)
        except WeighlockError as error:
            yield Held(path, holding.sentence(error.what), error.remedy, verdict="error")
            return
        folder = holding.folder(path, file=True)
        for problem in outputs.problems():
            yield Held(folder + problem.path, problem.message, "", problem.line, outputs.verdict)
