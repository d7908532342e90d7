"""Source files that a loader or a server runs because of their names, though nothing in the model points to them.

Other Python beside a model is text: it runs where somebody imports it. Source: torch.hub's ``hubconf.py``;
transformers' ``custom_generate``; Hugging Face's inference endpoints and SageMaker's containers; Triton's Python
backend; Python's site.py, which runs the lines of ``.pth`` files that begin with import; gin-config.
"""

from __future__ import annotations

import re

from weighlock.scanners import Blob, Severity
from weighlock.scanners.strict.notes import Notes

RULE = "code.entry"

_ENTRIES = (
    (re.compile(r"(?:.*/)?hubconf\.py"), "torch.hub runs it when it loads the model"),
    (re.compile(r"(?:.*/)?custom_generate/generate\.py"), "transformers runs it with trust_remote_code"),
    (re.compile(r"(?:.*/)?handler\.py"), "an inference endpoint runs it when it loads the model"),
    (re.compile(r"(?:.*/)?code/inference\.py"), "SageMaker runs it when it loads the model"),
    (re.compile(r"(?:.*/)?\d+/model\.py"), "Triton's Python backend runs it when it loads the model"),
    (re.compile(r"(?:.*/)?(?:site|user)customize\.py"), "Python runs it whenever it starts beside it"),
)
_IMPORT = re.compile(rb"^(?:import|from)[ \t]", re.MULTILINE)
_SITE = re.compile(rb"^import[ \t]", re.MULTILINE)


def look(blob: Blob, head: bytes, notes: Notes) -> None:
    """Judge a text by its name, which is all that those who run it look at; `head` is its beginning."""
    path = (blob.member or blob.path).rsplit("!", maxsplit=1)[-1]
    for pattern, words in _ENTRIES:
        if pattern.fullmatch(path):
            notes.find(RULE, Severity.REVIEW, f"a source file of this name is an entry: {words}")
    if path.endswith(".pth") and (match := _SITE.search(head)):
        message = "no tensors, but lines of Python that run at every start where it lies among the packages"
        notes.find("code.site", Severity.HIGH, message, match.start())
    if path.endswith(".gin") and (match := _IMPORT.search(head)):
        notes.find(RULE, Severity.REVIEW, "gin-config imports what this file names when it parses it", match.start())
