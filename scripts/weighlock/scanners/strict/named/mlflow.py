"""MLflow's `MLmodel`: the module that loads the model, and code that is put on the path before.

Source: mlflow/pyfunc/__init__.py, `load_model`.
"""

from __future__ import annotations

from weighlock.scanners import Severity
from weighlock.scanners.strict.named import paths
from weighlock.scanners.strict.notes import Notes
from weighlock.scanners.strict.pairs import Pairs

RULE = "mlflow.loader"

_FLAVOURS = frozenset(
    [
        *("catboost", "diviner", "fastai", "gluon", "h2o", "keras", "lightgbm", "mleap", "onnx", "paddle", "pmdarima"),
        *(
            "prophet",
            "pytorch",
            "sentence_transformers",
            "shap",
            "sklearn",
            "spacy",
            "spark",
            "statsmodels",
            "tensorflow",
        ),
        *("transformers", "xgboost", "pyfunc.model"),
    ]
)
"""Those that load what lies in the model, and that is judged on its own."""


def look(pairs: Pairs, notes: Notes) -> None:
    """Find what one object makes MLflow import."""
    for path in pairs.strings("loader_module"):
        if not path.startswith("mlflow.") or path.removeprefix("mlflow.") not in _FLAVOURS:
            _loader(path, notes)
    if pairs.has("loader_module") or pairs.has("python_version", "env"):
        for key in ("code", "model_code_path"):
            for path in pairs.strings(key):
                notes.find(RULE, Severity.REVIEW, f"MLflow puts {path} on Python's path, or runs it, before it loads")


def _loader(path: str, notes: Notes) -> None:
    own = path.startswith(
        "mlflow."
    )  # a root that grades a pickle's global as dangerous, MLflow's own flavours included
    if paths.dangerous(f"{path}.x") and not own:
        notes.find(RULE, Severity.CRITICAL, f"MLflow imports {path} to load the model, which can run anything")
    else:
        notes.find(RULE, Severity.REVIEW, f"MLflow imports {path} to load the model, which is none of its flavours")
