"""What a change touches, by git's objects alone, whatever the files are called."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repositories import Repo
from weighlock import finding, planning
from weighlock.errors import InputError, MalformedError
from weighlock.git import Repository
from weighlock.planning import Plan, Touched

LISTED = "version: 1\nmodels:\n- name: a\n  path: models/a\n  requirements: requirements.txt\n"
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'ab' * 32}\nsize 7000000\n"

Files = dict[str, bytes | str | None]


class Planned(Repo):
    def plan(self, base: str | None, shard_size: int = 10**9) -> Plan:
        repository = Repository.at(self.folder)
        commits = planning.between(repository, base, "HEAD")
        return planning.made(repository, commits, "weighlock.yml", shard_size)


@pytest.fixture
def repo(tmp_path: Path) -> Planned:
    return Planned(tmp_path)


def touched(plan: Plan) -> list[str]:
    return [model.path for model in plan.models]


START: Files = {
    "models/a/model.safetensors": "weights",
    "models/a/config.json": "{}",
    "models/b/model.onnx": "weights",
    "src/app.py": "x = 1\n",
    "src/best.pkl": "pickle",
}


@pytest.mark.parametrize(
    ("files", "models"),
    [
        ({"src/app.py": "x = 2\n"}, []),
        ({"README.md": "words"}, []),
        ({"models/a/config.json": "{ }"}, ["models/a"]),
        ({"models/a/new.txt": "words"}, ["models/a"]),
        ({"models/a/config.json": None}, ["models/a"]),
        ({"src/best.pkl": "other"}, ["src/best.pkl"]),
        ({"src/new.gguf": "GGUF"}, ["src/new.gguf"]),
        ({"src/notes.txt": pickle.dumps({"a": 1})}, ["src/notes.txt"]),
        ({"src/notes.txt": pickle.dumps({"a": 1}, 0)}, ["src/notes.txt"]),
        ({"src/blob.dat": POINTER}, ["src/blob.dat"]),
        ({"src/rows.parquet": POINTER}, []),
        ({"weighlock.yml": "version: 1\n"}, ["models/a", "models/b", "src/best.pkl"]),
        ({"models/b.dvc": "outs:\n- md5: 1\n  path: b\n"}, ["models/b"]),
        ({"far/model.pkl.dvc": "outs:\n- md5: 1\n  path: model.pkl\n"}, ["far/model.pkl"]),
        ({"far/rows.dvc": "outs:\n- md5: 1\n  path: rows\n"}, []),
        ({"far/out.pkl.dvc": "outs:\n- md5: 1\n  path: ../../../etc/x.pkl\n"}, []),
        ({"far/bad.dvc": "outs: [&a *a"}, []),
    ],
)
def test_what_a_change_touches(repo: Planned, files: Files, models: list[str]) -> None:
    base = repo.commit(START)
    repo.commit(files)
    assert touched(repo.plan(base)) == models


def test_without_a_base_everything_is_new(repo: Planned) -> None:
    repo.commit(START)
    assert touched(repo.plan(None)) == ["models/a", "models/b", "src/best.pkl"]
    assert touched(repo.plan("0" * 40)) == ["models/a", "models/b", "src/best.pkl"]


def test_a_model_that_moved_is_gone_and_new(repo: Planned) -> None:
    base = repo.commit(START)
    repo.git("mv", "models/b", "models/c")
    repo.commit({})
    plan = repo.plan(base)
    assert touched(plan) == ["models/c"]
    assert plan.removed == ("models/b",)


def test_what_others_merged_meanwhile_is_not_of_this_change(repo: Planned) -> None:
    repo.commit(START)
    repo.git("checkout", "-q", "-b", "feature")
    repo.commit({"models/a/config.json": "{ }"})
    repo.git("checkout", "-q", "main")
    base = repo.commit({"models/b/model.onnx": "other"})
    repo.git("checkout", "-q", "feature")
    assert touched(repo.plan(base)) == ["models/a"]


def test_only_the_outputs_that_differ_in_a_dvc_lock_are_touched(repo: Planned) -> None:
    lock = "stages:\n  t:\n    outs:\n    - {{path: models/a, md5: '{}'}}\n    - {{path: models/b, md5: '2'}}\n"
    base = repo.commit(START | {"dvc.lock": lock.format("1")})
    repo.commit({"dvc.lock": lock.format("3")})
    assert touched(repo.plan(base)) == ["models/a"]


def test_a_requirements_file_touches_the_models_that_name_it(repo: Planned) -> None:
    base = repo.commit(START | {"requirements.txt": "numpy==2.0\n", "weighlock.yml": LISTED})
    repo.commit({"requirements.txt": "numpy==2.1\n"})
    plan = repo.plan(base)
    assert touched(plan) == ["models/a"]
    assert plan.models[0].requirements == ("requirements.txt",)


def test_what_lies_outside_of_the_listed_models_is_found_all_the_same(repo: Planned) -> None:
    base = repo.commit(START | {"weighlock.yml": LISTED})
    repo.commit({"models/b/model.onnx": "other"})
    assert touched(repo.plan(base)) == ["models/b"]


def test_a_listed_folder_is_a_model_whatever_is_in_it(repo: Planned) -> None:
    base = repo.commit({"src/data.txt": "words", "src/app.py": "", "weighlock.yml": LISTED.replace("models/a", "src")})
    repo.commit({"src/data.txt": "other words"})
    assert touched(repo.plan(base)) == ["src"]


def test_the_requirements_in_a_listed_model_are_audited_unless_others_are_named(repo: Planned) -> None:
    listed = LISTED.replace("  requirements: requirements.txt\n", "")
    repo.commit(START | {"models/a/requirements.txt": "numpy==2.0\n", "weighlock.yml": listed})
    assert repo.plan(None).models[0].requirements == ("models/a/requirements.txt",)


def test_a_changed_policy_touches_what_dvc_keeps_and_what_only_its_content_shows(repo: Planned) -> None:
    listed = "version: 1\nmodels: [{name: a, path: far/a}, {name: b, path: build/b}]\n"
    kept = {
        "far/a.dvc": "outs:\n- {md5: 1, path: a, size: 70}\n",
        "far/m.pkl.dvc": "outs:\n- {md5: 1, path: m.pkl, size: 30}\n",
    }
    base = repo.commit(START | kept | {"src/notes.txt": pickle.dumps({"a": 1}), "weighlock.yml": listed})
    repo.commit({"weighlock.yml": listed + "scan: {fail-on: medium}\n"})
    plan = repo.plan(base)
    assert touched(plan) == ["far/a", "far/m.pkl", "models/a", "models/b", "src/best.pkl", "src/notes.txt"]
    assert [model.size for model in plan.models][:2] == [70, 30]
    assert plan.absent == ("build/b",)
    repo.commit({"README.md": "words"})
    assert repo.plan("HEAD~1").absent == ()


def test_what_dvc_keeps_and_nobody_lists_is_named(repo: Planned) -> None:
    kept: Files = {
        name: f"outs: [{{md5: '1', path: {path}}}]\n" for name, path in (("m.dvc", "m"), ("x/d.dvc", "rows.parquet"))
    }
    base = repo.commit(START)
    repo.commit(kept)
    plan = repo.plan(base)
    assert (touched(plan), plan.unknown) == ([], ("m",))
    assert planning.read(json.dumps(plan.to_json()).encode(), "plan") == plan
    repo.commit({"weighlock.yml": "version: 1\nmodels: [{name: m, path: m}]\n"})
    plan = repo.plan(base)
    assert ("m" in touched(plan), plan.unknown) == (True, ())


def test_a_plan_says_what_of_the_policy_changed(repo: Planned) -> None:
    base = repo.commit(START)
    repo.commit({"weighlock.yml": "version: 1\nscan: {fail-on: high, globals: [a.b]}\n"})
    plan = repo.plan(base)
    assert [change.what for change in plan.changes] == ["scan.fail-on: low → high", "scan.globals: a.b"]
    assert planning.read(json.dumps(plan.to_json()).encode(), "plan") == plan
    repo.commit({"weighlock.yml": None})
    assert [change.effect.name for change in repo.plan("HEAD~1").changes] == ["STRICTER", "STRICTER"]


def test_what_replaces_a_broken_policy_is_all_new(repo: Planned) -> None:
    base = repo.commit({"weighlock.yml": "version: 1\nscan: 3\n"})
    repo.commit({"weighlock.yml": "version: 1\nscan: {fail-on: high}\n"})
    assert [change.what for change in repo.plan(base).changes] == ["scan.fail-on: low → high"]


def test_another_trusted_key_is_a_change_of_the_policy(repo: Planned) -> None:
    trusting = "version: 1\nverify: {trusted: [{key: ../keys/a.pub}]}\n"
    base = repo.commit({"ci/weighlock.yml": trusting, "keys/a.pub": "one"})
    repo.commit({"keys/a.pub": "other"})
    repository = Repository.at(repo.folder)
    plan = planning.made(repository, planning.between(repository, base, "HEAD"), "ci/weighlock.yml", 10**9)
    assert [change.what for change in plan.changes] == ["the trusted key keys/a.pub"]
    assert not plan.policy


def test_a_broken_policy_is_no_plan(repo: Planned) -> None:
    base = repo.commit(START)
    repo.commit({"weighlock.yml": "version: 1\nmodels: 3\n"})
    with pytest.raises(InputError, match=r"weighlock.yml:2"):
        repo.plan(base)


def test_a_base_that_is_not_in_the_clone_is_named(repo: Planned) -> None:
    repo.commit(START)
    with pytest.raises(InputError, match="nobody can say what changed") as caught:
        repo.plan("1" * 40)
    assert "fetch-depth: 0" in caught.value.remedy


@pytest.mark.parametrize("name", ["--output=x", "-h", "HEAD~99", "a b", "\n"])
def test_a_base_is_never_an_option(repo: Planned, name: str) -> None:
    repo.commit(START)
    with pytest.raises(InputError):
        repo.plan(name)


@pytest.mark.parametrize(
    "name", ["a\nb.pkl", "a\tb.pkl", 'a"b.pkl', "::error::.pkl", "-n.pkl", ":(glob)*.pkl", "ü.pkl"]
)
def test_hostile_names_are_names(repo: Planned, name: str) -> None:
    base = repo.commit({"src/app.py": ""})
    repo.commit({f"src/{name}": b"x"})
    assert touched(repo.plan(base)) == [f"src/{name}"]


def test_a_name_that_is_no_text_is_a_name(repo: Planned) -> None:
    base = repo.commit({"src/app.py": ""})
    raw = os.fsdecode(b"src/\xff.pkl")
    repo.commit({raw: b"x"})
    plan = repo.plan(base)
    assert touched(plan) == [raw]
    assert planning.read(json.dumps(plan.to_json()).encode(), "plan") == plan


def test_a_pointer_counts_as_large_as_what_it_stands_for(repo: Planned) -> None:
    repo.commit({"models/a/model.gguf": POINTER})
    assert repo.plan(None).models[0].size == 7_000_000


def test_a_plan_survives_its_file_and_no_other_document_does(repo: Planned) -> None:
    repo.commit(START)
    plan = repo.plan(None)
    raw = json.dumps(plan.to_json()).encode()
    assert planning.read(raw, "plan").digest == plan.digest
    for broken in (b"", b"[]", b"{}", raw.replace(b'"head"', b'"tail"'), raw.replace(b"false", b"0")):
        with pytest.raises(MalformedError):
            planning.read(broken, "plan")


@given(st.lists(st.integers(0, 10**12), max_size=600), st.integers(1, 10**12))
def test_every_model_is_in_exactly_one_shard(sizes: list[int], shard_size: int) -> None:
    models = [Touched(str(position), (), size, ()) for position, size in enumerate(sizes)]
    shards = planning.shared(models, shard_size)
    assert sorted(position for shard in shards for position in shard) == list(range(len(sizes)))
    assert len(shards) <= planning.SHARDS
    assert all(shards)


@pytest.mark.parametrize(
    ("paths", "models"),
    [
        (["model.safetensors", "config.json", "modeling.py"], ["."]),
        (["m/MLmodel", "m/model.pkl", "m/code/x.py"], ["m"]),
        (["m/model_index.json", "m/unet/config.json", "m/unet/w.safetensors"], ["m"]),
        (["saved/1/saved_model.pb", "saved/1/variables/variables.index"], ["saved/1"]),
        (["m/a.onnx", "m/README.md", "m/sub/b.onnx"], ["m"]),
        (["m/a.onnx", "m/run.py"], ["m/a.onnx"]),
        (["a.pt", "setup.py"], ["a.pt"]),
        (["x/config.json", "x/app.py"], []),
        (["deep/pytorch_model-00001-of-00002.bin", "other/data.bin"], ["deep"]),
        (["notes.md"], []),
    ],
)
def test_models_are_found(paths: list[str], models: list[str]) -> None:
    assert finding.models(paths) == models


def test_a_path_from_the_root_ends_too() -> None:
    assert finding.owners("/models/tiny/model.bin", ["/models/tiny"]) == ["/models/tiny"]
