"""Hugging Face's configurations: code of the repository or of another one, and libraries that are imported by name.

Source: transformers' dynamic_module_utils.py (``owner/repo--module.Class``), diffusers' pipeline_loading_utils.py,
sentence-transformers' modules.json, PEFT's auto_mapping.
"""

from __future__ import annotations

from weighlock.scanners import Severity
from weighlock.scanners.strict.named import paths
from weighlock.scanners.strict.notes import Notes
from weighlock.scanners.strict.pairs import Pairs, strings

RULE = "json.remote-code"

_LIBRARIES = ("diffusers", "transformers", "sentence_transformers", "peft", "optimum", "onnxruntime", "tokenizers")
_PIPELINES = frozenset(
    {"stable_diffusion", "flax_stable_diffusion", "latent_diffusion", "audioldm", "paint_by_example"}
)
_LAYERS = ("torch.nn", "torch.nn.modules", "sentence_transformers", "transformers.activations")
_ACTIVATIONS = frozenset({"activation_fn", "activation_function", "default_activation_function"})


def look(pairs: Pairs, notes: Notes) -> None:
    """Find what names code in one object."""
    for key, value in pairs:
        if key in {"auto_map", "custom_pipelines"} and value:
            _code(key, [text for text in strings(value) if "." in text or "--" in text] or ["code of its own"], notes)
        elif key == "trust_remote_code" and str(value).lower() in {"true", "yes", "on"}:
            message = "trust_remote_code is switched on: the loader would run code from the model"
            notes.find(RULE, Severity.REVIEW, message)
        elif key == "parent_library" and isinstance(value, str):
            paths.judge(RULE, f"{value}.x", "PEFT imports", _LIBRARIES, notes)
        elif key in _ACTIVATIONS and isinstance(value, str) and "." in value:
            paths.judge(RULE, value, "sentence-transformers imports", _LAYERS, notes)
    if pairs.has("_class_name"):
        _pipeline(pairs, notes)
    if pairs.has("type", "path", "idx"):
        for path in pairs.strings("type"):
            paths.judge(RULE, path, "sentence-transformers imports", ("sentence_transformers",), notes)


def _code(key: str, named: list[str], notes: Notes) -> None:
    for name in named:
        if "--" in name or "://" in name:
            notes.find(RULE, Severity.CRITICAL, f"{key} makes the loader fetch {name} and run it: code of others")
        else:
            notes.find(RULE, Severity.REVIEW, f"{key} makes the loader run {name} with trust_remote_code")


def _pipeline(pairs: Pairs, notes: Notes) -> None:
    """Judge a pipeline's own class and its parts, each a library and a class in it."""
    for value in pairs.all("_class_name"):
        if isinstance(value, list):
            _code("_class_name", [".".join(text for text in value if isinstance(text, str))], notes)
    for value in (value for key, value in pairs if not key.startswith("_")):
        match value:
            case [str(library), str(name)] if library not in _PIPELINES and type(value) is list and name[:1].isupper():
                paths.judge(RULE, f"{library}.{name}", "the pipeline imports", _LIBRARIES, notes)
            case [str(library), str(name)] if paths.dangerous(f"{library}.{name}"):
                paths.judge(RULE, f"{library}.{name}", "the pipeline imports", _LIBRARIES, notes)
            case _:
                pass
