"""A model in three rounds: every file is recognised, those that others describe are settled, then each is examined.

What is lost in a round costs the file that it was lost on, never another: that file has no claim and goes on to the
ledger as unscanned, with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from weighlock.scanners import Report, Status, Verdict
from weighlock.scanners.examine import Examined
from weighlock.scanners.files import Examiner, LostError, Weighed


def recognised(files: Sequence[Weighed], examiner: Examiner) -> Sequence[Weighed]:
    """Return the files with their formats, in order."""
    found = _recognised(files, examiner)
    if any(item.format == "unknown" for item in found):
        with suppress(LostError):  # what is unknown stays so, and whoever describes it is lost again by itself
            return [replace(item, format=kind) for item, kind in zip(found, examiner.settle(found), strict=True)]
    return found


def examined(item: Weighed, examiner: Examiner) -> Examined:
    """Return what all engines say of a file."""
    reason = item.lost
    try:
        if not reason:
            return examiner.examine(item)
    except LostError as error:
        reason = str(error)
    reports = [Report(name, version, Status.ERROR, (), reason) for name, version in examiner.engines()]
    return Examined(tuple(reports), Verdict.UNSCANNED)


def _recognised(files: Sequence[Weighed], examiner: Examiner) -> Sequence[Weighed]:
    """Recognise all at once, which is faster, or one by one where one of them costs the others their answer."""
    try:
        return [replace(item, format=kind) for item, kind in zip(files, examiner.recognise(files), strict=True)]
    except LostError as error:
        if len(files) == 1:
            return [replace(files[0], lost=str(error))]
    return [found for item in files for found in _recognised([item], examiner)]
