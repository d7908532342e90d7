"""What keeps a model from passing, said to somebody who has only ever saved a model: what would happen, and what to do."""

from __future__ import annotations

from pathlib import Path

from weighlock import finding, remedies, waivers
from weighlock.checking import Held
from weighlock.config import NAME
from weighlock.ledger import Row
from weighlock.scanners import Severity, Verdict
from weighlock.text import printable

REASONS = 3  # of one file in a message
_DVC = (
    "On your machine: dvc pull. In the gate: run dvc fetch in a job of your own that uploads .dvc/cache, and give "
    "check-models.yml the artifact's name (dvc-artifact)."
)


def judged(row: Row, folder: str) -> Held:
    """Return what a file that is not safe is held for; `folder` is where the model's file names begin."""
    reasons = [printable(reason, 400) for reason in row.reasons()]
    more = [f"and {len(reasons) - REASONS} more"] if len(reasons) > REASONS else []
    wanted = waivers.lines(row)
    answer = f" Or answer for it in {NAME}, under scan.waivers: {wanted[0]}" if wanted else ""
    named = "; ".join(reasons[:REASONS] + more)
    message = f"{row.verdict.name.lower()} ({row.format}): {_meaning(row)}{named}."
    return Held(folder + row.path, message, remedies.of(row) + answer, verdict=row.verdict.name.lower())


def kept(path: str, what: str) -> Held:
    """Return what a file or folder that DVC keeps is held for: who deploys the model gets it, so it has to be scanned."""
    return Held(path, sentence(what), _DVC, verdict="unscanned")


def _meaning(row: Row) -> str:
    found = [finding for report in row.reports for finding in report.findings if finding.severity > Severity.REVIEW]
    runs = row.verdict is Verdict.UNSAFE and any(finding.rule.startswith("pickle.") for finding in found)
    return "whoever loads this file runs code that is hidden in it. " if runs else ""


def folder(path: str, *, file: bool = False) -> str:
    """Return where the model's file names begin, with a slash at its end."""
    if path == finding.TOP:
        return ""
    above = path.rpartition("/")[0] if file or Path(path).is_file() else path
    return above + "/" if above else ""


def sentence(words: str) -> str:
    """Return words with a capital and a full stop."""
    return words[:1].upper() + words[1:] + ("" if words.endswith(".") else ".")
