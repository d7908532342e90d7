"""``weighlock compare``: say how a model differs from the one in another commit, in what matters to who loads it.

The other version comes from git's objects into a folder that only this process knows: nothing is checked out, so no
filter runs. A file that Git LFS keeps is compared by the digest in its pointer; its content is mostly not here.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from weighlock import changes, differences, facts, finding, planning
from weighlock.changes import Side
from weighlock.config import NAME, ScanPolicy
from weighlock.dvc import content
from weighlock.errors import InputError, WeighlockError
from weighlock.git import Pointer, Repository
from weighlock.inputs import option, output
from weighlock.jsonio import Json
from weighlock.model import Model, check_path
from weighlock.stages import Context, Problem
from weighlock.stages.scan import policy, scan_model
from weighlock.text import printable
from weighlock.touching import Tree

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Inputs:
    """Which model, and what to compare it with."""

    path: str = option("path of the model from the repository's top folder", positional=True, metavar="PATH")
    base: str = option("commit to compare with", metavar="COMMIT")
    config: str = option("path of the policy in the repository", default=NAME, metavar="PATH")
    report: Path | None = option("write the differences to this file (JSON)", default=None, metavar="FILE")


@dataclass(frozen=True, slots=True)
class Outputs:
    """What is different."""

    path: str
    changes: Json
    new: bool = output("whether the model is not in the other commit")

    @property
    def passed(self) -> bool:
        """Tell that there is an answer; a difference is no verdict."""
        return True

    def data(self) -> Json:
        """Return the differences (``changes`` in ``schemas/check.json``)."""
        return self.changes

    def text(self) -> str:
        """Return the differences in words."""
        lines = differences.lines(self.changes)
        return "\n".join([printable(self.path), *(f"  {line}" for line in lines)]) + "\n"

    def problems(self) -> list[Problem]:
        """Return none: a difference is no verdict."""
        return []


def run(inputs: Inputs, context: Context) -> Outputs:
    """Scan both versions and compare them."""
    repository = Repository.at(Path())
    base, _ = planning.between(repository, inputs.base, "HEAD")
    if base is None:
        raise InputError("base: give the commit to compare with")
    rules = policy_here(inputs.config, context.say)
    with tempfile.TemporaryDirectory(prefix="weighlock-") as scratch:
        earlier = Earlier(repository, base, rules, Path(scratch))
        model, ledger = scan_model(Path(inputs.path), policy=rules, say=context.say, kept=earlier.cache)
        before = earlier.side(inputs.path, model, context.say)
    after = changes.side(ledger, facts.of(model, {row.path: row for row in ledger.rows}))
    found = changes.between(before, after)
    if inputs.report:
        inputs.report.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    return Outputs(inputs.path, found, before is None)


def policy_here(config: str, say: Say) -> ScanPolicy:
    """Return the policy of the repository; it is under review like all that is in it, wherever the model lies."""
    file = Path(config)
    return policy(Path(), file, None, say) if file.is_file() else ScanPolicy()


@dataclass(frozen=True, slots=True)
class Earlier:
    """Models as they were in the commit `base`, read by today's rules; `scratch` is a folder that nobody else knows."""

    repository: Repository
    base: str
    rules: ScanPolicy
    scratch: Path

    @property
    def cache(self) -> Path:
        """Return where results are kept during this run, so that files that did not change are read once."""
        return self.scratch / "cache"

    def side(self, path: str, model: Model, say: Say) -> Side | None:
        """Return the model at `path`, which is `model` today; None where it was not there or cannot be read."""
        folder = Path(tempfile.mkdtemp(dir=self.scratch))
        pointers = _write(self.repository, self.base, path, folder, model)
        _same(self.repository, self.base, path, folder)
        root = folder if path == finding.TOP else folder / path
        if not root.exists():
            return None
        try:
            before, ledger = scan_model(root, policy=self.rules, say=lambda _words: None, kept=self.cache)
        except WeighlockError as error:
            say(f"the version before cannot be compared: {error.what}")
            return None
        return changes.side(ledger, facts.of(before, {row.path: row for row in ledger.rows}), pointers)


def _write(repository: Repository, base: str, path: str, folder: Path, now: Model) -> dict[str, Pointer]:
    """Write the model's files, and return the pointers among them whose content is not here, by the name in the model."""
    here = {file.digest.hex: file.source for file in now.files}
    pointers = {}
    with repository.reading() as reader:
        for name, blob in repository.files(base).items():
            if not finding.inside(name, path) or not blob.regular or not _plain(name):
                continue
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            pointer = reader.pointer(blob)
            if pointer and pointer.sha256 in here:
                shutil.copyfile(here[pointer.sha256], target)
                continue
            reader.write(blob, target)
            if pointer:
                pointers[_within(name, path)] = pointer
    return pointers


def _same(repository: Repository, base: str, path: str, folder: Path) -> None:
    """Copy what DVC kept of the model, where it is what lies in the work tree today; what it was else is not here."""
    with repository.reading() as reader:
        outs = Tree(repository.files(base), reader).outs()
    for out in outs:
        place, target = repository.top / out.path, folder / out.path
        if not finding.inside(out.path, path) or not _plain(out.path) or os.path.lexists(target):
            continue
        if not content.wrong(repository.top, out):
            target.parent.mkdir(parents=True, exist_ok=True)
            _ = shutil.copytree(place, target, symlinks=True) if out.folder else shutil.copyfile(place, target)


def _plain(name: str) -> bool:
    """Tell whether every file system could hold the name; the scan of today's version says so where one could not."""
    try:
        check_path(name)
    except WeighlockError:
        return False
    return True


def _within(name: str, path: str) -> str:
    """Return the name of a file in its model."""
    if path == finding.TOP:
        return name
    return name.rsplit("/", 1)[-1] if name == path else name[len(path) + 1 :]
