"""HyperPyYAML, in which SpeechBrain's models are written: tags that call, import and include when the file is read.

Source: speechbrain/HyperPyYAML, core.py.
"""

from __future__ import annotations

import re

from weighlock.scanners import Severity
from weighlock.scanners.containers import climbs
from weighlock.scanners.strict.named import paths
from weighlock.scanners.strict.notes import Notes

RULE = "text.yaml-tag"

_TAG = re.compile(r"!(new|name|module|apply|applyref|include):(.*)", re.DOTALL)
_CALLED = frozenset({"speechbrain.utils.seed_everything", "torch.manual_seed"})
_KNOWN = ("speechbrain", "torch.nn", "torch.optim", "torchaudio.transforms", "transformers")


def judge(tag: str, notes: Notes) -> None:
    """Judge a tag; any other than these is none of this language."""
    match = _TAG.fullmatch(tag)
    if not match:
        return
    what, path = match[1], match[2].strip()
    if what == "include":
        if climbs(path):
            notes.find(RULE, Severity.CRITICAL, f"the YAML tag {tag} reads a file outside the model")
        return
    if path in _CALLED:
        return
    known = _KNOWN if what in {"new", "name"} else ()
    inner = f"{path}.x" if what == "module" else path
    paths.judge(RULE, inner, f"the YAML tag !{what} makes SpeechBrain's loader call or import", known, notes)
