"""What identity the surroundings offer: whether a job of a CI may ask for an identity token, and if not, which line lacks.

Nothing is asked for here. A pull request from a fork and one by Dependabot get no token whatever their workflow says, so
there is nothing to mend: a release is rehearsed in them. Where an owner lets forks have tokens all the same, they are not
used: what is in a fork is a stranger's, and would be signed in this repository's name.

Source: docs.github.com "OpenID Connect reference", "Events that trigger workflows" (pull_request, forks) and "Dependabot
on GitHub Actions"; what else is known, `sigstore.oidc.detect_credential` knows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

URL = "ACTIONS_ID_TOKEN_REQUEST_URL"
TOKEN = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 - the variable's name

_LINE = "Add to the job:\n      permissions:\n        id-token: write\n  or give a key."


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where we run, and whether there is an identity to be had."""

    name: str
    able: bool
    known: bool = True
    why: str = ""
    """Why there is none, one sentence."""
    remedy: str = ""
    hopeless: bool = False
    """Whether no line in the workflow could change it: the code under test is a stranger's."""


def look(environ: Mapping[str, str]) -> Surroundings:
    """Look at the variables of this run."""
    if environ.get("GITHUB_ACTIONS") == "true":
        return _github(environ)
    for variable, name in (("GITLAB_CI", "GitLab"), ("BUILDKITE", "Buildkite"), ("CIRCLECI", "CircleCI")):
        if environ.get(variable):
            return _other(name, environ)
    return Surroundings(
        "no CI that we know",
        able=False,
        known=False,
        why="nobody vouches for you here",
        remedy="Give --key FILE or --identity-token-file FILE.",
    )


def _github(environ: Mapping[str, str]) -> Surroundings:
    name = "GitHub Actions"
    whose = _stranger(environ) if environ.get("GITHUB_EVENT_NAME") == "pull_request" else ""
    if whose:
        return Surroundings(
            name,
            able=False,
            hopeless=True,
            why=f"this job runs for a pull request {whose}, and in such a job nobody signs",
            remedy="Release after the merge, in a job that runs on a push or a tag.",
        )
    if environ.get(URL) and environ.get(TOKEN):
        return Surroundings(name, able=True)
    return Surroundings(name, able=False, why="this job may not ask GitHub for an identity", remedy=_LINE)


def _stranger(environ: Mapping[str, str]) -> str:
    """Return whose the pull request is where it is not the repository's own, else nothing."""
    if environ.get("GITHUB_ACTOR") == "dependabot[bot]":
        return "by Dependabot"
    event = _event(environ.get("GITHUB_EVENT_PATH", ""))
    pull = event.get("pull_request")
    if not isinstance(pull, dict):
        return ""
    head, base = (_repository(pull.get(side)) for side in ("head", "base"))
    return "" if head and head == base else "from a fork"


def _repository(side: Any) -> str:
    """Return the repository of a side of a pull request; nothing for a fork that was deleted meanwhile."""
    repository = side.get("repo") if isinstance(side, dict) else None
    name = repository.get("full_name") if isinstance(repository, dict) else None
    return name if isinstance(name, str) else ""


def _event(path: str) -> dict[str, Any]:
    try:
        document = json.loads(Path(path).read_bytes())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _other(name: str, environ: Mapping[str, str]) -> Surroundings:
    if name == "GitLab" and not environ.get("SIGSTORE_ID_TOKEN"):
        return Surroundings(
            name,
            able=False,
            why="this job has no identity token for Sigstore",
            remedy="Add to the job:\n      id_tokens:\n        SIGSTORE_ID_TOKEN:\n          aud: sigstore",
        )
    return Surroundings(name, able=True)
