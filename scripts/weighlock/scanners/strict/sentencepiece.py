"""SentencePiece: a tokenizer's pieces and settings, which are data; walked by the published schema.

The settings name files of the training run; a processor that loads the model does not open them. Source:
google/sentencepiece, src/sentencepiece_model.proto.
"""

from __future__ import annotations

from typing import BinaryIO

from weighlock.scanners import Blob
from weighlock.scanners.strict.notes import Notes
from weighlock.scanners.strict.schema import Walk, messages


def sentencepiece(blob: Blob, stream: BinaryIO, _notes: Notes) -> None:
    """Walk the model."""
    Walk(stream, messages("sentencepiece")).message("ModelProto", 0, blob.size)
