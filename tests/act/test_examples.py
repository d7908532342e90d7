"""The examples, run as their users run them: from a repository of their own, against a registry on loopback."""

from __future__ import annotations

import base64
import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import acting
import servers

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Stage:
    """A consumer's repository, a registry, and act between them."""

    act: acting.Act
    consumer: Path
    registry: str
    storage: Path
    secrets: dict[str, str]

    def push(self, ref: str = "refs/tags/v1.2.0") -> acting.Run:
        return self.act.push(self.consumer, ref, variables={"REGISTRY": self.registry}, secrets=self.secrets)

    def weighlock(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [*self.act.inside, sys.executable, "-Im", "weighlock", *words]
        return subprocess.run(command, text=True, capture_output=True, check=False, cwd=self.consumer)

    def stored(self) -> list[str]:
        """Return what the registry holds, as paths in its storage."""
        return [str(path.relative_to(self.storage)) for path in self.storage.rglob("*") if path.is_file()]


class Payload:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        import os

        return os.system, ("touch pwned",)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    acting.prepare("release", "verify")
    return acting.snapshot(tmp_path_factory.mktemp("weighlock"))


@pytest.fixture(scope="module")
def inside() -> Iterator[list[str]]:
    with acting.network() as prefix:
        yield prefix


@pytest.fixture
def stage(tmp_path: Path, tree: Path, inside: list[str]) -> Iterator[Stage]:
    consumer = tmp_path / "consumer"
    shutil.copytree(acting.ROOT / "examples/release", consumer)
    keys = tmp_path / "release"
    subprocess.run(
        [sys.executable, "-Im", "weighlock", "keygen", str(keys)],
        env={"WEIGHLOCK_KEY_PASSWORD": PASSWORD},
        check=True,
        capture_output=True,
    )
    shutil.copy(keys.with_suffix(".pub"), consumer / "release.pub")
    secrets = {
        "WEIGHLOCK_KEY": keys.with_suffix(".key").read_text(),
        "WEIGHLOCK_KEY_PASSWORD": PASSWORD,
        "GITHUB_TOKEN": "dummy-long-value",
    }
    (tmp_path / "act").mkdir()
    with servers.docker_registry(tmp_path, inside) as address:
        yield Stage(acting.Act(tree, tmp_path / "act", inside), consumer, address, tmp_path / "storage", secrets)


def test_a_tag_releases_the_model(stage: Stage) -> None:
    commit = acting.repository(stage.consumer)
    run = stage.push()
    assert run.jobs == {"release": "success"}, run.log
    target = f"{stage.registry}/acme/consumer/tiny"
    released = run.outputs["release"]
    digest = stage.weighlock("package", "models/tiny", "--to", "oci:unused", "--dry-run", "--json").stdout
    assert released["digest"] == json.loads(digest)["digest"]
    assert released["reference"] == f"{target}@{released['digest']}"
    assert released["tag"] == "v1.2.0"
    assert released["verdict"] == "pass"
    verified = stage.weighlock("verify", f"{target}:v1.2.0", "--key", "release.pub", "--json")
    assert verified.returncode == 0, verified.stdout
    assert json.loads(verified.stdout)["digest"] == released["digest"]
    assert run.annotations == []
    assert [summary.partition("</h2>")[0] for summary in run.summaries] == [
        "<h2>Weighlock release: passed ✅",
        "<h2>Weighlock verify: passed ✅",
    ]
    definition = provenance(stage)["buildDefinition"]
    assert definition["externalParameters"]["workflow"]["ref"] == "refs/tags/v1.2.0"
    assert definition["resolvedDependencies"][0]["digest"] == {"gitCommit": commit}


def provenance(stage: Stage) -> Any:
    """Return the one provenance among the bundles that the registry holds."""
    payloads = []
    for path in stage.storage.rglob("data"):
        if b'"dsseEnvelope"' in path.read_bytes():
            envelope = json.loads(path.read_bytes())["dsseEnvelope"]
            payloads.append(json.loads(base64.b64decode(envelope["payload"])))
    (found,) = [item for item in payloads if item["predicateType"] == "https://slsa.dev/provenance/v1"]
    return found["predicate"]


def test_an_unsafe_model_is_refused_and_nothing_is_published(stage: Stage) -> None:
    (stage.consumer / "models/tiny/optimizer.bin").write_bytes(pickle.dumps(Payload()))
    acting.repository(stage.consumer)
    run = stage.push()
    assert run.jobs == {"release": "failure"}, run.log
    assert run.outputs["release"]["verdict"] == "fail"
    assert run.outputs["release"]["digest"] == ""
    worst = run.annotations[0]
    assert (worst.level, worst.file) == ("error", "models/tiny/optimizer.bin")
    assert "system" in worst.message
    assert run.summaries[0].startswith("<h2>Weighlock release: refused ❌")
    assert stage.stored() == []


def test_a_hostile_workspace_runs_nothing(stage: Stage, tmp_path: Path) -> None:
    pwned = tmp_path / "pwned"
    trap = f"open({str(pwned)!r}, 'a').write(__file__)\n"
    for name in ("venv.py", "sitecustomize.py", "json.py", "requests.py", "weighlock.py", "launch.py", "pip.py"):
        (stage.consumer / name).write_text(trap)
    (stage.consumer / "weighlock").mkdir()
    (stage.consumer / "weighlock/__main__.py").write_text(trap)
    (stage.consumer / "uv.toml").write_text("no-binary = true\n")
    (stage.consumer / ".python-version").write_text("2.7\n")
    acting.repository(stage.consumer)
    run = stage.push()
    assert run.jobs == {"release": "success"}, run.log
    assert not pwned.exists()
