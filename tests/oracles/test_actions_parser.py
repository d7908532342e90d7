"""GitHub's own parser reads every action and workflow of ours, and finds nothing that it would refuse."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).parent / "node" / "actions.mjs"
FILES = [
    ROOT / "action.yml",
    *sorted(ROOT.glob("actions/*/action.yml")),
    *sorted(ROOT.glob(".github/workflows/*.yml")),
    *sorted(ROOT.glob("examples/*/.github/workflows/*.yml")),
]
ERROR = 1

Judge = Callable[[Sequence[Path]], "list[dict[str, Any]]"]


@pytest.fixture
def judge(oracle: Callable[[str], str]) -> Judge:
    """Return a function from files to the errors in them."""
    node = oracle("bin/node")
    packages = Path(node).parents[1] / "javascript"

    def run(files: Sequence[Path]) -> list[dict[str, Any]]:
        done = subprocess.run(
            [node, SCRIPT, packages, *files], capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return [item for item in json.loads(done.stdout) if item["severity"] == ERROR]

    return run


def test_it_finds_nothing_in_ours(judge: Judge) -> None:
    assert judge(FILES) == []


@pytest.mark.parametrize(
    ("name", "before", "after", "words"),
    [
        ("action.yml", "shell: bash", "shel: bash", "shel"),
        ("action.yml", "using: composite", "using: composit", "composit"),
        (".github/workflows/ci.yml", "runs-on: ubuntu-24.04", "runs_on: ubuntu-24.04", "runs_on"),
        (".github/workflows/ci.yml", "github.ref", "gitub.ref", "gitub"),
        (".github/workflows/ci.yml", "contents: read", "contents: reed", "reed"),
    ],
)
def test_it_finds_what_is_wrong(judge: Judge, tmp_path: Path, name: str, before: str, after: str, words: str) -> None:
    wrong = tmp_path / name
    wrong.parent.mkdir(parents=True, exist_ok=True)
    text = (ROOT / name).read_text()
    assert before in text
    wrong.write_text(text.replace(before, after))
    assert any(words in item["message"] for item in judge([wrong]))
