"""What the gate knows of one model after it was checked, in the form in which one job hands it to the next. Pure.

The reader is strict: what arrives was written by a job like this one, or by somebody who would like to be one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from weighlock import jsonio
from weighlock.jsonio import Json

FORM = 1


@dataclass(frozen=True, slots=True)
class Held:
    """Something that keeps a model from passing: a file of the repository, why, and what to do about it."""

    path: str
    message: str
    remedy: str = ""
    line: int | None = None
    verdict: str = "unsafe"

    @property
    def rank(self) -> int:
        """Return how bad it is, for the order: unsafe, then what nobody could tell, then what a person has to judge."""
        return {"unsafe": 0, "error": 1, "unscanned": 2, "vulnerable": 3, "unaudited": 4}.get(self.verdict, 5)

    def to_json(self) -> Json:
        """Return the wire form."""
        return {
            "path": self.path,
            "message": self.message,
            "remedy": self.remedy,
            "line": self.line,
            "verdict": self.verdict,
        }


@dataclass(frozen=True, slots=True)
class Checked:
    """One model: whether it passes, its counts, what holds it, and how it differs from before."""

    path: str
    files: int
    size: int
    held: tuple[Held, ...] = ()
    notes: tuple[str, ...] = ()
    waived: int = 0
    """Findings that somebody answers for."""
    changes: Json | None = None
    """As `changes.between` returns it; None where there is nothing to compare with."""
    run: Json = field(default_factory=dict)
    """Its run for SARIF."""

    @property
    def passed(self) -> bool:
        """Tell whether nothing holds it."""
        return not self.held

    def to_json(self) -> Json:
        """Return the wire form."""
        return {
            "path": self.path,
            "verdict": "pass" if self.passed else "fail",
            "files": self.files,
            "size": self.size,
            "held": [item.to_json() for item in self.held],
            "notes": list(self.notes),
            "waived": self.waived,
            "changes": self.changes,
            "run": self.run,
        }


@dataclass(frozen=True, slots=True)
class Result:
    """What one job found out: which part of which plan it did, and its models."""

    plan: str
    shard: int
    models: tuple[Checked, ...]

    def to_json(self) -> Json:
        """Return the wire form (``schemas/check.json``)."""
        models = [model.to_json() for model in self.models]
        return {"version": FORM, "plan": self.plan, "shard": self.shard, "models": models}


def read(raw: bytes, what: str) -> Result:
    """Read the result of a job; `MalformedError` where it is none."""
    document = jsonio.parse(raw, what)
    models = tuple(_checked(item, what) for item in jsonio.objects(document, "models", what))
    return Result(jsonio.field(document, "plan", str, what), jsonio.field(document, "shard", int, what), models)


def category(path: str) -> str:
    """Return the category of a model's run: code scanning keeps one set of results for each."""
    return f"weighlock/check/{path}/"


def worst(rows: Sequence[Held]) -> list[Held]:
    """Return what holds models, worst first."""
    return sorted(rows, key=lambda item: (item.rank, item.path))


def _checked(document: Json, what: str) -> Checked:
    return Checked(
        jsonio.field(document, "path", str, what),
        jsonio.field(document, "files", int, what),
        jsonio.field(document, "size", int, what),
        tuple(_held(item, what) for item in jsonio.objects(document, "held", what)),
        tuple(map(str, jsonio.field(document, "notes", list, what))),
        jsonio.field(document, "waived", int, what),
        jsonio.optional(document, "changes", dict, what),
        jsonio.field(document, "run", dict, what),
    )


def _held(document: Json, what: str) -> Held:
    return Held(
        jsonio.field(document, "path", str, what),
        jsonio.field(document, "message", str, what),
        jsonio.field(document, "remedy", str, what),
        jsonio.optional(document, "line", int, what),
        jsonio.field(document, "verdict", str, what),
    )
