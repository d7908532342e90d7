"""What a server says of an error, in its own words: a registry, its token service, or the storage behind it.

Sources: distribution-spec 1.1.1, "Error Codes"; S3's and Azure's error responses. A page for browsers says nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from weighlock import jsonio
from weighlock.errors import MalformedError
from weighlock.jsonio import Json
from weighlock.store.wire import Answer
from weighlock.text import printable

_LIMIT = 64 * 1024  # bytes of an error's body that are looked at
_ERRORS = 3
_STORAGE = re.compile(r"<Code>([^<]*)</Code>\s*<Message>([^<]*)</Message>")


def said(answer: Answer) -> str:
    """Return the words, printable, in brackets after a space; nothing where there are none."""
    raw = answer.read(_LIMIT)
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    try:
        words = list(_of_a_registry(jsonio.parse(raw, "error")))
    except MalformedError:
        words = _elsewhere(raw.decode(errors="replace"), kind)
    shown = [printable(one) for one in words[:_ERRORS] if one.strip()]
    return f" ({'; '.join(shown)})" if shown else ""


def _of_a_registry(document: Json) -> Iterator[str]:
    """Yield code, message and detail of each error; some token services have one message and no list."""
    if "errors" not in document:
        yield from (words for name in ("message", "details") if isinstance(words := document.get(name), str))
        return
    for error in jsonio.objects(document, "errors", "error"):
        told = [words for name in ("message", "detail") if isinstance(words := error.get(name), str)]
        yield f"{error.get('code', '')}: {', '.join(told)}"


def _elsewhere(text: str, kind: str) -> list[str]:
    found = _STORAGE.search(text)
    if found:
        return [f"{found[1]}: {found[2]}"]
    return text.strip().splitlines()[:1] if kind == "text/plain" else []
