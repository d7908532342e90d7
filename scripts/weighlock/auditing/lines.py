"""The lines of a requirements file as pip would read them, without its freedoms. Pure.

Where pip and a reviewer could see different lines (another encoding, control characters), the file is refused as a
whole: a requirement must not hide from the audit and then be installed. Source: pip's reference, "Requirements File
Format".
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterator

_COMMENT = re.compile(r"(^|\s+)#.*$")
_CODING = re.compile(rb"coding[:=]\s*([-\w.]+)")


class UnreadableError(ValueError):
    """The file is not one that everyone reads in the same way."""


def decode(raw: bytes) -> str:
    """Return the text of a requirements file; anything but plain UTF-8 is an `UnreadableError`."""
    for line in raw.split(b"\n")[:2]:
        declared = _CODING.search(line)
        if line.startswith(b"#") and declared and not _is_utf8(declared[1].decode("ascii", "replace")):
            raise UnreadableError("it declares another encoding than UTF-8: save it as UTF-8")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableError("it is not UTF-8: save it as UTF-8") from None
    if not all(_is_plain(character) for character in text):
        raise UnreadableError("it holds characters that do not print and that hide lines from a reader: remove them")
    return text


def logical(text: str) -> Iterator[tuple[int, str]]:
    """Yield (number of the first line, text) with continuations joined, and comments and empty lines left out."""
    parts: list[str] = []
    start = 1
    for number, line in enumerate(text.splitlines(), start=1):
        start = start if parts else number
        comment = _COMMENT.match(line)
        if line.endswith("\\") and not comment:
            parts.append(line.strip("\\"))
            continue
        # A comment ends a continuation, and the blank keeps it a comment after joining (as pip does).
        parts.append(" " + line if comment else line)
        yield from _bare(start, parts)
        parts = []
    yield from _bare(start, parts)


def _is_plain(character: str) -> bool:
    # Blanks of any width are what they look like; the joiner U+200D makes up emoji.
    return character.isprintable() or character in "\t\n\r\u200d" or unicodedata.category(character) == "Zs"


def _bare(start: int, parts: list[str]) -> Iterator[tuple[int, str]]:
    if bare := _COMMENT.sub("", "".join(parts)).strip():
        yield start, bare


def _is_utf8(name: str) -> bool:
    try:
        return codecs.lookup(name).name in {"utf-8", "ascii"}
    except (LookupError, ValueError):
        return False
