"""The time, written as RFC 3339 in UTC to the second."""

from __future__ import annotations

from datetime import datetime, timezone


def now() -> str:
    """Return the current time, for example ``2026-11-23T14:00:00Z``."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
