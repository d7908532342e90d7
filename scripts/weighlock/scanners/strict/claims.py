"""What content and name claim: a name that misleads people or loaders, and content that two loaders take for two things.

A name never chooses the parser. Content does, but a loader is chosen by whoever loads: what an unpickler would run is
told of every other format, and so is a file in which libhdf5 finds a superblock behind something else.
"""

from __future__ import annotations

from typing import BinaryIO

from weighlock.scanners import Blob, Severity
from weighlock.scanners.pickles import disguise
from weighlock.scanners.reading import LimitError
from weighlock.scanners.sniff import CONTAINERS, PICKLES
from weighlock.scanners.strict.notes import Notes

_TEXT = frozenset({"text", "json", "xml", "torchscript code"})
_CLAIMS: dict[str, frozenset[str]] = {
    **dict.fromkeys(
        (".json", ".txt", ".md", ".yaml", ".yml", ".csv", ".toml", ".ini", ".cfg", ".py", ".jinja", ".xml"), _TEXT
    ),
    ".safetensors": frozenset({"safetensors"}),
    ".onnx": frozenset({"onnx"}),
    ".gguf": frozenset({"gguf"}),
    ".npy": frozenset({"npy"}),
    **dict.fromkeys((".h5", ".hdf5"), frozenset({"hdf5"})),
    ".pb": frozenset({"tensorflow", "tensorflow fingerprint", "keras metadata"}),
    ".tflite": frozenset({"tflite"}),
    ".mlmodel": frozenset({"coreml"}),
    **dict.fromkeys((".keras", ".zip", ".npz"), frozenset({"zip"})),
    ".png": frozenset({"png"}),
    **dict.fromkeys((".jpg", ".jpeg"), frozenset({"jpeg"})),
    ".gif": frozenset({"gif"}),
    ".webp": frozenset({"webp"}),
}
_TRIED = frozenset({"empty", "text", "json", "xml", "lfs pointer", "torchscript code", "tensor storage"})
_BLOCKS = frozenset({"hdf5", "tar"})
"""Formats in which a superblock stands at such a place in honest files: a tar's members begin there, and are judged."""
_HDF5 = b"\x89HDF\r\n\x1a\n"
_SILENT = frozenset({"empty", "lfs pointer", "unknown"})  # these are told as what they are, with their own reason


def claim(blob: Blob, notes: Notes) -> None:
    """Add a finding where the name's ending promises something that the content is not."""
    ending = "." + blob.name.rsplit(".", maxsplit=1)[-1].lower()
    promised = _CLAIMS.get(ending)
    if "." in blob.name and promised and blob.format not in promised | _SILENT:
        message = f"the name ends in {ending}, the content is {blob.format}"
        notes.find("name.mismatch", Severity.MEDIUM, message)


def second(blob: Blob, notes: Notes) -> None:
    """Find another loader's format in content that is one already; text was tried when it was recognised as text."""
    if blob.format in PICKLES | _TRIED:
        return
    with blob.open() as stream:
        try:
            name = disguise.reached(stream, unknown=blob.format not in CONTAINERS)  # whose members are judged
        except LimitError as error:
            notes.gap(f"it is {blob.format}, and could be a pickle as well: {error}")
            return
        if name:
            message = f"it is {blob.format}, and a pickle as well: an unpickler would call or import {name}"
            notes.find("pickle.disguised", Severity.CRITICAL, message)
        if blob.format not in _BLOCKS:
            _superblock(blob, stream, notes)


def _superblock(blob: Blob, stream: BinaryIO, notes: Notes) -> None:
    """Look where libhdf5 does: at 512 bytes and at every doubling of that."""
    place = 512
    while place < blob.size:
        stream.seek(place)
        if stream.read(len(_HDF5)) == _HDF5:
            notes.gap(f"it is {blob.format}, and at byte {place} begins what libhdf5 opens")
        place *= 2
