"""The nouns of the gate: what is judged, a check, and how old evidence is. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from weighlock import clock
from weighlock.errors import RefusedError
from weighlock.intoto import Statement
from weighlock.jsonio import Json
from weighlock.oci import Digest
from weighlock.predicates import PROVENANCE
from weighlock.signing import Certificate
from weighlock.text import counted, printable

_SKEW = dt.timedelta(minutes=5)  # between two machines' clocks
_NEVER = dt.datetime.min.replace(tzinfo=dt.timezone.utc)


@dataclass(frozen=True, slots=True)
class Check:
    """One step of the verification: `reason` says what was found, or in one sentence why it fails."""

    name: str
    ok: bool
    reason: str

    def to_json(self) -> Json:
        """Return the wire form."""
        return {"name": self.name, "ok": self.ok, "reason": self.reason}


class Shown(Protocol):
    """A statement by an identity that is trusted, and the certificate that it was signed with, None for a key."""

    @property
    def statement(self) -> Statement:
        """Return what it says."""

    @property
    def certificate(self) -> Certificate | None:
        """Return who signed it."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is to be judged: a manifest's digest, its files (path to layer digest), and the trusted evidence on it."""

    digest: Digest
    files: Mapping[str, Digest]
    evidence: Sequence[Shown]
    licences: tuple[str, ...] = ()
    """What manifest and config say of them."""
    now: dt.datetime = field(default_factory=clock.moment)

    def about(self, predicate_type: str) -> list[Shown]:
        """Return the evidence of a type that is about this manifest."""
        return [
            item
            for item in self.evidence
            if item.statement.predicate_type == predicate_type and item.statement.covers(self.digest)
        ]


def check(name: str, step: Callable[[], str]) -> Check:
    """Run one step: what it returns is the finding, what it raises is the reason for the no."""
    try:
        return Check(name, ok=True, reason=step())
    except RefusedError as error:
        return Check(name, ok=False, reason=error.what)


def made(item: Shown) -> dt.datetime | None:
    """Return when evidence was made: as its certificate was issued, or earlier where it says so itself; None unknown.

    A certificate holds for minutes, so its time is the signature's. What a statement says of itself can only make it
    older: an old scan stays old when it is signed again.
    """
    issued = item.certificate.issued if item.certificate else None
    moments = [moment for moment in (issued, _stated(item.statement)) if moment is not None]
    return min(moments, default=None)


def newest(items: Iterable[Shown]) -> list[Shown]:
    """Return the evidence that counts where several pieces speak of one thing: the newest, and all that have no time.

    What has no time might be newer than the rest, so it has to pass as well.
    """
    dated = [(made(item), item) for item in items]
    latest = max((moment for moment, _ in dated if moment is not None), default=_NEVER)
    return [item for moment, item in dated if moment is None or moment == latest]


def fresh(items: Iterable[Shown], days: int, case: Case) -> str:
    """Raise `RefusedError` unless the newest of these is at most so many days old, and no piece has no time."""
    ages = []
    for item in newest(items):
        moment = made(item)
        if moment is None:
            raise RefusedError(f"it does not say when it was made, and may be at most {counted(days, 'day')} old")
        if moment > case.now + _SKEW:
            raise RefusedError(f"it was made in the future ({moment:%Y-%m-%dT%H:%M:%SZ})")
        ages.append(case.now - moment)
    if not ages:
        raise RefusedError("there is none")
    if max(ages) > dt.timedelta(days=days):
        raise RefusedError(f"it is {counted(max(ages).days, 'day')} old, and may be at most {days}")
    return f"{counted(max(max(ages).days, 0), 'day')} old, at most {days}"


def predicates(items: Iterable[Shown]) -> list[Json]:
    """Return what these pieces say."""
    return [dict(item.statement.predicate) for item in items]


def shown(words: Iterable[str]) -> str:
    """Return hostile words as a list to print."""
    return ", ".join(printable(word) for word in words)


def _stated(statement: Statement) -> dt.datetime | None:
    """Return when a statement says that its work was finished."""
    document: object = dict(statement.predicate)
    if statement.predicate_type == PROVENANCE:
        document = document.get("runDetails") if isinstance(document, dict) else None
    metadata = document.get("metadata") if isinstance(document, dict) else None
    if not isinstance(metadata, dict):
        return None
    text = metadata.get("finishedOn") or metadata.get("scanFinishedOn")
    return clock.read(text) if isinstance(text, str) else None
