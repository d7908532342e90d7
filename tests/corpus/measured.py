"""What our own engine makes of the hostile corpus, and the floors below which that may not fall.

``floor.json`` holds, for each family, the share of its harmful files that were `unsafe`, in whole percent. `make
scorecard` raises it; a change that lowers one has to say so by editing the file.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from corpus.hostile import Case, write
from weighlock.scanners import Verdict
from weighlock.stages.scan import scan_model

FLOORS = Path(__file__).with_name("floor.json")


def verdicts(cases: Sequence[Case], folder: Path) -> list[Verdict]:
    """Write every case into the folder and scan them all as one model; return the verdict of each case's own file."""
    paths = [write(case, folder / str(number)) for number, case in enumerate(cases)]
    _, ledger = scan_model(folder)
    found = {row.path: row.verdict for row in ledger.rows}
    return [found[path.relative_to(folder).as_posix()] for path in paths]


def shares(cases: Sequence[Case], found: Sequence[Verdict]) -> dict[str, int]:
    """Return family to the share of its harmful files that are unsafe, in whole percent, rounded down."""
    harmful = [(case.family, verdict) for case, verdict in zip(cases, found, strict=True) if not case.held]
    total = Counter(family for family, _ in harmful)
    unsafe = Counter(family for family, verdict in harmful if verdict is Verdict.UNSAFE)
    return {family: 100 * unsafe[family] // total[family] for family in sorted(total)}


def floors() -> dict[str, int]:
    """Read the floors."""
    document: dict[str, int] = json.loads(FLOORS.read_text())
    return document


def raise_floors(measured: Mapping[str, int]) -> None:
    """Write the floors, each as high as it was or higher."""
    known = floors() if FLOORS.exists() else {}
    raised = {family: max(share, known.get(family, 0)) for family, share in measured.items()}
    FLOORS.write_text(json.dumps(raised, indent=2, sort_keys=True) + "\n")
