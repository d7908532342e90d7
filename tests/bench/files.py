"""Files to measure with: large, honest, the same on every machine, and written without the libraries they belong to.

Weights are one pseudo-random block over and over, numbered, so that no two blocks are alike.
"""

from __future__ import annotations

import json
import math
import pickle
import random
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from corpus.hostile.arrays import wrapped

GB = 1_000_000_000
BLOCK = 4_000_000  # bytes; a multiple of every item's size
TENSORS = 8

_BLOCK = random.Random(1).randbytes(BLOCK)


def weights(size: int) -> Iterator[bytes]:
    """Yield `size` bytes, a multiple of `BLOCK`."""
    for number in range(size // BLOCK):
        yield struct.pack("<Q", number) + _BLOCK[8:]


def _share(size: int) -> int:
    """Return the bytes of one of `TENSORS` tensors."""
    return max(1, round(size / TENSORS / BLOCK)) * BLOCK


def safetensors(path: Path, size: int) -> None:
    """Write tensors of float16."""
    part = _share(size)
    header = {
        f"layer.{number}.weight": {
            "dtype": "F16",
            "shape": [part // 2],
            "data_offsets": [number * part, (number + 1) * part],
        }
        for number in range(TENSORS)
    }
    raw = json.dumps(header).encode()
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(raw)) + raw)
        stream.writelines(weights(part * TENSORS))


def torch_zip(path: Path, size: int) -> None:
    """Write a state dict as ``torch.save`` does since 1.6."""
    part = _share(size)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo("archive/data.pkl"), _state_dict(part // 4))
        archive.writestr(zipfile.ZipInfo("archive/byteorder"), b"little")
        for number in range(TENSORS):
            entry = zipfile.ZipInfo(f"archive/data/{number}")
            entry.file_size = part
            with archive.open(entry, "w") as member:
                for block in weights(part):
                    member.write(block)
        archive.writestr(zipfile.ZipInfo("archive/version"), b"3\n")


def _state_dict(count: int) -> bytes:
    """Return the pickle of a dict of float tensors of `count` items, as torch writes it."""

    def text(words: str) -> bytes:
        return b"X" + struct.pack("<L", len(words)) + words.encode()

    def number(value: int) -> bytes:
        return b"J" + struct.pack("<l", value)

    items = b""
    for index in range(TENSORS):
        storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(str(index)) + text("cpu")
        tensor = b"(" + storage + number(count) + b"tQ" + number(0) + number(count) + b"\x85" + number(1) + b"\x85"
        rebuilt = b"ctorch._utils\n_rebuild_tensor_v2\n" + tensor + b"\x89ccollections\nOrderedDict\n)RtR"
        items += text(f"layer.{index}.weight") + rebuilt
    return b"\x80\x02}(" + items + b"u."


def joblib(path: Path, size: int) -> None:
    """Write a dict of arrays as ``joblib.dump`` does: between the operations of one pickle."""
    part = _share(size)
    with path.open("wb") as stream:
        stream.write(b"\x80\x04}")
        for number in range(TENSORS):
            name = f"array.{number}".encode()
            stream.write(b"\x8c" + bytes([len(name)]) + name)
            stream.write(wrapped("f4", (part // 4,), b"", align=True))
            stream.writelines(weights(part))
            stream.write(b"s")
        stream.write(b".")


def protocol_5(path: Path, size: int) -> None:
    """Write a dict of byte strings, in band, as numpy pickles its arrays."""
    part = _share(size)
    with path.open("wb") as stream:
        stream.write(b"\x80\x05}")
        for number in range(TENSORS):
            name = f"array.{number}".encode()
            stream.write(b"\x8c" + bytes([len(name)]) + name + b"\x8e" + struct.pack("<Q", part))
            stream.writelines(weights(part))
            stream.write(b"s")
        stream.write(b".")


def dense(path: Path, size: int) -> None:
    """Write a list of small dicts, 22 bytes each: nothing but operations."""
    rows = [{"id": number, "score": math.sqrt(number)} for number in range(size // 22)]
    path.write_bytes(pickle.dumps(rows, 4))


Maker = Callable[[Path, int], None]
MAKERS: dict[str, tuple[Maker, int]] = {
    "model.safetensors": (safetensors, 2 * GB),
    "model.pt": (torch_zip, GB),
    "model.joblib": (joblib, GB),
    "arrays.pkl": (protocol_5, GB),
    "dense.pkl": (dense, 22_000_000),
}
"""Name to what writes it, and its size in bytes at scale 1."""


def made(name: str, scale: float, folder: Path) -> Path:
    """Return the file, made if it is not there yet; it is alone in a folder, as a model."""
    maker, size = MAKERS[name]
    path = folder / f"{scale:g}" / name.replace(".", "-") / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.parent.parent / f"{name}.part"
        maker(unfinished, round(size * scale))
        unfinished.rename(path)
    return path
