"""What the audit of the requirements must say. Pure."""

from __future__ import annotations

import datetime as dt

from weighlock import jsonio
from weighlock.config.verify import AuditRules
from weighlock.errors import RefusedError
from weighlock.gate.case import Case, predicates, shown
from weighlock.jsonio import Json
from weighlock.predicates import VULNERABILITIES
from weighlock.text import counted

REQUIREMENTS = "requirements.txt"


def clean(case: Case, rules: AuditRules) -> str:
    """The model's own requirements were audited, every audit was complete, and none found what is not allowed."""
    statements = case.about(VULNERABILITIES)
    needed = case.files.get(REQUIREMENTS)
    if needed is None and not statements and not rules.required:
        return f"not needed: the model has no {REQUIREMENTS}"
    if not statements:
        why = f"the model has a {REQUIREMENTS}" if needed else "the policy requires an audit"
        raise RefusedError(f"{why} and no audit result of it is attested")
    found = predicates(statements)
    if needed is not None and not any(needed.hex in _audited_files(predicate) for predicate in found):
        raise RefusedError(f"the audit result is about other requirements than the {REQUIREMENTS} in the model")
    today = case.now.date()
    return [clean_audit(predicate, rules, today) for predicate in found][-1]


def clean_audit(predicate: Json, rules: AuditRules, today: dt.date) -> str:
    """One audit left nothing out, and found nothing but what the policy allows until a day that has not passed."""
    unaudited = jsonio.objects(predicate, "unaudited", "audit result")
    if unaudited:
        raise RefusedError(f"{counted(len(unaudited), 'requirement')} could not be audited")
    allowed = {item.id: item.expires for item in rules.allowed}
    used = set()
    found, answered = _vulnerabilities(predicate)
    for names in found:
        fitting = [name for name in names if name in allowed]
        if not fitting:
            raise RefusedError(
                f"the requirements have known vulnerabilities: {shown(names[:1]) or 'one without a name'}"
            )
        if not any(allowed[name] >= today for name in fitting):
            raise RefusedError(f"what allowed {shown(fitting)} ran out on {allowed[fitting[0]]}")
        used.update(fitting)
    if answered and not rules.waived:
        raise RefusedError(f"{answered} known vulnerabilities passed by a waiver")
    exceptions = [f"{answered} that somebody answers for"] if answered else []
    exceptions += [f"what the policy allows: {shown(sorted(used))}"] if used else []
    but = f" but {' and '.join(exceptions)}" if exceptions else ""
    return f"no known vulnerability{but}, and every requirement was audited"


def _audited_files(predicate: Json) -> set[str]:
    entries = jsonio.objects(predicate, "requirements", "audit result")
    return {jsonio.field(item, "sha256", str, "audited requirements") for item in entries}


def _vulnerabilities(predicate: Json) -> tuple[list[list[str]], int]:
    """Return the names of each vulnerability, from both places that a result has for them, and how many were waived."""
    scanner = jsonio.field(predicate, "scanner", dict, "audit result")
    results = jsonio.objects(scanner, "result", "audit result")
    dependencies = jsonio.objects(predicate, "dependencies", "audit result")
    listed = [item for part in dependencies for item in jsonio.objects(part, "vulnerabilities", "audited dependency")]
    aliases = {str(item.get("id")): _names(item) for item in listed}
    left = [item for item in results if not _answered(item)]
    names = [aliases.get(str(item.get("id")), _names(item)) for item in left] + [_names(item) for item in listed]
    return names, len(results) - len(left)


def _answered(vulnerability: Json) -> bool:
    """Tell whether a waiver stands beside the vulnerability."""
    annotations = vulnerability.get("annotations")
    return isinstance(annotations, list) and any(isinstance(item, dict) and "waiver" in item for item in annotations)


def _names(item: Json) -> list[str]:
    aliases = item.get("aliases")
    names = [item.get("id"), *(aliases if isinstance(aliases, list) else [])]
    return [name for name in names if isinstance(name, str)]
