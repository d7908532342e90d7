"""The pre-commit hook: models as a whole, other files at once, and a definition that pre-commit takes."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from weighlock import hook

ROOT = Path(__file__).parents[1]


class Evil:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch pwned",)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "examples/release/models/tiny", tmp_path / "models/tiny")
    (tmp_path / "src").mkdir()
    (tmp_path / "src/train.py").write_text("print()\n")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_belongs_to_no_model_passes_at_once(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hook.main(["src/train.py", "gone.txt"]) == 0
    assert capsys.readouterr() == ("", "")


def test_a_model_is_scanned_whole_and_once(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hook.main(["models/tiny/README.md", "models/tiny/config.json", "src/train.py"]) == 0
    assert capsys.readouterr().out == "safe: 3 files, 0 not safe\n"


def test_a_file_that_harms_fails_whatever_it_is_called(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "src/notes").write_bytes(pickle.dumps(Evil()))
    assert hook.main(["src/notes", "models/tiny/README.md"]) == 1
    assert "unsafe" in capsys.readouterr().out


def test_names_are_no_options(repository: Path) -> None:
    (repository / "--help.pkl").write_bytes(pickle.dumps(Evil()))
    assert hook.main(["--help.pkl"]) == 1


def test_pre_commit_starts_a_program_that_the_package_installs() -> None:
    (definition,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    project = (ROOT / "pyproject.toml").read_text()
    assert f'{definition["entry"]} = "weighlock.hook:main"' in project
    assert definition["additional_dependencies"] == [".[scan]"]
    assert definition["language"] == "python"
