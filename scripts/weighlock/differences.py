"""The change in risk in words: one line for each kind, from what `changes.between` returns. Pure.

It reads JSON that may come from another job, so each value is escaped here, whatever wrote it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from weighlock.jsonio import Json
from weighlock.text import counted, printable, size

SHOWN = 5  # names of one kind

_NAMED = (
    ("added", "added: "),
    ("removed", "removed: "),
    ("changed", "changed: "),
    ("imports", "new imports of its pickles: "),
    ("imports_gone", "imports that are gone: "),
    ("findings", "new findings: "),
    ("findings_gone", "findings that are gone: "),
)


def lines(change: Json) -> list[str]:
    """Return the lines, printable text; one that says so where nothing is different.

    What stands before the first ": ", or in a line without one, are words of ours; the rest may be the model's.
    """
    found = list(_lines(change))
    return found or ["no difference in what the files hold"]


def diffs(change: Json) -> list[tuple[str, str]]:
    """Return each text that is not the same: where it stands, and its unified diff, both printable."""
    parts = []
    for text in change.get("texts", []):
        more = [f"… {counted(text['more'], 'line')} more"] if text.get("more") else []
        words = "\n".join([*(printable(line, 400).replace("\\\\", "\\") for line in text["diff"]), *more])
        parts.append((printable(text["name"]), words))
    return parts


def _lines(change: Json) -> Iterator[str]:
    before, after = change["size"]
    if change["new"]:
        yield f"new model, {size(after)}"
    elif before != after:
        yield f"size: {size(before)} → {size(after)}"
    for key, words in _NAMED:
        if change[key]["count"] and not (change["new"] and key == "findings"):
            yield words + named(change[key])
    yield from _tensors(change["tensors"], new=change["new"])
    for text in change["texts"]:
        yield f"text differs: {printable(text['name'])}"
    for key, was, now in change["card"]:
        yield f"the card says: {printable(key)}: {printable(was, 80) or 'not said'} → {printable(now, 80) or 'not said'}"


def _tensors(tensors: Json, *, new: bool) -> Iterator[str]:
    if new and tensors["count"]:
        yield f"tensors: {counted(tensors['count'], 'tensor')} ({_some(tensors['dtypes'])})"
        return
    for key in ("added", "removed", "reshaped"):
        if tensors[key]["count"]:
            yield f"tensors {key}: {named(tensors[key])}"


def named(listed: Json) -> str:
    """Return the first names of a kind, and how many more there are."""
    more = listed["count"] - min(SHOWN, len(listed["names"]))
    return _some(listed["names"]) + (f" and {more} more" if more > 0 else "")


def _some(names: Sequence[Any]) -> str:
    return ", ".join(printable(str(name), 160) for name in names[:SHOWN])
