"""TensorFlow without TensorFlow: SavedModel, MetaGraph and frozen graphs are programs, judged by their operations.

Complete means: the whole file follows TensorFlow's schema, and every operation of every graph and function is on the
list of those that only compute (``schemas/tensorflow_ops.json``). Operations that reach files, machines or Python are
findings, those that are on no list are for a person to review, and what saves and restores variables may do so under
names that the loader gives (`tensorflow_paths`).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from weighlock.scanners import Blob, Severity
from weighlock.scanners.protobuf import Field, content
from weighlock.scanners.reading import UnclearError
from weighlock.scanners.strict import tensorflow_paths
from weighlock.scanners.strict.named import keras
from weighlock.scanners.strict.notes import Notes
from weighlock.scanners.strict.pairs import Pairs, objects
from weighlock.scanners.strict.schema import Walk, data, messages
from weighlock.scanners.strict.tensorflow_graph import Graph, graphs

ROOTS = ("SavedModel", "MetaGraphDef", "GraphDef")
_PRINTS = frozenset({b"stdout", b"stderr", b"log(info)", b"log(warning)", b"log(error)"})
_JSON = 16 * 1024 * 1024  # bytes of one Keras object's configuration


def tensorflow(blob: Blob, stream: BinaryIO, notes: Notes) -> None:
    """Judge the graphs under each of the messages that the file can be read as."""
    errors = []
    for root in ROOTS:
        objects = _Objects(stream, notes)
        try:
            Walk(stream, messages("tensorflow"), objects.look).message(root, 0, blob.size)
        except UnclearError as error:
            errors.append(str(error))
            continue
        _judge(list(graphs(stream, root, blob.size)), objects, notes)
    if len(errors) == len(ROOTS):
        _reaching(stream, blob.size, notes)
        raise UnclearError(f"neither a SavedModel nor a graph: {'; '.join(dict.fromkeys(errors))}")


def _reaching(stream: BinaryIO, size: int, notes: Notes) -> None:
    """Find operations that reach outside in a file that does not follow the schema: TensorFlow may read it even so."""
    for root in ROOTS:
        try:
            for graph in graphs(stream, root, size):
                for name in {node.op for node in graph.nodes.values()} & operations()[1].keys():
                    _operation(name, set(), notes)
        except UnclearError:
            continue  # the caller says so


def fingerprint(blob: Blob, stream: BinaryIO, _notes: Notes) -> None:
    """Accept the checksums that stand beside a SavedModel."""
    Walk(stream, messages("tensorflow")).message("FingerprintDef", 0, blob.size)


def keras_metadata(blob: Blob, stream: BinaryIO, notes: Notes) -> None:
    """Look through the configurations of Keras objects that stand beside a SavedModel."""

    def look(kind: str, item: Field) -> None:
        if (kind, item.number) == ("SavedObject", 5):
            configuration(content(stream, item, _JSON), notes)

    Walk(stream, messages("keras_metadata"), look).message("SavedMetadata", 0, blob.size)


def configuration(raw: bytes, notes: Notes) -> None:
    """Look through the JSON that Keras keeps of a layer or a model.

    A class that is not Keras' own, and is named without a module, is not needed: its functions are in the graph.
    """
    try:
        document = json.loads(raw, object_pairs_hook=Pairs)
    except (ValueError, RecursionError):
        notes.gap("the configuration of a Keras object is no JSON that can be read")
        return
    for pairs in objects(document, notes):
        found = Notes()
        keras.look(pairs, found)
        for it in found.findings:
            if it.severity is not Severity.REVIEW or pairs.has("module"):
                notes.find(it.rule, it.severity, it.message)


@functools.cache
def operations() -> tuple[frozenset[str], Mapping[str, str]]:
    """Return the operations that only compute, and those that reach outside with what they do."""
    document = data("tensorflow_ops")
    outside = {name: what for what, group in document["reaches outside"].items() for name in group}
    return frozenset(document["computes"]), outside


@dataclass(frozen=True, slots=True)
class _Objects:
    """What else a SavedModel's messages name: assets, constants that functions capture, Keras configurations."""

    stream: BinaryIO
    notes: Notes
    assets: set[str] = field(default_factory=set)
    captured: set[str] = field(default_factory=set)

    def look(self, kind: str, item: Field) -> None:
        match kind, item.number:
            case "SavedConstant", 1:
                self.captured.add(self._text(item))
            case "AssetFileDef", 2:
                self._asset(self._text(item))
            case "MetaGraphDef", 6:
                walk = Walk(self.stream, messages("tensorflow"), self._tensor)
                walk.message("AssetFileDef", item.start, item.start + item.length)
            case "SavedUserObject", 3:
                raw = content(self.stream, item, _JSON)
                if raw.lstrip()[:1] == b"{":
                    configuration(raw, self.notes)
            case _:
                pass

    def _tensor(self, kind: str, item: Field) -> None:
        if (kind, item.number) == ("TensorInfo", 1):
            self.assets.add(self._text(item).split(":")[0])

    def _asset(self, name: str) -> None:
        if name.startswith(("/", "~")) or ".." in name.split("/") or "\\" in name or ":" in name:
            message = f"an asset is named {name}: the loader would read outside the model"
            self.notes.find("tensorflow.path", Severity.CRITICAL, message)

    def _text(self, item: Field) -> str:
        return content(self.stream, item).decode("utf-8", "backslashreplace")


def _judge(found: list[Graph], objects: _Objects, notes: Notes) -> None:
    own = {graph.name for graph in found}
    for name in sorted({node.op for graph in found for node in graph.nodes.values()}):
        _operation(name, own, notes)
    for graph in found:
        for node in graph.nodes.values():
            stream = node.settings.get("output_stream", b"stderr")
            if node.op == "PrintV2" and stream not in _PRINTS:
                where = stream.decode("utf-8", "backslashreplace")
                notes.find("tensorflow.file", Severity.CRITICAL, f"the operation PrintV2 writes to {where}")
    tensorflow_paths.judge(found, objects.assets, objects.captured, notes)


def _operation(name: str, own: set[str], notes: Notes) -> None:
    computes, outside = operations()
    if name in outside:
        notes.find("tensorflow.operation", Severity.CRITICAL, f"the operation {name} {outside[name]}")
    elif name not in computes and name not in own and name not in tensorflow_paths.SINKS and name != "PrintV2":
        message = f"the operation {name} is on no list: it may come from a library, or reach outside"
        notes.find("tensorflow.operation", Severity.REVIEW, message)
