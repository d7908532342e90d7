"""What a model was made of is named by digests: given, computed, or read from pointers; a name alone is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighlock import oms
from weighlock.config import parse
from weighlock.errors import InputError
from weighlock.lineage import declared, dependencies, parameters
from weighlock.oci import Digest

HEX = "ab" * 32


def only(word: str) -> dict[str, Any]:
    (found,) = dependencies([], [word])
    return found


@pytest.mark.parametrize(
    ("where", "uri", "digest"),
    [
        (f"ghcr.io/acme/base@sha256:{HEX}", "ghcr.io/acme/base", {"sha256": HEX}),
        (f"s3://bucket/train.csv@sha256:{HEX}", "s3://bucket/train.csv", {"sha256": HEX}),
        (f"hf://org/data@{'1f' * 20}", "hf://org/data", {"gitCommit": "1f" * 20}),
    ],
)
def test_a_reference_with_its_digest_is_taken_as_it_is(where: str, uri: str, digest: dict[str, str]) -> None:
    model, data = dependencies([f"base={where}"], [f"train={where}"])
    assert model == {"name": "base", "uri": uri, "digest": digest, "annotations": {"role": "base-model"}}
    assert data == {"name": "train", "uri": uri, "digest": digest, "annotations": {"role": "dataset"}}


@pytest.mark.parametrize(
    "word",
    [
        "train",
        "=x",
        "train=",
        "train=hf://org/data",
        "train=hf://org/data@main",
        f"train=hf://org/data@sha256:{HEX.upper()}",
        f"a\nb=x@sha256:{HEX}",
        "train=there/is/no/such/file",
    ],
)
def test_what_nobody_could_find_again_is_refused(word: str) -> None:
    with pytest.raises(InputError):
        dependencies([], [word])


def test_a_file_is_its_digest_and_a_folder_the_root_over_its_files(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("b.csv", "a.csv"):
        (tmp_path / "data" / name).write_text(name)
    digest = {name: Digest.of(name.encode()) for name in ("a.csv", "b.csv")}
    assert only(f"train={tmp_path}/data/a.csv")["digest"] == {"sha256": digest["a.csv"].hex}
    folder = only(f"train={tmp_path}/data")
    joined = b"".join(bytes.fromhex(digest[name].hex) for name in sorted(digest))
    assert folder["digest"] == {"sha256": hashlib.sha256(joined).hexdigest()} == {"sha256": oms.root(digest).hex}
    assert "root" in folder["annotations"]["digest"]


def test_a_pointer_stands_for_what_it_points_at(tmp_path: Path) -> None:
    lfs = tmp_path / "train.parquet"
    lfs.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{HEX}\nsize 7\n")
    assert only(f"train={lfs}")["digest"] == {"sha256": HEX}
    dvc = tmp_path / "images.dvc"
    dvc.write_text(f"outs:\n- md5: {'0f' * 16}.dir\n  size: 7\n  hash: md5\n  path: images\n")
    found = only(f"train={dvc}")
    assert found["digest"] == {"md5": "0f" * 16}
    assert "list of the folder" in found["annotations"]["digest"]
    dvc.write_text("outs: []\n")
    with pytest.raises(InputError, match="no DVC file"):
        only(f"train={dvc}")


def test_nearly_a_pointer_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{HEX}\nsize 7\nmore\n"
    path.write_text(text)
    assert only(f"train={path}")["digest"] == {"sha256": Digest.of(text.encode()).hex}


def test_an_entry_of_the_configuration_names_what_has_a_digest() -> None:
    text = f"""\
version: 1
models:
  - name: tiny
    path: models/tiny
    base-model: [acme/bare, "hf://acme/base@{"1f" * 20}"]
    datasets:
      - name: bare
      - name: train
        uri: s3://bucket/train
        sha256: {HEX}
"""
    (entry,) = parse(text.encode()).models
    assert [(item["name"], item["digest"]) for item in declared(entry)] == [
        (f"hf://acme/base@{'1f' * 20}", {"gitCommit": "1f" * 20}),
        ("train", {"sha256": HEX}),
    ]


def test_hyperparameters_are_an_object_that_stands_in_the_statement(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text('{"epochs": 3}')
    found = parameters(path)
    assert found["digest"] == {"sha256": Digest.of(b'{"epochs": 3}').hex}
    for wrong in ("[]", "{", json.dumps({"x": "y" * 70_000})):
        path.write_text(wrong)
        with pytest.raises(InputError):
            parameters(path)
    with pytest.raises(InputError, match="cannot be read"):
        parameters(tmp_path / "none")


@given(st.text())
def test_any_word_is_a_dependency_or_a_clear_error(word: str) -> None:
    try:
        dependencies([word], [])
    except InputError as error:
        assert str(error).isprintable() or "\n" in str(error)
