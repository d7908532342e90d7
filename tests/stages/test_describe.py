"""What one job describes and another signs: weighed where the files are, believed only by digest, nothing more said."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands import Keys, weighlock
from weighlock import description
from weighlock.errors import MalformedError
from weighlock.intoto import Subject
from weighlock.jsonio import canonical
from weighlock.oci import Digest
from weighlock.provenance import Told, told

HEX = hashlib.sha256(b"wheel").hexdigest()
DEPENDENCY = {"name": "train", "digest": {"sha256": HEX}, "annotations": {"role": "dataset"}}
SUBJECT = {"name": "a.whl", "digest": f"sha256:{HEX}"}


@pytest.fixture
def things(tmp_path: Path) -> Path:
    """Return a folder with data, pointers to data, hyperparameters and a wheel."""
    (tmp_path / "train.csv").write_text("a,b\n1,2\n")
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'ab' * 32}\nsize 7000000\n"
    (tmp_path / "far.csv").write_text(pointer)
    (tmp_path / "kept.csv.dvc").write_text(f"outs:\n- md5: {'cd' * 16}\n  size: 7\n  path: kept.csv\n")
    (tmp_path / "params.json").write_text('{"depth": 3}\n')
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist/a.whl").write_bytes(b"wheel")
    return tmp_path


def describe(things: Path) -> Any:
    words = [
        word for name in ("train.csv", "far.csv", "kept.csv.dvc") for word in ("--dataset", f"{name}={things / name}")
    ]
    words += ["--base-model", "base=hf://acme/base@" + "e" * 40, "--parameters", str(things / "params.json")]
    words += ["--subject-path", "*.whl", "--subject-folder", str(things / "dist")]
    words += ["--subject-image", f"registry.example/app@sha256:{HEX}"]
    return weighlock("describe", things / "new/description.json", *words, "--json")


def test_what_is_described_is_what_one_job_would_say(things: Path) -> None:
    done = describe(things)
    assert done.code == 0, done.err
    raw = (things / "new/description.json").read_bytes()
    assert done.json["digest"] == "sha256:" + hashlib.sha256(raw).hexdigest()
    assert description.read(json.loads(raw)) == told(
        base_models=["base=hf://acme/base@" + "e" * 40],
        datasets=[f"{name}={things / name}" for name in ("train.csv", "far.csv", "kept.csv.dvc")],
        parameters=things / "params.json",
        paths=[str(things / "dist/*.whl")],
        images=[f"registry.example/app@sha256:{HEX}"],
    )


def test_it_says_in_words_what_it_weighed(things: Path) -> None:
    done = weighlock("describe", things / "d.json", "--dataset", f"x\x1b[2J={things}/train.csv")
    assert done.code == 2, "a name that does not print is none"
    done = weighlock("describe", things / "d.json", "--dataset", f"train={things}/train.csv")
    digest = hashlib.sha256((things / "train.csv").read_bytes()).hexdigest()
    assert done.out == f"dataset     train sha256:{digest}\ndescribed 1 thing beside the model\n"


def test_a_missing_file_is_an_error_before_anything_is_signed(things: Path) -> None:
    for words in (["--subject-path", "none*"], ["--parameters", "none.json"], ["--dataset", "x=none"]):
        assert weighlock("describe", things / "d.json", *words).code == 2
    assert not (things / "d.json").exists()


def test_seal_signs_what_was_described_and_refuses_another(things: Path, model: Path, keys: Keys) -> None:
    digest = describe(things).json["digest"]
    scan, layout = things / "scan.json", things / "out"
    assert weighlock("scan", model, "--predicate", scan).code == 0
    target = f"oci:{layout}@" + weighlock("package", model, "--to", f"oci:{layout}").out.strip()
    given = ("--scan", scan, "--key", keys.private, "--tag", "v1", "--description", things / "new/description.json")
    words = ("seal", target, *given, "--description-digest")
    refused = weighlock(*words, "sha256:" + "0" * 64)
    assert (refused.code, "not what was handed over" in refused.err) == (1, True)
    assert weighlock(*words, digest, "--bundles", things / "all.jsonl").code == 0
    payloads = [json.loads(line)["dsseEnvelope"]["payload"] for line in (things / "all.jsonl").read_text().splitlines()]
    statements = [json.loads(base64.b64decode(payload)) for payload in payloads]
    (provenance,) = [item for item in statements if item["predicateType"] == "https://slsa.dev/provenance/v1"]
    assert [item["name"] for item in provenance["subject"][1:3]] == ["a.whl", "registry.example/app"]
    made_of = provenance["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert [item["name"] for item in made_of if item.get("annotations", {}).get("role")] == [
        *("base", "train.csv", "far.csv", "kept.csv.dvc"),
    ]
    parameters = provenance["predicate"]["runDetails"]["byproducts"][-1]
    assert base64.b64decode(parameters["content"]) == b'{"depth": 3}\n'


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": None},
        {"builder": "https://github.com/acme/builder"},
        {"subjects": [SUBJECT | {"name": " "}]},
        {"subjects": [SUBJECT | {"digest": "sha256:x"}]},
        {"subjects": [SUBJECT | {"annotations": {}}]},
        {"subjects": [SUBJECT] * 1024},
        {"dependencies": [DEPENDENCY | {"annotations": {"role": "builder"}}]},
        {"dependencies": [DEPENDENCY | {"annotations": {}}]},
        {"dependencies": [DEPENDENCY | {"annotations": {"role": "dataset", "signed": "yes"}}]},
        {"dependencies": [DEPENDENCY | {"digest": {}}]},
        {"dependencies": [DEPENDENCY | {"digest": {"sha256": HEX, "md5": "0" * 32}}]},
        {"dependencies": [DEPENDENCY | {"digest": {"sha1": "0" * 40}}]},
        {"dependencies": [DEPENDENCY | {"digest": {"sha256": HEX.upper()}}]},
        {"dependencies": [DEPENDENCY | {"uri": "s3://x\n"}]},
        {"dependencies": [DEPENDENCY | {"mediaType": "x"}]},
        {"dependencies": [DEPENDENCY | {"name": ""}]},
        {"dependencies": ["x"]},
        {"parameters": "no base64!"},
        {"parameters": base64.b64encode(b"[1]").decode()},
        {"parameters": base64.b64encode(b'{"a": "' + bytes(70_000) + b'"}').decode()},
    ],
)
def test_a_description_says_nothing_else(change: dict[str, object]) -> None:
    whole = {"version": 1, "dependencies": [DEPENDENCY], "subjects": [SUBJECT]}
    assert len(description.read(whole).dependencies) == 1
    with pytest.raises(MalformedError):
        description.read(whole | change)


def test_hyperparameters_are_said_once(things: Path) -> None:
    said = told(parameters=things / "params.json")
    assert description.join(said, Told()) == description.join(Told(), said) == said
    with pytest.raises(MalformedError):
        description.join(said, said)


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1)


@given(names=st.lists(NAMES, max_size=5), digest=st.binary(min_size=32, max_size=32))
def test_what_is_written_is_read(names: list[str], digest: bytes) -> None:
    beside = tuple(dict.fromkeys(Subject(name, Digest(digest.hex())) for name in names))
    dependencies = tuple(DEPENDENCY | {"name": name} for name in names)
    said = Told(dependencies, None, beside)
    assert description.read(json.loads(description.write(said))) == said


def test_the_file_is_the_same_for_the_same_things(things: Path) -> None:
    first = describe(things).json["digest"]
    assert describe(things).json["digest"] == first
    raw = (things / "new/description.json").read_bytes()
    assert raw == canonical(json.loads(raw))
