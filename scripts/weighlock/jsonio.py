"""JSON at the edges: canonical bytes out (RFC 8785), checked shapes in.

What comes from a registry, a layout or a bundle is read through these functions only, so that a hostile document ends
in a `MalformedError` that names the field, never in a `KeyError`.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar, cast

import rfc8785

from weighlock.errors import MalformedError
from weighlock.text import printable

Json = dict[str, Any]
T = TypeVar("T")


def canonical(value: Json) -> bytes:
    """Return the one byte form of `value`: sorted keys, no white space, UTF-8 (RFC 8785).

    A number beyond 2^53 or half a surrogate pair has no such form and is a `MalformedError`.
    """
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as error:
        raise MalformedError(f"it cannot be written as canonical JSON: {printable(str(error))}") from None


def parse(raw: bytes | str, what: str) -> Json:
    """Parse a JSON object; `what` names the document in the error. Duplicate keys are refused: readers disagree on them."""
    try:
        value = json.loads(raw, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"{what} is not valid JSON: {printable(str(error))}") from None
    if not isinstance(value, dict):
        raise MalformedError(f"{what} is not a JSON object")
    return value


def field(document: Json, key: str, kind: type[T], what: str) -> T:
    """Return `document[key]`, which must be there and of `kind` (`bool` is not an `int` here)."""
    value = document.get(key)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise MalformedError(f"{what}: {key!r} is missing or not of type {_NAMES.get(kind, kind.__name__)}")
    return value


def optional(document: Json, key: str, kind: type[T], what: str) -> T | None:
    """Return `document[key]`, None where it is missing or null; of `kind` where it is there."""
    return None if document.get(key) is None else field(document, key, kind, what)


def objects(document: Json, key: str, what: str) -> list[Json]:
    """Return the list of objects at `key`."""
    items = field(document, key, list, what)
    if not all(isinstance(item, dict) for item in items):
        raise MalformedError(f"{what}: {key!r} holds something other than objects")
    return cast("list[Json]", items)


def strings(document: Json, key: str, what: str) -> dict[str, str]:
    """Return the string-to-string map at `key`, empty where it is missing."""
    items = optional(document, key, dict, what) or {}
    if not all(isinstance(value, str) for value in items.values()):
        raise MalformedError(f"{what}: {key!r} holds values that are not strings")
    return items


_NAMES = {dict: "object", list: "array", str: "string", int: "integer"}


def _unique(pairs: list[tuple[str, Any]]) -> Json:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return document


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
