"""Finding the models of a repository that lists none: by the names of its files, and by the content of single ones. Pure.

A model is a folder where something says so (`MARKERS`, or a ``config.json`` beside weights), or where nothing below is
source code; anywhere else each file of weights is a model of its own. What is found too much is only scanned in vain.
"""

from __future__ import annotations

import io
import posixpath
from collections.abc import Collection, Iterable, Iterator

from weighlock import git
from weighlock.scanners.sniff import recognised, sniff

TOP = "."
"""The model that is the whole repository, as on a model hub."""
WEIGHTS = frozenset(
    [
        "safetensors",
        "gguf",
        "ggml",
        "llamafile",
        "onnx",
        "ort",
        "tflite",
        "pt",
        "pth",
        "pth.tar",
        "pt2",
        "ptl",
        "pte",
        "ckpt",
        "pkl",
        "pickle",
        "dill",
        "cloudpickle",
        "joblib",
        "keras",
        "h5",
        "hdf5",
        "npy",
        "npz",
        "mlmodel",
        "mar",
        "skops",
        "ubj",
        "bst",
        "cbm",
        "lgb",
        "rds",
        "rdata",
        "pmml",
        "nemo",
        "params",
        "t7",
        "caffemodel",
        "pdparams",
        "pdmodel",
        "msgpack",
        "engine",
        "trt",
        "torchscript",
    ]
)
"""Endings of files that hold weights, or that a loader of models runs."""
_NAMES = frozenset(
    {"saved_model.pb", "pytorch_model.bin", "model.bin", "adapter_model.bin", "weights.bin", "xgboost.json"}
)
MARKERS = frozenset(
    {"MLmodel", "Kitfile", "model_index.json", "saved_model.pb", "model.safetensors.index.json", "adapter_config.json"}
)
"""Files that say: this folder, with all that is below, is one model."""
_CODE = frozenset(
    [
        "py",
        "ipynb",
        "pyx",
        "js",
        "ts",
        "jsx",
        "tsx",
        "go",
        "rs",
        "c",
        "cc",
        "cpp",
        "h",
        "hpp",
        "java",
        "kt",
        "scala",
        "rb",
        "php",
        "cs",
        "swift",
        "sh",
        "r",
        "jl",
    ]
)
_FORMATS = frozenset(
    {
        *("pickle", "safetensors", "gguf", "hdf5", "npy", "tflite", "joblib zfile", "catboost", "ubjson", "r", "onnx"),
        *("coreml", "coreml weights", "tensorflow", "tensorflow index", "sentencepiece"),
    }
)
_DATA = frozenset(
    [
        "csv",
        "tsv",
        "parquet",
        "arrow",
        "feather",
        "jsonl",
        "txt",
        "md",
        "pdf",
        "png",
        "jpg",
        "jpeg",
        "gif",
        "webp",
        "tif",
        "tiff",
        "mp3",
        "mp4",
        "mov",
        "wav",
        "flac",
        "ogg",
        "psd",
        "svg",
    ]
)
"""Endings of what people keep in Git LFS beside models."""


def is_weights(path: str) -> bool:
    """Tell whether the name says that the file holds weights."""
    name = posixpath.basename(path).lower()
    if name in _NAMES or (name.startswith("pytorch_model-") and name.endswith(".bin")):
        return True
    parts = name.split(".")
    return any(".".join(parts[-count:]) in WEIGHTS for count in (1, 2) if len(parts) > count)


def is_data(path: str) -> bool:
    """Tell whether the name says that the file is data that people keep beside models."""
    return path.rsplit(".", 1)[-1].lower() in _DATA


def holds_model(path: str, content: bytes) -> bool:
    """Tell whether the content of a file says so, whatever its name.

    What stands behind a pointer of Git LFS is not here; unless its name says that it is data, it may be a model.
    """
    if git.pointer(content):
        return not is_data(path)
    sniffer = sniff(io.BytesIO(content))
    if sniffer.zip_end:
        return b"data.pkl" in sniffer.tail or b".npy" in sniffer.tail
    return recognised(sniffer, lambda: io.BytesIO(content)) in _FORMATS


def models(paths: Iterable[str]) -> list[str]:
    """Return the models among the files of a repository, as paths of folders and files, sorted."""
    files = sorted(paths)
    weights = [path for path in files if is_weights(path)]
    names = set(files)
    folders = {folder for path in weights for folder in _above(path)}
    marked = {folder for folder in folders | {TOP} if _is_marked(folder, names, weights)}
    marked |= {posixpath.dirname(path) or TOP for path in files if posixpath.basename(path) in MARKERS}
    coded = {folder for path in files if path.rsplit(".", 1)[-1].lower() in _CODE for folder in _above(path)}
    plain = {posixpath.dirname(path) for path in weights} - coded - {""}
    return _outermost([*marked, *plain, *weights])


def owners(path: str, models: Collection[str]) -> list[str]:
    """Return the models that a file belongs to, the innermost first."""
    return [place for place in (path, *_above(path)) if place in models]


def inside(path: str, model: str) -> bool:
    """Tell whether a path is a model, or is in it."""
    return model in (TOP, path) or path.startswith(model + "/")


def _is_marked(folder: str, names: set[str], weights: list[str]) -> bool:
    prefix = "" if folder == TOP else folder + "/"
    beside = any((posixpath.dirname(path) or TOP) == folder for path in weights)
    return beside and prefix + "config.json" in names


def _above(path: str) -> Iterator[str]:
    """Yield the folders around a file, from the inside out."""
    while (folder := posixpath.dirname(path)) not in {"", path}:  # a path from the root never gets shorter than "/"
        yield folder
        path = folder
    yield TOP


def _outermost(places: Iterable[str]) -> list[str]:
    kept: set[str] = set()
    for place in sorted(places, key=lambda place: (place != TOP, place.count("/"), place)):
        if not any(folder in kept for folder in (place, *_above(place))):
            kept.add(place)
    return sorted(kept)
