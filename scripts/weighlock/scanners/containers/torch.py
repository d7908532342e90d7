"""The layout of torch's zip archives: which member is what, by structure and not by looks.

A tensor storage (``data/0``) is raw numbers, and raw numbers may look like anything. It is accepted unread exactly if
the archive's own pickle names it as a storage of that size; torch then hands its bytes to a tensor and to nothing
else. One that begins with the magic of an archive or a program, or is a pickle with a finding, is told as such even so.

Source: torch/serialization.py, torch/csrc/jit/serialization/export_module.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from weighlock.scanners import Blob, Severity
from weighlock.scanners.reading import UnclearError
from weighlock.scanners.strict.notes import Notes
from weighlock.scanners.strict.pickle import judge

# Formats whose magic is so short, or so loose, that numbers show it by chance.
_CHANCE = frozenset(
    {"unknown", "empty", "text", "json", "gzip", "zlib", "lzma", "bzip2", "pe", "r", "onnx", "jpeg", "safetensors"}
)

_SOURCE = frozenset({"text", "json", "empty"})


@dataclass(frozen=True, slots=True)
class Layout:
    """A torch archive: its top folder in lower case, whether it is TorchScript, and the storages that its pickles name."""

    root: str
    script: bool
    storages: dict[str, int] = field(default_factory=dict)
    """Member's name in lower case to size in bytes."""

    @property
    def kind(self) -> str:
        """Return the format of the archive's own pickles."""
        return "torchscript pickle" if self.script else "torch pickle"

    @property
    def pickles(self) -> dict[str, str]:
        """Return the pickles that name storages, each with the folder of these."""
        return {f"{self.root}/{name}.pkl": f"{self.root}/{name}/" for name in ("data", "constants", "traced_inputs")}


def layout(names: Sequence[str]) -> Layout | None:
    """Recognise a torch archive: one top folder with a ``data.pkl`` in it. Torch looks names up without regard to case."""
    lower = {name.lower() for name in names}
    roots = {name.split("/")[0] for name in lower}
    root = roots.pop() if len(roots) == 1 else ""
    if not root or f"{root}/data.pkl" not in lower:
        return None
    script = f"{root}/constants.pkl" in lower or any(name.startswith(f"{root}/code/") for name in lower)
    return Layout(root, script)


def learn(found: Layout, name: str, stream: BinaryIO) -> None:
    """Add the storages that this pickle names."""
    try:
        storages = judge(found.kind, stream, Notes())
    except UnclearError:
        return  # it is told where the member itself is judged
    folder = found.pickles[name.lower()]
    found.storages.update({folder + key.lower(): size for key, size in storages.items()})


def is_storage(found: Layout, name: str, size: int) -> bool:
    """Tell whether the archive's pickles name this member as a tensor storage of exactly this size."""
    return found.storages.get(name.lower()) == size


def role(found: Layout, name: str, blob: Blob) -> Blob:
    """Return the member with the format that its place in the archive gives it, where its content allows that."""
    place = name.lower()
    if place == f"{found.root}/bytecode.pkl":
        return replace(blob, format="torch bytecode")
    if blob.format == "pickle" and (place in found.pickles or (found.script and place.endswith(".debug_pkl"))):
        return replace(blob, format=found.kind)
    if blob.format in _SOURCE and found.script and place.startswith(f"{found.root}/code/") and place.endswith(".py"):
        return replace(blob, format="torchscript code")
    if found.storages.get(place) == blob.size and (blob.format in _CHANCE or _chance_pickle(blob)):
        return replace(blob, format="tensor storage")
    return blob


def _chance_pickle(blob: Blob) -> bool:
    if blob.format != "pickle":
        return False
    notes = Notes()
    try:
        with blob.open() as stream:
            judge("pickle", stream, notes)
    except UnclearError:
        return all(finding.severity is Severity.REVIEW for finding in notes.findings)
    return False
