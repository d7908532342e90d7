"""What passes between the scan and its workers, as JSON. What a worker says is read as a stranger's words."""

from __future__ import annotations

from collections.abc import Callable, Container
from pathlib import Path
from typing import TypeVar, cast

from weighlock import jsonio
from weighlock.errors import MalformedError, UnfinishedError
from weighlock.jsonio import Json
from weighlock.model import ModelFile, Stamp
from weighlock.oci import Digest
from weighlock.scanners import Finding, Report, Severity, Status, Verdict
from weighlock.scanners.examine import Examined
from weighlock.scanners.files import LostError, Weighed
from weighlock.text import printable

WORDS = 4000  # characters of a message or reason; a hostile string may have millions
WHAT = "what the scan's process said"
T = TypeVar("T")


def file_to(file: Weighed) -> Json:
    """Return a file as JSON, without its digest and mode, which no scanner needs."""
    return {
        "path": file.file.path,
        "source": str(file.file.source),
        "size": file.file.size,
        "stamp": list(file.file.stamp),
        "text": file.text,
        "format": file.format,
    }


def file_from(document: Json) -> Weighed:
    """Read what `file_to` wrote; the worker's side, which believes its parent."""
    path, source, stamp = document["path"], Path(document["source"]), cast("Stamp", tuple(document["stamp"]))
    file = ModelFile(path, document["size"], Digest("0" * 64), source, executable=False, stamp=stamp)
    return Weighed(file, document["text"], document["format"])


def examined_to(examined: Examined) -> Json:
    """Return a result as JSON, its messages cut to `WORDS`."""
    return {
        "verdict": examined.verdict.name,
        "asked": dict(examined.asked),
        "reports": [_report_to(report) for report in examined.reports],
    }


def answer(line: bytes, read: Callable[[Json], T]) -> T:
    """Read a worker's answer: its result by `read`; `UnfinishedError` for what ends the scan, `LostError` for the rest."""
    try:
        document = jsonio.parse(line, WHAT)
        if "unfinished" in document:
            words, remedy = (jsonio.field(document, key, str, WHAT) for key in ("unfinished", "remedy"))
            raise UnfinishedError(printable(words, 600), remedy=printable(remedy, 600))
        if "lost" in document:
            raise LostError(jsonio.field(document, "lost", str, WHAT))
        return read(document)
    except MalformedError as error:
        raise LostError(error.what) from None


def formats_from(document: Json, count: int) -> list[str]:
    """Read the formats of `count` files."""
    formats = jsonio.field(document, "formats", list, WHAT)
    if len(formats) != count or not all(isinstance(item, str) for item in formats):
        raise MalformedError(f"{WHAT}: there is not one format a file")
    return formats


def examined_from(document: Json) -> Examined:
    """Read a result; what is no result is a `MalformedError`."""
    asked = jsonio.field(document, "asked", dict, WHAT)
    if not all(size is None or type(size) is int for size in asked.values()):
        raise MalformedError(f"{WHAT}: 'asked' holds something other than sizes")
    reports = tuple(_report_from(item) for item in jsonio.objects(document, "reports", WHAT))
    return Examined(reports, Verdict[_word(document, "verdict", Verdict.__members__)], asked)


def findings_from(document: Json) -> tuple[Finding, ...]:
    """Read the findings in a report."""
    return tuple(_finding_from(item) for item in jsonio.field(document, "findings", list, WHAT))


def _report_to(report: Report) -> Json:
    return {
        "engine": report.engine,
        "version": report.version,
        "status": report.status.name,
        "reason": report.reason[:WORDS],
        "findings": [
            [item.rule, item.severity.name, item.message[:WORDS], item.member, item.offset] for item in report.findings
        ],
    }


def _report_from(document: Json) -> Report:
    engine, version, reason = (jsonio.field(document, key, str, WHAT) for key in ("engine", "version", "reason"))
    status = Status[_word(document, "status", Status.__members__)]
    return Report(engine, version, status, findings_from(document), reason)


def _finding_from(item: object) -> Finding:
    match item:
        case [str(rule), str(severity), str(message), (str() | None) as member, offset] if (
            severity in Severity.__members__ and (offset is None or (type(offset) is int and offset >= 0))
        ):
            return Finding(rule, Severity[severity], message, member, offset)
        case _:
            raise MalformedError(f"{WHAT}: a finding is not one")


def _word(document: Json, key: str, words: Container[str]) -> str:
    word = jsonio.field(document, key, str, WHAT)
    if word not in words:
        raise MalformedError(f"{WHAT}: {key!r} is no word that is known")
    return word
