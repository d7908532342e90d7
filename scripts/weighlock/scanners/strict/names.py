"""JSON that names code: keys with which a loader is told to import, fetch or call something.

The keys are those of Hugging Face (`auto_map`, `trust_remote_code`, `custom_pipelines`), Hydra and NeMo (`_target_`),
Keras (a `Lambda` layer, `__lambda__`, a module outside Keras) and skops (`__loader__`).
"""

from __future__ import annotations

from typing import Any

from weighlock.scanners import Severity
from weighlock.scanners.strict.notes import Notes

_KERAS_ROOTS = frozenset({"keras", "tf_keras", "keras_hub", "keras_nlp", "keras_cv", "builtins"})


class Pairs(list[tuple[str, Any]]):
    """A JSON object with all its pairs: of two that share a key, each reader takes another."""


def search(document: Any, notes: Notes) -> None:
    """Find every object in `document` that names code."""
    waiting = [document]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Pairs):
            _look(item, notes)
            waiting.extend(value for _, value in item)
        elif isinstance(item, list):
            waiting.extend(item)


def _look(pairs: Pairs, notes: Notes) -> None:
    for key, value in pairs:
        if key in {"auto_map", "custom_pipelines"} and value:
            message = f"{key} makes the loader run {_first(value)} with trust_remote_code"
            notes.find("json.remote-code", Severity.HIGH, message)
        elif key == "trust_remote_code" and value is True:
            notes.find(
                "json.remote-code",
                Severity.HIGH,
                "trust_remote_code is switched on: the loader would run code from the model",
            )
        elif key == "_target_" and isinstance(value, str):
            notes.find("json.target", Severity.HIGH, f"the key _target_ makes a loader call {value}")
        elif key == "__loader__":
            notes.gap("a skops schema, which names classes to build; there is no rule for it yet")
    _keras(dict(pairs), notes)


def _keras(item: dict[str, Any], notes: Notes) -> None:
    name, module = item.get("class_name"), item.get("module")
    if name in {"Lambda", "__lambda__", "TorchModuleWrapper"}:
        notes.find(
            "json.keras-lambda",
            Severity.CRITICAL,
            f"a Keras layer of class {name} holds code that runs when the model is loaded or called",
        )
    elif isinstance(name, str) and isinstance(module, str) and "config" in item:
        if module.split(".")[0] not in _KERAS_ROOTS:
            notes.find("json.keras-module", Severity.HIGH, f"Keras would import {module} for {name}")
        elif name == "function" or module == "builtins":
            notes.gap(
                f"a Keras configuration that names the function {module}.{item.get('config')}; there is no rule for it yet"
            )


def _first(value: Any) -> str:
    while isinstance(value, list) and value:
        value = value[0]
        if isinstance(value, tuple):
            value = value[1]
    return str(value) if isinstance(value, str) else "code of its own"
