"""``weighlock audit``: look for known vulnerabilities in what a model needs, and tell what could not be audited.

The answer is for the Python and the platform that run it: markers are evaluated, and wheels chosen, for them.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from weighlock import predicates
from weighlock.auditing import AuditResult, Origin, Service, waiving, wording
from weighlock.auditing.audit import Tools, audit_requirements
from weighlock.config import NAME, AuditPolicy, load, load_here
from weighlock.inputs import option, output
from weighlock.jsonio import Json
from weighlock.oci import Digest
from weighlock.stages import Context, Problem


@dataclass(frozen=True, slots=True)
class Inputs:
    """What `audit` is told."""

    requirements: Path = option("the model's requirements file", positional=True)
    config: Path | None = option(
        "file with the waivers (default: weighlock.yml, where there is one)", default=None, metavar="FILE"
    )
    service: Service = option("vulnerability service: pypi or osv", default=Service.PYPI)
    service_url: str = option("URL of the vulnerability service, for a mirror", default="", metavar="URL")
    report: Path | None = option("write the audit result here", default=None, metavar="FILE")
    predicate: Path | None = option("write the unsigned vulns/v0.2 predicate here", default=None, metavar="FILE")


@dataclass(frozen=True, slots=True)
class Outputs:
    """What `audit` found out."""

    result: AuditResult
    verdict: str = output("clean, vulnerable or unaudited")
    vulnerabilities: int = output("number of known vulnerabilities")
    unaudited: int = output("number of requirements and packages that could not be audited")
    report: str = output("file with the audit result, empty where none was asked for")
    predicate_digest: str = output("sha256 digest of the predicate's file, where one was asked for", default="")

    @property
    def passed(self) -> bool:
        """Tell whether everything was audited and nothing found."""
        return self.result.passed

    def data(self) -> Json:
        """Return the audit result (``schemas/audit.json``)."""
        return self.result.to_json()

    def text(self) -> str:
        """Return what is affected, by what, and the line to change."""
        return wording.text(self.result)

    def problems(self) -> list[Problem]:
        """Return vulnerable packages, then what was not audited."""
        affected = [self._problem(item.origin, wording.affected(item)) for item in self.result.vulnerable]
        return affected + [self._problem(item.origin, wording.gap(item)) for item in self.result.unaudited]

    def _problem(self, origin: Origin | None, words: str) -> Problem:
        return Problem(origin.path, words, origin.line) if origin else Problem(self.result.files[0].path, words)


def run(inputs: Inputs, context: Context, *, using: Tools | None = None) -> Outputs:
    """Audit, and write the files that were asked for, for a failed audit as well."""
    policy = load(inputs.config).audit if inputs.config else load_here().audit
    result = audit_requirements(
        inputs.requirements,
        service=inputs.service,
        service_url=inputs.service_url,
        say=context.say,
        environ=context.environ,
        using=using,
    )
    result = waived(result, policy, context)
    if inputs.predicate:
        _write(inputs.predicate, predicates.vulnerabilities(result))
    digest = str(Digest.of(inputs.predicate.read_bytes())) if inputs.predicate else ""
    return dataclasses.replace(report(result, inputs.report), predicate_digest=digest)


def waived(result: AuditResult, policy: AuditPolicy, context: Context) -> AuditResult:
    """Return the result after the policy's waivers, and say what is wrong with them."""
    applied = waiving.apply(result, policy, dt.datetime.now(dt.timezone.utc).date())
    for note in applied.notes:
        context.say(f"{NAME}, {note}")
    return applied.result


def report(result: AuditResult, file: Path | None) -> Outputs:
    """Write the result to `file`, where there is one, and return it as outputs."""
    if file:
        _write(file, result.to_json())
    return Outputs(result, result.verdict, result.count, len(result.unaudited), str(file or ""))


def _write(file: Path, document: Mapping[str, object]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document, indent=2) + "\n", "utf-8")
