"""Which models a change touches, and how they are shared out among jobs: the plan that every job of the gate makes.

A plan depends on two commits and the policy only. So each job makes it again instead of being told, and compares its
digest with the first one's: what passes between jobs as a file could have been written by any other job of the run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from weighlock import git, jsonio, touching
from weighlock.config import Config, effects, parse, revision
from weighlock.config.effects import Change
from weighlock.errors import InputError
from weighlock.git import Repository
from weighlock.jsonio import Json
from weighlock.text import printable
from weighlock.touching import Tree

SHARDS = 256  # jobs that GitHub makes of a matrix
REASONS = 20  # changed files that a plan names of a model


@dataclass(frozen=True, slots=True)
class Touched:
    """A model that has to be checked, its size in bytes (of what LFS keeps, too), and the changed files that say so."""

    path: str
    requirements: tuple[str, ...]
    size: int
    why: tuple[str, ...]

    def to_json(self) -> Json:
        """Return the wire form."""
        return {"path": self.path, "requirements": list(self.requirements), "size": self.size, "why": list(self.why)}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a change touches. `base` is None where there is nothing to compare with: then everything counts as new."""

    base: str | None
    head: str
    policy: bool
    """Whether the policy itself changed, so that every model has to be checked against the new one."""
    models: tuple[Touched, ...]
    removed: tuple[str, ...]
    """Models that are gone."""
    shards: tuple[tuple[int, ...], ...] = field(default=())
    """Which models each job checks, as positions in `models`."""
    absent: tuple[str, ...] = ()
    """Models that the policy names and of which the commit holds nothing: a changed policy cannot be held against them."""
    unknown: tuple[str, ...] = ()
    """What DVC keeps and changed, and may be a model: its name does not say so, and the policy lists none there."""
    changes: tuple[Change, ...] = ()
    """What the policy says otherwise than before, what it loosens first."""

    def to_json(self) -> Json:
        """Return the wire form (``schemas/plan.json``)."""
        return {
            "base": self.base,
            "head": self.head,
            "policy": self.policy,
            "models": [model.to_json() for model in self.models],
            "removed": list(self.removed),
            "shards": [list(shard) for shard in self.shards],
            "absent": list(self.absent),
            "unknown": list(self.unknown),
            "changes": [change.to_json() for change in self.changes],
        }

    @property
    def digest(self) -> str:
        """Return the digest that two jobs with the same plan agree on."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()


def read(raw: bytes, what: str) -> Plan:
    """Read a plan back; `MalformedError` for anything else. Whether it is the one that was meant, its digest tells."""
    content = jsonio.parse(raw, what)
    return Plan(
        jsonio.optional(content, "base", str, what),
        jsonio.field(content, "head", str, what),
        jsonio.field(content, "policy", bool, what),
        tuple(
            Touched(
                jsonio.field(item, "path", str, what),
                tuple(map(str, jsonio.field(item, "requirements", list, what))),
                jsonio.field(item, "size", int, what),
                tuple(map(str, jsonio.field(item, "why", list, what))),
            )
            for item in jsonio.objects(content, "models", what)
        ),
        tuple(map(str, jsonio.field(content, "removed", list, what))),
        tuple(tuple(shard) for shard in jsonio.field(content, "shards", list, what)),
        tuple(map(str, jsonio.field(content, "absent", list, what))),
        tuple(map(str, jsonio.field(content, "unknown", list, what))),
        tuple(effects.read(item, what) for item in jsonio.objects(content, "changes", what)),
    )


def between(repository: Repository, base: str | None, head: str) -> tuple[str | None, str]:
    """Return the commits to compare: where `head` left `base`, and `head`.

    GitHub's forty zeros, which stand for a branch that was not there, are no base. `InputError` where one is not here.
    """
    after = repository.commit(head)
    if after is None:
        raise InputError(f"the commit '{printable(head)}' is not here")
    if not base or not base.strip("0"):
        return None, after
    before = repository.commit(base)
    if before is None:
        raise InputError(
            f"the commit '{printable(base)}' is not here, so that nobody can say what changed",
            remedy="Fetch the whole history: give actions/checkout `fetch-depth: 0`.",
        )
    return repository.merge_base(before, after) or before, after


def made(repository: Repository, commits: tuple[str | None, str], policy: str, shard_size: int) -> Plan:
    """Return the plan for the change between two commits.

    `policy` is the path of the policy file: the models that it names count, and those that are found beside them.
    `shard_size` are the bytes that one job should check. `InputError` where the policy is not valid.
    """
    base, head = commits
    with repository.reading() as reader:
        after = Tree(repository.files(head), reader)
        before = Tree(repository.files(base) if base else {}, reader)
        return _planned(commits, before, after, policy, shard_size)


def _planned(commits: tuple[str | None, str], before: Tree, after: Tree, policy: str, shard_size: int) -> Plan:
    changed = list(git.changed(before.files, after.files))
    whole = policy in changed
    now = _policy(after, policy)
    known = touching.known(after, now.models)
    if whole:
        known |= dict.fromkeys(touching.by_content(after, known), ())
    reasons = touching.reasons(changed, before, after, known)
    held = after.holding(reasons)
    touched = {
        model: tuple(why[:REASONS]) for model, why in sorted(reasons.items()) if why or (whole and model in held)
    }
    sizes = after.sizes(touched)
    models = tuple(Touched(model, known.get(model, ()), sizes[model], why) for model, why in touched.items())
    return Plan(
        *commits,
        whole,
        models,
        tuple(sorted(touching.gone(before, after, known))),
        shared(models, shard_size),
        tuple(sorted(known.keys() - held - touched.keys())) if whole else (),
        tuple(sorted(touching.unknown(changed, before, after, known))),
        revision.between(_before(before, policy), now, changed) if whole or now.verify else (),
    )


def _policy(tree: Tree, path: str) -> Config:
    """Return the policy of a commit; paths of its keys start from the repository's top."""
    return parse(tree.text(path), path, Path(path).parent) if path in tree.files else Config()


def _before(before: Tree, path: str) -> Config:
    """Return the policy that a change replaces; one that cannot be read let nothing pass, so that all of the new one is new."""
    try:
        return _policy(before, path)
    except InputError:
        return Config()


def shared(models: Sequence[Touched], shard_size: int) -> tuple[tuple[int, ...], ...]:
    """Return positions of models in as many shards as their bytes ask for, the largest first and each into the emptiest.

    A model is never parted: its files explain each other.
    """
    total = sum(model.size for model in models)
    count = min(len(models), SHARDS, max(1, -(-total // shard_size)))
    shards: list[list[int]] = [[] for _ in range(count)]
    filled = [0] * count
    for position in sorted(range(len(models)), key=lambda position: (-models[position].size, position)):
        emptiest = min(range(count), key=lambda shard: (filled[shard], len(shards[shard]), shard))
        shards[emptiest].append(position)
        filled[emptiest] += models[position].size
    return tuple(tuple(sorted(shard)) for shard in shards)
