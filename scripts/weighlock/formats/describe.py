"""What a model says of itself in files that are there anyway: its card, ``config.json``, and the weights' names.

Only what is the same on every machine goes into the artifact, so the folder's name does not.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from weighlock import jsonio
from weighlock.errors import MalformedError
from weighlock.formats.kinds import WEIGHT, kind_of
from weighlock.jsonio import Json
from weighlock.model import Model, ModelFile

_CONFIG_LIMIT = 4 * 1024 * 1024  # bytes of a config.json that is worth reading
_PRECISIONS = frozenset(
    [
        "float16",
        "float32",
        "float64",
        "bfloat16",
        "float8_e4m3",
        "float8_e5m2",
        "complex32",
        "complex64",
        "complex128",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "bool",
    ]
)
_FORMATS = {"onnx", "safetensors", "gguf", "pt", "pth", "keras", "tflite", "h5", "pb", "npz", "npy"}
_CARD_LIMIT = 64 * 1024  # bytes of a model card in which its front matter ends
_FRONT = re.compile(r"---\r?\n(.*?)^---\r?$", re.DOTALL | re.MULTILINE)
_LICENCE = re.compile(r"""^license:[ \t]*["']?([A-Za-z0-9][A-Za-z0-9.+-]{0,63})["']?[ \t]*(?:#.*)?\r?$""", re.MULTILINE)
_NO_LICENCE = frozenset({"other", "unknown"})  # what model cards say instead of one
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Facts:
    """The ``descriptor`` and ``config`` objects of a ModelPack config; a fact that is not known is left out."""

    descriptor: Json
    config: Json


def describe(model: Model) -> Facts:
    """Return what is known of `model`."""
    hugging_face = _hugging_face(model)
    descriptor: Json = {}
    config: Json = {}
    if family := _plain(hugging_face.get("model_type")):
        descriptor["family"] = family
    if "transformers_version" in hugging_face:
        config["architecture"] = "transformer"
    if licence := _licence(model):
        descriptor["licenses"] = [licence]
    if weights := _weights_format(model.files):
        config["format"] = weights
    precision = hugging_face.get("dtype") or hugging_face.get("torch_dtype")
    if isinstance(precision, str) and precision in _PRECISIONS:
        config["precision"] = precision
    return Facts(descriptor, config)


def _licence(model: Model) -> str | None:
    """Return the licence that the model's card names, as it stands there; SPDX identifiers are the same in any case."""
    for file in model.files:
        if file.path == "README.md":
            with file.open() as stream:
                head = stream.read(_CARD_LIMIT).decode(errors="replace")
            found = _FRONT.match(head)
            named = _LICENCE.findall(found[1]) if found else []
            return named[0] if len(named) == 1 and named[0] not in _NO_LICENCE else None
    return None


def _weights_format(files: tuple[ModelFile, ...]) -> str | None:
    """Return the format with the most bytes of weights, by extension."""
    sizes: Counter[str] = Counter()
    for file in files:
        extension = file.path.rsplit(".", 1)[-1].lower()
        if kind_of(file.path, file.size) == WEIGHT and extension in _FORMATS:
            sizes[extension] += file.size
    return min(sizes, key=lambda extension: (-sizes[extension], extension), default=None)


def _hugging_face(model: Model) -> Json:
    for file in model.files:
        if file.path == "config.json" and file.size <= _CONFIG_LIMIT:
            with file.open() as stream:
                raw = stream.read()
            try:
                return jsonio.parse(raw, "config.json")
            except MalformedError:
                return {}
    return {}


def _plain(value: object) -> str | None:
    return value if isinstance(value, str) and _PLAIN.fullmatch(value) else None
