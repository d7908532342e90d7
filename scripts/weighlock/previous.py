"""Results of an earlier scan that its signature vouches for, taken where a scan today would say the same. Pure.

Only what is beyond doubt: the same path and bytes, safe, without a finding or a waiver, no engine in trouble, and
conditions equal to the last digit: engines, our own rules, what is installed, and the policy's part. What follows from
the content of other files is never taken. Anything else is scanned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from weighlock import jsonio
from weighlock.errors import MalformedError
from weighlock.jsonio import Json
from weighlock.oci import Digest
from weighlock.predicates import CONDITIONS
from weighlock.scanners import Report, Status, Verdict
from weighlock.scanners.cache import Known
from weighlock.scanners.examine import Examined
from weighlock.scanners.storages import SETTLED

_WHAT = "an earlier scan result"


def known(predicates: Iterable[Json], conditions: Digest) -> dict[tuple[str, Digest], Known]:
    """Return what the scan results, whose signatures were verified, say of files under these `conditions`."""
    found: dict[tuple[str, Digest], Known] = {}
    for predicate in predicates:
        try:
            if _conditions(predicate) == [conditions.hex]:
                ledger = jsonio.field(predicate, "ledger", dict, _WHAT)
                found.update(_rows(jsonio.objects(ledger, "files", _WHAT)))
        except MalformedError:
            continue  # of another version: everything is scanned
    return found


def _conditions(predicate: Json) -> list[str]:
    named = [item for item in jsonio.objects(predicate, "configuration", _WHAT) if item.get("name") == CONDITIONS]
    return [jsonio.field(jsonio.field(item, "digest", dict, _WHAT), "sha256", str, _WHAT) for item in named]


def _rows(rows: Sequence[Json]) -> Mapping[tuple[str, Digest], Known]:
    found = {}
    for row in rows:
        kind = jsonio.field(row, "format", str, _WHAT)
        plain = row.get("verdict") == "safe" and row.get("findings") == [] and "waived" not in row
        reports = tuple(_report(item) for item in jsonio.objects(row, "engines", _WHAT))
        if plain and kind not in SETTLED and all(report.status is not Status.ERROR for report in reports):
            path, digest = jsonio.field(row, "path", str, _WHAT), jsonio.field(row, "sha256", str, _WHAT)
            examined = Examined(reports, Verdict.SAFE, _beside(row))
            found[path, Digest.parse(f"sha256:{digest}")] = Known(kind, examined)
    return found


def _report(item: Json) -> Report:
    name, version, status = (jsonio.field(item, key, str, _WHAT) for key in ("name", "version", "status"))
    if status not in {word.value for word in Status}:
        raise MalformedError(f"{_WHAT}: a status that is not known")
    return Report(
        name, version, Status(status), (), jsonio.field(item, "reason", str, _WHAT) if "reason" in item else ""
    )


def _beside(row: Json) -> dict[str, int | None]:
    beside = jsonio.field(row, "beside", dict, _WHAT) if "beside" in row else {}
    if not all(size is None or type(size) is int for size in beside.values()):
        raise MalformedError(f"{_WHAT}: 'beside' holds something other than sizes")
    return beside
