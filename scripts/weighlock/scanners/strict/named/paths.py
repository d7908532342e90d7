"""Dotted paths of code in a configuration, graded by where they lead."""

from __future__ import annotations

from collections.abc import Iterable

from weighlock.scanners import Severity
from weighlock.scanners.pickles.globals import Grade, grade
from weighlock.scanners.strict.notes import Notes


def dangerous(path: str) -> bool:
    """Tell whether a dotted path leads to what executes, imports, loads, opens or connects."""
    module, _, name = path.strip().rpartition(".")
    if not module:
        return False
    return grade(module, name, "pickle") is Grade.DANGEROUS or grade(path, "x", "pickle") is Grade.DANGEROUS


def below(path: str, roots: Iterable[str]) -> bool:
    """Tell whether a dotted path lies below one of the roots, each part of it an ordinary name."""
    plain = all(part.isidentifier() and not part.startswith("__") for part in path.split("."))
    return plain and any(path.startswith(root + ".") for root in roots)


def judge(rule: str, path: str, what: str, known: Iterable[str], notes: Notes) -> None:
    """Add a finding for a path that a loader imports, unless it lies below a known root; `what` says who imports it."""
    if dangerous(path):
        notes.find(rule, Severity.CRITICAL, f"{what} {path}, which can run code, read or write files, or connect")
    elif not below(path, known):
        notes.find(rule, Severity.REVIEW, f"{what} {path}, which is not on the list of what is known")
