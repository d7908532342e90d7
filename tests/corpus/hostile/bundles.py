"""Formats that bundle: NeMo, TorchServe, skops, MLflow; code by reference, and pickles where none is expected."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from corpus.hostile import Case, Family
from corpus.hostile.assembler import RAN, SYSTEM, stream
from corpus.hostile.packing import PACKED
from hostile import tarred, torch_members, zipped

NEMO = Family("NeMo")
MAR = Family("TorchServe archive")
SKOPS = Family("skops")
MLFLOW = Family("MLflow")

CODE = stream(SYSTEM)
CHECKPOINT = zipped(torch_members(CODE))
HONEST = zipped(torch_members())
TARGET = b"target: nemo.collections.asr.models.ASRModel\nmodel:\n  _target_: os.system\n  command: 'true'\n"
FINE = b"target: nemo.collections.asr.models.ASRModel\n"


def cases() -> Iterator[Case]:
    yield from _nemo()
    yield from _mar()
    yield from _skops()
    yield from _mlflow()


def _nemo() -> Iterator[Case]:
    calls = "calls what the configuration names (CVE-2025-23304)"
    hostile = {"model_config.yaml": TARGET, "model_weights.ckpt": HONEST}
    yield NEMO.case("target", "model.nemo", tarred(hostile), calls)
    yield NEMO.case("compressed", "model.nemo", PACKED["gz"](tarred(hostile)), calls)
    yield NEMO.case("folder", "model.nemo", tarred({f"./{name}": data for name, data in hostile.items()}), calls)
    yield NEMO.case(
        "top target", "model.nemo",
        tarred({"model_config.yaml": b"target: os.system\n", "model_weights.ckpt": HONEST}), calls,
    )  # fmt: skip
    yield NEMO.case(
        "checkpoint", "model.nemo", tarred({"model_config.yaml": FINE, "model_weights.ckpt": CHECKPOINT}),
        "runs a shell command", RAN,
    )  # fmt: skip
    yield NEMO.case(
        "tokenizer", "model.nemo",
        tarred({"model_config.yaml": FINE, "model_weights.ckpt": HONEST, "tokenizer.pkl": CODE}),
        "runs a shell command", RAN,
    )  # fmt: skip
    yield NEMO.case(
        "python tag", "model.nemo", tarred({"model_config.yaml": b"a: !!python/object/apply:os.system ['true']\n"}),
        "constructs a Python object",
    )  # fmt: skip


def _mar() -> Iterator[Case]:
    manifest = {
        "model": {"modelName": "m", "handler": "handler.py", "serializedFile": "m.pt"},
        "archiverVersion": "0.9",
    }
    members = {"MAR-INF/MANIFEST.json": json.dumps(manifest).encode()}
    code = b"import os\n\nos.system('true')\n"
    yield MAR.case(
        "checkpoint",
        "model.mar",
        zipped({**members, "m.pt": CHECKPOINT, "handler.py": b""}),
        "runs a shell command",
        RAN,
    )
    yield MAR.case("raw pickle", "model.mar", zipped({**members, "m.pt": CODE}), "runs a shell command", RAN)
    yield MAR.case(
        "extra file", "model.mar", zipped({**members, "m.pt": HONEST, "labels": CODE}), "hides a pickle", RAN
    )
    yield MAR.case("tar", "model.tar.gz", PACKED["gz"](tarred({**members, "m.pt": CODE})), "runs a shell command", RAN)
    yield MAR.case(
        "handler", "model.mar", zipped({**members, "m.pt": HONEST, "handler.py": code}), "runs its handler", held=True
    )


def skops(schema: Any, **members: bytes) -> bytes:
    """Return a skops file."""
    described = {**schema, "protocol": 2, "_skops_version": "0.11.0"}
    return zipped({"schema.json": json.dumps(described).encode(), **members})


def node(loader: str, module: str, name: str, **more: Any) -> dict[str, Any]:
    """Return a node of a skops schema."""
    return {"__class__": name, "__module__": module, "__loader__": loader, "__id__": 1, **more}


def _skops() -> Iterator[Case]:
    estimator = ("ObjectNode", "sklearn.linear_model._logistic", "LogisticRegression")
    function = node("FunctionNode", "builtins", "function", content={"module_path": "os", "function": "system"})
    method = node(
        "MethodNode", "builtins", "method",
        content={"func": "system", "obj": node("ObjectNode", "os", "os", content=None)},
    )  # fmt: skip
    operator = node(
        "OperatorFuncNode", "operator", "methodcaller", attrs=node("TupleNode", "builtins", "tuple", content=[])
    )
    partial = node(
        "PartialNode", "functools", "partial",
        content={"func": function, "args": node("TupleNode", "builtins", "tuple", content=[]), "kwds": None},
    )  # fmt: skip
    hidden = {
        "function": function,
        "method": method,
        "operator function": operator,
        "partial": partial,
        "type": node("TypeNode", "os", "system", content="os.system"),
        "object of subprocess": node("ObjectNode", "subprocess", "Popen", content=None),
        "object of posix": node("ObjectNode", "posix", "system", content=None),
        "reduce": node("ReduceNode", "builtins", "eval", content={}, reduce={"args": None}),
    }
    for name, harmful in hidden.items():
        yield SKOPS.case(name, "model.skops", skops(harmful), "calls what the schema names")
        nested = node(*estimator, content=node("DictNode", "builtins", "dict", content={"a": harmful}))
        yield SKOPS.case(f"{name}, nested", "model.skops", skops(nested), "calls what the schema names")
    honest = node(*estimator, content=None)
    yield SKOPS.case("pickle beside", "model.skops", skops(honest, extra=CODE), "hides a pickle (CVE-2025-54886)", RAN)
    yield SKOPS.case("pickle named skops", "model.skops", CODE, "runs a shell command in loaders that guess", RAN)


def _mlflow() -> Iterator[Case]:
    flavor = b"flavors:\n  python_function:\n    loader_module: %b\n    python_version: 3.11.0\nmlflow_version: 2.9.0\n"
    for module in (b"os", b"pip._internal", b"subprocess"):
        yield MLFLOW.case(
            f"loader {module.decode()}", "MLmodel", flavor % module, "imports what the description names",
            held=True,
        )  # fmt: skip
    yield MLFLOW.case(
        "python model", "python_model.pkl", CODE, "runs a shell command", RAN,
        beside={"MLmodel": flavor % b"mlflow.pyfunc.model"},
    )  # fmt: skip
    yield MLFLOW.case(
        "sklearn model", "model.pkl", CODE, "runs a shell command", RAN, beside={"MLmodel": flavor % b"mlflow.sklearn"}
    )
