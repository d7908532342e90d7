"""Models that the real libraries wrote, and what the scan made of each of them.

``floor.json`` holds the worst verdict that each may have; ``python -m corpus.honest`` (with ``scripts`` and ``tests``
on the path) lowers it where the scan got better, and never the other way round. ``manifest.json`` names the versions
of the libraries; the ``make_*.py`` wrote the models.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path

from weighlock.ledger import Ledger
from weighlock.scanners import Verdict
from weighlock.stages.scan import scan_model

HERE = Path(__file__).resolve().parent
FLOORS = HERE / "floor.json"


def models() -> list[str]:
    """Return every model, ``family/name``, a file or a folder."""
    families = (path for path in HERE.iterdir() if path.is_dir() and not path.name.startswith("_"))
    return sorted(f"{family.name}/{model.name}" for family in families for model in family.iterdir())


def scanned(model: str) -> Ledger:
    """Return what the scan says of one model; a family is scanned as a whole, which starts engines once."""
    family, name = model.split("/")
    rows = (row for row in _family(family).rows if row.path.split("/")[0] == name)
    return Ledger(tuple(rows))


@functools.cache
def _family(family: str) -> Ledger:
    return scan_model(HERE / family)[1]


def floors() -> dict[str, Verdict]:
    """Return the worst verdict that each model may have."""
    known = json.loads(FLOORS.read_text()) if FLOORS.exists() else {}
    return {model: Verdict[word.upper()] for model, word in known.items()}


def raise_floors(found: Mapping[str, Verdict]) -> None:
    """Write the floors, each as good as it was or better."""
    known = floors()
    best = {model: min(verdict, known.get(model, verdict)) for model, verdict in found.items()}
    FLOORS.write_text(json.dumps({model: best[model].name.lower() for model in sorted(best)}, indent=2) + "\n")
