"""The engine `strict`: one rule a format, each of which claims every byte or says what it did not understand.

It owns coverage: what none of its rules completes is unscanned, whatever other engines say. It imports no model
library and loads nothing. A rule is a function of `notes.Rule`'s shape; adding a format is a rule and a line in
`RULES`, once the sniffer has a word for it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace

from weighlock import __version__
from weighlock.scanners import Blob, Report, Severity, Status
from weighlock.scanners.pickles.profiles import DEFAULT, allowed
from weighlock.scanners.reading import UnclearError
from weighlock.scanners.sniff import CONTAINERS, NATIVE
from weighlock.scanners.strict import images, text
from weighlock.scanners.strict.checkpoint import checkpoint
from weighlock.scanners.strict.claims import claim, second
from weighlock.scanners.strict.coreml import coreml, weights
from weighlock.scanners.strict.gguf import gguf
from weighlock.scanners.strict.hdf5 import hdf5
from weighlock.scanners.strict.notes import Notes, Rule
from weighlock.scanners.strict.npy import npy
from weighlock.scanners.strict.onnx import onnx
from weighlock.scanners.strict.pickle import pickle
from weighlock.scanners.strict.r import r
from weighlock.scanners.strict.safetensors import safetensors
from weighlock.scanners.strict.sentencepiece import sentencepiece
from weighlock.scanners.strict.tensorflow import fingerprint, keras_metadata, tensorflow
from weighlock.scanners.strict.tflite import tflite
from weighlock.scanners.strict.torchscript import storage, torchscript
from weighlock.scanners.strict.ubjson import ubjson
from weighlock.scanners.strict.xml import xml

NAME = "strict"

RULES: Mapping[str, Rule] = {
    "empty": text.empty,
    "text": text.text,
    "json": text.json_document,
    "lfs pointer": text.pointer,
    "safetensors": safetensors,
    "png": images.png,
    "gif": images.gif,
    "jpeg": images.jpeg,
    "webp": images.webp,
    "pickle": pickle,
    "torch pickle": pickle,
    "torchscript pickle": pickle,
    "torchscript code": torchscript,
    "tensor storage": storage,
    "onnx": onnx,
    "tensorflow": tensorflow,
    "tensorflow index": checkpoint,
    "tensorflow fingerprint": fingerprint,
    "keras metadata": keras_metadata,
    "tflite": tflite,
    "coreml": coreml,
    "coreml weights": weights,
    "sentencepiece": sentencepiece,
    "xml": xml,
    "r": r,
    "ubjson": ubjson,
    "npy": npy,
    "gguf": gguf,
    "hdf5": hdf5,
}


class Strict:
    """A `Scanner` that judges by content alone."""

    name = NAME
    version = __version__

    def __init__(self, *, profiles: Sequence[str] | None = None, names: Sequence[str] = ()) -> None:
        """Let pickles use the names of these profiles instead of the default ones, and exact `names` besides."""
        chosen = profiles is not None or names
        self._names = allowed(DEFAULT if profiles is None else profiles, names) if chosen else None

    def scan(self, blob: Blob) -> Report:
        """Apply the rule of the blob's format; of a container, whose members are blobs of their own, only see the name."""
        notes = Notes(blob.member, names=self._names)
        claim(blob, notes)
        second(blob, notes)
        if blob.format in CONTAINERS:
            return replace(report(notes), status=Status.PARTIAL)
        if blob.format in NATIVE:
            notes.find("native", Severity.HIGH, f"a native program or library ({blob.format}), not model data")
        else:
            _apply(blob, notes)
        return report(notes)


def report(notes: Notes) -> Report:
    """Return the notes as this engine's report."""
    status = Status.ERROR if notes.gaps else Status.COMPLETE
    return Report(NAME, __version__, status, tuple(notes.findings), "; ".join(notes.gaps))


def _apply(blob: Blob, notes: Notes) -> None:
    rule = RULES.get(blob.format)
    if rule is None:
        notes.gap(
            "no rule understands this content"
            if blob.format == "unknown"
            else f"the format {blob.format} is recognised, and there is no rule for it yet"
        )
        return
    try:
        with blob.open() as stream:
            rule(blob, io.BufferedReader(stream) if isinstance(stream, io.RawIOBase) else stream, notes)
    except UnclearError as error:
        notes.gap(str(error))
