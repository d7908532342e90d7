"""`weighlock init` in repositories of every kind, hostile ones too: what it finds, what it writes, what it leaves alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from commands import weighlock
from weighlock import proposing
from weighlock.config import ModelEntry, load, parse
from weighlock.errors import InputError
from weighlock.stages import Context
from weighlock.stages.init import Inputs, Outputs, run

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'ab' * 32}\nsize 7000000\n"
CARD = """\
---
license: apache-2.0
base_model: [acme/base, "acme/other"]
datasets:
- acme/customers
- "two\\nlines"
---
# Churn
"""
KITFILE = """\
manifestVersion: 1.0.0
package: {name: fraud, license: MIT}
model: {name: fraud, path: weights.bin}
datasets:
- {name: payments, path: data/payments.csv}
"""
WORKFLOW = ".github/workflows/check-models.yml"


def repository(folder: Path, files: Mapping[str, bytes | str], remote: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    if remote:
        subprocess.run(["git", "remote", "add", "origin", remote], cwd=folder, check=True)
    return folder


def init(folder: Path, *, force: bool = False) -> Outputs:
    return run(Inputs(folder, force=force), Context({}))


def named(folder: Path) -> dict[str, ModelEntry]:
    return {entry.path: entry for entry in load(folder / "weighlock.yml").models}


def test_every_kind_of_model_is_found(tmp_path: Path) -> None:
    folder = repository(
        tmp_path,
        {
            "src/train.py": "",
            "models/bert/config.json": "{}",
            "models/bert/model.safetensors": "",
            "models/bert/README.md": CARD,
            "models/iris/MLmodel": "flavors: {}",
            "models/iris/model.skops": "",
            "models/frozen/saved_model.pb": "",
            "models/frozen/variables/variables.index": "",
            "fraud/Kitfile": KITFILE,
            "fraud/weights.bin": "",
            "src/assets/net.onnx": POINTER,
            "src/assets/chat.gguf": POINTER,
            "artifacts/churn.pkl.dvc": "outs:\n- {md5: 0123, path: churn.pkl}\n",
            "dvc.lock": "stages:\n  train:\n    outs:\n    - {path: models/tree, md5: 0123.dir}\n    - {path: data/x.csv}\n",
            "ignored/big.onnx": "",
            ".gitignore": "ignored\n",
        },
        "git@github.com:Acme/Churn.git",
    )
    init(folder)
    models = named(folder)
    assert set(models) == {
        *("models/bert", "models/iris", "models/frozen", "models/tree", "fraud", "artifacts", "src/assets"),
    }
    bert, fraud = models["models/bert"], models["fraud"]
    assert (bert.name, bert.target, bert.licence) == ("bert", "ghcr.io/acme/churn/bert", "Apache-2.0")
    assert bert.base_models == ("acme/base", "acme/other")
    assert [item.name for item in bert.datasets] == ["acme/customers"], "what does not print is left out"
    assert (fraud.licence, [item.name for item in fraud.datasets]) == ("MIT", ["payments"])


def test_an_empty_repository_gets_a_gate_too(tmp_path: Path) -> None:
    folder = repository(tmp_path, {})
    done = init(folder)
    assert done.written == ("weighlock.yml", WORKFLOW)
    assert load(folder / "weighlock.yml").models == ()
    assert "no model" not in done.text()
    assert "models / model gate" in done.text()


def test_a_second_run_writes_nothing(tmp_path: Path) -> None:
    folder = repository(tmp_path, {"m/a.onnx": ""})
    init(folder)
    again = init(folder)
    assert (again.written, again.kept) == ((), {})


def test_nothing_is_written_over_unless_it_is_told_to(tmp_path: Path) -> None:
    folder = repository(tmp_path, {"m/a.onnx": "", "weighlock.yml": "version: 1\n", WORKFLOW: "on: push\n"})
    done = init(folder)
    assert done.written == ()
    assert (folder / "weighlock.yml").read_text() == "version: 1\n"
    assert "    - name: m" in done.text(), "says what it would write"
    assert init(folder, force=True).written == ("weighlock.yml", WORKFLOW)
    assert named(folder)["m"].name == "m"


@pytest.mark.parametrize("link", [".github", ".github/workflows", WORKFLOW, "weighlock.yml"])
def test_nothing_is_written_through_a_link(tmp_path: Path, link: str) -> None:
    folder = repository(tmp_path / "repository", {})
    outside = tmp_path / "outside"
    outside.mkdir()
    place = folder / link
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(outside / "stolen" if "yml" in link else outside)
    with pytest.raises(InputError, match="through a link"):
        init(folder, force=True)
    assert list(outside.iterdir()) == []


def test_a_card_that_is_a_link_out_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(CARD)
    folder = repository(tmp_path / "repository", {"m/a.onnx": ""})
    (folder / "m/README.md").symlink_to(tmp_path / "secret")
    init(folder)
    assert named(folder)["m"].licence is None


def test_hostile_names_stay_names(tmp_path: Path) -> None:
    names = ["a: b", "- x", "#c", "ü ber", "'q\"", "::error::x", "true", "{a}", "!!python", "*a", "[1]", "$(id)", "-rf"]
    folder = repository(tmp_path, {f"models/{name}/{name}.onnx": "" for name in names} | {"models/x.py": ""})
    (folder / "models/line\nbreak").mkdir()
    (folder / "models/line\nbreak/a.onnx").touch()
    done = init(folder)
    assert set(named(folder)) == {f"models/{name}" for name in names}
    assert done.proposal.left_out == ("models/line\nbreak",)
    assert "models/line\\nbreak" in done.text()


def test_a_repository_that_is_a_model_is_one(tmp_path: Path) -> None:
    folder = repository(tmp_path / "My Model", {"config.json": "{}", "model.safetensors": "", "README.md": CARD})
    init(folder)
    (entry,) = load(folder / "weighlock.yml").models
    assert (entry.name, entry.path, entry.licence) == ("my-model", ".", "Apache-2.0")


def test_two_models_of_one_name_get_two(tmp_path: Path) -> None:
    folder = repository(tmp_path, {"a/net/x.onnx": "", "b/net/x.onnx": "", "a/x.py": "", "b/x.py": ""})
    init(folder)
    assert sorted(entry.name for entry in named(folder).values()) == ["net", "net-2"]


def test_outside_of_git_it_says_where_to_go(tmp_path: Path) -> None:
    done = weighlock("init", tmp_path)
    assert done.code == 2
    assert "git" in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("said", "licence"),
    [
        ("mit", "MIT"),
        ("gpl-3.0", "GPL-3.0-only"),
        ("cc-by-nc-sa-4.0", "CC-BY-NC-SA-4.0"),
        ("llama3.1", "LicenseRef-llama3.1"),
        ("my own: licence\n!", "LicenseRef-my-own-licence"),
        ("other", None),
        ("", None),
        (7, None),
        (["mit"], None),
    ],
)
def test_licences_are_spdx(said: object, licence: str | None) -> None:
    assert proposing._licence(said) == licence


TEXT = st.text(max_size=30)
FOLDER = TEXT.map(lambda text: text.strip("/")).filter(bool)  # as git gives them


@given(paths=st.sets(FOLDER, max_size=6), words=TEXT, repository=TEXT)
def test_whatever_a_repository_holds_the_file_is_one_that_we_read(paths: set[str], words: str, repository: str) -> None:
    files = {path + "/model.onnx" for path in paths} | {path + "/README.md" for path in paths}
    card = f"---\nlicense: {words}\nbase_model: {words!r}\ndatasets: [{words!r}, x]\n---\n"
    proposal = proposing.propose(files, lambda _: card.encode(errors="replace"), repository, "ghcr.io/a/b")
    entries = parse(proposing.text(proposal.models).encode()).models
    assert [(entry.name, entry.path) for entry in entries] == [(item.name, item.path) for item in proposal.models]
    assert [entry.base_models for entry in entries] == [item.base_models for item in proposal.models]


def test_the_workflows_are_ones_that_linters_pass(tmp_path: Path) -> None:
    names = ["plain", "two words", "it's", "a, b]", "${{ github.token }}"]
    folder = repository(
        tmp_path, {f"models/{name}/a.onnx": "" for name in names} | {"models/x.py": ""}, "https://github.com/acme/churn"
    )
    init(folder)
    workflows = sorted((folder / ".github/workflows").iterdir())
    assert [path.name for path in workflows] == ["check-models.yml", "publish-models.yml"]
    for command in (["actionlint"], ["zizmor", "--offline", "--strict-collection", "--persona", "pedantic"]):
        program, *options = command
        tool = Path(sys.executable).parent / program
        done = subprocess.run([tool, *options, *workflows], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    published = yaml.safe_load(workflows[1].read_text())["jobs"]["publish"]["strategy"]["matrix"]["include"]
    paths = {item["path"] for item in published}
    assert paths == {f"models/{name}" for name in names if "${{" not in name}, "an expression would be run"
    assert {item["target"] for item in published} >= {"ghcr.io/acme/churn/plain", "ghcr.io/acme/churn/two-words"}


def test_nothing_is_published_that_has_no_place_to_go_to(tmp_path: Path) -> None:
    folder = repository(tmp_path, {"m/a.onnx": ""})
    assert init(folder).written == ("weighlock.yml", WORKFLOW)


def test_what_it_writes_is_what_the_example_has() -> None:
    root = Path(__file__).parents[2]
    example = root / "examples/check/.github/workflows/models.yml"
    assert (root / "scripts/weighlock/workflows/check-models.yml").read_text() == example.read_text()
