"""Which models a commit has, and which of them a change touches, by what git holds: files, pointers of Git LFS, DVC's files."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from weighlock import dvc, finding
from weighlock.config import ModelEntry
from weighlock.git import Blob, Reader

_REQUIREMENTS = "requirements.txt"
_SNIFFED = 100_000_000  # bytes of a file whose content is looked at; GitHub takes no larger ones without LFS

Known = dict[str, tuple[str, ...]]
"""Models by their paths from the repository's top, each with its requirements files."""


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

    def outs(self) -> list[dvc.Out]:
        """Return all that DVC keeps of the commit."""
        return [out for path in self.files if dvc.is_dvc(path) for out in self.outs_of(path)]

    def outs_of(self, path: str) -> list[dvc.Out]:
        """Return what one of DVC's files names."""
        return list(dvc.outs(path, self.text(path), self.text(dvc.pipeline(path))))

    def holding(self, models: Collection[str]) -> set[str]:
        """Return those of the models of which the commit holds something: files, or what DVC knows of them."""
        kept = [out.path for out in self.outs()]
        found = {model for path in (*self.files, *kept) for model in finding.owners(path, models)}
        return found | {model for model in models for out in kept if finding.inside(model, out)}

    def sizes(self, models: Collection[str]) -> Counter[str]:
        """Return the size of each model in bytes, of what LFS and DVC keep, too."""
        sizes = Counter(dict.fromkeys(models, 0))
        for path in self.files:
            for model in finding.owners(path, models):
                sizes[model] += self.size(path)
        for out in self.outs():
            for model in finding.owners(out.path, models):
                sizes[model] += out.size
        return sizes


def known(after: Tree, listed: Iterable[ModelEntry]) -> Known:
    """Return the models that the policy lists, those found outside of them, and those that DVC keeps."""
    models: Known = {}
    for entry in listed:
        named = (entry.requirements,) if entry.requirements else _own(entry.path, after)
        models[entry.path] = named
    outside = [path for path in after.files if not finding.owners(path, models)]
    models |= {model: _own(model, after) for model in finding.models(outside)}
    kept = [out.path for out in after.outs() if finding.is_weights(out.path)]
    models |= {path: () for path in kept if not finding.owners(path, models)}
    return models


def by_content(after: Tree, models: Collection[str]) -> list[str]:
    """Return the files outside of these models that are models by their content alone."""
    return [path for path in after.files if not finding.owners(path, models) and _is_model(path, after)]


def reasons(changed: Iterable[str], before: Tree, after: Tree, models: Known) -> dict[str, list[str]]:
    """Return all models, each with the changed files that touch it; models that only a changed file reveals come in addition."""
    found: dict[str, list[str]] = {path: [] for path in models}
    for path in changed:
        for model in _touched(path, before, after, models):
            found.setdefault(model, []).append(path)
    return found


def unknown(changed: Iterable[str], before: Tree, after: Tree, models: Known) -> set[str]:
    """Return what DVC keeps, changed, and may be a model: nothing here tells, and no model is listed there."""
    outs = {out for path in changed for out in _outs(path, before, after)}
    return {
        out for out in outs if not _described(out, models) and not finding.is_weights(out) and not finding.is_data(out)
    }


def gone(before: Tree, after: Tree, models: Collection[str]) -> set[str]:
    """Return the models that were found before, and of which nothing is left."""
    old = set(finding.models(before.files)) - set(models)
    return old - after.holding(old)


def _own(model: str, after: Tree) -> tuple[str, ...]:
    """Return the requirements that lie in a model."""
    own = posixpath.join(model, _REQUIREMENTS) if model != finding.TOP else _REQUIREMENTS
    return (own,) if own in after.files else ()


def _touched(path: str, before: Tree, after: Tree, models: Known) -> Iterator[str]:
    """Yield the models that a changed file belongs to, or that it describes."""
    owners = finding.owners(path, models)
    yield from owners
    if not owners and path in after.files and _is_model(path, after):
        yield path
    yield from (model for model, requirements in models.items() if path in requirements and model not in owners)
    for out in _outs(path, before, after):
        yield from _described(out, models) or ([out] if finding.is_weights(out) else [])


def _described(out: str, models: Known) -> list[str]:
    """Return the models of which DVC keeps something there."""
    return [model for model in models if finding.inside(out, model) or finding.inside(model, out)]


def _is_model(path: str, after: Tree) -> bool:
    blob = after.files[path]
    if finding.is_weights(path):
        return True
    return blob.regular and (blob.size > _SNIFFED or finding.holds_model(path, after.reader.content(blob)))


def _outs(path: str, before: Tree, after: Tree) -> list[str]:
    """Return the files and folders whose content a changed file of DVC keeps."""
    if not dvc.is_dvc(path):
        return []
    old, new = ({out.path: out.md5 for out in tree.outs_of(path)} for tree in (before, after))
    return [out for out, digest in new.items() if old.get(out) != digest]
