"""The `Auditor` that asks a vulnerability service through pip-audit, in a process of its own (`service_script`)."""

from __future__ import annotations

import importlib.metadata
import ipaddress
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from packaging.version import Version

from weighlock import jsonio
from weighlock.auditing import Answers, Dependency, Patience, Service, Vulnerability, process
from weighlock.errors import InputError, MalformedError, UnfinishedError
from weighlock.jsonio import Json
from weighlock.text import printable

_SCRIPT = Path(__file__).with_name("service_script.py")
_WHAT = "the vulnerability service's answer"
_REMEDY = "Run again later, or choose another --service or --service-url."
SUMMARY_LIMIT = 300  # characters


@dataclass(frozen=True, slots=True)
class PipAudit:
    """pip-audit, asking `kind` at `url` (None: the public one).

    For `Service.OSV` the URL is that of the query endpoint (``…/v1/query``); for `Service.PYPI` it is what stands before
    ``/pypi/NAME/VERSION/json``.
    """

    kind: Service
    url: str | None
    environ: Mapping[str, str]
    patience: Patience = field(default_factory=Patience)

    @property
    def service(self) -> str:
        """Return the service's name."""
        return self.kind.value

    @property
    def engine(self) -> tuple[str, str]:
        """Return ``pip-audit`` and its version."""
        try:
            return "pip-audit", importlib.metadata.version("pip-audit")
        except importlib.metadata.PackageNotFoundError:
            raise InputError(
                "pip-audit is not installed beside weighlock", remedy="Install weighlock[audit]."
            ) from None

    def audit(self, dependencies: Sequence[Dependency]) -> Answers:
        """Ask for each dependency; see `Auditor`."""
        question = {
            "service": self.kind.value,
            "url": self.url,
            "timeout": self.patience.answer,
            "attempts": self.patience.attempts,
            "pause": self.patience.pause,
            "dependencies": [{"name": item.name, "version": item.version} for item in dependencies],
        }
        with tempfile.TemporaryDirectory(prefix="weighlock-audit-") as folder:
            done = process.run(
                _SCRIPT,
                (),
                folder=Path(folder),
                environ=self.environ,
                seconds=self.patience.asking,
                stdin=json.dumps(question),
            )
        if done.code:
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise UnfinishedError(f"pip-audit failed: {printable(last)}", remedy="Install weighlock[audit] again.")
        try:
            return self._answers(jsonio.parse(done.stdout, _WHAT), dependencies)
        except MalformedError as error:
            raise UnfinishedError(error.what, remedy=_REMEDY) from None

    def _answers(self, document: Json, dependencies: Sequence[Dependency]) -> Answers:
        if fault := jsonio.optional(document, "fault", str, _WHAT):
            raise UnfinishedError(
                f"the {self.kind.value} vulnerability service gave no proper answer: {printable(fault, 400)}",
                remedy=_REMEDY,
            )
        pairs = list(zip(dependencies, jsonio.objects(document, "answers", _WHAT), strict=True))
        reasons = {item: jsonio.optional(answer, "unknown", str, _WHAT) for item, answer in pairs}
        return Answers(
            url=jsonio.optional(document, "url", str, _WHAT),
            found={item: _merged(jsonio.objects(answer, "vulnerabilities", _WHAT)) for item, answer in pairs},
            unknown={item: _reason(item, reason) for item, reason in reasons.items() if reason is not None},
        )


def check_url(url: str | None) -> None:
    """Refuse a service URL over which answers could be forged on the way, or that carries a password."""
    if not url:
        return
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise InputError(f"the service URL '{printable(url)}' is not a URL") from None
    if parts.username is not None or parts.password is not None:
        raise InputError("the service URL holds a user name or password", remedy="Put them into ~/.netrc.")
    if parts.scheme == "https" and host:
        return
    if parts.scheme != "http" or not _is_loopback(host):
        raise InputError(f"the service URL '{printable(url)}' does not begin with https://")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _reason(dependency: Dependency, reason: str) -> str:
    local = Version(dependency.version).local
    more = f" (pin it without '+{local}', or choose --service osv)" if local else ""
    return printable(reason, SUMMARY_LIMIT) + more


def _merged(entries: list[Json]) -> tuple[Vulnerability, ...]:
    """Join entries that name each other (one flaw, several databases), so that no name and no fixed version is lost."""
    merged: list[Vulnerability] = []
    for entry in map(_vulnerability, entries):
        same = [other for other in merged if {other.id, *other.aliases} & {entry.id, *entry.aliases}]
        merged = [other for other in merged if other not in same]
        merged.append(_joined([*same, entry]))
    return tuple(sorted(merged, key=lambda item: item.id))


def _joined(entries: list[Vulnerability]) -> Vulnerability:
    names = sorted({name for entry in entries for name in (entry.id, *entry.aliases)}, key=_by_database)
    fixed = sorted({version for entry in entries for version in entry.fixed_in}, key=Version)
    return Vulnerability(names[0], tuple(names[1:]), tuple(fixed), entries[0].summary)


def _by_database(name: str) -> tuple[int, str]:
    order = ("PYSEC-", "CVE-", "GHSA-")
    return next((rank for rank, prefix in enumerate(order) if name.startswith(prefix)), len(order)), name


def _vulnerability(entry: Json) -> Vulnerability:
    return Vulnerability(
        printable(jsonio.field(entry, "id", str, _WHAT)),
        tuple(printable(str(name)) for name in jsonio.field(entry, "aliases", list, _WHAT)),
        tuple(str(version) for version in jsonio.field(entry, "fixed_in", list, _WHAT)),
        printable(jsonio.field(entry, "summary", str, _WHAT), SUMMARY_LIMIT),
    )
