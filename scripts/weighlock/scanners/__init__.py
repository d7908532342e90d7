"""Looking for unsafe serialization: the `Scanner` port, its findings, and how they add up to a verdict.

A scanner reads a `Blob` and never loads it. It says what it found and, apart from that, whether it understood every
byte: `COMPLETE` is a claim to the whole content, and only such a claim makes a file `safe`. What nobody claims is
`unscanned`, and `unscanned` fails (fail closed). Implementations: `strict` (our rules by content), `modelscan_engine`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol


class Severity(enum.IntEnum):
    """How bad a finding is; the names are those of the command line and the ledger, in lower case."""

    REVIEW = 0
    """Nobody but a person can say: a name that is on no list, code that a loader runs when it is told to."""
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


class Verdict(enum.IntEnum):
    """What is to be thought of a file or a model; the worst of several is their maximum."""

    SAFE = 0
    REVIEW = 1
    UNSCANNED = 2
    UNSAFE = 3


class Status(enum.Enum):
    """How far a scanner came with a blob."""

    COMPLETE = "complete"
    """Every byte was understood; what is not in the findings is not there. Never said by a list of known evils."""
    PARTIAL = "partial"
    """Looked for certain things only; makes no claim to the whole content."""
    SKIPPED = "skipped"
    """Not a format of this scanner, or more than it is given."""
    ERROR = "error"
    """Could not tell: broken, over a limit, or the scanner failed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that the content would do or that it hides; `message` may hold hostile text, so print it escaped."""

    rule: str
    severity: Severity
    message: str
    member: str | None = None
    offset: int | None = None

    @property
    def place(self) -> str:
        """Say in which member and at which byte, to be put behind the message."""
        parts = [f"in {self.member}"] if self.member else []
        parts += [f"at byte {self.offset}"] if self.offset is not None else []
        return f" ({', '.join(parts)})" if parts else ""


@dataclass(frozen=True, slots=True)
class Report:
    """What one engine says about one blob; `reason` says why the status is not `COMPLETE`."""

    engine: str
    version: str
    status: Status
    findings: tuple[Finding, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Blob:
    """Content to scan: a file of the model, or a member of one. `format` was found by content, never by name."""

    path: str
    format: str
    size: int
    open: Callable[[], BinaryIO]
    """Opens the content at its first byte, seekable; whoever opens it closes it."""
    member: str | None = None
    """Path inside the file, the members of nested containers joined by ``!``; None for the file itself."""
    beside: Mapping[str, int] = field(default_factory=dict)
    """Path to size in bytes of every file of the model: for content that names other files."""

    @property
    def name(self) -> str:
        """Return the innermost name, for formats that attach a meaning to names; it never chooses the parser."""
        return (self.member or self.path).rsplit("!", maxsplit=1)[-1].rsplit("/", maxsplit=1)[-1]


class Scanner(Protocol):
    """An engine that reads blobs.

    `scan` raises nothing for hostile content: what it cannot read is a `Report` with `Status.ERROR`.
    """

    @property
    def name(self) -> str:
        """Return the engine's name, as in the ledger."""

    @property
    def version(self) -> str:
        """Return the engine's version."""

    def scan(self, blob: Blob) -> Report:
        """Say what the blob holds."""


def verdict(reports: Sequence[Report], fail_on: Severity) -> Verdict:
    """Add reports up: a finding at or above `fail_on` is unsafe; without an engine that understood all, unscanned.

    An engine's error takes back its own claim and no other's: who makes no claim can only make a verdict worse. What is
    left with a `REVIEW` finding waits for a person.
    """
    severities = {finding.severity for report in reports for finding in report.findings}
    if any(severity >= fail_on for severity in severities):
        return Verdict.UNSAFE
    unsure = {report.engine for report in reports if report.status is not Status.COMPLETE}
    if unsure.issuperset(report.engine for report in reports):
        return Verdict.UNSCANNED
    return Verdict.REVIEW if Severity.REVIEW in severities else Verdict.SAFE
