"""Models that people install, out of packages of the Python index: every file of each is safe, and nobody had to say so."""

from __future__ import annotations

import pytest

import models
from real_models import real_model
from weighlock.scanners import Verdict
from weighlock.stages.scan import scan_model

FORMATS = {
    "alt-profanity-check": {"pickle"},
    "basic-pitch": {"json", "onnx", "tflite"},
    "lpips": {"pickle"},
    "nudenet": {"onnx"},
    "profanity-check": {"pickle"},
    "py3langid": {"xz"},
    "rapidocr-onnxruntime": {"onnx"},
    "resemblyzer": {"pickle"},
    "silero-vad": {"onnx", "safetensors", "zip"},
}
"""What has to be among the formats of a model, so that it goes on standing for what it was chosen for."""


@pytest.mark.parametrize("package", models.INSIDE)
def test_every_file_is_safe(package: str) -> None:
    _, ledger = scan_model(real_model(package))
    assert FORMATS.get(package, set()) <= {row.format for row in ledger.rows}
    assert {row.path: row.reasons() for row in ledger.rows if row.verdict is not Verdict.SAFE} == {}
