"""What an artifact has to show: the section `verify` of ``weighlock.yml``, or of a file of the same form.

It names whom to trust, each identity complete on its own, and what the evidence must say. Who verifies names the file;
none is picked up from a folder, since what lies in a checkout would then decide whom its verifier trusts.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from weighlock.config.document import Document
from weighlock.jsonio import Json
from weighlock.oci import Digest
from weighlock.scanners import Severity
from weighlock.signing.identity import Identity

_THRESHOLD = re.compile(
    r"(?P<metric>[^<>]*[^<>=\s])\s*(?P<sign>>=|<=|>|<)\s*(?P<bound>[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?)"
)


@dataclass(frozen=True, slots=True)
class Trusted:
    """Somebody whose signature counts: the owner of the key in a file, or whom a certificate has to name."""

    whom: Path | Identity
    level: int = 1
    """The SLSA build level that whoever trusts it believes it to reach."""

    @property
    def key(self) -> Path | None:
        """Return the file with the key, None for an identity."""
        return self.whom if isinstance(self.whom, Path) else None

    def pins(self) -> dict[str, str]:
        """Return what a certificate must say, by the words of the policy; nothing for a key."""
        return {} if isinstance(self.whom, Path) else self.whom.pins()


@dataclass(frozen=True, slots=True)
class Threshold:
    """What a metric of an evaluation must reach: ``auc>=0.90``."""

    metric: str
    sign: str
    bound: float

    def met(self, value: object) -> bool:
        """Tell whether `value` is a finite number on the right side of the bound."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            return False
        sides = {
            ">=": value >= self.bound,
            "<=": value <= self.bound,
            ">": value > self.bound,
            "<": value < self.bound,
        }
        return sides[self.sign]

    def __str__(self) -> str:
        return f"{self.metric}{self.sign}{self.bound:g}"


@dataclass(frozen=True, slots=True)
class Allowed:
    """A vulnerability that somebody gave a reason for, up to and including `expires`."""

    id: str
    reason: str
    expires: dt.date


@dataclass(frozen=True, slots=True)
class ScanRules:
    """What the scan must say beside that it passed; an age is in days."""

    engines: Mapping[str, str] = field(default_factory=dict)
    """Engine to the lowest version that counts, for every file."""
    fail_on: Severity | None = None
    """The lowest severity of a finding that fails; None leaves it to the scan's own policy."""
    waived: str = "accept"
    """What becomes of waived findings: ``accept``, ``unexpired`` (until the waiver's last day), or ``refuse``."""
    max_age: int | None = None


@dataclass(frozen=True, slots=True)
class AuditRules:
    """What the audit must say."""

    required: bool = False
    """Whether it is, even for a model without requirements."""
    allowed: tuple[Allowed, ...] = ()
    max_age: int | None = None
    waived: bool = True
    """Whether a vulnerability may be there that somebody answered for in the release's own policy."""


@dataclass(frozen=True, slots=True)
class ProvenanceRules:
    """What the provenance must say."""

    build_types: tuple[str, ...] = ()
    max_age: int | None = None


@dataclass(frozen=True, slots=True)
class EvaluationRules:
    """What evaluations must say."""

    thresholds: tuple[Threshold, ...] = ()
    max_age: int | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What the evidence must say. Without a policy: all that is asked for is there and says yes."""

    scan: ScanRules = field(default_factory=ScanRules)
    audit: AuditRules = field(default_factory=AuditRules)
    provenance: ProvenanceRules = field(default_factory=ProvenanceRules)
    evaluation: EvaluationRules = field(default_factory=EvaluationRules)
    licences: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    """Predicate types that have to be there beside those that always have to."""


@dataclass(frozen=True, slots=True)
class Follow:
    """What the things that a model was made of have to show, and over how many steps."""

    trusted: tuple[Trusted, ...]
    rules: Rules
    depth: int


@dataclass(frozen=True, slots=True)
class VerifyPolicy:
    """The whole section."""

    trusted: tuple[Trusted, ...]
    rules: Rules
    follow: Mapping[str, Follow]
    """By the role that provenance gives to what it names."""
    name: str
    digest: Digest
    """Of the file's bytes: what a verdict cites."""


def verify_policy(document: Document, raw: bytes, folder: Path) -> VerifyPolicy | None:
    """Read the section `verify`, None where there is none; keys are named relative to `folder`."""
    content = document.content.get("verify")
    if content is None:
        return None
    follow = {
        role: Follow(
            _trusted(document, item, ("verify", "follow", role), folder),
            _rules(document, item, ("verify", "follow", role)),
            item.get("depth", 1),
        )
        for role, item in (content.get("follow") or {}).items()
    }
    at = ("verify",)
    return VerifyPolicy(
        _trusted(document, content, at, folder), _rules(document, content, at), follow, document.name, Digest.of(raw)
    )


def _trusted(document: Document, content: Json, at: tuple[str | int, ...], folder: Path) -> tuple[Trusted, ...]:
    found = []
    for position, item in enumerate(content["trusted"]):
        where = (*at, "trusted", position)
        pins = {key.replace("-", "_"): value for key, value in item.items() if key not in {"key", "slsa-level"}}
        level = item.get("slsa-level", 1)
        if "key" in item:
            if pins:
                raise document.wrong(where, "a key has no issuer, source or builder", "Make two entries of it.")
            found.append(Trusted(folder / item["key"], level))
            continue
        if "issuer" not in pins or not pins.keys() & {"identity", "builder", "source"}:
            words = "it lets strangers in: an identity is a key, or an issuer with an identity, a builder or a source"
            raise document.wrong(where, words, "Add what is missing: issuer, and identity, builder or source.")
        found.append(Trusted(Identity(**pins), level))
    return tuple(found)


def _rules(document: Document, content: Json, at: tuple[str | int, ...]) -> Rules:
    scan, audit = content.get("scan") or {}, content.get("audit") or {}
    provenance, evaluation = content.get("provenance") or {}, content.get("evaluation") or {}
    age = content.get("max-age")
    thresholds = [
        _threshold(document, text, (*at, "evaluation", "thresholds", position))
        for position, text in enumerate(evaluation.get("thresholds") or [])
    ]
    allowed = [
        _allowed(document, item, (*at, "audit", "allow", position))
        for position, item in enumerate(audit.get("allow") or [])
    ]
    fail_on = scan.get("fail-on")
    return Rules(
        ScanRules(
            {name: str(version) for name, version in (scan.get("engines") or {}).items()},
            Severity[fail_on.upper()] if fail_on else None,
            scan.get("waived", "accept"),
            scan.get("max-age", age),
        ),
        AuditRules(
            audit.get("required", False),
            tuple(allowed),
            audit.get("max-age", age),
            audit.get("waived", "accept") == "accept",
        ),
        ProvenanceRules(tuple(provenance.get("build-types") or ()), provenance.get("max-age", age)),
        EvaluationRules(tuple(thresholds), evaluation.get("max-age", age)),
        tuple(content.get("licences") or ()),
        tuple(content.get("evidence") or ()),
    )


def _threshold(document: Document, text: str, at: tuple[str | int, ...]) -> Threshold:
    found = _THRESHOLD.fullmatch(text)
    if found is None:
        raise document.wrong(at, f"'{text}' is no threshold", "Write it as METRIC>=NUMBER (or >, <, <=).")
    return Threshold(found["metric"].strip(), found["sign"], float(found["bound"]))


def _allowed(document: Document, item: Json, at: tuple[str | int, ...]) -> Allowed:
    try:
        return Allowed(item["id"], item["reason"], dt.date.fromisoformat(item["expires"]))
    except ValueError:
        raise document.wrong(at, f"'{item['expires']}' is not a day", "Write it as YYYY-MM-DD.") from None
