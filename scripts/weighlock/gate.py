"""The gate: what a model must show to pass, step by step. Pure; it decides and never reads.

Verification reads here as the rule is written: each step is a function that raises `RefusedError` (or one of its kinds)
with the one sentence that says why not. Signatures were checked before: only trusted statements come in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from weighlock import jsonio, oms
from weighlock.errors import RefusedError
from weighlock.intoto import Statement
from weighlock.jsonio import Json
from weighlock.ledger import Recorded, recorded
from weighlock.oci import Digest
from weighlock.predicates import PROVENANCE, SCAN, SIGNATURE, TEST_RESULT, VULNERABILITIES
from weighlock.text import counted, printable

REQUIREMENTS = "requirements.txt"


@dataclass(frozen=True, slots=True)
class Check:
    """One step of the verification: `reason` says what was found, or in one sentence why it fails."""

    name: str
    ok: bool
    reason: str

    def to_json(self) -> Json:
        """Return the wire form."""
        return {"name": self.name, "ok": self.ok, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Case:
    """What is to be judged: a manifest's digest, its files (path to layer digest), and the trusted statements on it."""

    digest: Digest
    files: dict[str, Digest]
    statements: Sequence[Statement]

    def about(self, predicate_type: str) -> list[Statement]:
        """Return the statements of a type that are about this manifest."""
        return [item for item in self.statements if item.predicate_type == predicate_type and item.covers(self.digest)]


def check(name: str, step: Callable[[], str]) -> Check:
    """Run one step: what it returns is the finding, what it raises is the reason for the no."""
    try:
        return Check(name, ok=True, reason=step())
    except RefusedError as error:
        return Check(name, ok=False, reason=error.what)


def judge(case: Case) -> list[Check]:
    """Return the checks on the evidence, in order; the model passes when all of them are ok."""
    return [
        check("signature", lambda: _signature(case)),
        check("model-signature", lambda: _model_signature(case)),
        check("provenance", lambda: _provenance(case)),
        check("scan", lambda: _scan(case)),
        check("audit", lambda: _audit(case)),
        check("closure", lambda: _closure(case)),
    ]


def require_green(case: Case) -> None:
    """Raise `RefusedError` unless scan and audit of exactly these files passed: what a signature has to wait for."""
    _scan(case)
    _audit(case)
    _same_files("scan ledger", [item.digests for item in _ledgers(case)], case)


def require_passed(predicate_type: str, predicate: Mapping[str, object]) -> None:
    """Raise `RefusedError` for a predicate that says no: verifiers take any signed statement for a yes, so sign none."""
    if predicate_type == TEST_RESULT and predicate.get("result") != "PASSED":
        raise RefusedError(f"the test result is {printable(str(predicate.get('result')))!r}, not 'PASSED'")
    if predicate_type == VULNERABILITIES:
        _clean_audit(dict(predicate))


def _signature(case: Case) -> str:
    if not case.about(SIGNATURE):
        raise RefusedError("no signature by the pinned identity is about this digest")
    return "the pinned identity signed the manifest"


def _model_signature(case: Case) -> str:
    signed = _signed_files(case)
    _same_files("model signature", signed, case)
    return f"{counted(len(signed[0]), 'file')} signed under one root"


def _provenance(case: Case) -> str:
    statements = case.about(PROVENANCE)
    if not statements:
        raise RefusedError("no provenance by the pinned identity is about this digest")
    predicate = dict(statements[-1].predicate)
    definition = jsonio.field(predicate, "buildDefinition", dict, "provenance")
    builder = jsonio.field(jsonio.field(predicate, "runDetails", dict, "provenance"), "builder", dict, "provenance")
    name = jsonio.field(builder, "id", str, "provenance builder")
    jsonio.field(definition, "buildType", str, "provenance")
    commits = [
        item["digest"]["gitCommit"]
        for item in definition.get("resolvedDependencies") or []
        if isinstance(item, dict) and isinstance(item.get("digest"), dict) and "gitCommit" in item["digest"]
    ]
    return f"built by {printable(name)}" + (f" from commit {printable(str(commits[0]))}" if commits else "")


def _scan(case: Case) -> str:
    ledgers = _ledgers(case)
    for ledger in ledgers:
        for path, verdict in ledger.verdicts.items():
            if verdict != "safe":
                raise RefusedError(f"the ledger says that '{printable(path)}' is {printable(verdict)}")
    return f"{counted(len(ledgers[0].verdicts), 'file')} scanned and safe"


def _audit(case: Case) -> str:
    statements = case.about(VULNERABILITIES)
    needed = case.files.get(REQUIREMENTS)
    if needed is None and not statements:
        return f"not needed: the model has no {REQUIREMENTS}"
    if not statements:
        raise RefusedError(f"the model has a {REQUIREMENTS} and no audit result of it is attested")
    predicates = [dict(statement.predicate) for statement in statements]
    if needed is not None and not any(needed.hex in _audited_files(predicate) for predicate in predicates):
        raise RefusedError(f"the audit result is about other requirements than the {REQUIREMENTS} in the model")
    return [_clean_audit(predicate) for predicate in predicates][-1]


def _closure(case: Case) -> str:
    _same_files("scan ledger", [item.digests for item in _ledgers(case)], case)
    _same_files("model signature", _signed_files(case), case)
    return f"layers, scan ledger and model signature name the same {counted(len(case.files), 'file')}"


def _same_files(name: str, others: Sequence[Mapping[str, Digest]], case: Case) -> None:
    for other in others:
        if other != case.files:
            raise RefusedError(f"the layers and the {name} differ: {_difference(other, case.files)}")


def _signed_files(case: Case) -> list[dict[str, Digest]]:
    """Return the files of every OMS statement that is bound to this manifest."""
    signatures = [item for item in case.statements if item.predicate_type == oms.PREDICATE_TYPE]
    signed = [oms.files(item) for item in signatures if oms.manifest(item) == case.digest]
    if not signed:
        raise RefusedError("no model signature (OMS) by the pinned identity is bound to this digest")
    return signed


def _ledgers(case: Case) -> list[Recorded]:
    """Return the ledger of every scan of this manifest; there is at least one, and none of them failed."""
    scans = [dict(item.predicate) for item in case.about(TEST_RESULT) if "ledger" in item.predicate]
    if not scans:
        raise RefusedError("no scan result by the pinned identity is about this digest")
    for predicate in scans:
        passed = predicate.get("passedTests")
        if predicate.get("result") != "PASSED" or not isinstance(passed, list) or SCAN not in passed:
            raise RefusedError("a scan result on this digest does not say PASSED")
    return [recorded(jsonio.field(predicate, "ledger", dict, "scan result")) for predicate in scans]


def _audited_files(predicate: Json) -> set[str]:
    entries = jsonio.objects(predicate, "requirements", "audit result")
    return {jsonio.field(item, "sha256", str, "audited requirements") for item in entries}


def _clean_audit(predicate: Json) -> str:
    unaudited = jsonio.objects(predicate, "unaudited", "audit result")
    if unaudited:
        raise RefusedError(f"{counted(len(unaudited), 'requirement')} could not be audited")
    scanner = jsonio.field(predicate, "scanner", dict, "audit result")
    found = jsonio.objects(scanner, "result", "audit result")
    dependencies = jsonio.objects(predicate, "dependencies", "audit result")
    if not all(map(_answered, found)) or any(item.get("vulnerabilities") != [] for item in dependencies):
        raise RefusedError("the requirements have known vulnerabilities")
    known = f"no known vulnerability but {len(found)} that somebody answers for" if found else "no known vulnerability"
    return f"{known}, and every requirement was audited"


def _answered(vulnerability: Json) -> bool:
    """Tell whether a waiver stands beside the vulnerability."""
    annotations = vulnerability.get("annotations")
    return isinstance(annotations, list) and any(isinstance(item, dict) and "waiver" in item for item in annotations)


def _difference(other: Mapping[str, Digest], layers: Mapping[str, Digest]) -> str:
    for path in sorted({*other, *layers}):
        if path not in other:
            return f"'{printable(path)}' is a layer only"
        if path not in layers:
            return f"'{printable(path)}' is no layer"
        if other[path] != layers[path]:
            return f"'{printable(path)}' is {layers[path]} as a layer and {other[path]} there"
    return "no difference"
