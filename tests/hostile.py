"""Builders for hostile and for honest model files; what they build is scanned and never loaded.

A pickle with a payload is written with `pickle.dumps`, which calls nothing, or opcode by opcode.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Any

CALL = b"cos\nsystem\n(S'true'\ntR."
"""The classic: protocol 0, calls ``os.system('true')``."""
PLAIN = pickle.dumps({"weights": [1.0, 2.0], "name": "honest"}, 4)
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 1048576\n"
KEY = (
    b"-----BEGIN PRIVATE KEY-----\n"
    + b"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg" * 2
    + b"\n-----END PRIVATE KEY-----\n"
)


class Payload:
    """Pickles to a call of ``os.system``."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("true",)


def payload(protocol: int = 4) -> bytes:
    """Return a pickle that calls ``os.system`` when it is loaded."""
    return pickle.dumps({"weights": [0.5], "x": Payload()}, protocol)


def named(module: str, name: str, *, protocol: int = 4) -> bytes:
    """Return a pickle that names a global and calls it without arguments."""
    if protocol < 4:
        return b"\x80\x02c%b\n%b\n)R." % (module.encode(), name.encode())
    return b"\x80\x04" + short(module) + short(name) + b"\x93)R."


def short(text: str) -> bytes:
    """Return the operation that pushes a short string."""
    return b"\x8c" + bytes([len(text.encode())]) + text.encode()


def zipped(members: Mapping[str, bytes], *, method: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip archive with these members, in order."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, compress_type=method)
    return target.getvalue()


def patched(data: bytes, old: bytes, new: bytes, *, last: bool = False) -> bytes:
    """Return `data` with one occurrence of `old` replaced, which must be there."""
    position = data.rfind(old) if last else data.find(old)
    assert position >= 0
    return data[:position] + new + data[position + len(old) :]


def bad_checksum(members: Mapping[str, bytes], victim: str) -> bytes:
    """Return a zip archive in which both headers of `victim` hold a wrong checksum."""
    crc = struct.pack("<L", zlib.crc32(members[victim]))
    return zipped(members).replace(crc, b"\1\2\3\4")


def flagged(data: bytes, bits: int) -> bytes:
    """Return a zip archive whose first central entry has these flag bits, too."""
    position = data.find(b"PK\x01\x02") + 8
    return (
        data[:position] + struct.pack("<H", struct.unpack_from("<H", data, position)[0] | bits) + data[position + 2 :]
    )


def tarred(members: Mapping[str, bytes], *, kind: bytes = tarfile.REGTYPE) -> bytes:
    """Return a tar archive with these members."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            entry.type = kind
            archive.addfile(entry, io.BytesIO(data))
    return target.getvalue()


def linked(name: str, target: str, *, kind: bytes = tarfile.SYMTYPE) -> bytes:
    """Return a tar archive whose only member is a link."""
    archived = io.BytesIO()
    with tarfile.open(fileobj=archived, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.type = kind
        entry.linkname = target
        archive.addfile(entry)
    return archived.getvalue()


def linked_zip(name: str, target: str) -> bytes:
    """Return a zip archive whose only member is a symbolic link."""
    archived = io.BytesIO()
    with zipfile.ZipFile(archived, "w") as archive:
        entry = zipfile.ZipInfo(name)
        entry.create_system = 3  # Unix, whose modes the other half of the attributes are
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, target)
    return archived.getvalue()


def tensor(key: str = "0", count: int = 4, *, before: bytes = b"\x80\x02") -> bytes:
    """Return a state dict as torch pickles it: one float tensor in storage `key`."""
    storage = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0%bX\x03\0\0\0cpuK%ctQ" % (key.encode(), count)
    arguments = b"(" + storage + b"K\0K%c\x85K\x01\x85\x89ccollections\nOrderedDict\n)Rt" % count
    return before + b"}X\x06\0\0\0weightctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"Rs."


def torch_members(data: bytes | None = None, **more: bytes) -> dict[str, bytes]:
    """Return the members of a torch checkpoint."""
    return {
        "archive/data.pkl": tensor() if data is None else data,
        "archive/byteorder": b"little",
        "archive/data/0": struct.pack("<4f", 1, 2, 3, 4),
        "archive/version": b"3\n",
        **{f"archive/{name.replace('__', '/')}": content for name, content in more.items()},
    }


FORWARD = """class Net(Module):
  __parameters__ = ["weight", ]
  __buffers__ = []
  weight : Tensor
  training : bool
  def forward(self: __torch__.net.Net,
    x: Tensor) -> Tensor:
    weight = self.weight
    _0 = torch.add(torch.matmul(x, weight), CONSTANTS.c0)
    {}
    return torch.relu(_0)
"""


def script_members(statement: str) -> dict[str, bytes]:
    """Return the members of a TorchScript archive whose forward method holds `statement`."""
    return {
        "net/data.pkl": b"\x80\x02c__torch__.net\nNet\n)\x81}X\x08\0\0\0training\x89sb.",
        "net/code/__torch__/net.py": FORWARD.format(statement).encode(),
        "net/code/__torch__/net.py.debug_pkl": pickle.dumps(("FORMAT_WITH_STRING_TABLE", ()), 2),
        "net/constants.pkl": b"\x80\x02).",
        "net/version": b"3\n",
    }


def torchscript(statement: str = "pass") -> bytes:
    """Return a TorchScript archive whose forward method holds `statement`."""
    return zipped(script_members(statement))


def gapped() -> bytes:
    """Return a zip archive that hides bytes between its only member and the directory."""
    data = zipped({"x.txt": b"text"})
    position = data.find(b"PK\x01\x02")
    shifted = data[:position] + CALL + data[position:]
    return shifted[:-6] + struct.pack("<L", position + len(CALL)) + shifted[-2:]


def shifted() -> bytes:
    """Return a zip archive whose directory claims to lie behind its own end."""
    data = zipped({"x.txt": b"text"})
    return data[:-6] + struct.pack("<L", 65_536) + data[-2:]


def safetensors(header: Any, data: bytes) -> bytes:
    """Return a safetensors file with this header, given as JSON or as text."""
    raw = header.encode() if isinstance(header, str) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + data


def weight(start: int, end: int, *, shape: list[int] | None = None) -> dict[str, Any]:
    """Return a float32 tensor's description."""
    return {"dtype": "F32", "shape": [(end - start) // 4] if shape is None else shape, "data_offsets": [start, end]}


def field(number: int, value: bytes | str | int) -> bytes:
    """Return a protobuf field."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def varint(value: int) -> bytes:
    """Return a protobuf number."""
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + varint(value >> 7)


def onnx(*, node: bytes = b"", graph: bytes = b"", model: bytes = b"", location: str | None = None) -> bytes:
    """Return an ONNX model with one Relu node and one tensor; the arguments are more fields."""
    relu = field(1, "x") + field(2, "y") + field(4, "Relu") + node
    numbers = field(1, 2) + field(2, 1) + field(8, "w")
    if location is None:
        numbers += field(9, struct.pack("<2f", 1, 2))
    else:
        numbers += field(13, field(1, "location") + field(2, location)) + field(14, 1)
    return (
        field(1, 8)
        + field(7, field(1, relu) + field(2, "g") + field(5, numbers) + graph)
        + field(8, field(2, 17))
        + model
    )


def png(*, tail: bytes = b"") -> bytes:
    """Return a picture of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">2L5B", 1, 1, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"") + tail


def npy(descr: str = "'<f4'", *, shape: str = "(2,)", data: bytes = bytes(8)) -> bytes:
    """Return a numpy array file."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zlib": zlib.compress,
}

HONEST: dict[str, bytes] = {
    "README.md": b"# A model\n\nSee `import os; os.system` in the docs.\n",
    "class.yaml": b"class: net\nname: os\nsystem: linux\n",
    "hyperparams.yaml": b"a: !new:speechbrain.nnet.linear.Linear\n  n: !ref <n>\nb: !name:torch.nn.LeakyReLU\nn: 4\n"
    b"seed: !apply:speechbrain.utils.seed_everything [1]\n",
    "yolov8.yaml": b"nc: 80\nactivation: nn.LeakyReLU(0.1)\nbackbone:\n  - [-1, 1, nn.Upsample, [None, 2, 'nearest']]\n"
    b"head:\n  - [[15, 18], 1, Detect, [nc, anchors]]\n",
    "lightning.yaml": b"model:\n  class_path: torch.nn.Linear\n  init_args: {in_features: 1, out_features: 1}\n",
    "serialized_exported_program.json": json.dumps(
        {
            "nodes": [
                {"target": target, "inputs": [], "outputs": [], "metadata": {}}
                for target in ("torch.ops.aten.add.Tensor", "_operator.mul", "torch.sym_min")
            ],
            "sizes": [{"expr_str": words} for words in ("s0 + 2*s1", "Max(1, s0//2)", "Mod(s27, 8.0)")],
        }
    ).encode(),
    "jsonpickle.json": b'{"a": {"py/object": "collections.OrderedDict", "x": 1}}',
    "documented.pkl": b"\x80\x04\x8c\x08argparse\x8c\x09Namespace\x93)\x81}\x8c\x07__doc__\x8c\x05wordssb.",
    "prose.txt": b"(Note: please read me.)\n",
    "Please.txt": b"Please\nread\n",
    "vocabulary.txt": b"cat\ndog\nbird\n.\n",
    "config.json": b'{"architectures": ["Net"], "hidden_size": 4, "nan": NaN}',
    "__init__.py": b"",
    "run.py": b"import os\nos.system('true')\n",
    "logo.png": png(),
    "logo.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "model.safetensors": safetensors(
        {"__metadata__": {"format": "pt"}, "a": weight(0, 8), "b": weight(8, 12)}, bytes(12)
    ),
    "empty.safetensors": safetensors({}, b""),
    "model.onnx": onnx(),
    "functions.onnx": onnx(
        node=field(7, "my.functions"),
        model=field(25, field(1, "Relu") + field(10, "my.functions") + field(7, field(4, "Relu"))),
    ),
    "plain.pkl": PLAIN,
    "plain-0.pkl": pickle.dumps([1, 2.5, "text", {"a": (None, True)}], 0),
    "plain-2.pkl": pickle.dumps({"a": {1, 2}, "b": b"bytes"}, 2),
    "two.pkl": PLAIN + PLAIN,
    "long.pkl": pickle.dumps({"blob": bytes(100_000), "text": "x" * 100_000}, 5),
    "plain.pkl.gz": gzip.compress(PLAIN, mtime=0),
    "checkpoint.pt": zipped(torch_members()),
    "script.pt": torchscript(),
    "packed.zip": zipped({"a.txt": b"text " * 1000, "b/c.pkl": PLAIN}, method=zipfile.ZIP_DEFLATED),
    "nested.zip": zipped({"inner.zip": zipped({"deep.txt": b"text"})}),
    "data.tar": tarred({"a.txt": b"text", "b.pkl": PLAIN}),
    "data.tar.gz": gzip.compress(tarred({"a.txt": b"text"}), mtime=0),
    "array.npy": npy(),
    "fields.npy": npy("[('a', '<f4'), ('b', '<U2', (2,))]", shape="()", data=bytes(20)),
    "objects.npy": npy("'|O'", shape="(1,)", data=pickle.dumps([{"a": 1}], 4)),
    "arrays.npz": zipped({"a.npy": npy(), "b.npy": npy("'|b1'", shape="(8,)")}, method=zipfile.ZIP_DEFLATED),
}
"""File name to content: everything here is safe."""
