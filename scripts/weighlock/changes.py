"""The change in risk between two versions of a model: what came, what went, what is different. Pure.

Both sides are plain facts. Nothing here judges: a new import may be harmless and a smaller file worse.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from weighlock.facts import Facts
from weighlock.git import Pointer
from weighlock.jsonio import Json
from weighlock.ledger import Ledger
from weighlock.scanners import Finding
from weighlock.scanners.pickles.globals import Grade, grade

NAMES = 200  # of one kind that are kept; their number is kept in any case
DIFF = 400  # lines
COMPARED = 2000  # lines of each side; comparing takes the product of both


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is compared."""

    sha256: str
    size: int
    format: str


@dataclass(frozen=True, slots=True)
class Side:
    """One version of a model."""

    files: Mapping[str, File] = field(default_factory=dict)
    findings: frozenset[str] = frozenset()
    """Rule, file and words of each."""
    facts: Facts = field(default_factory=Facts)

    @property
    def size(self) -> int:
        """Return the size of all files in bytes."""
        return sum(file.size for file in self.files.values())


def side(ledger: Ledger, facts: Facts, pointers: Mapping[str, Pointer] | None = None) -> Side:
    """Return a version of a model; `pointers` are those of its files whose content is not here."""
    files = {row.path: File(row.digest.hex, row.size, row.format) for row in ledger.rows}
    for path, pointer in (pointers or {}).items():
        files[path] = replace(files[path], sha256=pointer.sha256, size=pointer.size, format="not here (Git LFS)")
    found = {_words(row.path, item) for row in ledger.rows for report in row.reports for item in report.findings}
    return Side(files, frozenset(found), facts)


def between(before: Side | None, after: Side) -> Json:
    """Return what changed (``changes`` in ``schemas/check.json``); `before` is None for a model that is new."""
    old = before or Side()
    return {
        "new": before is None,
        "size": [old.size, after.size],
        "added": _listed([f"{path} ({after.files[path].format})" for path in after.files if path not in old.files]),
        "removed": _listed([f"{path} ({old.files[path].format})" for path in old.files if path not in after.files]),
        "changed": _listed([_file(path, old, after) for path in after.files if _differs(path, old, after)]),
        "imports": _listed(sorted({*after.facts.imports} - {*old.facts.imports}, key=_unusual_first)),
        "imports_gone": _listed(sorted({*old.facts.imports} - {*after.facts.imports})),
        "findings": _listed(sorted(after.findings - old.findings)),
        "findings_gone": _listed(sorted(old.findings - after.findings)),
        "tensors": _tensors(old.facts.tensors, after.facts.tensors),
        "texts": [] if before is None else _texts(old.facts.texts, after.facts.texts),
        "card": [
            [key, old.facts.card.get(key, ""), after.facts.card.get(key, "")]
            for key in sorted({*old.facts.card, *after.facts.card})
            if old.facts.card.get(key) != after.facts.card.get(key)
        ],
    }


def _listed(names: list[str]) -> Json:
    return {"count": len(names), "names": names[:NAMES]}


def _differs(path: str, old: Side, after: Side) -> bool:
    return path in old.files and old.files[path].sha256 != after.files[path].sha256


def _file(path: str, old: Side, after: Side) -> str:
    was, now = old.files[path].format, after.files[path].format
    return path if was == now else f"{path} ({was} → {now})"


def _tensors(old: Mapping[str, str], after: Mapping[str, str]) -> Json:
    reshaped = [f"{name}: {old[name]} → {kind}" for name, kind in after.items() if name in old and old[name] != kind]
    return {
        "count": len(after),
        "dtypes": sorted({kind.partition(" ")[0] for kind in after.values()})[:NAMES],
        "added": _listed([f"{name}: {kind}" for name, kind in after.items() if name not in old]),
        "removed": _listed([name for name in old if name not in after]),
        "reshaped": _listed(reshaped),
    }


def _texts(old: Mapping[str, str], after: Mapping[str, str]) -> list[Json]:
    """Return a unified diff for each template or tokenizer file that is not the same."""
    parts: list[Json] = []
    for name in sorted({*old, *after}):
        was, now = old.get(name, ""), after.get(name, "")
        if was != now and len(parts) < NAMES:
            one, other = (text.split("\n")[:COMPARED] for text in (was, now))
            lines = list(difflib.unified_diff(one, other, "before", "after", lineterm=""))
            parts.append({"name": name, "diff": lines[:DIFF], "more": max(0, len(lines) - DIFF)})
    return parts


def _unusual_first(name: str) -> tuple[bool, str]:
    module, _, last = name.rpartition(".")
    return grade(module, last, "pickle") is Grade.ALLOWED, name


def _words(path: str, finding: Finding) -> str:
    return f"{finding.rule}: {path}: {finding.message}"
