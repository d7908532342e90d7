"""The dependency audit: its nouns, and the two ports behind which pip and pip-audit stand.

What was not audited is a type of its own (`Unaudited`) with its reason, and it fails (fail closed): a dependency that
an index or a service does not know must not look like one without vulnerabilities. Every string in these types is
printable: hostile text is escaped where it comes in. Implementations: `pip_resolver`, `service`; `audit` joins them.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from weighlock.config import AuditWaiver
from weighlock.jsonio import Json
from weighlock.oci import Digest


class Service(enum.Enum):
    """Who is asked for known vulnerabilities."""

    PYPI = "pypi"
    """The JSON API of a Python index; it says so when it does not know a release."""
    OSV = "osv"
    """The OSV API; what it does not know looks like what is clean."""


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """Where a requirement stands: file, relative to the folder of the one that was given, and line (None: all of it)."""

    path: str
    line: int | None = None

    def __str__(self) -> str:
        return self.path if self.line is None else f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class RequirementsFile:
    """A file that was read, the included ones as well."""

    path: str
    digest: Digest


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement, rewritten by us: `text` (``name[extras]specifier``) is all that pip gets to see of its line."""

    name: str
    """Normalised (PEP 503)."""
    text: str
    origin: Origin
    pin: str | None = None
    """The version, where the line allows exactly one."""


@dataclass(frozen=True, slots=True)
class Excluded:
    """A requirement whose marker says that it is not for this Python or platform."""

    requirement: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Unaudited:
    """Something that the audit can't vouch for, and why; `reason` ends with what to do where there is something."""

    requirement: str
    reason: str
    origin: Origin | None = None


@dataclass(frozen=True, slots=True, order=True)
class Dependency:
    """A release: normalised name and version."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True)
class Vulnerability:
    """A known vulnerability of one release; `aliases` are its names in other databases, `fixed_in` in rising order."""

    id: str
    aliases: tuple[str, ...] = ()
    fixed_in: tuple[str, ...] = ()
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Waived:
    """A vulnerability that somebody answers for."""

    vulnerability: Vulnerability
    waiver: AuditWaiver


@dataclass(frozen=True, slots=True)
class Audited:
    """A dependency and what is known of it, none being good."""

    dependency: Dependency
    vulnerabilities: tuple[Vulnerability, ...] = ()
    """Those that nobody answers for."""
    origin: Origin | None = None
    """The requirement that brings it in."""
    chain: tuple[str, ...] = ()
    """The names between that requirement and this dependency, the requirement's first; empty for itself."""
    waived: tuple[Waived, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditResult:
    """What an audit found out. A vulnerable dependency may be unaudited as well: what is known is never left out."""

    service: str
    service_url: str | None
    """Where it was asked; None when there was nothing to ask."""
    engine: str
    engine_version: str
    files: tuple[RequirementsFile, ...]
    dependencies: tuple[Audited, ...]
    unaudited: tuple[Unaudited, ...]
    excluded: tuple[Excluded, ...]
    started: str
    """RFC 3339 in UTC, as `finished`."""
    finished: str

    @property
    def vulnerable(self) -> tuple[Audited, ...]:
        """Return the dependencies with known vulnerabilities that nobody answers for."""
        return tuple(item for item in self.dependencies if item.vulnerabilities)

    @property
    def count(self) -> int:
        """Return the number of those vulnerabilities over all dependencies."""
        return sum(len(item.vulnerabilities) for item in self.dependencies)

    @property
    def verdict(self) -> str:
        """Return ``vulnerable``, else ``unaudited``, else ``clean``."""
        return "vulnerable" if self.vulnerable else "unaudited" if self.unaudited else "clean"

    @property
    def passed(self) -> bool:
        """Tell whether no vulnerability is known that nobody answers for, and everything was audited."""
        return not self.vulnerable and not self.unaudited

    def to_json(self) -> Json:
        """Return the report's wire form (``schemas/audit.json``)."""
        return {
            "verdict": self.verdict,
            "requirements": [{"path": item.path, "sha256": item.digest.hex} for item in self.files],
            "dependencies": [_audited_json(item) for item in self.dependencies],
            "unaudited": [{"requirement": item.requirement, "reason": item.reason} for item in self.unaudited],
            "excluded": [item.requirement for item in self.excluded],
        }


@dataclass(frozen=True, slots=True)
class Package:
    """A release that an installer would take, and the names of what it needs in turn."""

    dependency: Dependency
    needs: tuple[str, ...] = ()
    direct: bool = False
    """Whether it comes from a URL that another wheel names, not from an index."""


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Why a set of requirements has no solution, and every name that the resolver mentions in saying so."""

    reason: str
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Answers:
    """What a service said of each dependency it was asked for: vulnerabilities, or the reason why it could not tell.

    A dependency may stand in both.
    """

    url: str | None = None
    found: Mapping[Dependency, tuple[Vulnerability, ...]] = field(default_factory=dict)
    unknown: Mapping[Dependency, str] = field(default_factory=dict)


class Resolver(Protocol):
    """Something that finds the releases an installer would take, and runs no code of any of them."""

    def resolve(self, requirements: Sequence[str], constraints: Sequence[str]) -> tuple[Package, ...] | Unresolved:
        """Return every release needed for `requirements`; `UnfinishedError` where the index can't be asked."""


class Auditor(Protocol):
    """Something that knows vulnerabilities."""

    @property
    def service(self) -> str:
        """Return the service's name: ``pypi`` or ``osv``."""

    @property
    def engine(self) -> tuple[str, str]:
        """Return name and version of the program that asks."""

    def audit(self, dependencies: Sequence[Dependency]) -> Answers:
        """Ask for each dependency; `UnfinishedError` where the service gives no proper answer."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the audit waits, in seconds, and how often it asks."""

    resolving: float = 900.0
    asking: float = 600.0
    answer: float = 15.0
    attempts: int = 3
    pause: float = 1.0
    """Before the second attempt; it doubles with each."""


def _audited_json(item: Audited) -> Json:
    return {
        "name": item.dependency.name,
        "version": item.dependency.version,
        "vulnerabilities": [_vulnerability_json(vulnerability) for vulnerability in item.vulnerabilities],
        **({"waived": [_waived_json(waived) for waived in item.waived]} if item.waived else {}),
    }


def _waived_json(item: Waived) -> Json:
    return {**_vulnerability_json(item.vulnerability), "waiver": item.waiver.to_json()}


def _vulnerability_json(vulnerability: Vulnerability) -> Json:
    return {
        "id": vulnerability.id,
        "aliases": list(vulnerability.aliases),
        "fixed_in": list(vulnerability.fixed_in),
        "summary": vulnerability.summary,
    }
