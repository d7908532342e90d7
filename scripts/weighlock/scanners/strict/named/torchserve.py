"""TorchServe's manifest: the handler and the model file of an archive are Python that the server runs.

Source: pytorch/serve, model-archiver, `manifest_components`.
"""

from __future__ import annotations

from weighlock.scanners import Severity
from weighlock.scanners.strict.notes import Notes
from weighlock.scanners.strict.pairs import Pairs

_BUILT_IN = frozenset({"base_handler", "text_classifier", "image_classifier", "object_detector", "image_segmenter"})
_KEYS = {
    "handler": "the server runs",
    "modelFile": "the server runs",
    "requirementsFile": "the server installs what stands in",
}


def look(pairs: Pairs, notes: Notes) -> None:
    """Find what one object of a manifest makes the server run."""
    if not pairs.has("modelName") or not (pairs.has("handler") or pairs.has("serializedFile")):
        return
    for key, words in _KEYS.items():
        for name in pairs.strings(key):
            if name and name not in _BUILT_IN:
                notes.find("torchserve.code", Severity.REVIEW, f"{words} {name} when it loads the model")
