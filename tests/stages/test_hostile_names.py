"""Names that want to be commands, expressions, options or YAML, as a job of GitHub sees what `init` and the hook say."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands import SCRIPTS, weighlock

ROOT = Path(__file__).parents[2]
EXPRESSIONS = ("${{ github.token }}", "a ${{ toJSON(secrets) }} b")
NAMES = (
    'it\'s "quoted"',
    "-rf",
    "--force",
    "::set-output name=verdict::pass",
    "##[set-output name=verdict;]pass",
    "::stop-commands::x",
    "$(touch pwned)",
    "`touch pwned`",
    "a, target: evil.example, b}",
    "x #c",
    "*alias",
    "!!python",
    "{{ jinja }}",
    "%0A::error::x",
)
UNPRINTABLE = ("line\nbreak", "x\n::error::y", "re\rturn", "\x1b[2J", "\u202egnp.exe")
OURS = {"::group::The same on your machine", "::endgroup::"}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    for name in (*NAMES, *EXPRESSIONS, *UNPRINTABLE):
        (folder / "models" / name).mkdir(parents=True)
        (folder / "models" / name / "model.onnx").touch()
    (folder / "models/x.py").touch()
    subprocess.run(["git", "init", "-q", folder], check=True)
    subprocess.run(["git", "remote", "add", "origin", "https://github.com/acme/consumer"], cwd=folder, check=True)
    return folder


def loaded(path: Path) -> Any:
    return yaml.load(path.read_text(), yaml.BaseLoader)


def obeyed(text: str) -> set[str]:
    """Return the commands that GitHub's runner would find, ``::x`` first on a line and ``##[x]`` anywhere.

    Of an annotation the message is left out, in which a name belongs.
    """
    lines = [line.strip() for line in text.splitlines()]
    first = {re.sub(r"^(::error title=Weighlock[^:]*)::.*", r"\1", line) for line in lines if line.startswith("::")}
    return first | {line for line in lines if "##[" in line and not line.startswith("::")}


def test_the_files_that_init_writes_have_the_shape_of_those_without_hostile_names(repository: Path) -> None:
    assert weighlock("init", repository).code == 0
    plain = repository.with_name("plain")
    (plain / "models").mkdir(parents=True)
    (plain / "models/model.onnx").touch()
    subprocess.run(["git", "init", "-q", plain], check=True)
    subprocess.run(["git", "remote", "add", "origin", "https://github.com/acme/consumer"], cwd=plain, check=True)
    assert weighlock("init", plain).code == 0
    for name in (".github/workflows/check-models.yml", ".github/workflows/publish-models.yml"):
        hostile, usual = loaded(repository / name), loaded(plain / name)
        for workflow in (hostile, usual):
            for job in workflow["jobs"].values():
                job.get("strategy", {}).get("matrix", {}).pop("include", None)
        assert hostile == usual
    configured = loaded(repository / "weighlock.yml")
    assert configured.keys() == loaded(plain / "weighlock.yml").keys()
    assert {item["path"] for item in configured["models"]} == {f"models/{name}" for name in NAMES}


def test_the_matrix_holds_paths_and_no_expression(repository: Path) -> None:
    done = weighlock("init", repository, "--json")
    assert {Path(path).name for path in done.json["leftOut"]} == {*EXPRESSIONS, *UNPRINTABLE}
    path = repository / ".github/workflows/publish-models.yml"
    include = loaded(path)["jobs"]["publish"]["strategy"]["matrix"]["include"]
    assert {item["path"] for item in include} == {f"models/{name}" for name in NAMES}
    for item in include:
        assert set(item) == {"name", "path", "target"}
        assert item["target"] == f"ghcr.io/acme/consumer/{item['name']}"
        assert item["name"].replace("-", "").isalnum()


@pytest.mark.parametrize("words", [[], ["--force"], ["--json"]])
def test_what_init_says_in_a_job_is_no_command(repository: Path, words: list[str]) -> None:
    for _ in range(2):  # the second time it says what is kept
        (repository / "weighlock.yml").write_text("version: 1\n")
        done = weighlock("init", repository, *words, GITHUB_ACTIONS="true")
        assert done.code == 0, done.err
        assert obeyed(done.out + done.err) == OURS
        assert "\x1b" not in done.out + done.err
        assert "\u202e" not in done.out + done.err
    assert not any(repository.rglob("pwned"))


def test_the_command_that_init_suggests_is_one_of_a_shell_with_one_path(repository: Path) -> None:
    for name in (*NAMES, *EXPRESSIONS, *UNPRINTABLE):
        if name != "$(touch pwned)":
            (repository / "models" / name / "model.onnx").unlink()
    said = weighlock("init", repository).out
    (line,) = [line for line in said.splitlines() if "weighlock scan" in line]
    command = line.partition(": ")[2].replace("weighlock scan", "printf %s", 1)
    done = subprocess.run(["bash", "-c", command], cwd=repository, capture_output=True, text=True, check=True)
    assert done.stdout == "models/$(touch pwned)"
    assert not any(repository.rglob("pwned"))


def test_the_hook_takes_every_name_for_a_file_and_says_no_command(repository: Path) -> None:
    files = []
    for name in (*NAMES, *EXPRESSIONS, *UNPRINTABLE):
        path = repository / f"{name}.pkl"
        path.write_bytes(b"\x80\x04" + pickle.dumps(print)[2:])
        files.append(path.name)
    command = [sys.executable, "-m", "weighlock.hook", *files]
    environ = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(SCRIPTS), "HOME": str(repository.parent)}
    environ["GITHUB_ACTIONS"] = "true"
    done = subprocess.run(command, cwd=repository, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 2, "a name that does not print is refused, and that is the worst of it"
    assert done.stderr.count("does not print") >= len(UNPRINTABLE)
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    said = obeyed(done.stdout + done.stderr)
    assert said == OURS | {"::error title=Weighlock scan", "::error title=Weighlock%3A wrong inputs"}
    print(done.stdout)
    assert not any(repository.rglob("pwned"))
