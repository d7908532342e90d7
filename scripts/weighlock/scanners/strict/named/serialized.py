"""Objects written as JSON: jsonpickle's tags, and the pickles in base64 that Stable-Baselines3 keeps in its archives.

Source: jsonpickle/tags.py and unpickler.py; stable_baselines3/common/save_util.py, `json_to_data`.
"""

from __future__ import annotations

import base64
import binascii
import io
import urllib.parse

from weighlock.scanners import Severity
from weighlock.scanners.pickles.globals import Grade, grade
from weighlock.scanners.reading import UnclearError
from weighlock.scanners.strict.named import paths
from weighlock.scanners.strict.notes import Notes
from weighlock.scanners.strict.pairs import Pairs
from weighlock.scanners.strict.pickle import judge

RULE = "json.object"

_NAMING = ("py/object", "py/type", "py/class", "py/function", "py/mod")
_EVALUATED = ("py/repr",)
_PICKLED = ":serialized:"


def look(pairs: Pairs, notes: Notes) -> None:
    """Find what one object makes a loader import, call or unpickle."""
    for key in _NAMING:
        for path in pairs.strings(key):
            module, _, name = path.replace("/", ".").rpartition(".")
            if grade(module, name, "pickle") is not Grade.ALLOWED:
                paths.judge(RULE, f"{module}.{name}", "jsonpickle imports", (), notes)
    for key in _EVALUATED:
        for words in pairs.strings(key):
            notes.find(RULE, Severity.CRITICAL, f"jsonpickle evaluates {words} when the document is decoded")
    for words in pairs.strings(_PICKLED):
        _unpickled(words, notes)


def _unpickled(words: str, notes: Notes) -> None:
    try:
        data = base64.b64decode(urllib.parse.unquote(words))
    except (binascii.Error, ValueError):
        notes.gap("a pickle in JSON that is no base64")
        return
    try:
        judge("pickle", io.BytesIO(data), notes)
    except UnclearError as error:
        notes.gap(f"a pickle in JSON: {error}")
