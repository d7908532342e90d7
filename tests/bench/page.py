"""The page of the benchmarks: each of them writes the section under its own heading and leaves the others."""

from __future__ import annotations

import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"


def publish(title: str, text: str) -> None:
    """Print `text`, and have it under ``## title``: in place of what stands there, or at the end."""
    section = f"## {title}\n\n{text.strip()}\n"
    sys.stdout.write(section)
    PAGE.write_text(replaced(PAGE.read_text("utf-8"), title, section), "utf-8")


def replaced(page: str, title: str, section: str) -> str:
    """Return the page with this section."""
    before, _, rest = f"\n{page}".partition(f"\n## {title}\n")
    _, mark, after = rest.partition("\n## ")
    parts = [before.strip(), section.strip(), *([f"## {after.strip()}"] if mark else [])]
    return "\n\n".join(parts) + "\n"
