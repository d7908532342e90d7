"""What a pickle would do, by an unpickler that imports nothing and calls nothing: the corpus' own proof of harm.

It is the standard library's pure Python unpickler with inert stand-ins, and shares no line with the scanner. `events`
looks through containers as loaders do (by local header, whatever checksums and flags say) and reads every stream.
"""

from __future__ import annotations

import _compat_pickle
import ast
import bz2
import io
import lzma
import math
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, ClassVar

JOBLIB = "joblib.numpy_pickle.NumpyArrayWrapper()"
_DEPTH = 6


class Inert:
    """Stands for a global, or, with ``()`` behind the name, for what calling it would have given."""

    def __init__(self, name: str, seen: list[str], values: tuple[Any, ...] = ()) -> None:
        self.name = name
        self.seen = seen
        self.values = values
        self.attributes: dict[str, Any] = {}

    def __call__(self, *values: Any, **named: Any) -> Inert:
        self.seen.append(f"call {self.name}")
        return Inert(f"{self.name}()", self.seen, values)

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __setitem__(self, key: object, value: object) -> None:
        self.seen.append(f"item {self.name}")

    def append(self, value: object) -> None:
        self.seen.append(f"append {self.name}")

    def extend(self, values: object) -> None:
        self.seen.append(f"append {self.name}")

    def build(self, value: Any) -> None:
        self.seen.append(f"build {self.name}")
        if "__setstate__" in self.attributes:
            self.attributes["__setstate__"](value)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, dict):
                self.attributes.update({key: item for key, item in part.items() if isinstance(key, str)})
                self.seen += [f"set {self.name}.{key}" for key in part]


class Recorder(pickle._Unpickler):
    """Writes down what each operation would do; like the C unpickler, it does not mind where frames end."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(pickle._Unpickler.dispatch)
    proto: int
    stack: list[Any]
    append: Callable[[Any], None]
    read: Callable[[int], bytes]

    def __init__(self, file: io.BytesIO, seen: list[str]) -> None:
        super().__init__(file)
        self.file = file
        self.seen = seen

    def find_class(self, module: str, name: str) -> Any:
        if self.proto < 3:
            module, name = _compat_pickle.NAME_MAPPING.get(
                (module, name), (_compat_pickle.IMPORT_MAPPING.get(module, module), name)
            )
        self.seen.append(f"name {module}.{name}")
        return Inert(f"{module}.{name}", self.seen)

    def persistent_load(self, pid: object) -> Any:
        self.seen.append("persistent id")
        return Inert("persistent", self.seen)

    def get_extension(self, code: int) -> None:
        self.seen.append(f"extension {code}")
        self.append(Inert(f"extension {code}", self.seen))

    def load_frame(self) -> None:
        self.read(8)

    def load_stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.append(self.find_class(*(part if isinstance(part, str) else "<computed>" for part in (module, name))))

    def load_newobj(self) -> None:
        values, made = self.stack.pop(), self.stack.pop()
        self.append(made(*values))

    def load_newobj_ex(self) -> None:
        named, values, made = self.stack.pop(), self.stack.pop(), self.stack.pop()
        self.append(made(*values, **named))

    def load_build(self) -> None:
        value, target = self.stack.pop(), self.stack[-1]
        if not isinstance(target, Inert):
            return
        target.build(value)
        if target.name == JOBLIB:
            self.array(value)

    def array(self, value: dict[str, Any]) -> None:
        """Skip the array that stands in the stream, as joblib would read it; one of objects is a pickle."""
        kind = value["dtype"].values[0]
        if kind == "O8":
            Recorder(self.file, self.seen).load()
            return
        if value.get("numpy_array_alignment_bytes"):
            self.file.read(self.file.read(1)[0])
        self.file.read(math.prod(value["shape"]) * int(kind[1:]))

    dispatch |= {
        code[0]: function
        for code, function in (
            (pickle.FRAME, load_frame),
            (pickle.STACK_GLOBAL, load_stack_global),
            (pickle.NEWOBJ, load_newobj),
            (pickle.NEWOBJ_EX, load_newobj_ex),
            (pickle.BUILD, load_build),
        )
    }


def events(data: bytes) -> list[str]:
    """Return what loading any pickle in `data` would do, up to where it breaks."""
    seen: list[str] = []
    for content in contents(data):
        file = io.BytesIO(content)
        with suppress(Exception):  # a stream that breaks has done its harm before
            while file.tell() < len(content):
                Recorder(file, seen).load()
    return seen


def contents(data: bytes, depth: int = _DEPTH) -> Iterator[bytes]:
    """Yield the data itself and whatever is packed in it."""
    yield data
    if depth:
        for inner in (*_unpacked(data), *_members(data)):
            yield from contents(inner, depth - 1)


def _members(data: bytes) -> Iterator[bytes]:
    if data.rfind(b"PK\x05\x06") >= 0:
        yield from _zip_members(data)
    if data[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for entry in archive:
                stream = archive.extractfile(entry) if entry.isreg() else None
                if stream:
                    yield stream.read()


def _zip_members(data: bytes) -> Iterator[bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for entry in archive.infolist():
            name, extra = struct.unpack_from("<HH", data, entry.header_offset + 26)
            start = entry.header_offset + 30 + name + extra
            raw = data[start : start + entry.compress_size]
            yield zlib.decompress(raw, -15) if entry.compress_type == zipfile.ZIP_DEFLATED else raw


def _unpacked(data: bytes) -> Iterator[bytes]:
    """Yield what a compressed stream or a numpy array's header holds back."""
    if data.startswith(b"\x93NUMPY"):
        yield _behind_header(data)
    elif data.startswith(b"\x1f\x8b"):
        yield zlib.decompressobj(31).decompress(data)
    elif data.startswith(b"BZh"):
        yield bz2.BZ2Decompressor().decompress(data)
    elif data.startswith((b"\xfd7zXZ", b"\x5d\0\0")):
        yield lzma.LZMADecompressor().decompress(data)
    elif data.startswith(b"ZF0x"):
        yield zlib.decompress(data[21:])
    elif data.startswith(b"7z\xbc\xaf"):
        yield _stored(data[32 : 32 + struct.unpack_from("<Q", data, 12)[0]])
    elif data.startswith(b"\x04\x22\x4d\x18"):
        yield data[11 : 11 + (struct.unpack_from("<L", data, 7)[0] & 0x7FFFFFFF)]
    elif data.startswith(b"\x28\xb5\x2f\xfd"):
        yield data[10 if data[4] & 0x40 else 9 :]
    elif data[:1] == b"\x78":
        with suppress(zlib.error):
            yield zlib.decompressobj().decompress(data)


def _stored(packed: bytes) -> bytes:
    """Return what a 7z archive of one stream holds, by the method that gives anything."""
    methods: tuple[Callable[[], Any], ...] = (
        lambda: lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]),
        bz2.BZ2Decompressor,
        lambda: zlib.decompressobj(-15),
    )
    for make in methods:
        with suppress(lzma.LZMAError, OSError, zlib.error):
            engine = make()
            found: bytes = engine.decompress(packed)
            if engine.eof:
                return found
    return next(_unpacked(packed), packed) if packed.startswith(b"\x28\xb5") else packed


def _behind_header(data: bytes) -> bytes:
    wide = data[6] > 1
    start = 12 if wide else 10
    length = struct.unpack_from("<L" if wide else "<H", data, 8)[0]
    ast.literal_eval(data[start : start + length].decode())
    return data[start + length :]
