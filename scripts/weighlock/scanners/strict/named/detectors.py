"""Configurations of object detectors that their trainers evaluate or import from: YOLO's and OpenMMLab's.

YOLO's model files are YAML in which modules, arguments and the activation go through Python's eval. OpenMMLab's
``custom_imports`` are imported before anything else. Source: ultralytics/yolov5, models/yolo.py, `parse_model`;
open-mmlab/mmengine, config.py.
"""

from __future__ import annotations

import re

from weighlock.scanners import Severity
from weighlock.scanners.strict.named import paths
from weighlock.scanners.strict.notes import Notes
from weighlock.scanners.strict.pairs import Pairs, strings

EVALUATED, IMPORTED = "text.evaluated", "text.import"

_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*|-?[\d.]+(e-?\d+)?|\[[\d\s,.\-]*\]|")
_MODULE = re.compile(r"(torch\.)?nn\.[A-Z]\w*\([\w\s=,.\-]*\)")
_OPEN_MMLAB = ("mmcv", "mmengine", "mmcls", "mmpretrain", "mmdet", "mmdet3d", "mmseg", "mmpose", "mmocr", "mmaction")


def look(pairs: Pairs, notes: Notes) -> None:
    """Judge what one object makes a trainer evaluate or import."""
    layers = [value for key in ("backbone", "head") for value in pairs.all(key) if _is_layers(value)]
    if layers:
        for words in [*strings(layers), *pairs.strings("activation"), *pairs.strings("act")]:
            _evaluated(words, notes)
    for value in pairs.all("custom_imports"):
        imports = value.all("imports") if isinstance(value, Pairs) else [value]
        for path in strings(imports):
            paths.judge(IMPORTED, f"{path}.x", "OpenMMLab imports", _OPEN_MMLAB, notes)


def _is_layers(value: object) -> bool:
    return isinstance(value, list) and not isinstance(value, Pairs) and any(type(item) is list for item in value)


def _evaluated(words: str, notes: Notes) -> None:
    if "__" in words or not (_NAME.fullmatch(words.strip()) or _MODULE.fullmatch(words.strip())):
        notes.find(EVALUATED, Severity.CRITICAL, f"YOLO evaluates {words} as Python when it builds the model")
