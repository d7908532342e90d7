"""Chat and prompt templates in configurations: every string below a key with ``template`` in its name."""

from __future__ import annotations

from weighlock.scanners.strict import jinja
from weighlock.scanners.strict.notes import Notes
from weighlock.scanners.strict.pairs import Pairs, strings


def look(pairs: Pairs, notes: Notes) -> None:
    """Judge the templates of one object."""
    for key, value in pairs:
        if "template" in key.lower():
            for source in strings(value):
                jinja.judge(source, key, notes)
