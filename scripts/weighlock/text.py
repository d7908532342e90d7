"""Hostile text made fit to print: file names, pickle strings and registry answers never reach a terminal raw."""

from __future__ import annotations

import os
import shlex
import unicodedata

_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def printable(text: str, limit: int = 200) -> str:
    r"""Return `text` on one line with control, format and surrogate characters as escapes, at most `limit` long.

    A backslash is doubled, so that the result is unambiguous: what shows as ``\n`` was a newline.
    """
    shown: list[str] = []
    length = 0
    for position, character in enumerate(text):
        safe = unicodedata.category(character) not in _UNSAFE_CATEGORIES
        piece = "\\\\" if character == "\\" else character if safe else _escape(character)
        length += len(piece)
        if length > limit:
            return "".join(shown) + f"… ({len(text) - position} more characters)"
        shown.append(piece)
    return "".join(shown)


def shell_word(text: str) -> str:
    r"""Return `text` as one word of a shell's command line, on one line and printable.

    What does not print is written as bytes, the way of bash and zsh: ``$'line\x0abreak'``.
    """
    if all(unicodedata.category(character) not in _UNSAFE_CATEGORIES for character in text):
        return shlex.quote(text)
    return "$'" + "".join(map(_shell_character, text)) + "'"


def _shell_character(character: str) -> str:
    if character in "\\'":
        return "\\" + character
    if unicodedata.category(character) not in _UNSAFE_CATEGORIES:
        return character
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))


def size(count: int) -> str:
    """Return a byte count as people read it, in decimal units: ``90.9 MB``."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def counted(count: int, noun: str) -> str:
    """Return ``1 file``, ``2 files``: a count with its noun, plural by s."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _escape(character: str) -> str:
    if character == "\n":
        return "\\n"
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
