"""The time, written as RFC 3339 in UTC to the second."""

from __future__ import annotations

import re
from datetime import datetime, timezone

_FORM = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z", re.ASCII)


def now() -> str:
    """Return the current time, for example ``2026-11-23T14:00:00Z``."""
    return write(moment())


def moment() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(timezone.utc)


def write(at: datetime) -> str:
    """Return a time in UTC as text."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def read(text: str) -> datetime | None:
    """Return the time that `text` names, parts of a second cut off; None for what is no time in UTC."""
    if not _FORM.fullmatch(text):
        return None
    try:
        return datetime.strptime(text[:19] + "+0000", "%Y-%m-%dT%H:%M:%S%z")
    except ValueError:
        return None
