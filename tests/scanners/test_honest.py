"""Honest files pass, alone and as whole models."""

from __future__ import annotations

from pathlib import Path

import pytest

import hostile
from weighlock.scanners import Verdict
from weighlock.stages.scan import scan_model


@pytest.mark.parametrize("name", hostile.HONEST)
def test_is_safe(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(hostile.HONEST[name])
    _, ledger = scan_model(tmp_path)
    assert ledger.verdict is Verdict.SAFE, ledger.rows[0].reasons()


def test_external_data_in_the_model_is_found(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(hostile.onnx(location="data/w.txt"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "w.txt").write_bytes(b"12345678")
    _, ledger = scan_model(tmp_path)
    assert ledger.verdict is Verdict.SAFE
