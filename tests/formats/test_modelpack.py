"""ModelPack: the same files give the same bytes everywhere, and a hostile manifest gives an error."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighlock.errors import MalformedError
from weighlock.formats import Package
from weighlock.formats.modelpack import ARTIFACT_TYPE, CONFIG, FILEPATH, ModelPack, executable
from weighlock.model import Model, walk, weigh
from weighlock.oci import TITLE, Descriptor, Digest, Manifest
from weighlock.text import printable

SCRIPTS = Path(__file__).parents[2] / "scripts"


def pack(root: Path, epoch: int | None = None) -> Package:
    return ModelPack(epoch).package(Model(root.name, tuple(weigh(entry) for entry in walk(root))))


def write(root: Path, files: dict[str, bytes]) -> Path:
    for path, content in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return root


FILES = {
    "README.md": b"# m",
    "config.json": b'{"model_type":"bert","torch_dtype":"float16","transformers_version":"4"}',
    "model.safetensors": b"\x02\0\0\0\0\0\0\0{}",
    "sub/tool.py": b"pass",
    "tokenizer.json": b"{}",
}


def test_the_manifest_says_what_a_modelpack_reader_needs(tmp_path: Path) -> None:
    package = pack(write(tmp_path / "m", FILES))
    document = json.loads(package.raw)
    assert document["artifactType"] == ARTIFACT_TYPE
    assert document["config"]["mediaType"] == CONFIG
    kinds = [(layer["annotations"][FILEPATH], layer["mediaType"]) for layer in document["layers"]]
    assert kinds == [
        ("config.json", "application/vnd.cncf.model.weight.config.v1.raw"),
        ("tokenizer.json", "application/vnd.cncf.model.weight.config.v1.raw"),
        ("model.safetensors", "application/vnd.cncf.model.weight.v1.raw"),
        ("sub/tool.py", "application/vnd.cncf.model.code.v1.raw"),
        ("README.md", "application/vnd.cncf.model.doc.v1.raw"),
    ]
    for layer in document["layers"]:
        assert layer["digest"] == str(Digest.of(FILES[layer["annotations"][FILEPATH]]))
        assert layer["annotations"][TITLE] == layer["annotations"][FILEPATH]
        entry = json.loads(layer["annotations"]["org.cncf.model.file.metadata+json"])
        assert entry == {
            "name": layer["annotations"][FILEPATH].rsplit("/", 1)[-1],
            "mode": 0o644,
            "uid": 0,
            "gid": 0,
            "size": layer["size"],
            "mtime": "1970-01-01T00:00:00Z",
            "typeflag": 0,
        }


def test_the_config_holds_what_the_model_says_of_itself(tmp_path: Path) -> None:
    package = pack(write(tmp_path / "m", FILES))
    assert json.loads(package.config) == {
        "descriptor": {"family": "bert"},
        "config": {"architecture": "transformer", "format": "safetensors", "precision": "float16"},
        "modelfs": {"type": "layers", "diffIds": [str(layer.digest) for layer, _ in package.layers]},
    }


@pytest.mark.parametrize(
    ("card", "licences"),
    [
        (b"---\nlicense: apache-2.0\n---\n# A model\n", ["apache-2.0"]),
        (b"---\r\ntags: [x]\r\nlicense: 'MIT'  # ours\r\n---\r\n", ["MIT"]),
        (b"---\nlicense: other\n---\n", None),
        (b"---\nlicense: mit\nlicense: gpl-3.0\n---\n", None),
        (b"---\nlicense: [mit, gpl-3.0]\n---\n", None),
        (b"---\nlicense: mit and more\n---\n", None),
        (b"---\nnested:\n  license: mit\n---\n", None),
        (b"---\nlicense: mit\n", None),
        (b"---\ntags: []\n---\nlicense: mit\n", None),
        (b"# A model\n---\nlicense: mit\n---\n", None),
        (b"---\nlicense: \xff\n---\n", None),
        (b"", None),
    ],
)
def test_the_licence_is_the_one_that_the_card_names(tmp_path: Path, card: bytes, licences: list[str] | None) -> None:
    packed = pack(write(tmp_path / "m", {"README.md": card, "w.safetensors": b"x"}))
    assert json.loads(packed.config)["descriptor"].get("licenses") == licences


@pytest.mark.parametrize(
    "config", [b"", b"[]", b"\xff", b'{"model_type":"a\\nb","dtype":["x"]}', b'{"dtype":"float16 "}', b"{" * 9999]
)
def test_a_config_that_says_nothing_usable_is_no_error(tmp_path: Path, config: bytes) -> None:
    package = pack(write(tmp_path / "m", {"config.json": config}))
    assert json.loads(package.config)["config"] == {}


@settings(max_examples=20, deadline=None)
@given(
    names=st.lists(st.from_regex(r"[a-z]{1,6}(/[a-z]{1,6})?\.(json|onnx|py|md|xyz)", fullmatch=True), min_size=1),
    order=st.randoms(use_true_random=False),
    umask=st.sampled_from([0o022, 0o077, 0o002]),
    mtime=st.integers(0, 2**31),
)
def test_order_umask_and_mtime_leave_no_trace(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], order: random.Random, umask: int, mtime: int
) -> None:
    files = {name: name.encode() for name in names}
    shuffled = list(files.items())
    order.shuffle(shuffled)
    first = write(tmp_path_factory.mktemp("a") / "m", files)
    before = os.umask(umask)
    try:
        second = write(tmp_path_factory.mktemp("b") / "another name", dict(shuffled))
    finally:
        os.umask(before)
    for path in second.rglob("*"):
        os.utime(path, (mtime, mtime))
    assert pack(first).raw == pack(second).raw


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give files away")
def test_owner_and_the_process_that_packs_leave_no_trace(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a", FILES), write(tmp_path / "b", FILES)
    for path in second.rglob("*"):
        os.chown(path, 1234, 5678)
    program = "import sys; from pathlib import Path; from weighlock.stages.package import Inputs, run; "
    program += (
        "from weighlock.stages import Context; print(run(Inputs(Path(sys.argv[1]), 'oci:x', True), Context()).digest)"
    )
    environ = {"PYTHONPATH": str(SCRIPTS), "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", program, second], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(pack(first).descriptor.digest)


def test_a_time_is_in_it_only_when_asked_for(tmp_path: Path) -> None:
    root = write(tmp_path / "m", FILES)
    dated = pack(root, 1_700_000_000)
    assert dated.raw != pack(root).raw
    assert json.loads(dated.config)["descriptor"]["createdAt"] == "2023-11-14T22:13:20Z"
    assert pack(root, 1_700_000_000).raw == dated.raw


def test_the_executable_bit_is_kept_and_nothing_else_of_the_mode(tmp_path: Path) -> None:
    root = write(tmp_path / "m", {"run.sh": b"#!/bin/sh", "a.md": b""})
    (root / "run.sh").chmod(0o4711)
    (root / "a.md").chmod(0o600)
    package = pack(root)
    assert {layer.annotations[FILEPATH]: executable(layer) for layer, _ in package.layers} == {
        "run.sh": True,
        "a.md": False,
    }


def test_a_golden_manifest_keeps_its_digest(tmp_path: Path) -> None:
    golden = "sha256:ee0d46bebc97460657d67c08eb09e1961c9023906b89c5b1663b26c30992e4b0"
    assert str(pack(write(tmp_path / "m", FILES)).descriptor.digest) == golden


def manifest(**changes: Any) -> Manifest:
    layer = Descriptor("application/vnd.cncf.model.weight.v1.raw", Digest.of(b""), 0, annotations={FILEPATH: "a"})
    good = Manifest(Descriptor(CONFIG, Digest.of(b"{}"), 2), (layer,), ARTIFACT_TYPE)
    return dataclasses.replace(good, **changes)


def layers(*paths: str | None, media_type: str = "application/vnd.cncf.model.weight.v1.raw") -> tuple[Descriptor, ...]:
    return tuple(
        Descriptor(media_type, Digest.of(b""), 0, annotations={} if path is None else {FILEPATH: path})
        for path in paths
    )


@pytest.mark.parametrize(
    "hostile",
    [
        manifest(layers=()),
        manifest(artifact_type="application/vnd.oci.image.config.v1+json"),
        manifest(config=Descriptor("application/vnd.oci.image.config.v1+json", Digest.of(b""), 0)),
        manifest(layers=layers("a", media_type="application/vnd.cncf.model.weight.v1.tar+gzip")),
        manifest(layers=layers("a", media_type="application/x-evil\x1b[2J")),
        manifest(layers=layers(None)),
        manifest(layers=layers("../a")),
        manifest(layers=layers("/etc/passwd")),
        manifest(layers=layers("a/../../b")),
        manifest(layers=layers("a\nb")),
        manifest(layers=layers("a\\b")),
        manifest(layers=layers("C:/a")),
        manifest(layers=layers("a", "a")),
        manifest(layers=layers("a", "A")),
        manifest(layers=layers("a", "a/b")),
        manifest(layers=layers("")),
        manifest(
            layers=(
                Descriptor(
                    "application/vnd.cncf.model.weight.v1.raw",
                    Digest.of(b""),
                    0,
                    annotations={FILEPATH: "a", TITLE: "b"},
                ),
            )
        ),
    ],
)
def test_a_manifest_that_no_model_has_is_refused(hostile: Manifest) -> None:
    assert ModelPack().files(manifest()) == {"a": manifest().layers[0]}
    with pytest.raises(MalformedError) as caught:
        ModelPack().files(hostile)
    assert caught.value.what.isprintable()
    assert printable(caught.value.what)
