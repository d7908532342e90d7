"""The example without a key: the action gets its token, signs in its name, and a stranger verifies by what it printed."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import acting
import servers
from local_sigstore import github


def test_a_tag_releases_the_model_in_the_workflows_name(tmp_path: Path) -> None:
    acting.prepare("release", "verify")
    consumer, scratch, sigstore = tmp_path / "consumer", tmp_path / "act", tmp_path / "sigstore"
    shutil.copytree(acting.ROOT / "examples/keyless", consumer)
    tree = acting.snapshot(tmp_path / "weighlock")
    scratch.mkdir()
    sigstore.mkdir()
    acting.repository(consumer)
    (tmp_path / "claims.json").write_text(json.dumps(github("acme/consumer", "refs/tags/v1.2.0")))
    with (
        acting.network() as inside,
        servers.docker_registry(tmp_path, inside) as registry,
        servers.local_sigstore(sigstore, "--claims", str(tmp_path / "claims.json"), inside=inside) as served,
    ):
        job = served["environ"] | {"WEIGHLOCK_TRUST_CONFIG": served["trust_config"]}
        act = acting.Act(tree, scratch, inside)
        run = act.push(
            consumer,
            "refs/tags/v1.2.0",
            variables={"REGISTRY": registry},
            secrets={"GITHUB_TOKEN": "dummy-long-value"},
            job=job,
        )
        assert run.jobs == {"release": "success"}, run.log
        _, *words = shlex.split(run.outputs["release"]["verify-command"])
        typed = [*inside, sys.executable, "-Im", "weighlock", *words]
        verified = subprocess.run(typed, text=True, capture_output=True, check=False, cwd=tmp_path)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert words[1] == run.outputs["release"]["reference"]
    assert "https://github.com/acme/consumer/.github/workflows/release.yml@refs/tags/v1.2.0" in words
    for secret in (job["ACTIONS_ID_TOKEN_REQUEST_TOKEN"], "eyJ"):
        assert secret not in run.log.replace("::add-mask::", "")
