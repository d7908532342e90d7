"""Make the families ``torch``, ``torch-modules`` and ``torchscript``: what torch saves, each kind of it small."""

# mypy: disable-error-code="import-not-found,import-untyped,no-untyped-call,misc,no-any-return,assignment,attr-defined"
# (torch is in an environment of its own)

from __future__ import annotations

import argparse
import collections
import pathlib
import pickle
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from making import make
from torch import nn
from torch._sources import get_source_lines_and_file

PACKAGES = ["torch", "numpy"]
torch.manual_seed(0)


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2))


def trained(kind: type[torch.optim.Optimizer], **options: Any) -> tuple[nn.Module, torch.optim.Optimizer]:
    model = net()
    optimizer = kind(model.parameters(), **options)
    model(torch.ones(5, 4)).sum().backward()
    optimizer.step()
    return model, optimizer


def checkpoint(kind: type[torch.optim.Optimizer], **options: Any) -> dict[str, Any]:
    model, optimizer = trained(kind, **options)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2)
    return {
        "epoch": 3,
        "loss": 0.25,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": {key: value for key, value in scheduler.state_dict().items() if not callable(value)},
        "generator": torch.get_rng_state(),
    }


def shared() -> dict[str, torch.Tensor]:
    whole = torch.arange(12.0).reshape(3, 4)
    return {"whole": whole, "row": whole[1], "turned": whole.t(), "again": whole}


STATES: dict[str, Any] = {
    "state-dict.pt": lambda: net().state_dict(),
    "state-dict.bin": lambda: nn.LSTM(2, 3).state_dict(),
    "state-dict.pth": lambda: nn.TransformerEncoderLayer(4, 2, 8).state_dict(),
    "convolution.ckpt": lambda: nn.Conv2d(1, 2, 3).state_dict(),
    "embedding.pt": lambda: nn.Embedding(5, 3).state_dict(),
    "checkpoint-adam.pt": lambda: checkpoint(torch.optim.AdamW, lr=0.1),
    "checkpoint-sgd.pt": lambda: checkpoint(torch.optim.SGD, lr=0.1, momentum=0.9),
    "bfloat16.pt": lambda: net().to(torch.bfloat16).state_dict(),
    "half.pt": lambda: net().half().state_dict(),
    "double.pt": lambda: net().double().state_dict(),
    "float8.pt": lambda: {"w": torch.ones(4).to(torch.float8_e4m3fn), "v": torch.ones(4).to(torch.float8_e5m2)},
    "parameter.pt": lambda: nn.Parameter(torch.ones(3)),
    "parameter-dict.pt": lambda: dict(net().named_parameters()),
    "tensor.pt": lambda: torch.arange(6).reshape(2, 3),
    "kinds.pt": lambda: {
        str(kind): torch.ones(3).to(kind)
        for kind in (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.complex64)
    },
    "scalars.pt": lambda: [torch.tensor(1.5), torch.tensor(2), torch.empty(0), torch.Size([1, 2]), torch.float16],
    "shared.pt": shared,
    "sparse.pt": lambda: torch.eye(3).to_sparse(),
    "sparse-rows.pt": lambda: torch.eye(3).to_sparse_csr(),
    "quantized.pt": lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
    "strided-gradient.pt": lambda: torch.ones(2, 2, requires_grad=True),
    "ordered.pt": lambda: collections.OrderedDict(a=torch.ones(1), b="text", c=[1, 2.5, None, True]),
    "with-numpy.pt": lambda: {"mean": np.float64(0.5), "array": np.arange(3), "w": torch.ones(2)},
    "device.pt": lambda: {"device": torch.device("cpu"), "w": torch.ones(2)},
    "lightning.ckpt": lambda: {
        "epoch": 1,
        "global_step": 10,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": net().state_dict(),
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 1, "completed": 1}}}},
        "callbacks": {},
        "optimizer_states": [trained(torch.optim.Adam, lr=0.1)[1].state_dict()],
        "lr_schedulers": [],
        "hyper_parameters": {"lr": 0.1, "layers": [4, 3]},
    },
}
LEGACY = {
    "legacy.pt": "state-dict.pt",
    "legacy.pth": "checkpoint-adam.pt",
    "legacy-shared.pt": "shared.pt",
    "legacy-half.bin": "half.pt",
    "legacy-kinds.pt": "kinds.pt",
    "legacy-tensor.pt": "tensor.pt",
}


class Gated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(2, 2)
        self.count = 0

    def forward(self, x: torch.Tensor, wide: bool = False) -> torch.Tensor:
        if wide:
            for _ in range(2):
                x = self.inner(x)
        return torch.relu(self.inner(x))


def save(value: Any, path: Path, *, zipped: bool = True, protocol: int = 2) -> None:
    torch.save(value(), path, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)


def states() -> dict[str, Any]:
    cases = {name: partial(save, value) for name, value in STATES.items()}
    cases |= {name: partial(save, STATES[value], zipped=False) for name, value in LEGACY.items()}
    cases["protocol-4.pt"] = partial(save, STATES["state-dict.pt"], protocol=4)
    return cases


def source(kind: type) -> tuple[list[str], int, str]:
    """Return what torch writes beside a class in its old format, without the path of where torch is installed."""
    lines, first, _ = get_source_lines_and_file(kind)
    return lines, first, kind.__module__.replace(".", "/") + ".py"


def modules() -> dict[str, Any]:
    return {
        "sequential.pt": partial(save, net),
        "transformer.pt": partial(save, lambda: nn.TransformerEncoderLayer(4, 2, 8)),
        "sequential-legacy.pt": partial(save, net, zipped=False),
        "tensor.pkl": lambda path: path.write_bytes(pickle.dumps(torch.ones(3), 4)),
        "arguments.pt": partial(save, lambda: {"args": argparse.Namespace(lr=0.1), "w": torch.ones(1)}),
        "path.pt": partial(save, lambda: {"origin": pathlib.PurePosixPath("runs/3"), "w": torch.ones(1)}),
    }


def scripts() -> dict[str, Any]:
    return {
        "traced.pt": lambda path: torch.jit.trace(net().eval(), torch.ones(1, 4)).save(path),
        "scripted.pt": lambda path: torch.jit.script(Gated()).save(path),
        "frozen.pt": lambda path: torch.jit.freeze(torch.jit.script(Gated().eval())).save(path),
        "convolution.pt": lambda path: torch.jit.trace(
            nn.Sequential(nn.Conv1d(1, 2, 3), nn.MaxPool1d(2)).eval(), torch.ones(1, 1, 8)
        ).save(path),
        "recurrent.pt": lambda path: torch.jit.script(nn.GRU(2, 3)).save(path),
    }


if __name__ == "__main__":
    torch.serialization.get_source_lines_and_file = source
    make("torch", states(), PACKAGES)
    make("torch-modules", modules(), PACKAGES)
    make("torchscript", scripts(), PACKAGES)
