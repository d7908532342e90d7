"""ONNX: tensors whose data lie outside the model, operators that run Python or foreign code."""

from __future__ import annotations

from collections.abc import Iterator

from corpus.hostile import Case, Family
from corpus.hostile.assembler import RAN, SYSTEM, stream
from hostile import field, onnx, zipped

ONNX = Family("onnx")

READS = "reads a file of the machine into a tensor"
LOCATIONS = (
    "/etc/passwd",
    "../outside",
    "data/../../outside",
    "..\\outside",
    "C:\\outside",
    "\\\\host\\share\\outside",
    "./../outside",
    "data/..",
    "file:///etc/passwd",
    "/proc/self/environ",
)


def outside(location: str = "../outside") -> bytes:
    """Return a TensorProto with external data."""
    return (
        field(1, 2) + field(2, 1) + field(8, "t") + field(13, field(1, "location") + field(2, location)) + field(14, 1)
    )


def cases() -> Iterator[Case]:
    for location in LOCATIONS:
        yield ONNX.case(f"data at {location}", "model.onnx", onnx(location=location), READS)
    graph = field(1, field(4, "Relu")) + field(2, "sub") + field(5, outside())
    places = {
        "attribute": onnx(node=field(5, field(1, "value") + field(5, outside()))),
        "attribute list": onnx(node=field(5, field(1, "value") + field(10, outside()))),
        "subgraph": onnx(node=field(5, field(1, "body") + field(6, graph))),
        "subgraph list": onnx(node=field(5, field(1, "body") + field(11, graph))),
        "sparse initializer": onnx(graph=field(15, field(1, outside()) + field(2, outside()))),
        "sparse attribute": onnx(node=field(5, field(1, "value") + field(22, field(1, outside())))),
        "function": onnx(
            model=field(25, field(1, "f") + field(7, field(4, "Constant") + field(5, field(1, "v") + field(5, outside()))))
        ),
        "training graph": onnx(model=field(20, field(1, graph))),
        "second initializer": onnx(graph=field(5, outside())),
        "location given twice": onnx(
            graph=field(
                5,
                field(1, 2) + field(2, 1) + field(8, "t")
                + field(13, field(1, "location") + field(2, "here.bin"))
                + field(13, field(1, "location") + field(2, "../outside")) + field(14, 1),
            )
        ),
    }  # fmt: skip
    for name, data in places.items():
        yield ONNX.case(f"data of a {name}", "model.onnx", data, READS, beside={"here.bin": b"12345678"})
    python = field(7, "ai.onnx.contrib")
    for name, data in {
        "Python operator": onnx(node=python, model=field(8, field(1, "ai.onnx.contrib") + field(2, 1))),
        "Python domain": onnx(model=field(8, field(1, "ai.onnx.contrib") + field(2, 1))),
        "PyOp": onnx(node=field(7, "com.microsoft.extensions") + field(4, "PyOp")),
    }.items():
        yield ONNX.case(name, "model.onnx", data, "runs Python or foreign code", held=name == "PyOp")
    yield ONNX.case("without an ending", "model", onnx(location="../outside"), READS)
    yield ONNX.case("in a zip", "model.zip", zipped({"model.onnx": onnx(location="/etc/passwd")}), READS)
    yield ONNX.case(
        "pickle as data", "weights.bin", stream(SYSTEM), "hides a pickle", RAN,
        beside={"model.onnx": onnx(location="weights.bin")},
    )  # fmt: skip
    yield ONNX.case("missing data", "model.onnx", onnx(location="gone.bin"), "lacks its weights", held=True)
    yield ONNX.case(
        "own domain", "model.onnx", onnx(node=field(7, "my.own"), model=field(8, field(1, "my.own") + field(2, 1))),
        "runs foreign code", held=True,
    )  # fmt: skip
