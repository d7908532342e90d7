"""One payload under every name that made some scanner look away: endings decide nothing."""

from __future__ import annotations

from collections.abc import Iterator

from corpus.hostile import Case, Family
from corpus.hostile.assembler import RAN, SYSTEM, stream
from hostile import torch_members, zipped

NAMING = Family("naming")

PICKLES = (
    "model", "model.p", "model.PKL", "model.Pickle", "model.pkl.bak", "model.pkl~", "model.pkl ", "model.",
    ".model", ".pkl", "model.txt", "model.md", "model.json", "model.yaml", "model.csv", "model.png",
    "model.safetensors", "model.gguf", "model.onnx", "model.h5", "model.keras", "model.pb", "model.bin", "model.pth.tar",
    "model.dat.1", "config.json", "README", "LICENSE", "my model.pkl", "weights:v1.pkl", "модель.pkl", "model.dill",
    "model.mdl", "model.sav", "tokenizer.model", "__init__.py",
)  # fmt: skip
ZIPS = ("model.safetensors", "model.PT", "model.txt", "model.pt.tmp", "checkpoint", "model.npz", "model.jar")


def cases() -> Iterator[Case]:
    for number, name in enumerate(PICKLES):
        code = stream(SYSTEM, protocol=(0, 2, 4)[number % 3])
        yield NAMING.case(f"pickle as {name}", name, code, "runs a shell command under pickle.load", RAN)
    checkpoint = zipped(torch_members(stream(SYSTEM)))
    for name in ZIPS:
        yield NAMING.case(f"torch zip as {name}", name, checkpoint, "runs a shell command under torch.load", RAN)
