"""The audit from a requirements file to its result: read, resolve, ask, and leave nothing out."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from weighlock import clock
from weighlock.auditing import (
    Answers,
    Audited,
    Auditor,
    AuditResult,
    Origin,
    Package,
    Patience,
    Requirement,
    Resolver,
    Service,
    Unaudited,
)
from weighlock.auditing.pip_resolver import PipResolver
from weighlock.auditing.requirements import read
from weighlock.auditing.resolving import resolve
from weighlock.auditing.service import PipAudit, check_url
from weighlock.errors import InputError
from weighlock.text import counted, printable


@dataclass(frozen=True, slots=True)
class Tools:
    """What an audit works with."""

    resolver: Resolver
    auditor: Auditor


def tools(
    service: Service | str, service_url: str | None, environ: Mapping[str, str], patience: Patience | None = None
) -> Tools:
    """Return pip and pip-audit, reaching the index and the service as `environ` says; the time runs from now on."""
    try:
        kind = Service(service)
    except ValueError:
        names = ", ".join(item.value for item in Service)
        raise InputError(f"the vulnerability service '{printable(str(service))}' is not one of {names}") from None
    check_url(service_url)
    waits = patience or Patience()
    deadline = time.monotonic() + waits.resolving
    return Tools(PipResolver(environ, deadline), PipAudit(kind, service_url or None, environ, waits))


def audit_requirements(
    path: Path,
    *,
    service: Service | str = Service.PYPI,
    service_url: str | None = None,
    say: Callable[[str], None] = lambda _words: None,
    environ: Mapping[str, str] | None = None,
    using: Tools | None = None,
) -> AuditResult:
    """Audit the requirements file at `path` and what it includes, for the Python and platform that run this.

    `service` (at `service_url`; none: the public one) is asked through pip and pip-audit, unless `using` names others.
    Raises `InputError` for a file that is not there, `UnfinishedError` when the index or the service can't be asked.
    """
    using = using or tools(service, service_url, os.environ if environ is None else environ)
    auditor = using.auditor
    started = clock.now()
    engine, version = auditor.engine
    reading = read(path)
    if reading.requirements:
        say(f"resolving {counted(len(reading.requirements), 'requirement')} with wheels only")
    resolution = resolve(reading.requirements, reading.constraints, using.resolver)
    asked = sorted({package.dependency for package in resolution.packages})
    if asked:
        say(f"asking the service {auditor.service} about {counted(len(asked), 'package')}")
    answers = auditor.audit(asked) if asked else Answers()
    ways = _ways(reading.requirements, resolution.packages)
    audited = [Audited(item, answers.found.get(item, ()), *ways.get(item.name, (None, ()))) for item in asked]
    return AuditResult(
        service=auditor.service,
        service_url=answers.url,
        engine=engine,
        engine_version=version,
        files=tuple(reading.files),
        dependencies=tuple(audited),
        unaudited=(*reading.unaudited, *resolution.unaudited, *_unanswered(audited, answers)),
        excluded=tuple(reading.excluded),
        started=started,
        finished=clock.now(),
    )


def _unanswered(audited: Sequence[Audited], answers: Answers) -> Iterator[Unaudited]:
    for item in audited:
        dependency = item.dependency
        silent = None if dependency in answers.found else "the service did not answer for it"
        reason = answers.unknown.get(dependency, silent)
        if reason is not None:
            yield Unaudited(str(dependency), reason, item.origin)


def _ways(
    requirements: Sequence[Requirement], packages: Sequence[Package]
) -> dict[str, tuple[Origin, tuple[str, ...]]]:
    """Return for each name the requirement that brings it in, and the names on the shortest way there."""
    needs: dict[str, list[str]] = {}
    for package in packages:
        needs.setdefault(package.dependency.name, []).extend(package.needs)
    ways: dict[str, tuple[Origin, tuple[str, ...]]] = {}
    for item in requirements:
        ways.setdefault(item.name, (item.origin, ()))
    queue = deque(ways)
    while queue:
        name = queue.popleft()
        origin, chain = ways[name]
        for needed in needs.get(name, []):
            if needed not in ways:
                ways[needed] = (origin, (*chain, name))
                queue.append(needed)
    return ways
