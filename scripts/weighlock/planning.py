"""Which models a change touches, and how they are shared out among jobs: the plan that every job of the gate makes.

A plan depends on two commits and the policy only. So each job makes it again instead of being told, and compares its
digest with the first one's: what passes between jobs as a file could have been written by any other job of the run.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from weighlock import finding, git, jsonio
from weighlock.config import document, parse
from weighlock.errors import InputError
from weighlock.git import Blob, Reader, Repository
from weighlock.jsonio import Json
from weighlock.text import printable

SHARDS = 256  # jobs that GitHub makes of a matrix
REASONS = 20  # changed files that a plan names of a model
_REQUIREMENTS = "requirements.txt"
_SNIFFED = 100_000_000  # bytes of a file whose content is looked at; GitHub takes no larger ones without LFS


@dataclass(frozen=True, slots=True)
class Listed:
    """A model of the repository: its path from the top, and its requirements files."""

    path: str
    requirements: tuple[str, ...] = ()


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

    def to_json(self) -> Json:
        """Return the wire form (``schemas/plan.json``)."""
        return {
            "base": self.base,
            "head": self.head,
            "policy": self.policy,
            "models": [model.to_json() for model in self.models],
            "removed": list(self.removed),
            "shards": [list(shard) for shard in self.shards],
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
    )


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of a commit, and what they point at."""

    files: Mapping[str, Blob]
    reader: Reader

    def size(self, path: str) -> int:
        """Return the size of a file in bytes, of the one that a pointer stands for."""
        blob = self.files[path]
        pointer = self.reader.pointer(blob)
        return pointer.size if pointer else blob.size

    def text(self, path: str) -> bytes:
        """Return a file's content, nothing where there is no such file."""
        blob = self.files.get(path)
        return self.reader.content(blob) if blob and blob.regular else b""


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
    known = _known(after.files, _listed(after, policy))
    reasons: dict[str, list[str]] = {path: [] for path in known}
    for path in changed:
        for model in _touched(path, before, after, known):
            reasons.setdefault(model, []).append(path)
    whole = policy in changed
    touched = {
        model: tuple(why[:REASONS])
        for model, why in sorted(reasons.items())
        if why
        or (whole and _holds(model, after.files))  # what git does not hold, a changed policy alone does not touch
    }
    sizes = _sizes(after, touched)
    models = tuple(Touched(model, known.get(model, ()), sizes[model], why) for model, why in touched.items())
    gone = {model for model in finding.models(before.files) if model not in known and not _holds(model, after.files)}
    return Plan(*commits, whole, models, tuple(sorted(gone)), shared(models, shard_size))


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


def _listed(after: Tree, policy: str) -> list[Listed]:
    """Return the models that the policy names."""
    models = parse(after.text(policy), policy).models if policy in after.files else ()
    return [Listed(model.path, (model.requirements,) if model.requirements else ()) for model in models]


def _known(files: Mapping[str, Blob], listed: Sequence[Listed]) -> dict[str, tuple[str, ...]]:
    """Return the models that are listed, and those that are found outside of them, each with its requirements."""
    known = {model.path: model.requirements for model in listed}
    outside = [path for path in files if not finding.owners(path, known)]
    for model in finding.models(outside):
        own = posixpath.join(model, _REQUIREMENTS) if model != finding.TOP else _REQUIREMENTS
        known[model] = (own,) if own in files else ()
    return known


def _touched(path: str, before: Tree, after: Tree, known: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Yield the models that a changed file belongs to, or that it describes."""
    owners = finding.owners(path, known)
    yield from owners
    if not owners and path in after.files and _is_model(path, after):
        yield path
    yield from (model for model, requirements in known.items() if path in requirements and model not in owners)
    for out in _outs(path, before, after):
        described = [model for model in known if finding.inside(out, model) or finding.inside(model, out)]
        yield from described or ([out] if finding.is_weights(out) else [])


def _is_model(path: str, after: Tree) -> bool:
    blob = after.files[path]
    if finding.is_weights(path):
        return True
    return blob.regular and (blob.size > _SNIFFED or finding.holds_model(path, after.reader.content(blob)))


def _outs(path: str, before: Tree, after: Tree) -> list[str]:
    """Return the files and folders whose content a changed file of DVC keeps, from the repository's top."""
    if not is_dvc(path):
        return []
    old, new = (dict(dvc_outs(path, tree.text(path))) for tree in (before, after))
    return [out for out, digest in new.items() if old.get(out) != digest]


def is_dvc(path: str) -> bool:
    """Tell whether a file of that name is DVC's and names what it keeps."""
    return path.endswith(".dvc") or posixpath.basename(path) == "dvc.lock"


def dvc_outs(path: str, content: bytes) -> Iterable[tuple[str, str]]:
    """Yield the outputs that a ``.dvc`` file or ``dvc.lock`` names, each with its md5; a broken file names none."""
    try:
        whole = document.plain(content, path) if content else {}
    except InputError:
        return
    stages = whole.get("stages") if posixpath.basename(path) == "dvc.lock" else {"": whole}
    for stage in stages.values() if isinstance(stages, dict) else ():
        outs = stage.get("outs") if isinstance(stage, dict) else None
        for out in outs if isinstance(outs, list) else ():
            if isinstance(out, dict) and isinstance(out.get("path"), str):
                folder = posixpath.join(posixpath.dirname(path), str(stage.get("wdir") or ""))
                place = posixpath.normpath(posixpath.join(folder, out["path"]))
                if not place.startswith(("/", "../")):
                    yield place, str(out.get("md5") or "")


def _holds(model: str, files: Iterable[str]) -> bool:
    return any(finding.inside(path, model) for path in files)


def _sizes(after: Tree, models: Collection[str]) -> Counter[str]:
    sizes = Counter(dict.fromkeys(models, 0))
    for path in after.files:
        for model in finding.owners(path, models):
            sizes[model] += after.size(path)
    return sizes
