"""An audit's result in words: what is affected, by what, and the line to change."""

from __future__ import annotations

import platform
from collections.abc import Iterator

from packaging.version import Version

from weighlock.auditing import Audited, AuditResult, Unaudited, Vulnerability
from weighlock.text import counted, printable


def text(result: AuditResult) -> str:
    """Return the result for a person, one block a dependency or gap."""
    return "".join(line + "\n" for line in _lines(result))


def affected(item: Audited) -> str:
    """Say in one line what is wrong with a dependency and what to do."""
    known = "; ".join(_known(vulnerability) for vulnerability in item.vulnerabilities)
    return f"{item.dependency}{_through(item)}: {known}. {remedy(item)}"


def gap(item: Unaudited) -> str:
    """Say in one line what was not audited and why."""
    return f"{item.requirement} is unaudited: {item.reason}"


def remedy(item: Audited) -> str:
    """Return what to do about the vulnerabilities of a dependency: the lowest version that is free of all, if any."""
    here = Version(item.dependency.version)
    lowest = [
        min((version for version in map(Version, vulnerability.fixed_in) if version > here), default=None)
        for vulnerability in item.vulnerabilities
    ]
    fixes = [version for version in lowest if version is not None]
    if len(fixes) < len(lowest):
        return f"No fixed version of {item.dependency.name} is known for all of it: replace it."
    where = f" in {item.origin.path}" if item.origin else ""
    verb = "Add" if item.chain else "Require"
    return f"{verb} {item.dependency.name}>={max(fixes)}{where}."


def _lines(result: AuditResult) -> Iterator[str]:
    yield f"{result.verdict}: {_summary(result)}"
    for item in result.vulnerable:
        yield f"  {item.origin or result.files[0].path}: {item.dependency}{_through(item)}"
        for vulnerability in item.vulnerabilities:
            yield f"    {_known(vulnerability)}: {vulnerability.summary}"
        yield f"    -> {remedy(item)}"
    yield from _answered(result)
    if result.unaudited:
        yield "unaudited, so nobody can say whether they are safe:"
    for reason in dict.fromkeys(unaudited.reason for unaudited in result.unaudited):
        yield f"  {reason}"
        for unaudited in result.unaudited:
            if unaudited.reason == reason:
                yield f"    {unaudited.origin or result.files[0].path}: {unaudited.requirement}"
    if result.excluded:
        yield f"not for Python {platform.python_version()} on {platform.system()}, so not looked at:"
    for excluded in result.excluded:
        yield f"  {excluded.origin}: {excluded.requirement}"


def _answered(result: AuditResult) -> Iterator[str]:
    for item in result.dependencies:
        for waived in item.waived:
            who = f"{printable(waived.waiver.owner)} answers for it until {waived.waiver.expires}"
            yield f"  {item.dependency}: {_known(waived.vulnerability)}: {who}"


def _summary(result: AuditResult) -> str:
    given = result.files[0].path
    if not result.dependencies and not result.unaudited:
        return f"{given} asks for no package, so there is nothing to audit"
    packages = counted(len(result.dependencies), "package")
    known = f"{result.count} known vulnerabilities" if result.count != 1 else "1 known vulnerability"
    by = f"{result.engine} {result.engine_version}, service {result.service}"
    return f"{given} needs {packages}: {known}, {len(result.unaudited)} unaudited ({by})"


def _known(vulnerability: Vulnerability) -> str:
    names = f"{vulnerability.id} ({', '.join(vulnerability.aliases)})" if vulnerability.aliases else vulnerability.id
    fixed = f"fixed in {', '.join(vulnerability.fixed_in)}" if vulnerability.fixed_in else "no fixed version"
    return f"{names}, {fixed}"


def _through(item: Audited) -> str:
    return f", needed by {' > '.join(item.chain)}" if item.chain else ""
