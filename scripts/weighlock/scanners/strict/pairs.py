"""Documents of objects, lists and strings, as JSON and YAML hold them, with nothing merged or dropped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from weighlock.scanners.strict.notes import Notes


class Pairs(list[tuple[str, Any]]):
    """An object with all its pairs: of two that share a key, each reader takes another."""

    def all(self, key: str) -> list[Any]:
        """Return every value of this key."""
        return [value for name, value in self if name == key]

    def strings(self, key: str) -> list[str]:
        """Return every value of this key that is a string."""
        return [value for value in self.all(key) if isinstance(value, str)]

    def has(self, *keys: str) -> bool:
        """Tell whether all of these keys are there."""
        return set(keys) <= {name for name, _ in self}


def strings(value: Any) -> Iterator[str]:
    """Yield every string in a value, at any depth."""
    waiting, seen = [value], set()
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, list) and id(item) not in seen:
            seen.add(id(item))
            waiting.extend([inner for _, inner in item] if isinstance(item, Pairs) else item)


def objects(document: Any, notes: Notes, limit: int = 5_000_000) -> Iterator[Pairs]:
    """Yield every object in a document once, however often it is referred to."""
    waiting, seen = [document], set()
    while waiting:
        item = waiting.pop()
        if not isinstance(item, list) or id(item) in seen:
            continue
        seen.add(id(item))
        if len(seen) > limit:
            notes.gap(f"a document of more than {limit} parts")
            return
        if isinstance(item, Pairs):
            yield item
            waiting.extend(value for _, value in item)
        else:
            waiting.extend(item)
