"""Runs in the environment of another scanner, under limits, and lets it judge files. Standard library and that scanner.

    python -I drive.py CONFINE BYTES SECONDS ENGINE

CONFINE is the path of `isolation/confine.py`. The first line says the engine's version; then each line of input, a path
and seconds, is answered by one line: findings as rule, severity and message, and why the engine could not tell. Only
what an engine is sure of is a finding: what it merely suspects it suspects of honest models, too.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Answer = tuple[list[tuple[str, str, str]], str]
_FINDINGS = 100


def picklescan(path: Path) -> Answer:
    """Report the globals that picklescan calls dangerous."""
    scanner = importlib.import_module("picklescan.scanner")
    with path.open("rb") as stream:
        result = scanner.scan_bytes(stream, path.name, path.suffix)
    evil = [item for item in result.globals if item.safety is scanner.SafetyLevel.Dangerous]
    findings = [("picklescan.dangerous", "HIGH", f"uses {item.module}.{item.name}") for item in evil]
    return findings, "picklescan failed on it" if result.scan_err else ""


def hayward(path: Path) -> Answer:
    """Report what hayward calls critical or high; a gap in its coverage is an error."""
    module = importlib.import_module("hayward")
    found = module.ModelFileScanner().scan_file(path)
    gaps = [item.message for item in found if module.is_coverage_gap(item)]
    evil = [item for item in found if item.severity.name in {"HIGH", "CRITICAL"} and not module.is_coverage_gap(item)]
    return [(f"hayward.{item.rule_id}", item.severity.name, item.message) for item in evil], "; ".join(gaps)


def modelaudit(path: Path) -> Answer:
    """Report what modelaudit calls critical; its warnings depend on what is installed beside it."""
    core = importlib.import_module("modelaudit.core")
    issues = core.scan_file(str(path)).issues
    evil = [item for item in issues if item.severity.value == "critical"]
    return [("modelaudit.critical", "HIGH", item.message) for item in evil], ""


def fickling(path: Path) -> Answer:
    """Report what fickling calls overtly malicious, or likely so."""
    loader = importlib.import_module("fickling.loader")
    floor = importlib.import_module("fickling.analysis").Severity.LIKELY_OVERTLY_MALICIOUS
    with path.open("rb") as stream:
        archive = stream.read(4) == b"PK\3\4"
    members = list(loader.scan_zip_archive(str(path), graceful=True).values()) if archive else []
    results = members or [loader.scan_file(str(path), graceful=True)]
    said = [item for result in results for group in result.results for item in group.results]
    evil = [item for item in said if not item.severity < floor]
    errors = [error for result in results for error in result.errors]
    return [("fickling.malicious", "HIGH", str(item)) for item in evil], "; ".join(errors)


DRIVERS: dict[str, Callable[[Path], Answer]] = {
    "fickling": fickling,
    "hayward": hayward,
    "modelaudit": modelaudit,
    "picklescan": picklescan,
}


def main() -> None:
    """Confine this process, say the version, and answer one line for each line."""
    limits = runpy.run_path(sys.argv[1])
    answers = limits["answers"]()
    limits["confine"](int(sys.argv[2]), float(sys.argv[3]))
    name = sys.argv[4]
    for line in sys.stdin:
        request = json.loads(line)
        limits["allow"](request["seconds"])
        try:
            document = _judge(name, request.get("path"))
        except Exception as error:  # noqa: BLE001 - whatever it is, the engine could not tell
            document = {"lost": f"{type(error).__name__}: {error}"[:1000]}
        answers.write(json.dumps(document) + "\n")
        answers.flush()


def _judge(name: str, path: str | None) -> dict[str, Any]:
    """Judge the file; without one, say which version would."""
    if path is None:
        importlib.import_module(name)
        return {"version": importlib.metadata.version(name)}
    findings, error = DRIVERS[name](Path(path))
    cut = [[rule, severity, message[:1000], None, None] for rule, severity, message in findings[:_FINDINGS]]
    return {"findings": cut, "error": error[:1000]}


if __name__ == "__main__":
    main()
