"""Facts of a model are read from headers and cards; a broken or hostile file has none, and never ends the reading."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

import hostile
from weighlock import facts
from weighlock.facts import Facts
from weighlock.scanners.strict import Strict
from weighlock.stages.scan import scan_model

HONEST = Path(__file__).parents[1] / "corpus/honest"


class Payload:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("true",)


def of(folder: Path) -> Facts:
    model, ledger = scan_model(folder, scanners=[Strict()])
    return facts.of(model, {row.path: row for row in ledger.rows})


def test_tensors_of_safetensors_have_dtype_and_shape(tmp_path: Path) -> None:
    header = {"weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
    (tmp_path / "model.safetensors").write_bytes(hostile.safetensors(header, bytes(24)))
    assert of(tmp_path).tensors == {"weight": "F32 [2, 3]"}


@pytest.mark.parametrize("kind", ["onnx", "gguf", "torch", "sklearn"])
def test_what_real_libraries_wrote_is_read(kind: str) -> None:
    found = of(HONEST / kind)
    if kind in {"torch", "sklearn"}:
        assert any(name.startswith(kind) for name in found.imports)
    else:
        assert found.tensors
        assert all("[" in shape for shape in found.tensors.values())


def test_imports_of_a_pickle_in_any_place(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(Payload()))
    (tmp_path / "b.zip").write_bytes(hostile.zipped({"x/data.pkl": hostile.named("collections", "OrderedDict")}))
    assert of(tmp_path).imports == ("collections.OrderedDict", "posix.system")


def test_a_card_says_licence_base_model_and_datasets(tmp_path: Path) -> None:
    card = "---\nlicense: mit\nbase_model: [a/b, c/d]\ndatasets:\n- e/f\ntags: [x]\n---\n# Model\n"
    (tmp_path / "README.md").write_text(card)
    (tmp_path / "LICENSE").write_text("\n  MIT License\n\nCopyright")
    assert of(tmp_path).card == {
        "LICENSE": "MIT License",
        "licence": "mit",
        "base model": "a/b, c/d",
        "datasets": "e/f",
    }


@pytest.mark.parametrize("template", ["{{ a }}", [{"name": "default", "template": "{{ a }}"}]])
def test_a_chat_template_is_kept_whole(tmp_path: Path, template: object) -> None:
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
    (tmp_path / "tokenizer.json").write_text("{}")
    texts = of(tmp_path).texts
    assert "{{ a }}" in texts.values()
    assert texts["tokenizer.json"].startswith("sha256:")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.safetensors", (1 << 40).to_bytes(8, "little") + b"{}"),
        ("model.safetensors", (2).to_bytes(8, "little") + b"[]"),
        ("model.safetensors", hostile.safetensors({"a": 1, "b": {"dtype": {}, "shape": "x"}}, b"")),
        ("model.gguf", b"GGUF" + bytes([3, 0, 0, 0]) + b"\xff" * 16),
        ("model.gguf", b"GGUF" + bytes([3, 0, 0, 0]) + bytes(8) + b"\x01" + bytes(7) + b"\xff" * 8),
        ("model.onnx", b"\x08\x07\x3a\xff\xff\xff\xff\x0f"),
        ("model.pkl", b"\x80\x04\x95\xff\xff"),
        ("model.pt", hostile.zipped({"a/data.pkl": b"\x80\x02."})[:-4]),
        ("README.md", b"---\nlicense: &a [*a]\n---\n"),
        ("README.md", b"---\nlicense: " + b"[" * 5000 + b"\n---\n"),
        ("tokenizer_config.json", b'{"chat_template": ' + b"[" * 100_000),
        ("tokenizer_config.json", b'{"chat_template": [1, {"template": 2}]}'),
    ],
)
def test_a_broken_file_has_no_facts(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    found = of(tmp_path)
    assert found.card == {}
    assert not any("template" in name for name in found.texts)
