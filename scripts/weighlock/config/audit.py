"""What a repository lets an audit pass: the section `audit` of ``weighlock.yml``."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from weighlock.config.document import Document
from weighlock.jsonio import Json


@dataclass(frozen=True, slots=True)
class AuditWaiver:
    """A known vulnerability that `owner` answers for in one package, up to and including `expires`."""

    vulnerability: str
    """Its id, or any other name that it has in a database."""
    package: str
    """Normalised (PEP 503)."""
    reason: str
    owner: str
    expires: dt.date
    line: int
    """Where it stands in the file."""

    def to_json(self) -> Json:
        """Return what the report keeps of it."""
        return {"reason": self.reason, "owner": self.owner, "expires": self.expires.isoformat()}


@dataclass(frozen=True, slots=True)
class AuditPolicy:
    """What an audit lets pass."""

    waivers: tuple[AuditWaiver, ...] = ()


def audit_policy(document: Document) -> AuditPolicy:
    """Read the section `audit`."""
    content: Json = document.content.get("audit") or {}
    waivers: dict[tuple[str, str], AuditWaiver] = {}
    for position, item in enumerate(content.get("waivers") or []):
        at = ("audit", "waivers", position)
        package = re.sub(r"[-_.]+", "-", item["package"]).lower()
        key = (item["vulnerability"], package)
        if key in waivers:
            raise document.wrong(at, f"the waiver of line {waivers[key].line} stands here again", "Remove one.")
        expires = document.day((*at, "expires"), item["expires"])
        waivers[key] = AuditWaiver(*key, item["reason"], item["owner"], expires, document.lines[at])
    return AuditPolicy(tuple(waivers.values()))
