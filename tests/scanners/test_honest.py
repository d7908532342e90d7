"""Honest files pass: those that builders make, and those that the real libraries wrote."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

import hostile
from corpus import honest
from scanning import scanned
from weighlock.scanners import Verdict

MODELS = honest.models()
FLOORS = honest.floors()


@pytest.mark.parametrize("name", hostile.HONEST)
def test_is_safe(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(hostile.HONEST[name])
    ledger = scanned(tmp_path)
    assert ledger.verdict is Verdict.SAFE, ledger.rows[0].reasons()


def test_external_data_in_the_model_is_found(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(hostile.onnx(location="data/w.txt"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "w.txt").write_bytes(b"12345678")
    ledger = scanned(tmp_path)
    assert ledger.verdict is Verdict.SAFE


@pytest.mark.parametrize("model", MODELS)
def test_a_library_s_own_model_is_never_unsafe(model: str) -> None:
    ledger = honest.scanned(model)
    reasons = [reason for row in ledger.rows for reason in row.reasons()]
    assert ledger.verdict is not Verdict.UNSAFE, reasons
    assert ledger.verdict <= FLOORS[model], reasons


def test_every_model_has_a_floor() -> None:
    assert list(FLOORS) == MODELS


def test_nearly_all_are_safe() -> None:
    held = [model for model, floor in FLOORS.items() if floor is not Verdict.SAFE]
    assert len(held) <= 0.05 * len(MODELS), held


def test_each_family_says_what_made_it() -> None:
    manifest = json.loads((honest.HERE / "manifest.json").read_text())
    assert {family: entry["models"] for family, entry in manifest.items()} == Counter(
        model.split("/")[0] for model in MODELS
    )
