"""GitHub's side for tests: act runs a consumer's workflow in host mode, in a network that reaches loopback only.

act (nektos/act) exits 0 when it skipped everything, so a test asserts the jobs that ran, each with its result.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tools import require

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / ".cache" / "environments"
OURS = "weighlock/weighlock"
SERVED_BY_ACT = "actions/checkout@"


@dataclass(frozen=True)
class Annotation:
    """What GitHub would show beside a file."""

    level: str
    title: str
    file: str
    message: str


@dataclass
class Run:
    """What came of a workflow."""

    jobs: dict[str, str] = field(default_factory=dict)
    """Job id to success or failure."""
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    """Step id to its outputs."""
    annotations: list[Annotation] = field(default_factory=list)
    summaries: list[str] = field(default_factory=list)
    log: str = ""


@contextmanager
def network() -> Iterator[list[str]]:
    """Yield the start of a command that runs in a network of its own; empty where only root may make one."""
    if os.geteuid() != 0:
        yield []
        return
    require("unshare", "nsenter", "ip")
    holder = subprocess.Popen(
        ["unshare", "-n", "sh", "-c", "ip link set lo up && echo up && exec cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "up\n"
        yield ["nsenter", "-t", str(holder.pid), "-n", "--"]
    finally:
        holder.stdin.close()
        holder.wait(timeout=10)
        holder.stdout.close()


def snapshot(folder: Path) -> Path:
    """Copy the repository as GitHub would deliver it to a runner: what git knows or would add."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    return folder


def prepare(*stages: str) -> None:
    """Make the environments of these stages now, since the network of the run reaches nowhere."""
    words = "import sys; sys.path.insert(0, sys.argv[1]); import launch; [launch.make(lock) for lock in sys.argv[2:]]"
    subprocess.run(
        [sys.executable, "-I", "-c", words, str(ROOT / "scripts"), *stages],
        env=os.environ | {"WEIGHLOCK_ENV_DIR": str(ENVIRONMENTS)},
        check=True,
        capture_output=True,
    )


def repository(folder: Path, origin: str = "https://github.com/acme/consumer") -> str:
    """Make `folder` a git repository with one commit and return the commit."""
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"]
    for words in (["init", "-q"], ["remote", "add", "origin", origin], ["add", "-A"], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *words], cwd=folder, check=True)
    return subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@dataclass(frozen=True)
class Act:
    """act with our repository in the place of github.com's."""

    tree: Path
    scratch: Path
    inside: Sequence[str] = ()

    def push(self, consumer: Path, ref: str, *, variables: Mapping[str, str], secrets: Mapping[str, str]) -> Run:
        """Run the consumer's workflows for a push of `ref`."""
        require("act", "git")
        event = self.scratch / "event.json"
        event.write_text(json.dumps({"ref": ref}))
        binaries = self.scratch / "bin"
        environ = {
            "PATH": os.pathsep.join([str(binaries), str(Path(sys.executable).parent), "/usr/sbin:/usr/bin:/sbin:/bin"]),
            "HOME": str(self.scratch / "home"),
            "XDG_CACHE_HOME": str(self.scratch / "cache"),
            "ACT_DISABLE_VERSION_CHECK": "1",
            **secrets,
        }
        Path(environ["HOME"]).mkdir(exist_ok=True)
        _stub_docker(binaries)
        command = [
            *self.inside,
            *("act", "push", "--json", "--no-cache-server", "--rm", "-e", str(event)),
            *("-P", "ubuntu-24.04=-self-hosted", "--env", f"WEIGHLOCK_ENV_DIR={ENVIRONMENTS}"),
            *(word for ref in sorted(_refs(consumer)) for word in ("--local-repository", f"{ref}={self.tree}")),
            *(word for name, value in variables.items() for word in ("--var", f"{name}={value}")),
            *(word for name in secrets for word in ("-s", name)),
        ]
        done = subprocess.run(
            command, cwd=consumer, env=environ, text=True, capture_output=True, check=False, timeout=300
        )
        return _parsed(done.stdout, done.stderr)


def _refs(consumer: Path) -> set[str]:
    """Return the refs of our repository that the consumer uses; anything else would have to be fetched."""
    refs = set()
    for path in (consumer / ".github/workflows").glob("*.yml"):
        jobs = yaml.safe_load(path.read_text())["jobs"].values()
        for used in [step["uses"] for job in jobs for step in job["steps"] if "uses" in step]:
            if used.startswith(OURS):
                refs.add(f"{OURS}@{used.partition('@')[2]}")
            else:
                assert used.startswith(SERVED_BY_ACT), f"{used} is not here"
    return refs


def _stub_docker(folder: Path) -> None:
    """Put a `docker` first on PATH that can log in and nothing else."""
    folder.mkdir(exist_ok=True)
    stub = folder / "docker"
    stub.write_text('#!/bin/sh\n[ "$1" = login ] && cat > /dev/null\n')
    stub.chmod(0o755)


def _parsed(stdout: str, stderr: str) -> Run:
    run = Run(log=stdout + stderr)
    for line in stdout.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue  # act prints a few plain lines between
        _take(run, event)
    return run


def _take(run: Run, event: dict[str, Any]) -> None:
    if "jobResult" in event:
        run.jobs[event["jobID"]] = event["jobResult"]
    properties = event.get("kvPairs") or {}
    match event.get("command"):
        case "set-output" if len(event["stepID"]) == 1:
            run.outputs.setdefault(event["stepID"][0], {})[event["name"]] = event["arg"]
        case "error" | "warning" as level:
            found = Annotation(level, properties.get("title", ""), properties.get("file", ""), event["arg"])
            run.annotations.append(found)
        case "summary" if len(event["stepID"]) == 1:
            run.summaries.append(event["content"])
        case _:
            pass
