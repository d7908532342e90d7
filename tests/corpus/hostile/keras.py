"""Keras models, as zip and as HDF5: code in Lambda layers at any depth, imports by module path, library calls."""

from __future__ import annotations

import base64
import importlib
import io
import json
import marshal
from collections.abc import Iterator
from typing import Any

from corpus.hostile import Case, Family
from corpus.hostile.assembler import RAN, SYSTEM, stream
from hostile import zipped

ZIP = Family("keras zip")
HDF5 = Family("keras HDF5")

Layer = dict[str, Any]
BYTECODE = base64.b64encode(marshal.dumps(compile("None", "a", "eval"))).decode()
RUNS = "runs Python code while the model is loaded"
CALLS = "calls a function by its module path while the model is loaded"


def lambda_layer() -> Layer:
    """Return a Lambda layer of Keras 3, its function as code."""
    code = {"class_name": "__lambda__", "config": {"code": BYTECODE, "defaults": None, "closure": None}}
    return layer("Lambda", "keras.layers", function=code)


def layer(name: str, module: str | None = "keras.layers", registered: str | None = None, /, **config: Any) -> Layer:
    """Return a layer's description."""
    return {
        "module": module, "class_name": name, "config": {"name": name.lower(), **config}, "registered_name": registered,
        "build_config": {"input_shape": [None, 4]},
    }  # fmt: skip


def model(*layers: Layer, **more: Any) -> Layer:
    """Return a Sequential model."""
    dense = layer("Dense", units=1)
    return layer("Sequential", "keras", layers=[dense, *layers]) | more


def reference(module: str, name: str, *, kind: str = "function") -> Layer:
    """Return a reference to a function in a module."""
    return {"module": module, "class_name": kind, "config": name, "registered_name": kind}


def keras_zip(config: Layer | str, **members: bytes) -> bytes:
    """Return a .keras file."""
    described = config if isinstance(config, str) else json.dumps(config)
    metadata = json.dumps({"keras_version": "3.9.0", "date_saved": "2025-01-01@00:00:00"})
    return zipped({
        "metadata.json": metadata.encode(), "config.json": described.encode(), "model.weights.h5": hdf5({}), **members,
    })  # fmt: skip


def hdf5(attributes: dict[str, str | bytes]) -> bytes:
    """Return an HDF5 file with these attributes and one small dataset."""
    h5py = importlib.import_module("h5py")  # no types
    target = io.BytesIO()
    with h5py.File(target, "w") as file:
        file.create_dataset("layers/dense/vars/0", data=[1.0, 2.0])
        for name, value in attributes.items():
            file.attrs[name] = value
    return target.getvalue()


def _harmful() -> dict[str, tuple[Layer, str]]:
    """Return configurations that both formats can hold."""
    hidden = lambda_layer()
    return {
        "Lambda": (model(hidden), RUNS),
        "Lambda in a wrapper": (model(layer("TimeDistributed", layer=hidden)), RUNS),
        "Lambda in a bidirectional wrapper": (model(layer("Bidirectional", layer=layer("RNN", cell=hidden))), RUNS),
        "Lambda in a nested model": (model(model(model(hidden))), RUNS),
        "Lambda in a functional model": (layer("Functional", "keras.src.models.functional", layers=[hidden]), RUNS),
        "Lambda in the build configuration": (model(build_config={"a": [{"b": hidden}]}), RUNS),
        "Lambda in the compile configuration": (model(compile_config={"loss": hidden}), RUNS),
        "Lambda as an initializer": (model(layer("Dense", kernel_initializer=hidden)), RUNS),
        "Lambda in a list of lists": (model(layer("Dense", a=[[[hidden]]])), RUNS),
        "Lambda by its full path": (
            model(layer("Lambda", "keras.src.layers.core.lambda_layer", function=hidden["config"]["function"])), RUNS,
        ),
        "Lambda renamed": (model(layer("Lambda", None, "Custom>Lambda", function=[BYTECODE, None, None])), RUNS),
        "code of the old form": (
            model(layer("Lambda", None, function=[BYTECODE, None, None], function_type="lambda")), RUNS,
        ),
        "bare lambda": (
            model(layer("Activation", activation={"class_name": "__lambda__", "config": {"code": BYTECODE}})), RUNS,
        ),
        "os.system": (model(layer("Activation", activation=reference("os", "system"))), CALLS),
        "builtins.eval": (model(layer("Activation", activation=reference("builtins", "eval"))), CALLS),
        "subprocess class": (
            model({"module": "subprocess", "class_name": "Popen", "config": {"args": ["true"]}, "registered_name": "a"}),
            CALLS,
        ),
        "module in a metric": (model(compile_config={"metrics": [reference("shutil", "rmtree")]}), CALLS),
        "pathlib class": (
            model({"module": "pathlib", "class_name": "Path.write_text", "config": {}, "registered_name": "a"}), CALLS,
        ),
        "get_file": (
            model(layer("Activation", activation=reference("keras.utils", "get_file"))), "downloads (CVE-2025-8747)",
        ),
        "get_file inside": (
            model(layer("Activation", activation=reference("keras.src.utils.file_utils", "get_file"))), "downloads",
        ),
        "unsafe deserialization": (
            model(layer("Activation", activation=reference("keras.config", "enable_unsafe_deserialization"))),
            "switches safe mode off (CVE-2025-9906)",
        ),
        "load_model": (model(layer("Activation", activation=reference("keras.models", "load_model"))), "loads a file"),
        "load_img": (model(layer("Activation", activation=reference("keras.utils", "load_img"))), "reads a file"),
        "image_dataset_from_directory": (
            model(layer("Activation", activation=reference("keras.utils", "image_dataset_from_directory"))),
            "reads a folder",
        ),
        "TorchModuleWrapper": (
            model(layer("TorchModuleWrapper", "keras.layers", module="gAJj")), "unpickles a module (CVE-2025-49655)",
        ),
        "TFSMLayer": (model(layer("TFSMLayer", "keras.layers", filepath="/outside")), "loads a SavedModel from a path"),
    }  # fmt: skip


def cases() -> Iterator[Case]:
    for name, (config, effect) in _harmful().items():
        yield ZIP.case(name, "model.keras", keras_zip(config), effect)
        yield HDF5.case(
            name, "model.h5",
            lambda config=config: hdf5({"model_config": json.dumps(config), "keras_version": "2.15.0"}),  # type: ignore[misc]
            f"{effect}; HDF5 ignores safe_mode (CVE-2025-9905)",
        )  # fmt: skip
    hidden = model(lambda_layer())
    yield from _zip_only(hidden)
    yield from _hdf5_only(json.dumps(hidden))


def _zip_only(hidden: Layer) -> Iterator[Case]:
    text = json.dumps(hidden)
    escaped = text.replace("Lambda", "\\u004cambda").replace("__lambda__", "__\\u006cambda__")
    twice = text[:-1] + ', "config": {"layers": []}}'
    for name, config in {
        "Lambda with escapes": escaped,
        "Lambda behind a duplicate key": '{"config": {"layers": []},' + text[1:],
        "Lambda before a duplicate key": twice,
        "Lambda behind a mark": "\ufeff" + text,
    }.items():
        yield ZIP.case(
            name,
            "model.keras",
            keras_zip(config),
            RUNS,
            held=name in {"Lambda before a duplicate key", "Lambda behind a mark"},
        )
    yield ZIP.case("renamed", "model.zip", keras_zip(hidden), RUNS)
    yield ZIP.case("without an ending", "model", keras_zip(hidden), RUNS)
    yield ZIP.case("pickle beside", "model.keras", keras_zip(model(), extra=stream(SYSTEM)), "hides a pickle", RAN)
    yield ZIP.case(
        "pickle as weights", "model.keras", keras_zip(model(), **{"assets/vocabulary.txt": stream(SYSTEM)}),
        "hides a pickle", RAN,
    )  # fmt: skip


def _hdf5_only(text: str) -> Iterator[Case]:
    yield HDF5.case("named hdf5", "model.hdf5", lambda: hdf5({"model_config": text}), RUNS)
    yield HDF5.case("named keras", "model.keras", lambda: hdf5({"model_config": text}), RUNS)
    yield HDF5.case("as bytes", "model.h5", lambda: hdf5({"model_config": text.encode()}), RUNS)
    yield HDF5.case(
        "behind a user block", "model.h5", lambda: bytes(512) + hdf5({"model_config": text}), RUNS, held=True
    )
    yield HDF5.case(
        "loss", "model.h5",
        lambda: hdf5({"model_config": json.dumps(model()), "training_config": json.dumps({"loss": lambda_layer()})}),
        RUNS,
    )  # fmt: skip
    yield HDF5.case("in a zip", "model.zip", lambda: zipped({"model.h5": hdf5({"model_config": text})}), RUNS)
