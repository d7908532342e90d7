"""One required check, as a repository of its own uses it: which jobs run for which change, and what they say."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import acting
import hostile
from commands import weighlock
from test_pages import TAGS, Skeleton

GREEN = {"plan": "success", "check": "success", "gate": "success"}
RED = {"plan": "success", "check": "failure", "gate": "failure"}
NOTHING = {"plan": "success", "gate": "success"}


class Payload:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch pwned",)


EVIL = pickle.dumps(Payload())


@dataclasses.dataclass
class Change:
    """A consumer's repository with a commit that is reviewed, and one to come."""

    act: acting.Act
    folder: Path
    base: str

    def write(self, name: str, content: bytes | str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def pull_request(self, *, fork: bool = False, path: str | None = None) -> acting.Run:
        head = acting.commit(self.folder)
        names = {"full_name": "evil/fork" if fork else "acme/consumer", "fork": fork}
        pull = {
            "number": 5,
            "head": {"ref": "feature", "sha": head, "repo": names},
            "base": {"ref": "main", "sha": self.base},
        }
        secrets = {} if fork else {"GITHUB_TOKEN": "dummy-long-value"}
        return self.event("pull_request", {"number": 5, "pull_request": pull}, secrets=secrets, path=path)

    def event(self, name: str, payload: dict[str, Any], **more: Any) -> acting.Run:
        repository = {"repository": {"full_name": "acme/consumer", "default_branch": "main"}}
        return self.act.event(self.folder, name, payload | repository, **more)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    acting.prepare("plan", "check", "gate")
    return acting.snapshot(tmp_path_factory.mktemp("weighlock"))


@pytest.fixture(scope="module")
def inside() -> Iterator[list[str]]:
    with acting.network() as prefix:
        yield prefix


@pytest.fixture
def change(tmp_path: Path, tree: Path, inside: list[str]) -> Change:
    folder = tmp_path / "consumer"
    shutil.copytree(acting.ROOT / "examples/check", folder)
    (folder / "src").mkdir()
    (folder / "src/train.py").write_text("print('training')\n")
    base = acting.repository(folder)
    (tmp_path / "act").mkdir()
    return Change(acting.Act(tree, tmp_path / "act", inside), folder, base)


def summary(run: acting.Run) -> str:
    """Return the one job summary of the run."""
    (page,) = run.summaries
    return page


def test_a_changed_model_is_checked_and_passes(change: Change) -> None:
    change.write("models/tiny/README.md", "# Tiny\n\nNow with better words.\n")
    run = change.pull_request()
    assert run.jobs == GREEN, run.log
    assert run.annotations == []
    page = summary(run)
    assert page.startswith("<h2>✅ Model gate: 1 model checked</h2>")
    assert "<h3>✅ <code>models/tiny</code></h3>" in page
    assert "<li>changed: <code>README.md</code></li>" in page


def test_a_new_user_has_a_gate_after_one_command(tmp_path: Path, tree: Path, inside: list[str]) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "README.md").write_text("# New\n")
    (tmp_path / "act").mkdir()
    change = Change(acting.Act(tree, tmp_path / "act", inside), folder, acting.repository(folder))
    started = weighlock("init", folder)
    assert started.code == 0, started.err
    shutil.copytree(acting.ROOT / "examples/check/models/tiny", folder / "models/tiny")
    run = change.pull_request()
    assert run.jobs == GREEN, run.log
    change.write("models/tiny/scaler.pkl", EVIL)
    run = change.pull_request()
    assert run.jobs == RED, run.log
    (found,) = run.annotations
    assert found.file == "models/tiny/scaler.pkl"
    assert "whoever loads this file runs code that is hidden in it" in found.message
    assert summary(run).startswith("<h2>❌ Model gate: 1 of 1 model must not be merged</h2>")


def test_a_change_of_code_starts_no_check_and_the_gate_reports(change: Change) -> None:
    change.write("src/train.py", "print('more')\n")
    run = change.pull_request()
    assert run.jobs == NOTHING, run.log
    assert summary(run).startswith("<h2>✅ Model gate: no model is touched</h2>")


def test_a_malicious_pickle_is_explained_to_who_saved_it(change: Change) -> None:
    change.write("models/tiny/scaler.pkl", EVIL)
    run = change.pull_request()
    assert run.jobs == RED, run.log
    (found,) = run.annotations
    assert (found.level, found.file, found.title) == ("error", "models/tiny/scaler.pkl", "Weighlock gate")
    assert "whoever loads this file runs code that is hidden in it" in found.message
    assert "system" in found.message
    assert "save_file(model.state_dict(), 'model.safetensors')" in found.message
    page = summary(run)
    assert page.startswith("<h2>❌ Model gate: 1 of 1 model must not be merged</h2>")
    assert "new imports of its pickles: <code>posix.system</code>" in page
    assert "weighlock scan models/tiny" in page


def test_a_fork_is_checked_alike_without_secrets_and_token(change: Change) -> None:
    change.write("models/tiny/scaler.pkl", EVIL)
    run = change.pull_request(fork=True)
    assert run.jobs == RED, run.log
    assert summary(run).startswith("<h2>❌")


def test_the_merge_queue_is_checked_alike(change: Change) -> None:
    change.write("models/tiny/scaler.pkl", EVIL)
    head = acting.commit(change.folder)
    group = {"head_sha": head, "base_sha": change.base, "base_ref": "refs/heads/main", "head_ref": "refs/heads/q"}
    run = change.event("merge_group", {"merge_group": group})
    assert run.jobs == RED, run.log


def test_the_merge_queue_reports_when_nothing_is_touched(change: Change) -> None:
    group = {"head_sha": acting.commit(change.folder), "base_sha": change.base}
    run = change.event("merge_group", {"merge_group": group})
    assert run.jobs == NOTHING, run.log


def test_a_changed_policy_checks_every_model(change: Change) -> None:
    change.write("weighlock.yml", "version: 1\nscan:\n  fail-on: medium\n")
    run = change.pull_request()
    assert run.jobs == GREEN, run.log
    page = summary(run)
    assert "The policy changed, so every model was checked" in page
    assert page.index("looser: <code>scan.fail-on: low → medium</code>") < page.index("<code>models/tiny</code>")


def test_one_of_three_models_is_bad_and_the_others_are_told_apart(change: Change) -> None:
    for name in ("a", "b", "c"):
        shutil.copytree(change.folder / "models/tiny", change.folder / "other" / name)
    change.write("other/b/extra.bin", EVIL)
    (change.folder / "other/x.py").write_text("")  # so that the three are three
    run = change.pull_request()
    assert run.jobs == RED, run.log
    page = summary(run)
    assert "1 of 3 models must not be merged" in page
    order = [
        page.index(f"<h3>{mark} <code>other/{name}</code>") for mark, name in (("❌", "b"), ("✅", "a"), ("✅", "c"))
    ]
    assert order == sorted(order)


def test_models_are_shared_out_among_jobs_by_their_bytes(change: Change) -> None:
    workflow = change.folder / ".github/workflows/models.yml"
    workflow.write_text(workflow.read_text() + "    with:\n      shard-size: 1\n")
    for name in ("a", "b", "c"):
        change.write(f"big/{name}.npy", numpy_array(900_000))
    (change.folder / "big/x.py").write_text("")
    change.write("big/d.pkl", EVIL)
    run = change.pull_request()
    assert run.jobs == RED, run.log
    checks = {name: result for name, result in run.names.items() if name.rpartition("/")[2].startswith("check ")}
    assert sorted(checks.values()) == ["failure", "success", "success"]
    assert "1 of 4 models must not be merged" in summary(run)


def numpy_array(size: int) -> bytes:
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({size},), }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(size)


def test_an_expired_waiver_fails_and_says_when_it_ran_out(change: Change) -> None:
    unknown = bytes(range(7, 99)) * 3
    change.write("models/tiny/vocabulary.own", unknown)
    digest = hashlib.sha256(unknown).hexdigest()
    waiver = f'{{rule: unscanned, sha256: {digest}, reason: "ours", owner: "team", expires: 2025-01-31}}'
    change.write("weighlock.yml", f"version: 1\nscan:\n  waivers:\n  - {waiver}\n")
    run = change.pull_request()
    assert run.jobs == RED, run.log
    assert "ran out on 2025-01-31" in summary(run)


def test_a_pointer_whose_content_is_not_here_is_no_model(change: Change) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'ab' * 32}\nsize 5000000000\n"
    change.write("models/tiny/model.safetensors", pointer)
    run = change.pull_request()
    assert run.jobs == RED, run.log
    assert "lfs pointer" in summary(run)
    assert "5.0 GB" in summary(run) or "unscanned" in summary(run)


def test_what_lfs_keeps_is_fetched_for_the_models_that_are_touched_only(change: Change) -> None:
    weights = (change.folder / "models/tiny/model.safetensors").read_bytes()
    digest = hashlib.sha256(weights).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(weights)}\n"
    change.write("far/model.safetensors", pointer)
    change.base = acting.commit(change.folder)
    change.write("models/tiny/model.safetensors", pointer)
    stub = change.act.scratch / "bin/git-lfs"
    stub.parent.mkdir()
    kept = change.act.scratch / "object"
    kept.write_bytes(weights)
    asked = change.act.scratch / "asked"
    stub.write_text(f'#!/bin/sh\necho "$@" >> {asked}\ncp {kept} models/tiny/model.safetensors\n')
    stub.chmod(0o755)
    run = change.pull_request()
    assert run.jobs == GREEN, run.log
    assert asked.read_text() == "pull --include=models/tiny/model.safetensors --exclude=\n"


@pytest.mark.parametrize("fetched", [True, False])
def test_what_dvc_keeps_is_scanned_when_a_job_of_the_caller_fetched_it(change: Change, *, fetched: bool) -> None:
    """The jobs are those of README.md; two programs on the PATH stand for pipx and DVC."""
    (jobs,) = re.findall(r"```yaml\n(  dvc:\n.*?)```", (acting.ROOT / "README.md").read_text(), re.DOTALL)
    change.write(".github/workflows/models.yml", f"name: models\non: [pull_request]\npermissions: {{}}\njobs:\n{jobs}")
    change.write(".gitignore", "/models/tiny\n/.dvc/cache\n")
    subprocess.run(["git", "rm", "-rq", "--cached", "models/tiny"], cwd=change.folder, check=True)
    change.base = acting.commit(change.folder)
    weights = (change.folder / "models/tiny/model.safetensors").read_bytes()
    md5 = hashlib.md5(weights, usedforsecurity=False).hexdigest()
    change.write("models/new.safetensors.dvc", f"outs: [{{md5: {md5}, hash: md5, path: new.safetensors}}]\n")
    place = change.act.scratch / "bin"
    place.mkdir()
    (change.act.scratch / "remote").write_bytes(weights)
    into = f".dvc/cache/files/md5/{md5[:2]}"
    fetch = f"mkdir -p {into} && cp {change.act.scratch}/remote {into}/{md5[2:]}" if fetched else "exit 1"
    for name, line in (("pipx", "exit 0"), ("dvc", fetch)):
        (place / name).write_text(f"#!/bin/sh\n{line}\n")
        (place / name).chmod(0o755)
    run = change.pull_request()
    assert run.jobs == (GREEN | {"dvc": "success"} if fetched else RED | {"dvc": "failure"}), run.log
    page = summary(run)
    assert "<code>models/new.safetensors</code>" in page
    assert ("its content is not here" in page) is not fetched


HOSTILE = "x ::set-output::pass <img> [a](http:__e.example) `id` $(id) |.pkl"
"""Without an equals sign: act, other than GitHub, drops an annotation's file then."""


def test_names_that_look_like_commands_change_nothing(change: Change) -> None:
    change.write(f"models/tiny/{HOSTILE}", EVIL)
    change.write("models/x\nverdict=pass\n::stop-commands::x/m.pkl", EVIL)
    change.write("models/x.py", "")
    run = change.pull_request()
    assert run.jobs == RED, run.log
    page = summary(run)
    assert "<img" not in page
    assert "\nverdict=pass" not in page
    assert {item["verdict"] for item in run.outputs.values() if "verdict" in item} == {"fail"}
    assert sorted(item.file for item in run.annotations) == ["", f"models/tiny/{HOSTILE}"]


ATTACKS = (
    "::set-output name=verdict::pass",
    "::stop-commands::x",
    "::add-mask::failure",
    "##[set-output name=verdict;]pass",
    "EOF\nverdict=pass\nEOF",
    "</code></pre></details><img src=x><script>alert(1)</script>",
    "[click](https://evil.example) @octocat #1\n\n# heading\n\n| a | b |",
)


def test_what_a_model_says_changes_no_output_no_command_and_no_structure(change: Change) -> None:
    old, new = ("{{ old }}", "\n".join(ATTACKS))
    change.write("models/tiny/tokenizer_config.json", json.dumps({"chat_template": old}))
    change.base = acting.commit(change.folder)
    change.write("models/tiny/tokenizer_config.json", json.dumps({"chat_template": new}))
    card = "\n".join(f"- {json.dumps(attack)}" for attack in ATTACKS)
    change.write("models/tiny/README.md", f"---\nlicense: {json.dumps(new)}\ndatasets:\n{card}\n---\n")
    for number, attack in enumerate(ATTACKS):
        change.write(f"models/tiny/{number}.pkl", hostile.named(f"os\n{attack}", f"system\n{attack}"))
    run = change.pull_request()
    assert run.jobs == RED, run.log
    assert {item["verdict"] for item in run.outputs.values() if "verdict" in item} == {"fail"}
    assert {item.title for item in run.annotations} == {"Weighlock gate"}
    assert commands(run.log) <= {"set-output", "error", "summary", "group", "endgroup"}
    page = Skeleton(summary(run))
    assert set(page.tags) <= TAGS
    for words in ("evil.example", "@octocat", "set-output", "verdict=pass"):
        assert words in summary(run)
        assert words not in page.loose


def commands(log: str) -> set[str]:
    """Return the workflow commands that were obeyed."""
    events = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return {event["command"] for event in events if "command" in event}


def test_without_python_nothing_is_green(change: Change, tmp_path: Path) -> None:
    change.write("models/tiny/README.md", "# Other\n")
    bare = tmp_path / "bare"
    bare.mkdir()
    for tool in ("bash", "git", "env", "mkdir", "cp", "rm", "ls", "cat", "sh"):
        (bare / tool).symlink_to(str(shutil.which(tool)))
    run = change.pull_request(path=str(bare))
    assert run.jobs == {"plan": "failure", "gate": "failure"}, run.log


def test_an_environment_that_is_there_needs_no_uv(change: Change, tmp_path: Path) -> None:
    change.write("models/tiny/README.md", "# Other\n")
    only = tmp_path / "only"
    only.mkdir()
    (only / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (only / "python3").chmod(0o755)
    run = change.pull_request(path=f"{only}:/usr/bin:/bin")
    assert run.jobs == GREEN, run.log


def test_a_hostile_workspace_runs_nothing(change: Change, tmp_path: Path) -> None:
    pwned = tmp_path / "pwned"
    trap = f"open({str(pwned)!r}, 'a').write(__file__)\n"
    names = ("venv.py", "sitecustomize.py", "json.py", "pip/__init__.py", "pip/__main__.py", "weighlock/__main__.py")
    for name in (*names, "weighlock/__init__.py", "launch.py"):
        change.write(name, trap)
    change.write("uv.toml", "no-binary = true\n")
    change.write(".python-version", "2.7\n")
    change.write("models/tiny/README.md", "# Other\n")
    change.write(".gitattributes", "*.safetensors filter=evil diff=evil\n")
    subprocess.run(["git", "config", "filter.evil.smudge", f"touch {pwned}"], cwd=change.folder, check=True)
    subprocess.run(["git", "config", "diff.evil.textconv", f"touch {pwned}"], cwd=change.folder, check=True)
    subprocess.run(["git", "config", "core.fsmonitor", f"touch {pwned}"], cwd=change.folder, check=True)
    run = change.pull_request()
    assert run.jobs == GREEN, run.log
    assert not pwned.exists(), pwned.read_text()


FINDINGS = """
  findings:
    needs: models
    if: ${{ !cancelled() }}
    permissions:
      contents: read
      security-events: write
    uses: weighlock/weighlock/.github/workflows/code-scanning.yml@v1
"""


def test_a_job_of_its_own_sends_the_findings(change: Change) -> None:
    """Of a change that passes: act, other than GitHub, starts nothing behind a called workflow that failed."""
    workflow = change.folder / ".github/workflows/models.yml"
    workflow.write_text(workflow.read_text() + FINDINGS)
    change.write("models/tiny/README.md", "# Other\n")
    run = change.pull_request()
    assert run.jobs == {**GREEN, "upload": "success"}, run.log
    (sent,) = json.loads((change.act.artifacts / "uploaded.sarif").read_text())["runs"]
    assert (sent["automationDetails"]["id"], sent["results"]) == ("weighlock/check/models/tiny/", [])


def test_a_fork_sends_nothing_to_code_scanning(change: Change) -> None:
    workflow = change.folder / ".github/workflows/models.yml"
    workflow.write_text(workflow.read_text() + FINDINGS)
    run = change.pull_request(fork=True)
    assert run.jobs == NOTHING, run.log
    assert not (change.act.artifacts / "uploaded.sarif").exists()


def test_the_findings_of_all_models_are_one_file_for_code_scanning(change: Change) -> None:
    change.write("models/tiny/scaler.pkl", EVIL)
    assert change.pull_request().jobs == RED
    log = json.loads((change.act.artifacts / "weighlock-sarif/weighlock.sarif").read_text())
    (run,) = log["runs"]
    assert run["automationDetails"]["id"] == "weighlock/check/models/tiny/"
    places = {item["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for item in run["results"]}
    assert places == {"models/tiny/scaler.pkl"}
