"""Jinja templates, judged by their syntax tree: Jinja's own parser reads them, and nothing is ever rendered.

Loaders render chat templates, not all of them in a sandbox (CVE-2024-34359). A template that a sandbox would let pass
touches no name with a leading underscore, so the claim here is: it names none, builds none, and calls nothing but
string and list methods, its own macros and the few functions that loaders offer. How long it runs is not judged.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from weighlock.scanners.reading import UnclearError
from weighlock.scanners.strict.notes import Notes

if TYPE_CHECKING:
    from jinja2.nodes import Template

LIMIT = 256 * 1024  # characters; real ones have up to 30,000

_MARKS = re.compile(r"\{[{%#]")
_INSTALL = "jinja2 is missing: install weighlock[scan]"


def judge(source: str, where: str, notes: Notes) -> None:
    """Judge the template that stands at `where`; one that does not parse is a gap."""
    if not _MARKS.search(source):
        return
    if len(source) > LIMIT:
        notes.gap(f"the template {where} has {len(source)} characters, the limit is {LIMIT}")
        return
    try:
        from weighlock.scanners.strict.jinja import rules  # noqa: PLC0415 - jinja2 comes with the scan extra

        rules.judge(_parsed(source, where), where, notes)
    except UnclearError as error:
        notes.gap(str(error))
    except RecursionError:
        notes.gap(f"the template {where} is nested too deeply to be read")
    except ImportError:
        notes.gap(_INSTALL)


def _parsed(source: str, where: str) -> Template:
    from jinja2 import TemplateError  # noqa: PLC0415 - as above

    from weighlock.scanners.strict.jinja.dialect import environment  # noqa: PLC0415 - as above

    try:
        return environment().parse(source)
    except (TemplateError, ValueError, OverflowError) as error:
        raise UnclearError(f"the template {where} does not parse: {error}") from None
