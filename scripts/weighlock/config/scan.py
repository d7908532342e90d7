"""What a repository lets a scan pass: the section `scan` of ``weighlock.yml``."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from weighlock.config.document import Document
from weighlock.jsonio import Json
from weighlock.oci import Digest
from weighlock.scanners import Severity


@dataclass(frozen=True, slots=True)
class Waiver:
    """A finding that `owner` answers for: this `rule` in the file with this `digest`, up to and including `expires`."""

    rule: str
    digest: Digest
    reason: str
    owner: str
    expires: dt.date
    line: int
    """Where it stands in the file."""

    def to_json(self) -> Json:
        """Return what the ledger keeps of it."""
        return {"rule": self.rule, "reason": self.reason, "owner": self.owner, "expires": self.expires.isoformat()}


@dataclass(frozen=True, slots=True)
class ScanPolicy:
    """What a scan lets pass."""

    fail_on: Severity = Severity.LOW
    review_passes: bool = False
    profiles: tuple[str, ...] | None = None
    """Names of the allow-lists for pickles; None for the default ones."""
    globals: tuple[str, ...] = ()
    waivers: tuple[Waiver, ...] = ()


def scan_policy(document: Document) -> ScanPolicy:
    """Read the section `scan`."""
    content: Json = document.content.get("scan") or {}
    waivers: dict[tuple[str, str], Waiver] = {}
    for position, item in enumerate(content.get("waivers") or []):
        at = ("scan", "waivers", position)
        key = (item["rule"], item["sha256"])
        if key in waivers:
            raise document.wrong(at, f"the waiver of line {waivers[key].line} stands here again", "Remove one.")
        expires = document.day((*at, "expires"), item["expires"])
        digest = Digest(item["sha256"])
        waivers[key] = Waiver(item["rule"], digest, item["reason"], item["owner"], expires, document.lines[at])
    profiles = content.get("profiles")
    return ScanPolicy(
        Severity[content.get("fail-on", "low").upper()],
        content.get("review") == "pass",
        None if profiles is None else tuple(profiles),
        tuple(content.get("globals") or ()),
        tuple(waivers.values()),
    )
