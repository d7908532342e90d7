"""TensorFlow graphs written as text (``.pbtxt``), which its loaders read as well as the binary form.

Text is not walked by the schema: operations that reach outside are found by their names, also where these are written
with escapes, and the rest stays unclear. Source: protobuf.dev, "Text Format Language Specification".
"""

from __future__ import annotations

import re

from weighlock.scanners import Severity
from weighlock.scanners.strict.notes import Notes
from weighlock.scanners.strict.tensorflow import operations

_GRAPH = re.compile(
    rb"\A(?:\s|#[^\n]*\n)*(?:saved_model_schema_version|meta_graphs|meta_info_def|graph_def|node|library|versions)\s*[:{<]"
)
_NODE = re.compile(rb"\b(?:node|node_def)\s*:?\s*[{<]")
_OPERATION = re.compile(rb"\bop\s*:\s*((?:\"(?:[^\"\\\n]|\\.){0,200}\"\s*|'(?:[^'\\\n]|\\.){0,200}'\s*)+)")
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|(.))", re.DOTALL)


def look(piece: bytes, offset: int, notes: Notes) -> None:
    """Look through a piece of text that lies at `offset`."""
    if not _NODE.search(piece):
        return
    _, outside = operations()
    for match in _OPERATION.finditer(piece):
        name = _unquoted(match[1])
        if name in outside:
            message = f"the operation {name} {outside[name]}"
            notes.find("tensorflow.operation", Severity.CRITICAL, message, offset + match.start())
    if offset == 0 and _GRAPH.match(piece):
        notes.gap("a TensorFlow graph as text, which is understood in its binary form only")


def _unquoted(literals: bytes) -> str:
    """Return the text of one or several quoted strings, which stand for one."""
    inner = b"".join(it[1:-1] for it in re.findall(rb"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'", literals))
    return _ESCAPE.sub(_byte, inner).decode("utf-8", "backslashreplace")


def _byte(match: re.Match[bytes]) -> bytes:
    if match[1] or match[2]:
        return bytes([int(match[1], 16) if match[1] else int(match[2], 8) & 0xFF])
    return match[3]
