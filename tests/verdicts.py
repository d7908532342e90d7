"""The table of what every verifier says about every case, printed at the end of a run."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

PROPERTY = "verdict"


def table(reports: Iterable[pytest.TestReport]) -> list[str]:
    """Return the lines of the table; each report may carry a case, a verifier and a verdict."""
    cells: dict[str, dict[str, str]] = {}
    for report in reports:
        for name, value in report.user_properties:
            if name == PROPERTY and isinstance(value, (list, tuple)):
                case, verifier, verdict = map(str, value)
                cells.setdefault(case, {})[verifier] = verdict
    verifiers = sorted({verifier for row in cells.values() for verifier in row})
    if not verifiers:
        return []
    width = max(map(len, cells))
    lines = ["  ".join([" " * width, *verifiers])]
    for case in sorted(cells):
        row = [cells[case].get(verifier, "").ljust(len(verifier)) for verifier in verifiers]
        lines.append("  ".join([case.ljust(width), *row]).rstrip())
    return lines
