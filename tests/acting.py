"""GitHub's side for tests: act runs a consumer's workflow in host mode, in a network that reaches loopback only.

act (nektos/act) exits 0 when it skipped everything, so a test asserts the jobs that ran, each with its result.
"""

from __future__ import annotations

import json
import os
import re
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
STUBS = ROOT / "tests" / "stubs"
OURS = "weighlock/weighlock"
SELF = f"{OURS}@act-self"
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
    """Job id to success or failure; of the jobs that a matrix makes of one, failure where one failed."""
    names: dict[str, str] = field(default_factory=dict)
    """The same by the names that people see, behind that of the workflow or of the job that called it; the jobs of a
    matrix are numbered."""
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
    """Copy the repository as GitHub would deliver it to a runner: what git knows or would add.

    ``uses: $/X``, which act does not know, becomes what the runner makes of it: this repository at this commit.
    """
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
    for path in (folder / ".github/workflows").glob("*.yml"):
        text = path.read_text()
        path.write_text(re.sub(r"(?m)^(\s*(?:- )?uses:\s+)\$/(\S+)", rf"\1{OURS}/\2@act-self", text))
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


def commit(folder: Path) -> str:
    """Commit all that lies in a repository, nothing too, and return the commit."""
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "core.fsmonitor=false"]
    subprocess.run([*git, "add", "-A"], cwd=folder, check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "change"], cwd=folder, check=True)
    told = subprocess.run([*git, "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True)
    return told.stdout.strip()


@dataclass(frozen=True)
class Act:
    """act with our repository in the place of github.com's."""

    tree: Path
    scratch: Path
    inside: Sequence[str] = ()

    @property
    def artifacts(self) -> Path:
        """Return where the stubs keep artifacts of the last run."""
        return self.scratch / "artifacts"

    def push(
        self,
        consumer: Path,
        ref: str,
        *,
        variables: Mapping[str, str],
        secrets: Mapping[str, str],
        job: Mapping[str, str] | None = None,
    ) -> Run:
        """Run the consumer's workflows for a push of `ref`."""
        return self.event(consumer, "push", {"ref": ref}, variables=variables, secrets=secrets, job=job)

    def event(
        self,
        consumer: Path,
        name: str,
        payload: Mapping[str, Any],
        *,
        variables: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
        job: Mapping[str, str] | None = None,
        path: str | None = None,
    ) -> Run:
        """Run the consumer's workflows for an event.

        `job` are variables that the runner gives each job, as those by which it asks for a token; `path` is its PATH.
        """
        require("act", "git")
        shutil.rmtree(self.artifacts, ignore_errors=True)
        event = self.scratch / "event.json"
        event.write_text(json.dumps(payload))
        binaries = self.scratch / "bin"
        usual = os.pathsep.join([str(Path(sys.executable).parent), "/usr/sbin:/usr/bin:/sbin:/bin"])
        environ = {
            "PATH": os.pathsep.join([str(binaries), usual if path is None else path]),
            "HOME": str(self.scratch / "home"),
            "XDG_CACHE_HOME": str(self.scratch / "cache"),
            "ACT_DISABLE_VERSION_CHECK": "1",
            **(secrets or {}),
        }
        Path(environ["HOME"]).mkdir(exist_ok=True)
        _stub_docker(binaries)
        command = [
            *(shutil.which(word) or word for word in self.inside[:1]),
            *self.inside[1:],
            *(str(shutil.which("act")), name, "--json", "--no-cache-server", "--rm", "-e", str(event)),
            *("-P", "ubuntu-24.04=-self-hosted", "--env", f"WEIGHLOCK_ENV_DIR={ENVIRONMENTS}"),
            *("--env", f"STUB_ARTIFACTS_DIR={self.artifacts}"),
            *(
                word
                for pair in sorted(self._places(consumer).items())
                for word in ("--local-repository", "=".join(pair))
            ),
            *(word for pair in (variables or {}).items() for word in ("--var", "=".join(pair))),
            *(word for name in secrets or {} for word in ("-s", name)),
            *(word for pair in (job or {}).items() for word in ("--env", "=".join(pair))),
        ]
        done = subprocess.run(
            command, cwd=consumer, env=environ, text=True, capture_output=True, check=False, timeout=300
        )
        return _parsed(done.stdout, done.stderr)

    def _places(self, consumer: Path) -> dict[str, str]:
        """Return where each repository that is used lies here; what lies nowhere would have to be fetched."""
        places = {}
        for used in {*uses(consumer), *uses(self.tree, only="workflow_call")}:
            name, _, ref = used.partition("@")
            owner, repository, *rest = name.split("/")
            if f"{owner}/{repository}" == OURS:
                places[f"{OURS}@{ref}"] = str(self.tree)
            elif not used.startswith(SERVED_BY_ACT):
                stub = STUBS / (rest[-1] if rest else repository)
                assert stub.is_dir(), f"{used} is not here"
                # act looks for an action in the folder of that name in its repository
                places[f"{owner}/{repository}@{ref}"] = str(stub.parent if rest else stub)
        return places


def uses(top: Path, *, only: str = "") -> set[str]:
    """Return all that the workflows of a repository use, of those that one event starts."""
    found = set()
    for path in (top / ".github/workflows").glob("*.yml"):
        workflow = yaml.load(path.read_text(), yaml.BaseLoader)
        if only and only not in workflow["on"]:
            continue
        for job in workflow["jobs"].values():
            found |= {part["uses"] for part in (job, *job.get("steps", [])) if "uses" in part}
    return found


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
        job, result = event["jobID"], event["jobResult"]
        run.jobs[job] = result if run.jobs.get(job, "success") == "success" else "failure"
        run.names[event["job"].strip()] = result
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
