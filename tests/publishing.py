"""A repository that calls the trusted builder, with a registry and a Sigstore on loopback, and act between them."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

import acting
from local_sigstore import github

BUILDER = "weighlock/weighlock/.github/workflows/publish-model.yml"
COMMIT = "d" * 40


@dataclass
class Stage:
    """A consumer's repository, a registry and a Sigstore, and act between them."""

    act: acting.Act
    consumer: Path
    registry: str
    storage: Path
    claims: Path
    environ: dict[str, str] = field(default_factory=dict)
    workflow: str = ".github/workflows/publish.yml"
    """The workflow that calls the builder."""

    def run(self, event: str = "push", ref: str = "refs/tags/v1.2.0", **claims: str) -> acting.Run:
        """Run the workflows for an event, whose tokens have these claims."""
        ours = {"job_workflow_ref": f"{BUILDER}@refs/tags/v1", "job_workflow_sha": COMMIT, "event_name": event}
        said = github("acme/consumer", ref, self.workflow, **(ours | claims))
        self.claims.write_text(json.dumps(said))
        return self.act.event(
            self.consumer,
            event,
            {"ref": ref, "number": 5, "pull_request": {"number": 5, "head": {"ref": "x"}, "base": {"ref": "main"}}},
            variables={"REGISTRY": self.registry},
            secrets={"GITHUB_TOKEN": "dummy-long-value"},
            job=self.environ,
        )

    def call(self, **inputs: object) -> None:
        """Let the example's first job give other inputs, and leave its second job out."""
        path = self.consumer / self.workflow
        workflow = yaml.load(path.read_text(), yaml.BaseLoader)
        workflow["jobs"].pop("verify", None)
        workflow.pop("concurrency", None)  # it has a boolean, which is text by now
        given = workflow["jobs"]["publish"]["with"]
        workflow["jobs"]["publish"]["with"] = {"to": given["to"]} | {
            name.replace("_", "-"): value for name, value in inputs.items()
        }
        path.write_text(yaml.safe_dump(workflow))

    def weighlock(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [*self.act.inside, sys.executable, "-Im", "weighlock", *words]
        return subprocess.run(command, text=True, capture_output=True, check=False, cwd=self.consumer)

    def tags(self) -> list[str]:
        """Return what tags the registry has, fallback tags of referrers not counted."""
        names = [path.name for path in self.storage.glob("**/_manifests/tags/*")]
        return [name for name in names if not name.startswith("sha256-")]

    def statements(self, kind: str) -> list[dict[str, Any]]:
        """Return the statements of a type among the bundles that the registry holds."""
        found = []
        for path in self.storage.rglob("data"):
            if b'"dsseEnvelope"' in path.read_bytes():
                payload = json.loads(base64.b64decode(json.loads(path.read_bytes())["dsseEnvelope"]["payload"]))
                found += [payload] if payload["predicateType"] == kind else []
        return found
