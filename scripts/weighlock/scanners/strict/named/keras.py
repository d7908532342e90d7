"""Keras' configurations: code in Lambda layers, functions by module path, classes that load files, custom classes.

Every object with a ``class_name`` is looked at, at any depth, since wrappers, initializers and compile configurations
nest them. Source: keras/src/saving/serialization_lib.py and the calls that it refuses; CVE-2024-3660, CVE-2025-1550,
CVE-2025-8747, CVE-2025-9905, CVE-2025-9906, CVE-2025-12058, CVE-2025-49655.
"""

from __future__ import annotations

import builtins
import functools
import re
from importlib import resources

from weighlock.scanners import Severity
from weighlock.scanners.strict.named import paths
from weighlock.scanners.strict.notes import Notes
from weighlock.scanners.strict.pairs import Pairs

CODE, MODULE, FILES = "json.keras-lambda", "json.keras-module", "json.keras-file"

_CODE = {
    "Lambda": "holds Python code that runs when the model is loaded or called",
    "__lambda__": "holds Python code that runs when the model is loaded or called",
    "TorchModuleWrapper": "holds a pickle that runs when the model is loaded",
    "TFSMLayer": "loads another model from a path",
}
_ROOTS = frozenset(
    {"keras", "tf_keras", "tensorflow.keras", "tensorflow.python.keras", "keras_hub", "keras_nlp", "keras_cv"}
)
_INSIDE = re.compile(r"\A\.(src\.(backend\.(jax|numpy|openvino|tensorflow|torch)\.(?=optimizers\.))?)?")
_MODELLING = frozenset(
    [
        *("activations", "constraints", "distillation", "dtype_policies", "engine", "initializers", "layers"),
        *("losses", "metrics", "mixed_precision", "models", "ops", "optimizers", "quantizers", "random"),
        *("regularizers", "saving.legacy.saved_model"),
    ]
)
_CALLS = frozenset(
    [
        *("clear_session", "enable_unsafe_deserialization", "load_model", "load_weights", "save_model"),
        *("save_weights", "model_from_json", "load_img", "model_from_config", "model_from_yaml", "save_img"),
        *("get_file", "image_dataset_from_directory", "text_dataset_from_directory"),
        *("audio_dataset_from_directory", "deserialize_keras_object", "serialize_keras_object"),
        *("register_keras_serializable", "func_load", "load_data", "from_preset", "plot_model", "export"),
        *("ExportArchive", "KerasFileEditor"),
    ]
)
"""Names that do something other than modelling, wherever in Keras they are found."""
_SPECIAL = frozenset(
    {"__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__", "__tuple__"}
)
_TYPES = {
    "__typespec__": "tensorflow",
    "TypeSpec": "tensorflow",
    "TensorShape": "",
    "__tuple__": "",
    "CompositeTensor": "",
}
_LOOKUPS = frozenset({"StringLookup", "IntegerLookup", "TextVectorization", "IndexLookup"})
_OPERATIONS = frozenset({"TFOpLambda", "TensorFlowOpLayer", "SlicingOpLambda", "ClassMethod", "InstanceMethod"})
_COMPUTING = (
    "math",
    "nn",
    "linalg",
    "__operators__",
    "signal",
    "bitwise",
    "sparse",
    "ragged",
    "image",
    "strings",
    "random",
)
_REACHING = ("io", "py_function", "numpy_function", "raw_ops", "load", "saved_model", "train", "data", "print", "file")


def look(pairs: Pairs, notes: Notes) -> None:
    """Judge one object."""
    names = pairs.strings("class_name")
    for name in names:
        bare = name.rpartition(">")[2]
        if bare in _CODE:
            notes.find(CODE, Severity.CRITICAL, f"a Keras object of class {name} {_CODE[bare]}")
    if names and pairs.has("config"):
        modules = pairs.strings("module")
        for name in names:
            if name == "function":
                for function in pairs.strings("config"):
                    _function(function, modules, notes)
            elif name.rpartition(">")[2] not in _CODE and name not in _SPECIAL:
                _class(name, modules, pairs, notes)


def _function(name: str, modules: list[str], notes: Notes) -> None:
    foreign = [module for module in modules if module != "builtins"]
    for module in foreign:
        _import(name, module, notes)
    if not foreign and not _known("function", name):
        _bare(name, notes)


def _bare(name: str, notes: Notes) -> None:
    bad = name in _CALLS or hasattr(builtins, name) or "." in name
    severity = Severity.CRITICAL if bad else Severity.REVIEW
    notes.find(MODULE, severity, f"Keras would look for a function {name}, which is none of its own")


def _class(name: str, modules: list[str], pairs: Pairs, notes: Notes) -> None:
    for module in modules:
        _import(name, module, notes)
    if name in _OPERATIONS:
        _operation(pairs, notes)
    elif not modules and not _known("class", name) and name not in _TYPES:
        notes.find(MODULE, Severity.REVIEW, f"Keras needs the class {name}, which is none of its own")
    if name in _LOOKUPS:
        _vocabulary(name, pairs, notes)
    for registered in pairs.strings("registered_name"):
        if registered not in {name, "function"} and modules:
            notes.find(
                MODULE, Severity.REVIEW, f"Keras needs what is registered as {registered}, which is none of its own"
            )


def _import(name: str, module: str, notes: Notes) -> None:
    """Judge what Keras imports by the path of a module."""
    root = next((root for root in _ROOTS if module == root or module.startswith(root + ".")), None)
    path = f"{module}.{name}"
    if root is None:
        if not (name in _TYPES and module.startswith("tensorflow.python.")):
            paths.judge(MODULE, path, "Keras would import", (), notes)
        return
    inside = _INSIDE.sub("", module.removeprefix(root))
    if name in _CALLS or "." in name:
        notes.find(
            MODULE, Severity.CRITICAL, f"Keras would call {path}, which does not build a model but reads or fetches"
        )
    elif inside and not any(inside == part or inside.startswith(part + ".") for part in _MODELLING):
        notes.find(MODULE, Severity.REVIEW, f"Keras would import {path}, which is not where its models are made")


def _operation(pairs: Pairs, notes: Notes) -> None:
    """Judge a function of TensorFlow that a layer calls by name."""
    configs = [value for value in pairs.all("config") if isinstance(value, Pairs)]
    for function in (path for config in configs for path in config.strings("function")):
        first = function.removeprefix("tf.").split(".")[0]
        if first in _REACHING:
            notes.find(FILES, Severity.CRITICAL, f"a layer calls tf.{function}, which reaches outside the model")
        elif first not in _COMPUTING and "." in function:
            notes.find(FILES, Severity.REVIEW, f"a layer calls tf.{function}, which is not on the list")


def _vocabulary(name: str, pairs: Pairs, notes: Notes) -> None:
    """A vocabulary that is a string is a file's path or address, read when the layer is made."""
    configs = [value for value in pairs.all("config") if isinstance(value, Pairs)]
    for path in (path for config in configs for path in config.strings("vocabulary")):
        outside = path.startswith(("/", "~", "\\")) or ":" in path or ".." in path
        severity = Severity.CRITICAL if outside else Severity.REVIEW
        notes.find(FILES, severity, f"the layer {name} reads its vocabulary from {path} when it is loaded")


@functools.cache
def _names() -> frozenset[str]:
    text = (resources.files(__package__) / "keras_names.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if not line.startswith("#"))


def _known(kind: str, name: str) -> bool:
    return f"{kind} {name}" in _names()
