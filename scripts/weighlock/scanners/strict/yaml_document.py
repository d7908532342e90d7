"""YAML read by its events: nothing is constructed, whatever its tags say, and aliases stay references.

PyYAML has two parsers, libyaml's and its own, and loaders take either. They differ: ``{a:}`` is for its own one only,
and a byte order mark, a tab or another line's end than usual may end a token for one of them. Where that can be, both
read, and what either sees counts.

Source: YAML 1.1 as PyYAML reads it, with its merge keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from weighlock.scanners import Severity
from weighlock.scanners.reading import UnclearError
from weighlock.scanners.strict.named import hyperpyyaml
from weighlock.scanners.strict.notes import Notes
from weighlock.scanners.strict.pairs import Pairs

if TYPE_CHECKING:
    import yaml

LIMIT = 16 * 1024 * 1024  # bytes, with libyaml
SLOW_LIMIT = 1024 * 1024  # bytes, without it
DEPTH = 500
MERGED = 100_000  # pairs that merge keys repeat

_READ_IN_TWO_WAYS = re.compile(rb"[\t!]|\xc2\x85|\xe2\x80[\xa8\xa9]|\r(?!\n)|(?!\A)\xef\xbb\xbf")
_INSTALL = "pyyaml is missing: install weighlock[scan]"
_NULL = frozenset({"", "~", "null", "Null", "NULL"})


def documents(raw: bytes, notes: Notes) -> list[Any] | None:
    """Return the documents of a stream, None where it is no YAML; `UnclearError` where it is too large or too deep."""
    try:
        import yaml  # noqa: PLC0415 - it comes with the scan extra
    except ImportError:
        raise UnclearError(_INSTALL) from None
    fast = getattr(yaml, "CSafeLoader", None)
    found = _read(raw, fast, LIMIT, notes) if fast else None
    if found is None or _READ_IN_TWO_WAYS.search(raw):
        again = _read(raw, yaml.SafeLoader, SLOW_LIMIT, notes)
        found = again if found is None else [*found, *(again or [])]
    return found


def _read(raw: bytes, loader: Any, limit: int, notes: Notes) -> list[Any] | None:
    import yaml  # noqa: PLC0415 - as above

    if len(raw) > limit:
        raise UnclearError(f"YAML of {len(raw)} bytes, the limit is {limit}")
    try:
        return _Tree(notes).build(yaml.parse(raw, Loader=loader))
    except yaml.YAMLError:
        return None


class _Tree:
    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._anchors: dict[str, Any] = {}
        self._open: list[list[Any]] = []
        self._merged = 0

    def build(self, events: Iterator[yaml.Event]) -> list[Any]:
        """Return the documents that the events describe; of what breaks, all that precedes counts."""
        import yaml  # noqa: PLC0415 - as above

        found: list[Any] = []
        self._open = [found]
        for event in events:
            if isinstance(event, yaml.AliasEvent):
                self._add(self._anchors.get(event.anchor or ""))
            elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
                self._close(mapping=isinstance(event, yaml.MappingEndEvent))
            elif isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent)):
                self._node(event)
        return found

    def _node(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        import yaml  # noqa: PLC0415 - as above

        tag = event.tag or ""
        if "yaml.org,2002:python/" in tag or tag.startswith("!!python/"):
            message = f"the YAML tag {tag} makes a Python object when it is loaded"
            self._notes.find("text.yaml-tag", Severity.CRITICAL, message, getattr(event.start_mark, "index", None))
        hyperpyyaml.judge(tag, self._notes)
        value: Any = None
        if isinstance(event, yaml.CollectionStartEvent):
            value = Pairs() if isinstance(event, yaml.MappingStartEvent) else []
        elif event.style or event.value not in _NULL:
            value = event.value
        self._add(value)
        if event.anchor:
            self._anchors[event.anchor] = value
        if isinstance(value, list):
            self._open.append([] if isinstance(value, Pairs) else value)
            if len(self._open) > DEPTH:
                raise UnclearError("YAML that is nested too deeply")

    def _add(self, value: Any) -> None:
        self._open[-1].append(value)

    def _close(self, *, mapping: bool) -> None:
        """Turn the keys and values of a mapping that ends into pairs, those that it merges among them."""
        items = self._open.pop()
        if not mapping:
            return
        pairs: Pairs = self._open[-1][-1]
        for key, value in zip(items[::2], items[1::2], strict=True):
            pairs.append((key if isinstance(key, str) else "", value))
            if isinstance(key, list):
                pairs.append(("", key))
            if key == "<<":
                self._merge(pairs, value)

    def _merge(self, pairs: Pairs, value: Any) -> None:
        for other in [value] if isinstance(value, Pairs) else value if isinstance(value, list) else []:
            if isinstance(other, Pairs) and other is not pairs:
                self._merged += len(other)
                if self._merged > MERGED:
                    raise UnclearError("YAML that merges the same keys again and again")
                pairs.extend(other)
