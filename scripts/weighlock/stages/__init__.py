"""What every stage is: frozen `Inputs`, frozen `Outputs`, and `run(inputs, context)` that returns data.

A stage never prints and never exits. Its inputs and outputs are declared as `weighlock.inputs` says.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from weighlock.inputs import PASSWORD_VARIABLE
from weighlock.jsonio import Json
from weighlock.predicates import Build
from weighlock.store.progress import Display


@dataclass(frozen=True, slots=True)
class Context:
    """What surrounds a run: environment variables, where progress goes, and the build that provenance describes."""

    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    say: Callable[[str], None] = lambda _words: None
    """Takes one line of progress, printable text only."""
    live: Callable[[str], None] | None = None
    """Takes the words that replace the last line of a terminal; None where there is no terminal."""
    build: Build | None = None
    """What the CI says of this run; None on a laptop, where the local git commit is asked."""
    made: Path | None = None
    """The list that the CI keeps of what this job made; None where it keeps none."""

    @property
    def password(self) -> str | None:
        """Return the key's password, None where there is none."""
        return self.environ.get(PASSWORD_VARIABLE) or None

    @property
    def display(self) -> Display:
        """Return where the progress of transfers goes."""
        return Display(self.say, self.live)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something to mend, for the people who read annotations: `path` is relative to the model, `message` printable."""

    path: str
    message: str
    line: int | None = None
    rooted: bool = False
    """Whether `path` is relative to the repository instead, which need not be checked out where this is reported."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a page: words of ours, then what may come from a model: a value, what is said of it, what to do about it."""

    words: str
    value: str = ""
    detail: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Fold:
    """A part of a page that a reader opens: words of ours, a name that comes from outside, and lines or text as it is."""

    words: str
    subject: str = ""
    lines: tuple[Line, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page about one subject, which is a name that comes from outside."""

    words: str
    subject: str
    lines: tuple[Line, ...] = ()
    folds: tuple[Fold, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """What a person reads first, on a small screen: the verdict, the reasons, then one section a subject, worst first."""

    verdict: str
    lines: tuple[Line, ...] = ()
    sections: tuple[Section, ...] = ()


@runtime_checkable
class Paged(Protocol):
    """Outputs that say themselves how the CI's summary looks."""

    def page(self) -> Page | None:
        """Return the page, None for a part of a result that another stage reports whole, with its problems."""


@dataclass(frozen=True, slots=True)
class Passage:
    """How a model went through the lock."""

    steps: Sequence[tuple[str, bool | None]]
    """Each step, in words of ours only, and whether it said yes; None where it was not reached or not needed."""
    evidence: Sequence[tuple[str, str]] = ()
    """What hangs on it: its name for people, its digest."""
    commands: Sequence[str] = ()
    """What a consumer types to verify it."""


@runtime_checkable
class Locked(Protocol):
    """Outputs that can say how a model went through the lock."""

    def passage(self) -> Passage:
        """Return the steps, the evidence and what to type."""


class Outcome(Protocol):
    """What `Outputs` of every stage offer to the command line and to the CI."""

    @property
    def passed(self) -> bool:
        """Tell whether the verdict is yes (exit code 0) or no (1)."""

    def data(self) -> Json:
        """Return what ``--json`` prints; its shape is a contract."""

    def text(self) -> str:
        """Return what a person reads; printable text, lines ended by a newline."""

    def problems(self) -> Sequence[Problem]:
        """Return what has to be mended, worst first."""
