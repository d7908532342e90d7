"""Checking what a change touches: each model is scanned, audited and compared, and what cannot be is held."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import hostile
from auditing.loopback import Index, PyPIJson, advisory
from repositories import Repo
from weighlock import pages
from weighlock.checking import Checked
from weighlock.errors import InputError
from weighlock.stages import Context, check, compare, gate, plan


class Payload:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch pwned",)


EVIL = pickle.dumps(Payload())
WEIGHTS = hostile.safetensors({"w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}, bytes(24))
RESHAPED = hostile.safetensors({"w": {"dtype": "F16", "shape": [3, 4], "data_offsets": [0, 24]}}, bytes(24))


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    monkeypatch.chdir(tmp_path)  # stages run at the top of a repository
    return Repo(tmp_path)


def checked(base: str, **more: Any) -> Checked:
    """Return the one model that was checked, and hold the result against its schema."""
    outputs = check.run(check.Inputs(base=base, **more), Context())
    schema = json.loads((files("weighlock") / "schemas/check.json").read_text("utf-8"))
    jsonschema.validate(outputs.data(), schema)
    (model,) = outputs.result.models
    return model


def pointer(content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(content)}\n"


def test_a_model_that_passes_says_how_it_differs(repo: Repo) -> None:
    card = "---\nlicense: mit\n---\n"
    template = json.dumps({"chat_template": "{{ a }}"})
    base = repo.commit({"m/w.safetensors": WEIGHTS, "m/README.md": card, "m/tokenizer_config.json": template})
    changed = json.dumps({"chat_template": "{{ b }}"})
    repo.commit(
        {"m/w.safetensors": RESHAPED, "m/README.md": card.replace("mit", "gpl-3.0"), "m/tokenizer_config.json": changed}
    )
    model = checked(base)
    assert model.passed
    assert model.changes is not None
    assert model.changes["tensors"]["reshaped"]["names"] == ["w: F32 [2, 3] → F16 [3, 4]"]
    assert model.changes["card"] == [["licence", "mit", "gpl-3.0"]]
    ((text,)) = model.changes["texts"]
    assert text["diff"][-2:] == ["-{{ a }}", "+{{ b }}"]


def test_a_malicious_pickle_is_held_and_named_as_new(repo: Repo) -> None:
    base = repo.commit({"m/w.safetensors": WEIGHTS})
    repo.commit({"m/scaler.pkl": EVIL})
    model = checked(base)
    (held,) = model.held
    assert (held.path, held.verdict) == ("m/scaler.pkl", "unsafe")
    assert "whoever loads this file runs code" in held.message
    assert "skops" in held.remedy
    assert model.changes is not None
    assert model.changes["imports"]["names"] == ["posix.system"]
    assert model.changes["added"]["names"] == ["scaler.pkl (pickle)"]
    assert model.changes["findings"]["count"] >= 1


def test_a_finding_that_was_there_is_not_new(repo: Repo) -> None:
    base = repo.commit({"m/w.safetensors": WEIGHTS, "m/scaler.pkl": EVIL})
    repo.commit({"m/README.md": "words"})
    model = checked(base)
    assert not model.passed
    assert model.changes is not None
    assert model.changes["findings"]["count"] == 0
    assert model.changes["imports"]["count"] == 0


def test_what_lfs_kept_before_is_compared_by_digest(repo: Repo) -> None:
    base = repo.commit({"m/a.safetensors": pointer(WEIGHTS), "m/b.safetensors": pointer(b"gone")})
    Path("m/a.safetensors").write_bytes(WEIGHTS)
    repo.git("update-index", "--assume-unchanged", "m/a.safetensors")  # as a smudge filter leaves it
    repo.commit({"m/b.safetensors": RESHAPED})
    model = checked(base)
    assert model.passed
    assert model.changes is not None
    assert model.changes["changed"]["names"] == ["b.safetensors (not here (Git LFS) → safetensors)"]
    assert model.changes["size"] == [len(WEIGHTS) + 4, len(WEIGHTS) + len(RESHAPED)]


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ({"m/w.safetensors": pointer(WEIGHTS)}, "lfs pointer"),
        ({"m/model.pkl.dvc": "outs:\n- md5: 1\n  path: model.pkl\n"}, "its content is not here"),
        ({"m/w.safetensors": WEIGHTS, "m/a\\b": "x"}, "backslash"),
    ],
)
def test_what_cannot_be_scanned_is_held(repo: Repo, contents: dict[str, bytes | str], words: str) -> None:
    base = repo.commit({"a": ""})
    repo.commit(contents)
    assert words in checked(base).held[0].message


MODELS = "version: 1\nmodels: [{name: m, path: m}]\n"


def kept(content: bytes, path: str = "w.safetensors") -> str:
    return f"outs: [{{path: {path}, md5: {hashlib.md5(content, usedforsecurity=False).hexdigest()}}}]\n"


def test_what_dvc_keeps_in_a_model_is_held_until_it_is_here(
    repo: Repo, tmp_path_factory: pytest.TempPathFactory
) -> None:
    base = repo.commit({"a": ""})
    repo.commit({"m/README.md": "words", "m/w.safetensors.dvc": kept(WEIGHTS), "weighlock.yml": MODELS})
    (held,) = checked(base).held
    assert (held.path, held.verdict) == ("m/w.safetensors", "unscanned")
    assert "its content is not here" in held.message
    assert "dvc-artifact" in held.remedy
    cache = tmp_path_factory.mktemp("cache")
    digest = hashlib.md5(WEIGHTS, usedforsecurity=False).hexdigest()
    (cache / "files/md5" / digest[:2]).mkdir(parents=True)
    (cache / "files/md5" / digest[:2] / digest[2:]).write_bytes(WEIGHTS)
    model = checked(base, dvc_cache=cache)
    assert model.passed, model.held
    assert model.files == 3
    Path("m/w.safetensors").write_bytes(RESHAPED)
    assert "not what DVC names" in checked(base).held[0].message


def test_what_dvc_keeps_unchanged_is_not_new(repo: Repo) -> None:
    repo.commit({".gitignore": "/m/w.safetensors\n/m/sub\n"})
    listing = json.dumps([{"md5": hashlib.md5(b"words", usedforsecurity=False).hexdigest(), "relpath": "a.txt"}])
    folder = hashlib.md5(listing.encode(), usedforsecurity=False).hexdigest()
    outs: dict[str, bytes | str] = {
        "m/w.safetensors.dvc": kept(WEIGHTS),
        "m/sub.dvc": f"outs: [{{path: sub, md5: {folder}.dir}}]\n",
    }
    base = repo.commit(outs | {"m/sub/a.txt": "words", "m/w.safetensors": WEIGHTS, "weighlock.yml": MODELS})
    repo.commit({"m/README.md": "words"})
    model = checked(base)
    assert model.passed, model.held
    assert model.changes is not None
    assert model.changes["added"]["names"] == ["README.md (text)"]
    assert model.changes["changed"]["count"] == 0
    repo.commit({"m/w.safetensors.dvc": kept(RESHAPED), "m/w.safetensors": RESHAPED})
    model = checked(base)
    assert model.changes is not None
    assert model.changes["added"]["names"] == ["README.md (text)", "w.safetensors (safetensors)"]


def test_a_model_that_only_dvc_has_is_held_and_then_scanned(
    repo: Repo, tmp_path_factory: pytest.TempPathFactory
) -> None:
    base = repo.commit({"a": ""})
    repo.commit({"m/best.pkl.dvc": kept(EVIL, "best.pkl")})
    (held,) = checked(base).held
    assert (held.path, held.verdict) == ("m/best.pkl", "unscanned")
    cache = tmp_path_factory.mktemp("cache")
    digest = hashlib.md5(EVIL, usedforsecurity=False).hexdigest()
    (cache / digest[:2]).mkdir()
    (cache / digest[:2] / digest[2:]).write_bytes(EVIL)
    (held,) = checked(base, dvc_cache=cache).held
    assert (held.path, held.verdict) == ("m/best.pkl", "unsafe")


def test_dvc_brings_no_policy(repo: Repo, tmp_path_factory: pytest.TempPathFactory) -> None:
    base = repo.commit({"a": ""})
    policy = b"version: 1\nscan: {review: pass}\n"
    repo.commit({"w.safetensors": WEIGHTS, "config.json": "{}", "weighlock.yml.dvc": kept(policy, "weighlock.yml")})
    cache = tmp_path_factory.mktemp("cache")
    digest = hashlib.md5(policy, usedforsecurity=False).hexdigest()
    (cache / digest[:2]).mkdir()
    (cache / digest[:2] / digest[2:]).write_bytes(policy)
    model = checked(base, dvc_cache=cache)
    assert not Path("weighlock.yml").exists()
    assert [held.path for held in model.held if "not here" in held.message] == ["weighlock.yml"]


def test_a_link_out_of_the_repository_is_held(repo: Repo, tmp_path_factory: pytest.TempPathFactory) -> None:
    base = repo.commit({"a": ""})
    outside = tmp_path_factory.mktemp("outside") / "secret.pkl"
    outside.write_bytes(b"x")
    Path("m.pkl").symlink_to(outside)
    repo.commit({})
    assert "a link out of the repository" in checked(base).held[0].message


def test_requirements_are_audited_where_the_policy_names_them(repo: Repo) -> None:
    policy = "version: 1\nmodels:\n- name: m\n  path: m\n  requirements: needs.txt\n"
    base = repo.commit({"m/w.safetensors": WEIGHTS, "weighlock.yml": policy, "needs.txt": "tool==0.9\n"})
    repo.commit({"needs.txt": "# the tool\ntool==1.0\n"})
    with Index() as index, PyPIJson({"tool==1.0": [advisory("PYSEC-1")]}) as pypi:
        index.wheel("tool", "1.0")
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(Path.cwd()),
            "PIP_INDEX_URL": f"{index.url}/simple",
            "PIP_CONFIG_FILE": os.devnull,
            "NO_PROXY": "*",
        }
        outputs = check.run(check.Inputs(base=base, service_url=pypi.url), Context(environ))
    (held,) = outputs.result.models[0].held
    assert (held.path, held.line, held.verdict) == ("needs.txt", 2, "vulnerable")
    assert "PYSEC-1" in held.message


def test_a_part_of_another_plan_is_not_done(repo: Repo) -> None:
    base = repo.commit({"a": ""})
    repo.commit({"m/w.safetensors": WEIGHTS})
    with pytest.raises(InputError, match="another plan"):
        checked(base, plan_digest="0" * 64)
    for shard in ("1", "-1", "x", "0x0", "٠"):
        with pytest.raises(InputError, match="no part"):
            checked(base, shard=shard)


def test_only_what_is_checked_out_is_checked(repo: Repo) -> None:
    base = repo.commit({"m/w.safetensors": WEIGHTS})
    repo.commit({"m/w.safetensors": RESHAPED})
    with pytest.raises(InputError, match="checked out"):
        checked("", head=base)


def test_below_the_top_folder_it_says_so(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.commit({"m/w.safetensors": WEIGHTS})
    monkeypatch.chdir("m")
    with pytest.raises(InputError, match="not the top folder"):
        checked("")


def test_two_versions_are_compared_on_a_laptop(repo: Repo) -> None:
    base = repo.commit({"m/w.safetensors": WEIGHTS})
    Path("m/w.safetensors").write_bytes(RESHAPED)
    outputs = compare.run(compare.Inputs("m", base), Context())
    assert "tensors reshaped: w: F32 [2, 3] → F16 [3, 4]" in outputs.text()
    assert not outputs.new
    Path("n").mkdir()
    Path("n/w.safetensors").write_bytes(WEIGHTS)
    assert "new model" in compare.run(compare.Inputs("n", base), Context()).text()


class Jobs:
    """The three jobs of the workflow, in this process."""

    def __init__(self, base: str, folder: Path) -> None:
        self.folder = folder
        planned = plan.run(plan.Inputs(base=base, report=folder / "plan.json"), Context())
        schema = json.loads((files("weighlock") / "schemas/plan.json").read_text("utf-8"))
        jsonschema.validate(planned.data(), schema)
        report = folder / "check-0.json"
        done = check.run(check.Inputs(base=base, shard="0", plan_digest=planned.digest, report=report), Context())
        outputs = {"shards": planned.shards, "digest": planned.digest}
        result = "success" if done.passed else "failure"
        self.needs = json.dumps({"plan": {"result": "success", "outputs": outputs}, "check": {"result": result}})

    def gate(self) -> gate.Outputs:
        return gate.run(gate.Inputs(self.folder, needs=self.needs, sarif=self.folder / "all.sarif"), Context())


def test_the_gate_reads_what_the_jobs_wrote(repo: Repo, tmp_path_factory: pytest.TempPathFactory) -> None:
    base = repo.commit({"a": ""})
    repo.commit({"m/w.safetensors": WEIGHTS})
    outputs = Jobs(base, tmp_path_factory.mktemp("files")).gate()
    assert outputs.passed, outputs.text()
    assert outputs.page().verdict == "✅ Model gate: 1 model checked"


def test_the_gate_shows_first_what_the_policy_lets_pass(repo: Repo, tmp_path_factory: pytest.TempPathFactory) -> None:
    said = 'reason: "@team [x](y) <b>\\u202e", owner: eve, expires: 2027-01-31'
    names = ", ".join(f"a.b{number}" for number in range(gate.CHANGES))
    policy = f"version: 1\nscan: {{waivers: [{{rule: r, sha256: {'a' * 64}, {said}}}], globals: [{names}]}}\n"
    base = repo.commit({"m/w.safetensors": WEIGHTS, "weighlock.yml": "version: 1\nscan: {review: pass}\n"})
    repo.commit({"weighlock.yml": policy})
    outputs = Jobs(base, tmp_path_factory.mktemp("files")).gate()
    assert outputs.passed, outputs.text()
    first, model = outputs.page().sections
    assert (first.words, model.subject) == ("⚠️ the policy", "m")
    assert first.lines[0].words == f"of {gate.CHANGES + 1} looser, 1 stricter:"
    assert first.lines[1].detail == "new, until 2027-01-31, eve: @team [x](y) <b>\\u202e"
    assert first.lines[-1].words == "and 2 more; the log names them"
    page = pages.rendered(outputs.page(), 10**6)
    assert "<li>looser: <code>scan.waivers: r in sha256:aaaa" in page
    assert "<b>" not in page
    assert "stricter: scan.review passes: yes → no" in outputs.text()


@pytest.mark.parametrize(
    "forged",
    [
        b"",
        b"[]",
        b'{"version": 1, "plan": "x", "shard": 0, "models": [{}]}',
        b'{"version": 1, "plan": "x", "shard": 0, "models": []}',
        b"\xff" * 100,
    ],
)
def test_a_forged_file_is_a_no(repo: Repo, tmp_path_factory: pytest.TempPathFactory, forged: bytes) -> None:
    base = repo.commit({"a": ""})
    repo.commit({"m/w.safetensors": WEIGHTS})
    jobs = Jobs(base, tmp_path_factory.mktemp("files"))
    (jobs.folder / "check-0.json").write_bytes(forged)
    assert not jobs.gate().passed
    (jobs.folder / "check-0.json").unlink()
    assert not jobs.gate().passed


def test_forged_differences_are_no_bug(repo: Repo, tmp_path_factory: pytest.TempPathFactory) -> None:
    base = repo.commit({"a": ""})
    repo.commit({"m/w.safetensors": WEIGHTS})
    jobs = Jobs(base, tmp_path_factory.mktemp("files"))
    document = json.loads((jobs.folder / "check-0.json").read_text())
    for changes in ({}, {"size": 1}, {"size": [1, 2], "new": False, "added": 3}, {"texts": [1]}, {"texts": 5}):
        document["models"][0]["changes"] = changes
        (jobs.folder / "check-0.json").write_text(json.dumps(document))
        assert "cannot be read" in jobs.gate().text()
        assert jobs.gate().page()


def test_the_findings_stay_within_the_limits_of_code_scanning() -> None:
    result = {"ruleId": "x", "message": {"text": "y" * 900}}
    run = {"results": [result] * 5000, "automationDetails": {"id": "z"}}
    models = [Checked(str(number), 1, 1, run=run) for number in range(50)]
    log = gate._merged(models)
    assert len(log["runs"]) == gate.RUNS
    assert sum(len(run["results"]) for run in log["runs"]) <= gate.RESULTS
