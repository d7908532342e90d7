"""Make the family ``archives``: models packed by 7z, zstd and lz4, in the ways in which people pack them."""

# mypy: disable-error-code="import-not-found,import-untyped,no-untyped-call"
# (py7zr, zstandard and lz4 are in an environment of their own)

from __future__ import annotations

import io
import pickle
import tarfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import lz4.frame
import py7zr
import zstandard
from making import make

MODEL = pickle.dumps({"weights": [0.5 * number for number in range(400)], "names": ["load", "grain"]}, 4)
FILES = {"README.md": b"# A model\n\nFor the lock at the mill.\n" * 20, "model/weights.pkl": MODEL, "tiny.txt": b"x"}
METHODS: dict[str, Sequence[dict[str, int]]] = {
    "lzma2": [{"id": py7zr.FILTER_LZMA2, "preset": 6}],
    "lzma": [{"id": py7zr.FILTER_LZMA, "preset": 6}],
    "branch-lzma2": [{"id": py7zr.FILTER_X86}, {"id": py7zr.FILTER_LZMA2, "preset": 6}],
    "delta-lzma2": [{"id": py7zr.FILTER_DELTA, "dist": 4}, {"id": py7zr.FILTER_LZMA2, "preset": 6}],
    "bzip2": [{"id": py7zr.FILTER_BZIP2}],
    "deflate": [{"id": py7zr.FILTER_DEFLATE}],
    "zstd": [{"id": py7zr.FILTER_ZSTD, "level": 3}],
    "copy": [{"id": py7zr.FILTER_COPY}],
    "ppmd": [{"id": py7zr.FILTER_PPMD, "order": 6, "mem": 24}],
}


def seven(methods: Sequence[dict[str, int]], packed_header: bool, path: Path) -> None:
    with py7zr.SevenZipFile(path, "w", filters=methods) as archive:
        archive.set_encoded_header_mode(packed_header)
        for name, data in FILES.items():
            archive.writestr(data, name)


def tarred() -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, data in FILES.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return target.getvalue()


def written(data: Callable[[], bytes], path: Path) -> None:
    path.write_bytes(data())


def cases() -> dict[str, Any]:
    found: dict[str, Any] = {f"{name}.7z": partial(seven, methods, True) for name, methods in METHODS.items()}
    found |= {f"{name}-plain-header.7z": partial(seven, METHODS[name], False) for name in ("lzma2", "copy")}
    zstd = zstandard.ZstdCompressor(level=3, write_checksum=True).compress
    found |= {
        "weights.pkl.zst": partial(written, lambda: zstd(MODEL)),
        "model.tar.zst": partial(written, lambda: zstd(tarred())),
        "several-frames.zst": partial(written, lambda: zstd(b"one line\n") + zstd(b"another\n")),
        "weights.pkl.lz4": partial(written, lambda: lz4.frame.compress(MODEL, content_checksum=True)),
        "model.tar.lz4": partial(written, lambda: lz4.frame.compress(tarred())),
        "linked-blocks.lz4": partial(written, lambda: lz4.frame.compress(FILES["README.md"] * 9, block_linked=True)),
    }
    return found


if __name__ == "__main__":
    make("archives", cases(), ["py7zr", "zstandard", "lz4"])
