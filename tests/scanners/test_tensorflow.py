"""TensorFlow's graphs: what they would do when they are loaded or called, and what they cannot hide."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostile import field, varint
from judging import judged, reasons
from scanning import scanned
from weighlock.scanners import Verdict

VARIABLES = "variables/variables.index", "variables/variables.data-00000-of-00001"


def text(value: str) -> bytes:
    """Return the attributes of a constant that is text."""
    return field(5, field(1, "value") + field(2, field(8, field(1, 7) + field(8, value))))


def setting(key: str, value: str) -> bytes:
    return field(5, field(1, key) + field(2, field(2, value)))


def call(function: str) -> bytes:
    return field(5, field(1, "f") + field(2, field(10, field(1, function))))


def node(name: str, op: str, *inputs: str, more: bytes = b"") -> bytes:
    return field(1, name) + field(2, op) + b"".join(field(3, it) for it in inputs) + more


def graph(*nodes: bytes, functions: bytes = b"") -> bytes:
    return b"".join(field(1, it) for it in nodes) + field(2, functions) + field(4, field(1, 1882))


def function(name: str, argument: str, *nodes: bytes) -> bytes:
    signature = field(1, name) + field(2, field(1, argument))
    return field(1, field(1, signature) + b"".join(field(3, it) for it in nodes))


def meta(content: bytes, more: bytes = b"") -> bytes:
    return field(1, field(4, "serve") + field(5, "2.21.0")) + field(2, content) + more


def saved(*nodes: bytes, functions: bytes = b"", more: bytes = b"") -> bytes:
    return field(1, 1) + field(2, meta(graph(*nodes, functions=functions), more))


X = node("x", "Placeholder")
NAME = node("filename", "Placeholder")
SAVE = node("save", "SaveV2", "filename", "x")
JOINED = node("joined", "StringJoin", "filename", "part")
ASSET = field(6, field(1, field(1, "vocabulary:0")) + field(2, "vocab.txt"))
TABLE = node("table", "InitializeTableFromTextFileV2", "handle", "vocabulary")

HONEST = {
    "SavedModel": saved(X, node("y", "Relu", "x")),
    "MetaGraph": meta(graph(X, node("y", "Relu", "x"))),
    "frozen graph": graph(X, node("y", "Relu", "x")),
    "saver": saved(X, NAME, SAVE),
    "saver's parts": saved(
        X, NAME, node("part", "Const", more=text("_temp/part")), JOINED, node("save", "SaveV2", "joined", "x")
    ),
    "saver in a function": saved(
        X,
        NAME,
        node("call", "StatefulPartitionedCall", "filename", "x", more=call("saver")),
        functions=function("saver", "prefix", node("save", "SaveV2", "prefix")),
    ),
    "asset": saved(node("vocabulary", "Const", more=text("/home/train/vocab.txt")), TABLE, more=ASSET),
    "asset in a variable": saved(
        node("given", "Placeholder"),
        node("kept", "VarHandleOp"),
        node("assign", "AssignVariableOp", "kept", "given"),
        node("vocabulary", "ReadVariableOp", "kept", "^assign"),
        TABLE,
    ),
    "print": saved(X, node("y", "PrintV2", "x", more=setting("output_stream", "stdout"))),
    "own function": saved(X, node("y", "mine", "x"), functions=function("mine", "a", node("b", "Relu", "a"))),
    "fingerprint": field(1, 2**63) + field(2, 7) + field(6, field(1, 1)) + field(7, "id"),
    "keras metadata": field(1, field(2, 1) + field(3, "root") + field(4, "layer") + field(5, '{"class_name": "Mine"}')),
}


@dataclass(frozen=True)
class Attack:
    name: str
    content: bytes
    verdict: Verdict
    because: str

    def __str__(self) -> str:
        return self.name


def outside() -> Iterator[Attack]:
    for op in (
        "ReadFile",
        "WriteFile",
        "PyFunc",
        "EagerPyFunc",
        "ImmutableConst",
        "DataServiceDatasetV4",
        "LoadLibrary",
    ):
        bad = node("bad", op)
        yield Attack(op, saved(X, bad), Verdict.UNSAFE, op)
        yield Attack(f"{op} frozen", graph(X, bad), Verdict.UNSAFE, op)
        yield Attack(f"{op} in a MetaGraph", meta(graph(X, bad)), Verdict.UNSAFE, op)
        yield Attack(f"{op} in a function", saved(X, functions=function("f", "a", bad)), Verdict.UNSAFE, op)


ATTACKS = [
    *outside(),
    Attack("no list", saved(node("y", "MyOwnOp")), Verdict.REVIEW, "MyOwnOp is on no list"),
    Attack("last name counts", saved(node("y", "Relu", more=field(2, "ReadFile"))), Verdict.UNSAFE, "ReadFile"),
    Attack("second graph", saved(X) + field(2, meta(graph(node("y", "WriteFile")))), Verdict.UNSAFE, "WriteFile"),
    Attack("merged graph", saved(X, more=field(2, graph(node("y", "WriteFile")))), Verdict.UNSAFE, "WriteFile"),
    Attack(
        "print to a file",
        saved(X, node("y", "PrintV2", "x", more=setting("output_stream", "file:///tmp/x"))),
        Verdict.UNSAFE,
        "file:///tmp/x",
    ),
    Attack("save anywhere", saved(X, node("filename", "Const", more=text("/etc/x")), SAVE), Verdict.UNSAFE, "/etc/x"),
    Attack("save above", saved(X, node("filename", "Const", more=text("a/../../x")), SAVE), Verdict.UNSAFE, "../x"),
    Attack("save remotely", saved(X, node("filename", "Const", more=text("gs://x/y")), SAVE), Verdict.UNSAFE, "gs://"),
    Attack(
        "save by default",
        saved(
            X,
            node("default", "Const", more=text("/etc/x")),
            node("filename", "PlaceholderWithDefault", "default"),
            SAVE,
        ),
        Verdict.UNSAFE,
        "/etc/x",
    ),
    Attack(
        "save to joined parts",
        saved(
            X,
            node("filename", "Const", more=text("")),
            node("part", "Const", more=text("etc")),
            node("joined", "StringJoin", "filename", "part", more=setting("separator", "/")),
            node("save", "SaveV2", "joined", "x"),
        ),
        Verdict.REVIEW,
        "StringJoin computes",
    ),
    Attack(
        "save to a computed name",
        saved(X, node("filename", "AsString", "x"), SAVE),
        Verdict.REVIEW,
        "AsString computes",
    ),
    Attack(
        "save from a caller",
        saved(
            node("where", "Const", more=text("/etc/x")),
            node("call", "If", "where", "where", more=call("saver")),
            functions=function("saver", "prefix", node("save", "SaveV2", "prefix")),
        ),
        Verdict.UNSAFE,
        "/etc/x",
    ),
    Attack(
        "save in a loop of its own",
        saved(
            X,
            node("call", "Batch", "x", more=call("saver")),
            functions=function("saver", "prefix", node("save", "SaveV2", "prefix")),
        ),
        Verdict.REVIEW,
        "Batch calls saver",
    ),
    Attack(
        "save to what is captured",
        saved(
            node("kept", "Const", more=text("/etc/x")),
            functions=function("saver", "prefix", node("save", "SaveV2", "prefix")),
            more=field(7, field(1, field(9, field(1, "kept")))),
        ),
        Verdict.UNSAFE,
        "/etc/x",
    ),
    Attack(
        "text packed as bytes",
        saved(
            node(
                "filename",
                "Const",
                more=field(5, field(1, "value") + field(2, field(8, field(1, 7) + field(4, "\x02/x")))),
            ),
            SAVE,
        ),
        Verdict.UNSCANNED,
        "packed as bytes",
    ),
    Attack(
        "no asset", saved(node("vocabulary", "Const", more=text("secrets.txt")), TABLE), Verdict.UNSAFE, "secrets.txt"
    ),
    Attack("asset above", saved(X, more=field(6, field(2, "../../x"))), Verdict.UNSAFE, "../../x"),
    Attack(
        "Lambda among the objects",
        saved(X, more=field(7, field(1, field(4, field(3, '{"class_name": "Lambda", "config": {}}'))))),
        Verdict.UNSAFE,
        "Lambda",
    ),
    Attack(
        "Lambda in the metadata",
        field(1, field(2, 1) + field(3, "root") + field(4, "layer") + field(5, '{"a": [{"class_name": "Lambda"}]}')),
        Verdict.UNSAFE,
        "Lambda",
    ),
    Attack(
        "metadata that imports",
        field(1, field(4, "layer") + field(5, '{"class_name": "X", "module": "os", "config": {}}')),
        Verdict.UNSAFE,
        "os",
    ),
    Attack("unknown field", saved(X) + field(99, b"hidden"), Verdict.UNSCANNED, "unknown field 99"),
    Attack("unknown field, hostile", saved(node("y", "PyFunc")) + field(99, b"x"), Verdict.UNSAFE, "PyFunc"),
    Attack("stored otherwise", saved(X + field(5, 1)), Verdict.UNSCANNED, "stored otherwise"),
    Attack("control characters", saved(node("a\x01b", "Relu")), Verdict.UNSCANNED, "control characters"),
    Attack("two of a name", saved(X, X), Verdict.UNSCANNED, "two nodes"),
    Attack(
        "two signatures",
        saved(X, functions=field(1, field(1, field(1, "f")) + field(1, field(1, "g")))),
        Verdict.UNSCANNED,
        "2 signatures",
    ),
    Attack("cut", saved(X)[:-3], Verdict.UNSCANNED, "no rule"),
    Attack("as text", b'node {\n  name: "n"\n  op: "ReadFile"\n}\n', Verdict.UNSAFE, "ReadFile"),
    Attack("as escaped text", b"# c\n node{op:'\\122ead' \"\\x46ile\"}", Verdict.UNSAFE, "ReadFile"),
    Attack("as honest text", b'node {\n  name: "n"\n  op: "Relu"\n}\n', Verdict.UNSCANNED, "as text"),
]


@pytest.mark.parametrize("case", ATTACKS, ids=str)
def test_is_stopped_and_named(case: Attack) -> None:
    said = reasons(case.content)
    assert case.because in said
    assert judged(case.content)[0] is case.verdict, said


@pytest.mark.parametrize("name", HONEST)
def test_is_safe(name: str) -> None:
    assert judged(HONEST[name])[0] is Verdict.SAFE, reasons(HONEST[name])


@given(st.sampled_from(sorted(HONEST)), st.data())
@settings(max_examples=150, deadline=None)
def test_a_changed_byte_crashes_nothing(name: str, data: st.DataObject) -> None:
    content = bytearray(HONEST[name])
    for _ in range(3):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    assert "failed" not in judged(bytes(content))[1]


@given(st.sampled_from(["SavedModel", "saver in a function", "asset"]), st.data())
@settings(max_examples=100, deadline=None)
def test_what_was_cut_is_never_safe(name: str, data: st.DataObject) -> None:
    content = HONEST[name][: data.draw(st.integers(3, len(HONEST[name]) - 1))]
    assert judged(content)[0] is not Verdict.SAFE


def entry(key: bytes, value: bytes, shared: int = 0) -> bytes:
    return varint(shared) + varint(len(key)) + varint(len(value)) + key + value


def block(*entries: bytes) -> bytes:
    return b"".join(entries) + struct.pack("<2L", 0, 1)


def table(*entries: bytes, hidden: bytes = b"") -> bytes:
    """Return an index of one block."""
    trailer = bytes(5)
    content, meta_block = block(*entries), block()
    index = block(entry(b"z", varint(0) + varint(len(content))))
    place = len(content) + 5 + len(hidden)
    handles = varint(place) + varint(len(meta_block)) + varint(place + len(meta_block) + 5) + varint(len(index))
    body = content + trailer + hidden + meta_block + trailer + index + trailer
    return body + handles.ljust(40, b"\0") + bytes.fromhex("57fb808b247547db")


HEADER = entry(b"", field(1, 1))
INDEX = table(HEADER, entry(b"a", field(1, 1) + field(5, 8)), entry(b"b", field(1, 1) + field(4, 8) + field(5, 4)))


@pytest.mark.parametrize(
    ("content", "because"),
    [
        (table(HEADER, hidden=b"hidden"), "a hole"),
        (table(HEADER, entry(b"a", field(99, 1))), "unknown field 99"),
        (table(HEADER, entry(b"a", b"", shared=9)), "broken"),
        (INDEX[:-20] + b"junk" + INDEX[-16:], "footer"),
        (b"x" + INDEX, "checkpoint's index"),
        (INDEX.replace(b"\1\0\0\0" + bytes(5), b"\1\0\0\0\1" + bytes(4), 1), "compressed"),
    ],
    ids=["hidden", "unknown field", "shared", "footer", "prefix", "compressed"],
)
def test_an_index_that_is_no_whole_table_is_unclear(content: bytes, because: str) -> None:
    assert judged(content)[0] is Verdict.UNSCANNED
    assert because in reasons(content)


def test_an_index_is_safe() -> None:
    assert judged(INDEX)[0] is Verdict.SAFE, reasons(INDEX)


@pytest.mark.parametrize(
    ("content", "verdict"),
    [
        (b"\xff" * 12, Verdict.SAFE),
        (b"\xff" * 13, Verdict.UNSCANNED),
        (b"\xff" * 11, Verdict.UNSCANNED),
        (b"cos\nsystem\n(S'id'\ntR.", Verdict.UNSAFE),
    ],
    ids=["numbers", "tail", "cut", "pickle"],
)
def test_variables_are_what_the_index_says(content: bytes, verdict: Verdict, tmp_path: Path) -> None:
    (tmp_path / "variables").mkdir()
    for path, data in zip(VARIABLES, (INDEX, content), strict=True):
        (tmp_path / path).write_bytes(data)
    ledger = scanned(tmp_path)
    row = next(row for row in ledger.rows if row.path == VARIABLES[1])
    assert row.verdict is verdict, row.reasons()
