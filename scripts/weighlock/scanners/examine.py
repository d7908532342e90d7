"""One file through all engines: its own content and, where it is a container, every member at every depth.

Each blob is judged on its own and the worst verdict counts, so that a claim to one member never covers another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from weighlock.errors import UnfinishedError
from weighlock.scanners import Blob, Report, Scanner, Severity, Status, Verdict, strict, verdict
from weighlock.scanners.containers import DEPTH, Budget, Unpacker
from weighlock.scanners.containers.compressed import compressed
from weighlock.scanners.containers.sevenzip import seven
from weighlock.scanners.containers.tars import tar
from weighlock.scanners.containers.zips import zipped
from weighlock.scanners.reading import UnclearError
from weighlock.scanners.sniff import COMPRESSED
from weighlock.scanners.strict.notes import Notes

UNPACKERS: Mapping[str, Unpacker] = {"zip": zipped, "tar": tar, "7z": seven, **dict.fromkeys(COMPRESSED, compressed)}
_REASONS = 5  # of one engine in one file; a broken archive repeats itself


@dataclass(frozen=True, slots=True)
class Examined:
    """What all engines say of one file: one report an engine, and the verdict of its worst blob."""

    reports: tuple[Report, ...]
    verdict: Verdict
    asked: Mapping[str, int | None] = field(default_factory=dict)
    """What the engines wanted to know of other files: path to size in bytes, None for one that is not there."""


def examine(blob: Blob, scanners: Iterable[Scanner], fail_on: Severity) -> Examined:
    """Scan the blob and, at any depth, its members."""
    engines = list(scanners)
    judged = list(_blobs(blob, engines, Budget(), DEPTH))
    worst = max(verdict(reports, fail_on) for reports in judged)
    names = dict.fromkeys(report.engine for reports in judged for report in reports)
    merged = [_merge([report for reports in judged for report in reports if report.engine == name]) for name in names]
    return Examined(tuple(merged), worst)


def _blobs(blob: Blob, engines: Sequence[Scanner], budget: Budget, depth: int) -> Iterable[list[Report]]:
    reports = [_scan(engine, blob) for engine in engines]
    unpacker = UNPACKERS.get(blob.format)
    if unpacker is None:
        yield reports
        return
    notes = Notes(blob.member)
    if depth == 0:
        notes.gap(f"containers are nested more than {DEPTH} deep")
    else:
        try:
            with blob.open() as stream:
                yield from _members(unpacker, blob, stream, notes, (engines, budget, depth))
        except UnclearError as error:
            notes.gap(str(error))
        except UnfinishedError:
            raise
        except Exception as error:  # noqa: BLE001 - fail closed, and say which bug it was
            notes.gap(f"unpacking failed: {type(error).__name__}: {error}")
    yield _with_structure(reports, _placed(strict.report(notes), blob))


def _with_structure(reports: Sequence[Report], structure: Report) -> list[Report]:
    """Complete what `strict` left open about a container by what was found while it was unpacked."""
    others = [report for report in reports if (report.engine, report.status) != (structure.engine, Status.PARTIAL)]
    findings = tuple(finding for report in reports if report not in others for finding in report.findings)
    return [*others, replace(structure, findings=findings + structure.findings)]


def _members(
    unpacker: Unpacker, blob: Blob, stream: BinaryIO, notes: Notes, rest: tuple[Sequence[Scanner], Budget, int]
) -> Iterable[list[Report]]:
    engines, budget, depth = rest
    for member in unpacker(blob, stream, notes, budget):
        yield [_placed(strict.report(member.notes), member.blob)]
        yield from _blobs(member.blob, engines, budget, depth - 1)


def _scan(engine: Scanner, blob: Blob) -> Report:
    """Run one engine; what it raises is a bug or a limit of it and never a pass."""
    try:
        return _placed(engine.scan(blob), blob)
    except UnfinishedError:  # the file changed, or the engine is not there: no result at all
        raise
    except Exception as error:  # noqa: BLE001 - fail closed, and say which bug it was
        return _placed(
            Report(
                engine.name,
                engine.version,
                Status.ERROR,
                reason=f"{engine.name} failed: {type(error).__name__}: {error}",
            ),
            blob,
        )


def _placed(report: Report, blob: Blob) -> Report:
    """Let the reason say which member it speaks of."""
    return replace(report, reason=f"{report.reason} (in {blob.member})") if report.reason and blob.member else report


def _merge(reports: Sequence[Report]) -> Report:
    """Return one engine's reports on a file and its members as one."""
    statuses = {report.status for report in reports}
    mixed = Status.ERROR if Status.ERROR in statuses else Status.PARTIAL
    status = mixed if len(statuses) > 1 else statuses.pop()
    reasons = list(dict.fromkeys(report.reason for report in reports if report.reason))
    more = [f"and {len(reasons) - _REASONS} more"] if len(reasons) > _REASONS else []
    findings = tuple(finding for report in reports for finding in report.findings)
    first = reports[0]
    return Report(first.engine, first.version, status, findings, "; ".join(reasons[:_REASONS] + more))
