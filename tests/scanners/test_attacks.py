"""What a hostile or a broken model file does not get away with."""

from __future__ import annotations

import gzip
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import hostile
from corpus.hostile.packing import PACKED, Seven, seven
from hostile import CALL, PLAIN, field, named, onnx, payload, safetensors, torch_members, torchscript, weight, zipped
from scanning import scanned

UNSAFE, UNSCANNED, REVIEW = "unsafe", "unscanned", "review"


@dataclass(frozen=True)
class Attack:
    """A file, the verdict it must get, and words that must be among the reasons."""

    name: str
    build: Callable[[], bytes]
    verdict: str
    because: str

    def __str__(self) -> str:
        return f"{self.name} {self.because}"


def attack(name: str, content: bytes | Callable[[], bytes], verdict: str, because: str) -> Attack:
    return Attack(name, (lambda: content) if isinstance(content, bytes) else content, verdict, because)


HONEST_TORCH = zipped(torch_members())
MESSAGE = b"\x80\x04"

PICKLES = [
    *(attack(f"protocol-{number}", payload(number), UNSAFE, "posix.system") for number in range(6)),
    attack("model.pkl", CALL, UNSAFE, "os.system"),
    attack("notes.txt", CALL, UNSAFE, "os.system"),
    attack("notes.md", CALL[:-1] + b"\n# a title\n", UNSAFE, "os.system"),
    attack("long.txt", b"(S'" + b"a" * 9000 + b"'\nI 0x10\n0" + CALL, UNSAFE, "os.system"),
    attack("model.bin", gzip.compress(payload()), UNSAFE, "posix.system"),
    *(attack(f"model.{name}", pack(payload()), UNSAFE, "posix.system") for name, pack in hostile.COMPRESSIONS.items()),
    attack("twice", gzip.compress(zlib.compress(payload())), UNSAFE, "posix.system"),
    attack("second stream", PLAIN + payload(), UNSAFE, "posix.system"),
    attack("after junk", PLAIN + b"\xff\xff" + payload(), UNSCANNED, "breaks behind the first pickle"),
    attack("no stop", payload()[:-1], UNSAFE, "posix.system"),
    attack("broken end", payload()[:-1] + b"\xff\xff", UNSAFE, "posix.system"),
    attack("inst", b"(S'true'\nios\nsystem\n.", UNSAFE, "os.system"),
    attack("far memo.txt", b"cos\nsystem\n(M'true'\ntR.", UNSAFE, "os.system"),
    attack("inst, cut line.txt", b"(S'true'\nios\nsystem!", UNSAFE, "os.system"),
    attack("obj", b"\x80\x02(cos\nsystem\nU\x04trueo.", UNSAFE, "os.system"),
    attack("python 2 name", named("commands", "getoutput", protocol=2), UNSAFE, "commands.getoutput"),
    attack(
        "memo",
        MESSAGE + hostile.short("os") + b"\x940" + hostile.short("system") + b"\x940h\0h\1\x93)R.",
        UNSAFE,
        "os.system",
    ),
    attack("computed", MESSAGE + b"K\1K\2\x93)R.", UNSAFE, "computed"),
    attack("computed call", MESSAGE + b"})R.", UNSAFE, "computed"),
    attack("dotted name", named("collections", "OrderedDict.fromkeys"), UNSAFE, "fromkeys"),
    attack("dotted root", named("numpy", "os.system"), UNSAFE, "os.system"),
    attack("unknown", named("some.library", "Thing"), REVIEW, "some.library.Thing"),
    attack("own class", named("__main__", "Net"), REVIEW, "__main__.Net"),
    attack("torch bytes", named("torch.storage", "_load_from_bytes"), UNSAFE, "_load_from_bytes"),
    attack("getattr", named("builtins", "getattr"), UNSAFE, "builtins.getattr"),
    attack("import only", b"\x80\x02cos\nsystem\n.", UNSAFE, "os.system"),
    attack("build on class", b"\x80\x02ccollections\nOrderedDict\n}U\x03newK\1sb.", UNSAFE, "OrderedDict itself"),
    attack("item on class", b"\x80\x02ccollections\nOrderedDict\nU\x03newK\1s.", UNSAFE, "OrderedDict itself"),
    attack("special attribute", b"\x80\x02ccollections\nOrderedDict\n)R}U\x09__class__K\1sb.", UNSAFE, "__class__"),
    attack("item on tensor", b"\x80\x02ctorch\nTensor\n)RK\0K\1s.", UNSAFE, "as if it were a dict"),
    attack("extension code", b"\x80\x02\x82\x01.", REVIEW, "extension code"),
    attack("persistent id", b"\x80\x02K\1Q.", REVIEW, "persistent id"),
    attack("encoding", b"\x80\x02c_codecs\nencode\nU\x01aU\x05rot13\x86R.", REVIEW, "latin1"),
    attack("nested frame", b"\x80\x04\x95\x0b\0\0\0\0\0\0\0\x95\1\0\0\0\0\0\0\0N.", UNSCANNED, "frame"),
    attack("memo bomb", b"\x80\x02Nr\xff\xff\xff\x7f.", UNSCANNED, "a loader would allocate"),
    attack("long length", b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x0f.", UNSCANNED, "a string of"),
    attack("objects.npy", hostile.npy("'|O'", shape="(1,)", data=payload()), UNSAFE, "posix.system"),
    attack(
        "hidden objects.npy",
        hostile.npy("[('a', [('b', '|O')])]", shape="(1,)", data=payload()),
        UNSAFE,
        "posix.system",
    ),
]

ARCHIVES = [
    attack("in zip", zipped({"a/readme.txt": b"text", "a/weights": payload()}), UNSAFE, "in a/weights"),
    attack("deflated", zipped({"x": payload()}, method=zipfile.ZIP_DEFLATED), UNSAFE, "posix.system"),
    attack("in zip in zip", zipped({"b.zip": zipped({"x": payload()})}), UNSAFE, "in b.zip!x"),
    attack("in tar.gz", gzip.compress(hostile.tarred({"x": payload()})), UNSAFE, "!x"),
    attack("text tar.pt", hostile.tarred({"pickle": CALL}), UNSAFE, "os.system"),
    attack(
        "too deep",
        zipped({"a": zipped({"b": zipped({"c": zipped({"d": zipped({"e": payload()})})})})}),
        UNSCANNED,
        "nested",
    ),
    attack("bad checksum", hostile.bad_checksum({"x": payload()}, "x"), UNSAFE, "posix.system"),
    attack("bad checksum, honest", hostile.bad_checksum({"x": PLAIN}, "x"), UNSCANNED, "checksum does not fit"),
    attack("encrypted", hostile.flagged(zipped({"x": payload()}), 1), UNSAFE, "posix.system"),
    attack("encrypted, honest", hostile.flagged(zipped({"x": PLAIN}), 1), UNSCANNED, "encrypted"),
    attack(
        "local name", hostile.patched(zipped({"x.txt": b"text"}), b"x.txt", b"y.pkl"), UNSCANNED, "calls itself y.pkl"
    ),
    attack("prefix", b"junk" + zipped({"x.txt": b"text"}), UNSCANNED, "4 bytes stand before"),
    attack("prefix pickle", PLAIN + zipped({"x": payload()}), UNSAFE, "posix.system"),
    attack("tail", zipped({"x.txt": b"text"}) + payload(), UNSCANNED, "follow the zip"),
    attack("tail, hostile inside", zipped({"x": payload()}) + b"tail", UNSAFE, "posix.system"),
    attack("cut", zipped({"x": payload()})[:-30], UNSCANNED, "without its end"),
    attack("climbs", zipped({"../../x.txt": b"text"}), UNSAFE, "../../x.txt"),
    attack("absolute", zipped({"/etc/x.txt": b"text"}), UNSAFE, "/etc/x.txt"),
    attack("tar climbs", hostile.tarred({"../x.txt": b"text"}), UNSAFE, "../x.txt"),
    attack("twice", zipped({"x": PLAIN, "X": payload()}), UNSAFE, "posix.system"),
    attack("twice, honest", zipped({"x": PLAIN, "X": PLAIN}), UNSCANNED, "more than once"),
    attack(
        "comment",
        hostile.patched(zipped({"x": PLAIN}), b"\0\0", b"\4\0", last=True) + b"junk",
        UNSCANNED,
        "follow the zip's end",
    ),
    attack("shifted", hostile.shifted(), UNSCANNED, "begins before the archive"),
    attack("gap", hostile.gapped(), UNSCANNED, "belong to no member"),
    attack("link.tar", hostile.tarred({"x": b""}, kind=tarfile.SYMTYPE), REVIEW, "is a link"),
    attack("link out.tar", hostile.linked("a/x", "../../etc"), UNSAFE, "lands outside"),
    attack("long link out.tar", hostile.linked("x", "a/" * 90 + "../" * 99), UNSAFE, "lands outside"),
    attack("absolute link.tar", hostile.linked("x", "/etc/passwd"), UNSAFE, "/etc/passwd"),
    attack("hard link.tar", hostile.linked("a/x", "../x", kind=tarfile.LNKTYPE), UNSAFE, "lands outside"),
    attack("link inside.tar", hostile.linked("a/x", "../y"), REVIEW, "a link to ../y"),
    attack("device.tar", hostile.tarred({"x": b""}, kind=tarfile.BLKTYPE), UNSAFE, "is a device"),
    attack("link in a.zip", hostile.linked_zip("a/x", "../../y"), UNSAFE, "lands outside"),
    attack(
        "behind the end.tar",
        hostile.tarred({"x.txt": b"text"}) + hostile.tarred({"y": payload()}),
        UNSAFE,
        "posix.system",
    ),
    attack(
        "behind the end, honest.tar",
        hostile.tarred({"x.txt": b"text"}) + hostile.tarred({"y": PLAIN}),
        UNSCANNED,
        "goes on at byte",
    ),
    attack("long name.tar", hostile.tarred({"d/" * 120 + "../../x": b"text"}), UNSAFE, "lands outside"),
    attack("tar tail", hostile.tarred({"x.txt": b"text"}) + payload(), UNSCANNED, "no tar member"),
    attack("gzip tail", gzip.compress(b"text") + payload(), UNSCANNED, "broken behind"),
    attack("zlib tail", zlib.compress(b"text") + payload(), UNSCANNED, "bytes follow"),
    attack("gzip cut", gzip.compress(PLAIN * 50)[:-12], UNSCANNED, "gzip data is"),
    attack("bomb", lambda: zipped({"zeros": bytes(90_000_000)}, method=zipfile.ZIP_DEFLATED), UNSCANNED, "bomb"),
    attack("gzip bomb", lambda: gzip.compress(bytes(90_000_000)), UNSCANNED, "bomb"),
    attack("lzma zip", zipped({"x": PLAIN}, method=zipfile.ZIP_LZMA), UNSCANNED, "method 14"),
    attack("seven.pt", b"7z\xbc\xaf\x27\x1c" + bytes(64), UNSCANNED, "first bytes does not fit"),
    attack("zstd.bin", b"\x28\xb5\x2f\xfd" + bytes(64), UNSCANNED, "zstd data is"),
    *(attack(f"model.{name}", PACKED[name](payload()), UNSAFE, "posix.system") for name in ("lz4", "zst")),
    *(attack(f"{name} tail", PACKED[name](b"text") + payload(), UNSCANNED, "bytes follow") for name in ("lz4", "zst")),
    *(attack(f"{name} cut", PACKED[name](PLAIN)[:-2], UNSCANNED, "data is cut short") for name in ("lz4", "zst")),
]

SEVENS = [
    *(
        attack(f"{method}.7z", seven("x", payload(), method), UNSAFE, "(in x)")
        for method in ("copy", "lzma2", "bzip2", "deflate", "zstd")
    ),
    attack("second file", Seven([("a", PLAIN), ("b", payload())], "lzma2").build(), UNSAFE, "(in b)"),
    attack("packed header", Seven([("a", payload())], packed_header=True).build(), UNSAFE, "posix.system"),
    attack("broken end.7z", Seven([("a", PLAIN)], "lzma2", broken=True).build(), UNSCANNED, "packed 7z data"),
    attack("ppmd", seven("x", payload(), "ppmd"), UNSCANNED, "method that is not understood (030401)"),
    attack("encrypted", seven("x", payload(), "aes"), UNSCANNED, "method that is not understood (06f10701)"),
    attack("tail", seven("x", PLAIN) + payload(), UNSCANNED, "does not end with its header"),
    attack("between", Seven([("x", PLAIN)], before=payload()).build(), UNSCANNED, "belong to no packed stream"),
    attack(
        "between, packed header",
        Seven([("x", PLAIN)], before=payload(), packed_header=True).build(),
        UNSCANNED,
        "belong to no packed stream",
    ),
    attack("more announced", Seven([("x", PLAIN)], "lzma2", more=9).build(), UNSCANNED, "before the announced size"),
    attack("less announced", Seven([("x", PLAIN)], "lzma2", more=-9).build(), UNSCANNED, "packed 7z data"),
    attack("twice", Seven([("x", PLAIN), ("X", PLAIN)]).build(), UNSCANNED, "more than once"),
    attack("checksum", hostile.patched(seven("x", PLAIN), b"honest", b"honets"), UNSCANNED, "checksum does not fit"),
    attack("climbs", seven("../x", b"text"), UNSAFE, "lands outside"),
    attack("bomb.7z", lambda: seven("x", bytes(90_000_000), "deflate"), UNSCANNED, "bomb"),
]

TORCH = [
    attack(
        "case.pt",
        zipped(
            {
                name.replace("code", "Code"): data
                for name, data in hostile.script_members("_1 = torch.from_file('x')").items()
            }
        ),
        UNSAFE,
        "torch.from_file",
    ),
    attack(
        "bytecode.pt",
        zipped({**hostile.script_members("pass"), "net/bytecode.pkl": PLAIN}),
        UNSCANNED,
        "torch bytecode",
    ),
    attack(
        "state.pt",
        zipped(
            torch_members(
                b"\x80\x02ctorch._utils\n_rebuild_parameter_with_state\nK\1\x89N}U\x09__class__K\1s\x86\x86\x86R."
            )
        ),
        UNSAFE,
        "__class__",
    ),
    attack("payload.pt", zipped(torch_members(payload(2))), UNSAFE, "in archive/data.pkl"),
    attack(
        "bad checksum.pt", hostile.bad_checksum(torch_members(payload(2)), "archive/data.pkl"), UNSAFE, "posix.system"
    ),
    attack("unread member.pt", zipped(torch_members(extra=payload(2))), UNSAFE, "in archive/extra"),
    attack("unnamed storage.pt", zipped(torch_members(data__1=b"\xff\1\2\3")), UNSCANNED, "in archive/data/1"),
    attack(
        "short storage.pt", zipped({**torch_members(), "archive/data/0": bytes(12)}), UNSCANNED, "in archive/data/0"
    ),
    attack(
        "storage as pickle.pt",
        zipped({**torch_members(hostile.tensor(count=len(CALL) // 4)), "archive/data/0": CALL[:24]}),
        UNSAFE,
        "os.system",
    ),
    attack(
        "persistent call.pt",
        zipped(torch_members(b"\x80\x02ccollections\nOrderedDict\n)Q.")),
        UNSCANNED,
        "persistent id",
    ),
    attack(
        "decoy.pt",
        hostile.flagged(zipped({"archive/decoy": b"x", **torch_members(payload(2))}), 1),
        UNSAFE,
        "posix.system",
    ),
    attack("named.safetensors", HONEST_TORCH, UNSAFE, "the content is zip"),
    attack("from_file.pt", torchscript("_1 = torch.from_file('/etc/passwd', False, 10)"), UNSAFE, "torch.from_file"),
    attack("alias.pt", torchscript("_1 = torch.from_file"), UNSAFE, "torch.from_file"),
    attack("aten.pt", torchscript("ops.aten.save(_0, '/tmp/x')"), UNSAFE, "ops.aten.save"),
    attack("rpc.pt", torchscript("ops.prim.rpc_sync('host', 'f')"), UNSAFE, "rpc_sync"),
    attack("method.pt", torchscript("_1 = (x).save('/tmp/x')"), UNSCANNED, "named save"),
    attack("library.pt", torchscript("ops.mine.operator(x)"), UNSCANNED, "ops.mine.operator"),
    attack("import.pt", torchscript("import os"), UNSCANNED, "Import"),
    attack("builtin.pt", torchscript("open('/etc/passwd')"), UNSCANNED, "calls open"),
    attack("computed.pt", torchscript("getattr(self, x)"), UNSCANNED, "computed name"),
    attack("native.pt", torchscript("_1 = __torch__.torch.classes.mine.Native(x)"), UNSCANNED, "native class"),
    attack("syntax.pt", torchscript("def ("), UNSCANNED, "does not parse"),
]

TENSORS = [
    attack("trailing.safetensors", safetensors({"a": weight(0, 8)}, bytes(9)), UNSCANNED, "9 bytes follow"),
    attack("hole.safetensors", safetensors({"a": weight(0, 8), "b": weight(12, 16)}, bytes(16)), UNSCANNED, "hole"),
    attack(
        "overlap.safetensors", safetensors({"a": weight(0, 8), "b": weight(4, 12)}, bytes(12)), UNSCANNED, "overlap"
    ),
    attack("shape.safetensors", safetensors({"a": weight(0, 8, shape=[3])}, bytes(8)), UNSCANNED, "spans 8 bytes"),
    attack(
        "twice.safetensors",
        safetensors('{"a": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}, "a": 1}', bytes(4)),
        UNSCANNED,
        "twice",
    ),
    attack("huge.safetensors", struct.pack("<Q", 1 << 40) + b'{"a": 1}', UNSCANNED, "no rule"),
    attack("beyond.safetensors", struct.pack("<Q", 100) + b'{"a": 1}', UNSCANNED, "no rule"),
    attack("negative.safetensors", safetensors({"a": weight(0, 8, shape=[-1, -2])}, bytes(8)), UNSCANNED, "no counts"),
    attack(
        "zip.safetensors", safetensors({"a": weight(0, 8)}, bytes(8)) + zipped({"x": payload()}), UNSAFE, "posix.system"
    ),
    attack("short.npy", hostile.npy(shape="(3,)"), UNSCANNED, "describes 12 bytes"),
    attack("code.npy", hostile.npy(shape="__import__('os')"), UNSCANNED, "no literal"),
]

GRAPHS = [
    attack("climbs.onnx", onnx(location="../../etc/passwd"), UNSAFE, "../../etc/passwd"),
    attack("absolute.onnx", onnx(location="/etc/passwd"), UNSAFE, "/etc/passwd"),
    attack("backslash.onnx", onnx(location="..\\x"), UNSAFE, "outside the model"),
    attack("missing.onnx", onnx(location="weights.bin"), UNSCANNED, "not in the model"),
    attack("python.onnx", onnx(model=field(8, field(1, "ai.onnx.contrib"))), UNSAFE, "ai.onnx.contrib"),
    attack(
        "python operator.onnx",
        onnx(graph=field(1, field(4, "PythonOp") + field(7, "com.microsoft"))),
        UNSAFE,
        "PythonOp",
    ),
    attack("domain.onnx", onnx(node=field(7, "evil.kernels")), UNSCANNED, "evil.kernels"),
    attack(
        "in subgraph.onnx", onnx(node=field(5, field(6, field(1, field(4, "X") + field(7, "evil"))))), UNSCANNED, "evil"
    ),
    attack(
        "attribute tensor.onnx",
        onnx(node=field(5, field(5, field(13, field(1, "location") + field(2, "/x"))))),
        UNSAFE,
        "/x",
    ),
    attack(
        "beside a function.onnx",
        onnx(node=field(7, "evil"), model=field(25, field(1, "Other") + field(10, "evil"))),
        UNSCANNED,
        "evil",
    ),
    attack(
        "another overload.onnx",
        onnx(node=field(7, "evil"), model=field(25, field(1, "Relu") + field(10, "evil") + field(13, "b"))),
        UNSCANNED,
        "evil",
    ),
    attack("in function.onnx", onnx(model=field(25, field(7, field(7, "evil")))), UNSCANNED, "evil"),
    attack(
        "context.onnx", onnx(graph=field(1, field(4, "EPContext") + field(7, "com.microsoft"))), UNSCANNED, "EPContext"
    ),
    attack("unknown field.onnx", onnx(graph=field(99, b"hidden")), UNSCANNED, "unknown field 99"),
    attack("cut.onnx", onnx()[:-3], UNSCANNED, "no rule"),
]

TEXTS = [
    attack("$(id) model.bin", hostile.POINTER, UNSCANNED, "--include '$(id) model.bin'"),
    attack("model.bin", hostile.POINTER, UNSCANNED, "git lfs pull --include model.bin"),
    attack("key.txt", b"my key:\n" + hostile.KEY, UNSAFE, "private key"),
    attack("key.json", b'{"key": "' + hostile.KEY.replace(b"\n", b"\\n") + b'"}', UNSAFE, "private key"),
    attack("config.json", b'{"auto_map": {"AutoModel": "stranger/repo--code.Net"}}', UNSAFE, "stranger/repo--code.Net"),
    attack("tokenizer.json", b'{"a": [{"auto_map": {"A": ["x.Slow", null]}}]}', REVIEW, "x.Slow"),
    attack("shadowed.json", b'{"auto_map": {"A": "x.Y"}, "auto_map": null}', REVIEW, "x.Y"),
    attack("trust.json", b'{"trust_remote_code": true}', REVIEW, "trust_remote_code"),
    attack("hydra.yaml", b"model:\n  _target_: os.system\n  command: id\n", UNSAFE, "os.system"),
    attack("tag.yaml", b"a: !!python/object/apply:os.system ['id']\n", UNSAFE, "python/object/apply:os.system"),
    attack("escaped.yaml", b"a: !!pyth%6fn/name:os.system\n", UNSAFE, "python/name"),
    attack("verbatim.yaml", b"- !<tag:yaml.org,2002:python/name:os.system>\n", UNSAFE, "python/name"),
    attack("keras.json", b'{"module": "keras.layers", "class_name": "Lambda", "config": {}}', UNSAFE, "Lambda"),
    attack("import.json", b'{"module": "os", "class_name": "system", "config": "id"}', UNSAFE, "import os"),
    attack(
        "entities.xml",
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x/>',
        UNSAFE,
        "entities",
    ),
    attack("deep.json", b"[" * 200_000 + b"]" * 200_000, UNSCANNED, "deeply"),
]

OTHERS = [
    attack("random", bytes(range(255, 0, -1)), UNSCANNED, "no rule understands"),
    attack("picture.png", hostile.png(tail=payload()), UNSCANNED, "something else follows"),
    attack("archive.png", hostile.png(tail=zipped({"x": payload()})), UNSAFE, "posix.system"),
    attack("renamed.png", PLAIN, UNSAFE, "the content is pickle"),
    attack("renamed.json", PLAIN, UNSAFE, "the content is pickle"),
    attack("library.so", b"\x7fELF" + bytes(60), UNSAFE, "native"),
    attack("program.exe", b"MZ\x90\0" + bytes(60), UNSAFE, "native"),
    attack("model.gguf", b"GGUF" + bytes(60), UNSCANNED, "GGUF version 0"),
    attack("model.h5", b"\x89HDF\r\n\x1a\n" + bytes(600), UNSCANNED, "HDF5 with addresses"),
    attack("model.rds", b"A\n3\n262401\n197888\n", UNSCANNED, "cut short"),
]

ATTACKS = PICKLES + ARCHIVES + SEVENS + TORCH + TENSORS + GRAPHS + TEXTS + OTHERS


@pytest.mark.parametrize("case", ATTACKS, ids=str)
def test_is_stopped_and_named(case: Attack, tmp_path: Path) -> None:
    (tmp_path / case.name).write_bytes(case.build())
    ledger = scanned(tmp_path)
    row = next(row for row in ledger.rows if row.path == case.name)
    reasons = "\n".join(row.reasons())
    assert case.because in reasons
    assert row.verdict.name.lower() == case.verdict, reasons
