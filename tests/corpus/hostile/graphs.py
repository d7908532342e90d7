"""TensorFlow graphs: operations that read, write, print or run Python, in nodes and in functions of a library."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator

from corpus.hostile import Case, Family
from corpus.hostile.assembler import RAN, SYSTEM, stream
from corpus.hostile.keras import lambda_layer, model
from hostile import field, tarred, zipped

GRAPH = Family("TensorFlow graph")

OPERATIONS = {
    "ReadFile": "reads a file of the machine",
    "WriteFile": "writes a file",
    "MatchingFiles": "lists files",
    "PyFunc": "runs Python",
    "PyFuncStateless": "runs Python",
    "EagerPyFunc": "runs Python",
    "PrintV2": "writes to a file",
    "DebugIdentityV2": "writes tensors to a place of the attacker's choice",
    "DebugIdentityV3": "writes tensors to a place of the attacker's choice",
    "LoadLibrary": "loads native code",
    "WholeFileReaderV2": "reads files",
    "ReaderReadV2": "reads files",
}


PLACE = "file:///outside"
ATTRIBUTES = {
    "PrintV2": ("output_stream", field(2, PLACE)),
    "DebugIdentityV2": ("debug_urls", field(1, field(2, PLACE))),
    "DebugIdentityV3": ("debug_urls", field(1, field(2, PLACE))),
    "LoadLibrary": ("library_filename", field(2, "outside.so")),
}
"""Without these the operations stay inside."""


def node(operation: str, name: str = "n") -> bytes:
    """Return a NodeDef."""
    kind = field(5, field(1, "dtype") + field(2, field(6, 1)))
    key, value = ATTRIBUTES.get(operation, ("", b""))
    more = field(5, field(1, key) + field(2, value)) if key else b""
    return field(1, name) + field(2, operation) + field(3, "input") + kind + more


def in_graph(operation: str) -> bytes:
    """Return a GraphDef with the operation as a node."""
    nodes = [node("Placeholder", "input"), node(operation), node("Identity", "out")]
    return b"".join(field(1, each) for each in nodes) + field(4, field(1, 1087))


def in_function(operation: str) -> bytes:
    """Return a GraphDef with the operation in a function."""
    signature = field(1, field(1, "__inference_call_1") + field(2, field(1, "x") + field(3, 1)))
    function = signature + field(3, node("Identity", "a")) + field(3, node(operation))
    return field(1, node("Placeholder", "input")) + field(2, field(1, function)) + field(4, field(1, 1087))


def meta(graph: bytes) -> bytes:
    """Return a MetaGraphDef."""
    information = field(1, field(4, "serve") + field(5, "2.16.1"))
    return information + field(2, graph) + field(5, field(1, "serving_default") + field(2, field(3, "a")))


def saved(graph: bytes) -> bytes:
    """Return a SavedModel."""
    return field(1, 1) + field(2, meta(graph))


SHAPES: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "SavedModel": ("saved_model.pb", saved),
    "meta graph": ("model.ckpt.meta", meta),
    "frozen graph": ("frozen_graph.pb", lambda graph: graph),
}


def cases() -> Iterator[Case]:
    for operation, effect in OPERATIONS.items():
        for shape, (path, wrap) in SHAPES.items():
            place = in_function if (shape == "SavedModel") == (operation != "ReadFile") else in_graph
            yield GRAPH.case(f"{operation} in a {shape}", path, wrap(place(operation)), effect)
    reading = in_graph("ReadFile")
    two = field(1, 1) + field(2, meta(in_graph("Relu"))) + field(2, meta(in_function("WriteFile")))
    yield GRAPH.case("second graph", "saved_model.pb", two, "writes a file")
    yield GRAPH.case("without an ending", "model", saved(reading), "reads a file of the machine")
    yield GRAPH.case("named onnx", "model.onnx", saved(reading), "reads a file of the machine")
    yield GRAPH.case("text", "saved_model.pbtxt", _text("ReadFile"), "reads a file of the machine")
    yield GRAPH.case("in a zip", "model.zip", zipped({"m/saved_model.pb": saved(reading)}), "reads a file")
    yield GRAPH.case("in a tar", "model.tar", tarred({"m/saved_model.pb": saved(reading)}), "reads a file")
    yield GRAPH.case(
        "unknown field first", "saved_model.pb", field(99, "padding") + saved(reading), "reads a file of the machine"
    )
    yield GRAPH.case(
        "own operation", "saved_model.pb", saved(in_graph("MyOwnOperation")), "runs foreign code", held=True
    )
    yield GRAPH.case(
        "Lambda in keras_metadata", "keras_metadata.pb", _keras_metadata(), "runs Python code while the model is loaded"
    )
    yield GRAPH.case(
        "pickle as an asset", "assets/vocabulary.txt", stream(SYSTEM), "hides a pickle", RAN,
        beside={"saved_model.pb": saved(in_graph("Relu"))},
    )  # fmt: skip
    yield GRAPH.case(
        "custom operation of tflite", "model.tflite", _tflite("MyOwnOperation"), "runs foreign code", held=True
    )
    yield GRAPH.case("Flex operation of tflite", "model.tflite", _tflite("FlexReadFile"), "reads a file", held=True)


def _text(operation: str) -> bytes:
    return (
        'saved_model_schema_version: 1\nmeta_graphs {\n  graph_def {\n    node {\n      name: "n"\n'
        f'      op: "{operation}"\n    }}\n  }}\n}}\n'
    ).encode()


def _keras_metadata() -> bytes:
    described = json.dumps(model(lambda_layer()))
    entry = field(2, 1) + field(3, "root.layer-0") + field(4, "_tf_keras_layer") + field(5, described)
    return field(1, entry)


def _tflite(operation: str) -> bytes:
    """Return a TensorFlow Lite model with one custom operator code, and nothing else (schema_v3a)."""
    name = operation.encode()
    name += bytes(-len(name) % 4 or 4)
    # Root table, its vtable, the vector of operator codes, the code's table and vtable, the name.
    model_vtable = struct.pack("<4H", 8, 12, 4, 8)
    model_table = struct.pack("<iLL", 8, 3, 4)
    code_vtable = struct.pack("<4H", 8, 12, 4, 8)
    vector = struct.pack("<LL", 1, 4 + len(code_vtable))
    code_table = struct.pack("<iLL", 8, 32, 4)
    body = model_vtable + model_table + vector + code_vtable + code_table + struct.pack("<L", len(operation)) + name
    return struct.pack("<L", 16) + b"TFL3" + body
