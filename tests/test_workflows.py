"""The contract of every workflow: pins, permissions with their reasons, gates that need every job, documented inputs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands import weighlock
from tools import require

ROOT = Path(__file__).resolve().parents[1]
OURS = sorted((ROOT / ".github/workflows").glob("*.yml"))
ALL = [*OURS, *sorted((ROOT / "examples").glob("*/.github/workflows/*.yml"))]
GATE = re.compile(r"gate\b")


def loaded(path: Path) -> Any:
    return yaml.load(path.read_text(), yaml.BaseLoader)


def gates(path: Path) -> dict[str, Any]:
    """Return the jobs that answer for all others: those that always run."""
    return {name: job for name, job in loaded(path)["jobs"].items() if "always()" in str(job.get("if", ""))}


def called(path: Path) -> dict[str, Any]:
    """Return what a caller sees of a reusable workflow; nothing of others."""
    on = loaded(path)["on"]
    return (on.get("workflow_call") or {}) if isinstance(on, dict) and "workflow_call" in on else {}


@pytest.mark.parametrize("path", ALL, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_pin_says_which_version_it_is(path: Path) -> None:
    for line in path.read_text().splitlines():
        used = re.match(r"\s*(?:- )?uses: (\S+)(.*)", line)
        if used and not used[1].startswith(("$/", "weighlock/weighlock")):
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", used[1]), line
            assert re.fullmatch(r" # v\d+(\.\d+)+", used[2]), line


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_our_own_actions_come_from_the_same_commit(path: Path) -> None:
    assert not re.search(r"uses:\s*['\"]?\./", path.read_text())
    assert "weighlock/weighlock@" not in path.read_text()


@pytest.mark.parametrize("path", ALL, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_permission_has_its_reason(path: Path) -> None:
    lines = path.read_text().splitlines()
    for job in loaded(path)["jobs"].values():
        for scope, access in (job["permissions"] or {}).items():
            written = [line for line in lines if line.strip().startswith(f"{scope}: {access}")]
            assert written
            assert all(re.search(r" # \w+", line) for line in written), scope


@pytest.mark.parametrize("path", ALL, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_job_leaves_the_token_in_the_checkout_or_obeys_a_foreign_pull_request(path: Path) -> None:
    workflow = loaded(path)
    assert "pull_request_target" not in workflow["on"]
    for job in workflow["jobs"].values():
        for step in job.get("steps", []):
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] == "false"


@pytest.mark.parametrize("path", [path for path in ALL if gates(path)], ids=lambda path: path.name)
def test_a_gate_needs_every_other_job(path: Path) -> None:
    jobs = set(loaded(path)["jobs"])
    for name, gate in gates(path).items():
        needs = gate["needs"] if isinstance(gate["needs"], list) else [gate["needs"]]
        assert set(needs) == jobs - {name}, "a job that no gate needs may fail unseen"


@pytest.mark.parametrize(
    "path", [path for path in OURS if "workflow_call" in path.read_text()], ids=lambda path: path.name
)
def test_what_a_caller_gives_and_gets_is_described(path: Path) -> None:
    call = called(path)
    for kind in ("inputs", "secrets", "outputs"):
        for name, item in (call.get(kind) or {}).items():
            assert item.get("description", "").endswith("."), name
    for name, item in (call.get("inputs") or {}).items():
        assert "default" in item or item.get("required") == "true", name


@pytest.mark.parametrize(
    ("results", "green"),
    [
        (["success", "success"], True),
        (["success", "failure"], False),
        (["success", "skipped"], False),
        (["success", "cancelled"], False),
        ([], False),
    ],
)
def test_the_selftest_is_green_only_when_everything_was(results: list[str], green: bool) -> None:
    require("jq")
    (step,) = loaded(ROOT / ".github/workflows/selftest.yml")["jobs"]["gate"]["steps"]
    needs = json.dumps({f"job{number}": {"result": result, "outputs": {}} for number, result in enumerate(results)})
    done = subprocess.run(["bash", "-c", step["run"]], env={"PATH": _path(), "NEEDS": needs}, check=False)
    assert (done.returncode == 0) is green


def _path() -> str:
    return str(Path(shutil.which("jq") or "").parent) + ":/usr/bin:/bin"


@pytest.mark.parametrize(
    ("fetched", "green"),
    [
        (["c0ffee/actions/describe"], True),
        (["0ddba11/actions/describe"], False),
        (["c0ffee/actions/describe", "0ddba11/actions/scan"], False),
        (["c0ffee/actions/scan"], False),
        ([], False),
    ],
)
def test_the_selftest_of_the_tag_sees_another_commit(tmp_path: Path, fetched: list[str], green: bool) -> None:
    (step,) = [
        step
        for step in loaded(ROOT / ".github/workflows/self-reference.yml")["jobs"]["resolve"]["steps"]
        if "run" in step
    ]
    for name in fetched:
        folder = tmp_path / "_actions" / name
        folder.mkdir(parents=True)
        (folder / "action.yml").touch()
    output = tmp_path / "output"
    environ = {"PATH": _path(), "COMMIT": "c0ffee", "FETCHED": f"{tmp_path}/_actions", "GITHUB_OUTPUT": str(output)}
    done = subprocess.run(["bash", "-e", "-c", step["run"]], env=environ, check=False)
    assert (done.returncode == 0) is green
    assert output.is_file() is green


def test_the_digest_that_all_systems_have_to_reach_is_the_one_here(tmp_path: Path) -> None:
    done = weighlock("package", ROOT / "examples/release/models/tiny", "--to", f"oci:{tmp_path}/out", "--dry-run")
    assert done.out == (ROOT / "examples/release/digest").read_text()


def test_a_release_is_only_made_of_its_version_and_with_its_notes(tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    (folder / ".ci").mkdir(parents=True)
    (folder / "dist").mkdir()
    (folder / "dist/a.whl").touch()
    shutil.copy(ROOT / ".ci/publish", folder / ".ci/publish")
    (folder / "pyproject.toml").write_text('version = "1.2.0"\n')
    (folder / "CHANGELOG.md").write_text(
        "# C\n\n## [Unreleased]\n\nlater\n\n## [1.2.0] - 2026-01-01\n\nnow\n\n## [1.1.0]\n\nold\n"
    )
    (tmp_path / "gh").write_text(
        '#!/bin/sh\necho "$@" >> "$HOME/said"\nfor word; do [ -f "$word" ] && cat "$word" >> "$HOME/said"; done; exit 0\n'
    )
    (tmp_path / "gh").chmod(0o755)

    def publish(tag: str) -> int:
        environ = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path), "TAG": tag}
        return subprocess.run([folder / ".ci/publish"], env=environ, check=False, capture_output=True).returncode

    assert publish("v1.1.0") == 1, "another version than that of the package"
    assert publish("v1.3.0") == 1, "no notes"
    assert not (tmp_path / "said").exists()
    assert publish("v1.2.0") == 0
    said = (tmp_path / "said").read_text()
    assert re.match(
        r"release create v1\.2\.0 --verify-tag --draft .* dist/a\.whl\n\nnow\n\nrelease edit v1\.2\.0", said
    )
