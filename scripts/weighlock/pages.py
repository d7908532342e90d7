"""A `Page` as GitHub shows a job summary: HTML in which every value is escaped and stands in ``<code>`` or ``<pre>``.

There GitHub makes no links, mentions or references of what it holds. No blank line stands inside of a block, since it
would end the HTML and begin Markdown, except around ``<pre>``, whose content is escaped alike.
"""

from __future__ import annotations

import html
import re

from weighlock.stages import Fold, Line, Page, Passage, Section
from weighlock.text import counted

_WORD = re.compile(r"[a-z]+")
_MARKS = {True: " ✅", False: " ❌", None: ""}
CODE = 500  # characters of one value
TEXT = 20_000  # characters of one text


def rendered(page: Page, limit: int) -> str:
    """Return the summary, in at most about `limit` bytes: what does not fit is counted instead."""
    parts = [f"<h2>{html.escape(page.verdict)}</h2>", _list(page.lines)]
    room = limit
    for position, section in enumerate(page.sections):
        part = _section(section)
        room -= len(part.encode(errors="backslashreplace"))
        if room < 0:
            rest = counted(len(page.sections) - position, "model")
            parts.append(f"<p>{rest} more: the log of this job names them.</p>")
            break
        parts.append(part)
    return "\n\n".join(part for part in parts if part)


def passage(passed: Passage) -> str:
    """Return a model's way through the lock: a diagram of words of ours only, the evidence, what to type."""
    nodes = [f'{name}["{name}{_MARKS[said]}"]' for name, said in passed.steps if _WORD.fullmatch(name)]
    parts = ["```mermaid\nflowchart LR\n  " + " --> ".join(nodes) + "\n```"]
    if passed.evidence:
        rows = [f"<tr><td>✅</td><td>{code(name)}</td><td>{code(digest)}</td></tr>" for name, digest in passed.evidence]
        head = "<tr><th></th><th>evidence</th><th>digest</th></tr>"
        parts.append("\n".join(["<table>", head, *rows, "</table>"]))
    parts += [f"<pre>\n{html.escape(command)}\n</pre>" for command in passed.commands]
    return "\n\n".join(parts)


def code(text: str) -> str:
    """Return a value on one line, escaped, as code; nothing for an empty one."""
    words = " ".join(text.split())
    shown = words if len(words) <= CODE else words[:CODE] + " …"
    return f"<code>{html.escape(shown)}</code>" if shown else ""


def _section(section: Section) -> str:
    parts = [f"<h3>{html.escape(section.words)} {code(section.subject)}</h3>", _list(section.lines)]
    parts += [_fold(fold) for fold in section.folds]
    return "\n\n".join(part for part in parts if part)


def _list(lines: tuple[Line, ...]) -> str:
    items = [f"<li>{_line(line)}</li>" for line in lines]
    return "\n".join(["<ul>", *items, "</ul>"]) if items else ""


def _line(line: Line) -> str:
    parts = [html.escape(line.words), code(line.value)]
    rows = [" ".join(part for part in parts if part), code(line.detail)]
    rows += [f"→ {code(line.remedy)}"] if line.remedy else []
    return "<br>".join(row for row in rows if row)


def _fold(fold: Fold) -> str:
    inner = _list(fold.lines)
    if fold.text:
        cut = fold.text if len(fold.text) <= TEXT else fold.text[:TEXT] + "\n…"
        inner += f"<pre>\n{html.escape(cut)}\n</pre>"
    title = " ".join(part for part in (html.escape(fold.words), code(fold.subject)) if part)
    return f"<details><summary>{title}</summary>\n\n{inner}\n\n</details>"
