"""The kind of a file, against what modctl gives the same names."""

from __future__ import annotations

import pytest

from weighlock.formats.kinds import CODE, DOC, SIZE_RULE, WEIGHT, WEIGHT_CONFIG, kind_of

VECTORS = {
    WEIGHT_CONFIG: """model.safetensors.index.json tokenizer.model vocab.txt chat_template.jinja package.json
        pyproject.toml setup.cfg model.xml x.params x.jsonl model.ckpt.meta config.json.bak sub/CONFIG.JSON""",
    WEIGHT: """bpe.model x.parquet x.arrow x.npz model.onnx_data model.ckpt.index m.data-00000-of-00001
        model.safetensors MODEL.ONNX tensor12_3 weights.bin.1 a/b/c.pt""",
    CODE: """vocab.bpe other.jinja requirements.txt CMakeLists.txt setup.py build_info.md workspace.md foo.so Makefile
        .env prod.env x.dill x.zip x.tar.gz model.onnx.data no-extension""",
    DOC: "dev-requirements.in SETUP.md x.csv README LICENSE.txt photo.JPG prod.key events.out.tfevents.1",
}


@pytest.mark.parametrize(("path", "kind"), [(path, kind) for kind, paths in VECTORS.items() for path in paths.split()])
def test_names_have_the_kind_that_modctl_gives_them(path: str, kind: str) -> None:
    assert kind_of(path, 1) == kind


def test_what_no_list_knows_is_a_weight_when_it_is_large() -> None:
    assert kind_of("model.onnx.data", SIZE_RULE + 1) == WEIGHT
    assert kind_of("model.onnx.data", SIZE_RULE) == CODE
