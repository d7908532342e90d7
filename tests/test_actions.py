"""The contract between stages, actions, READMEs and workflows; it says what is missing when one of them is added."""

from __future__ import annotations

import argparse
import dataclasses
import enum
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import launch
import render
from weighlock import commandline
from weighlock.__main__ import STAGES, stage
from weighlock.predicates import PUBLISH_INPUTS

ROOT = launch.LOCKS.parent
ACTIONS = sorted([*(path.name for path in (ROOT / "actions").iterdir() if path.is_dir()), "release"])
EXAMPLES = sorted((ROOT / "examples").glob("*/.github/workflows/*.yml"))
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
KEBAB = re.compile(r"[a-z]+(-[a-z]+)*")


def loaded(path: Path) -> Any:
    return yaml.load(path.read_text(), yaml.BaseLoader)


def action(name: str) -> Any:
    return loaded(render.folder(name) / "action.yml")


def fields(name: str) -> dict[str, dataclasses.Field[Any]]:
    declared = sorted(dataclasses.fields(stage(name).Inputs), key=lambda field: bool(field.kw_only))
    return {field.name.replace("_", "-"): field for field in declared}


def test_what_is_made_from_the_stages_is_up_to_date() -> None:
    stale = [str(path) for path, text in render.rendered().items() if path.read_text() != text]
    assert stale == [], "run `make docs`"


def test_an_action_is_a_stage_and_has_a_lock() -> None:
    assert sorted(render.ACTIONS) == ACTIONS
    assert set(ACTIONS) <= set(STAGES)
    assert [name for name in ACTIONS if not (launch.LOCKS / f"{name}.txt").is_file()] == []


def test_every_stage_has_inputs_outputs_and_a_module() -> None:
    modules = {path.stem for path in (ROOT / "scripts/weighlock/stages").glob("[a-z]*.py")}
    assert modules == set(STAGES)
    assert [name for name in STAGES if not {"Inputs", "Outputs", "run"} <= set(dir(stage(name)))] == []


@pytest.mark.parametrize("name", ACTIONS)
def test_inputs_are_fields(name: str) -> None:
    inputs = action(name)["inputs"]
    assert list(inputs) == [*fields(name), "python"]
    required = {key for key, value in inputs.items() if value["required"] == "true"}
    assert required == {key for key, field in fields(name).items() if field.default is dataclasses.MISSING}
    assert {key for key, value in inputs.items() if "default" not in value} == required
    assert all(KEBAB.fullmatch(key) for key in inputs)


@pytest.mark.parametrize("name", ACTIONS)
def test_a_default_in_yaml_means_the_default_in_python(name: str) -> None:
    kind = stage(name).Inputs
    given = {item.name: "x" for item in commandline.inputs_of(kind) if item.required}
    defaults = {
        "INPUT_" + key.upper().replace("-", "_"): value["default"]
        for key, value in action(name)["inputs"].items()
        if "default" in value
    }
    assert commandline.fill(kind, given, defaults) == commandline.fill(kind, given, {})


@pytest.mark.parametrize("name", ACTIONS)
def test_every_input_reaches_the_stage_by_its_variable_only(name: str) -> None:
    (step,) = action(name)["runs"]["steps"]
    variables = {"INPUT_" + key.upper().replace("-", "_"): key for key in fields(name)} | {"WEIGHLOCK_PYTHON": "python"}
    assert step["env"] == {variable: f"${{{{ inputs.{key} }}}}" for variable, key in variables.items()}
    assert "${{" not in step["run"]


@pytest.mark.parametrize("name", ACTIONS)
def test_outputs_are_fields(name: str) -> None:
    declared = [field for field in dataclasses.fields(stage(name).Outputs) if "output" in field.metadata]
    outputs = {key: value["value"] for key, value in action(name)["outputs"].items()}
    names = [field.name.replace("_", "-") for field in declared]
    assert outputs == {key: f"${{{{ steps.run.outputs.{key} }}}}" for key in names}
    assert all(KEBAB.fullmatch(key) for key in outputs)


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_is_one_isolated_step_that_uses_nothing(name: str) -> None:
    (step,) = action(name)["runs"]["steps"]
    assert set(step) == {"id", "shell", "run", "env"}
    interpreter, isolated, launcher, last = shlex.split(step["run"])
    assert (interpreter, isolated, last) == ("${WEIGHLOCK_PYTHON:-python3}", "-I", name)
    path = launcher.replace("$GITHUB_ACTION_PATH", str(render.folder(name)))
    assert Path(path).resolve() == Path(launch.__file__).resolve()


CLIENTS = ("requests", "sigstore", "cryptography", "modelscan", "numpy", "pip_audit", "yaml", "jsonschema", "jinja2")
BLOCK = """
import sys
missing = sys.argv.pop(1).split(",")
class Missing:
    def find_spec(self, name, *rest):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
"""
START = BLOCK + "from weighlock.__main__ import stage; stage(sys.argv[1])"
RUN = BLOCK + "from weighlock.__main__ import main; sys.exit(main(sys.argv[1:]))"


@pytest.mark.parametrize("name", ACTIONS)
def test_a_stage_starts_with_what_its_own_lock_brings(name: str) -> None:
    done = _with_its_lock(START, name)
    assert done.returncode == 0, done.stderr


def test_a_scan_verifies_an_earlier_release_only_with_what_that_takes(tmp_path: Path) -> None:
    model, key = tmp_path / "model", tmp_path / "pub.pem"
    model.mkdir()
    (model / "config.json").write_text("{}")
    key.write_text("-----BEGIN PUBLIC KEY-----\n")
    done = _with_its_lock(RUN, "scan", str(model))
    assert done.returncode == 0, done.stderr
    done = _with_its_lock(RUN, "scan", str(model), "--previous", "oci:earlier", "--key", str(key))
    assert done.returncode == 3, done.stderr
    assert "the extra `rescan`" in done.stderr


def _with_its_lock(code: str, stage: str, *words: str) -> subprocess.CompletedProcess[str]:
    lock = (launch.LOCKS / f"{stage}.txt").read_text()
    distributions = {"yaml": "pyyaml", "pip_audit": "pip-audit"}
    missing = [client for client in CLIENTS if f"\n{distributions.get(client, client)}==" not in f"\n{lock}"]
    environ = {"PYTHONPATH": str(launch.SCRIPTS)}
    command = [sys.executable, "-c", code, ",".join(missing), stage, *words]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def test_names_and_descriptions_are_unique() -> None:
    assert len({action(name)["name"] for name in ACTIONS}) == len(ACTIONS)
    assert len({action(name)["description"] for name in ACTIONS}) == len(ACTIONS)


@pytest.mark.parametrize("path", [ROOT / "README.md", *map(render.page, ACTIONS)], ids=lambda path: path.parent.name)
def test_examples_in_a_readme_give_inputs_that_exist(path: Path) -> None:
    text = path.read_text()
    uses = 0
    for block in re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for step in steps(yaml.load(block, yaml.BaseLoader)):
            match = re.fullmatch(r"weighlock/weighlock(?:/actions/(\w+))?@\S+", step.get("uses", ""))
            if match:
                uses += 1
                inputs = action(match[1] or "release")["inputs"]
                assert set(step.get("with", {})) <= set(inputs)
                assert {key for key, value in inputs.items() if value["required"] == "true"} <= set(step["with"])
    assert uses


@pytest.mark.parametrize("name", [name for name in ACTIONS if "identity-token-file" in fields(name)])
def test_the_first_example_of_an_action_that_signs_has_no_key(name: str) -> None:
    first, *others = re.findall(r"^```yaml\n(.*?)^```", render.page(name).read_text(), re.MULTILINE | re.DOTALL)
    assert "uses: weighlock/weighlock" in first
    assert "key:" not in first
    assert "  id-token: write" in others[-1], "the permissions come last"


def steps(document: Any) -> list[dict[str, Any]]:
    """Return the steps of a workflow, or of an extract that lists steps."""
    if isinstance(document, list):
        return document
    return [step for job in document.get("jobs", {}).values() for step in job.get("steps", [])]


@pytest.mark.parametrize("path", WORKFLOWS + EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_workflows_pin_what_they_use_and_grant_nothing_by_default(path: Path) -> None:
    workflow = loaded(path)
    assert workflow["permissions"] == {}
    assert all("permissions" in job for job in workflow["jobs"].values())
    for step in steps(workflow):
        assert "${{" not in step.get("run", "")
        if "uses" in step:
            ours = path in EXAMPLES and step["uses"].startswith("weighlock/weighlock")
            assert ours or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}|\$/[\w./-]+", step["uses"])


def test_the_gate_needs_every_other_job_and_always_runs() -> None:
    jobs = loaded(ROOT / ".github/workflows/check-models.yml")["jobs"]
    gate = jobs.pop("gate")
    assert sorted(gate["needs"]) == sorted(jobs)
    assert (gate["name"], gate["if"]) == ("model gate", "${{ always() }}")


def test_a_called_workflow_asks_for_no_permission_that_its_example_does_not_grant() -> None:
    granted = loaded(ROOT / "examples/check/.github/workflows/models.yml")["jobs"]["models"]["permissions"]
    for job in loaded(ROOT / ".github/workflows/check-models.yml")["jobs"].values():
        assert job["permissions"].items() <= granted.items()


def test_provenance_knows_every_input_of_the_workflow_that_publishes() -> None:
    inputs = loaded(ROOT / ".github/workflows/publish-model.yml")["on"]["workflow_call"]["inputs"]
    assert set(inputs) == PUBLISH_INPUTS


NOT_OFFERED = {
    "audit-report": "the predicate of the audit is in the artifact `report`",
    "bundles": "they hang on the digest, where gh and `weighlock copy` find them",
    "cache": "a cache can hold what another run wrote",
    "dry-run": "a workflow that publishes says so; check-models.yml is for changes",
    "engines": "no further engine is installed on the runner, and the caller installs nothing in this workflow",
    "external-parameters": "the workflow itself gives them: they are its inputs",
    "github-attestations": "github-attestations.yml: every caller would have to grant `attestations: write`, used or not",
    "identity-token-file": "the job signs in its own name",
    "key": "the job signs in its own name",
    "plain-http": "a registry without TLS can be loopback only, which needs no input",
    "previous": "everything is scanned anew by the rules of the workflow's own commit",
    "sigstore-timeout": "15 minutes, and a rerun adds what is missing",
    "subject-checksums": "the files themselves come in `subject-artifact` and are weighed",
}
"""Inputs of a release that the workflow has not, each with the reason; `report` is the name of an artifact there."""


def test_the_workflow_that_publishes_takes_what_a_release_takes_or_has_a_reason() -> None:
    inputs = loaded(ROOT / ".github/workflows/publish-model.yml")["on"]["workflow_call"]["inputs"]
    assert fields("release").keys() - inputs.keys() == NOT_OFFERED.keys()


def test_the_job_that_signs_is_handed_digests_of_what_was_described() -> None:
    jobs = loaded(ROOT / ".github/workflows/publish-model.yml")["jobs"]
    (seal,) = [step["with"] for step in jobs["sign"]["steps"] if step.get("uses") == "$/actions/seal"]
    assert fields("describe").keys() & seal.keys() == set(), "it would need the caller's files"
    for name in ("scan", "audit", "description"):
        assert seal[f"{name}-digest"] == f"${{{{ needs.scan.outputs.{name}-digest }}}}"


def test_only_a_job_without_an_identity_may_write_githubs_attestations() -> None:
    for path in WORKFLOWS:
        if path.name in {"release.yml", "github-attestations.yml"}:  # the first is of this repository alone
            continue
        assert not any("attestations" in job["permissions"] for job in loaded(path)["jobs"].values()), path.name
    (job,) = loaded(ROOT / ".github/workflows/github-attestations.yml")["jobs"].values()
    assert job["permissions"] == {"packages": "read", "attestations": "write"}


def test_only_the_job_that_signs_may_have_an_identity_and_it_holds_nothing_of_the_callers() -> None:
    jobs = loaded(ROOT / ".github/workflows/publish-model.yml")["jobs"]
    assert [name for name, job in jobs.items() if "id-token" in job["permissions"]] == ["sign"]
    assert [name for name, job in jobs.items() if "write" in job["permissions"].values()] == ["package", "sign"]
    used = {name: [step.get("uses", "").partition("@")[0] for step in job["steps"]] for name, job in jobs.items()}
    assert used["sign"] == ["actions/download-artifact", "", "", "$/actions/seal"]
    assert not any("cache" in word for words in used.values() for word in words)
    commands = {step["run"] for name in ("package", "sign") for step in jobs[name]["steps"] if "run" in step}
    assert commands == {
        'docker login "${TO%%/*}" --username "$USERNAME" --password-stdin <<< "$PASSWORD"',
        'printf \'%s\' "$CONFIG" > "$RUNNER_TEMP/trust.json"',
    }


@pytest.mark.parametrize("name", sorted(STAGES))
def test_the_command_that_is_shown_fills_the_same_inputs(name: str) -> None:
    kind = stage(name).Inputs
    items = commandline.inputs_of(kind)
    values = {"INPUT_" + item.name.upper(): "a b" for item in items if item.kind in {str, Path}}
    values |= {"INPUT_" + item.name.upper(): "true" for item in items if item.kind is bool}
    enums = [item for item in items if isinstance(item.kind, type) and issubclass(item.kind, enum.Enum)]
    values |= {"INPUT_" + item.name.upper(): list(item.kind)[-1].name.lower() for item in enums}
    inputs = commandline.fill(kind, {}, values)
    program, command, *words = shlex.split(commandline.spelled(name, inputs))
    parser = argparse.ArgumentParser()
    commandline.add_arguments(parser, kind)
    assert (program, command) == ("weighlock", name)
    assert commandline.fill(kind, vars(parser.parse_args(words)), {}) == inputs


def test_each_module_of_tests_has_a_name_of_its_own() -> None:
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names)), "pytest takes two modules of one name for one, and stops"
