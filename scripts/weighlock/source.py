"""Where a model comes from: what a certificate vouches for, else the local git commit, as far as the files are in it.

Whether a file is as committed is compared here, by the object id that git gives such a file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from weighlock import git
from weighlock.errors import InputError, RefusedError
from weighlock.jsonio import Json
from weighlock.model import Model, ModelFile
from weighlock.predicates import GITHUB_WORKFLOW, LOCAL, OWN_MACHINE, PUBLISH, Build
from weighlock.signing import Certificate
from weighlock.text import printable

_WORKFLOWS = "/.github/workflows/"
_BLOB_LIMIT = 100_000_000  # bytes; larger files are kept in git as LFS pointers, if at all


def vouched(certificate: Certificate | None, inputs: Json | None) -> Build | None:
    """Describe the workflow run that a certificate vouches for; None where there is none, as for a key or a person.

    The fields are those that GitHub's own attestations have, of the same claims. `inputs` are the complete inputs of a
    reusable workflow: with them, provenance is of a build type of ours, and the workflow that signed has to be another
    than the one that was started, since nobody but the builder may say what it was given.
    """
    run = certificate if certificate and certificate.workflow.startswith(certificate.source + _WORKFLOWS) else None
    called = run is not None and run.builder != run.workflow
    if inputs is not None and not called:
        raise InputError(
            "external parameters are given, and no certificate says that a reusable workflow signs",
            remedy="Leave them out: they are what publish-model.yml says of its own inputs.",
        )
    if run is None:
        return None
    if inputs is not None:
        _require_builder(run, inputs)
    path, _, _ = run.workflow.removeprefix(run.source + "/").partition("@")
    workflow = {"ref": run.ref, "repository": run.source, "path": path}
    internal = {
        "event_name": run.trigger,
        "repository_id": run.source_id,
        "repository_owner_id": run.owner_id,
        "runner_environment": run.runner,
    }
    origin = {"uri": f"git+{run.source}@{run.ref}", "digest": {"gitCommit": run.source_commit}}
    return Build(
        GITHUB_WORKFLOW if inputs is None else PUBLISH,
        run.builder,
        {"workflow": workflow} if inputs is None else {"workflow": workflow, "inputs": inputs},
        {"github": internal},
        (origin, *([_builder(run)] if called else [])),
        run.invocation or None,
    )


def _require_builder(run: Certificate, inputs: Json) -> None:
    """Refuse what would make the trusted builder sign for others; the certificate says it, so no job can deny it."""
    if run.trigger == "pull_request_target":
        raise RefusedError(
            "a run for pull_request_target may hold a stranger's code, so nothing is signed",
            remedy="Publish after the merge, on a push or a tag.",
        )
    if run.runner != "github-hosted" and inputs.get("allow-self-hosted") is not True:
        raise RefusedError(
            f"the runner is '{printable(run.runner)}', and whoever owns it can say anything",
            remedy="Run on GitHub's machines, or give `allow-self-hosted: true`: the provenance then says so.",
        )


def _builder(run: Certificate) -> Json:
    """Return the commit of the reusable workflow that signed: its ref may be a tag, and a tag may move."""
    repository, _, _ = run.builder.partition(_WORKFLOWS)
    _, _, ref = run.builder.partition("@")
    uri = f"git+{repository}@{ref}"
    return {"name": "builder", "uri": uri, "digest": {"gitCommit": run.builder_commit}}


def answered(build: Build, certificate: Certificate | None) -> Build:
    """Return the build in the name of who signs it, since a certificate says no more of it; for a key, as it is."""
    if certificate is None:
        return build
    return dataclasses.replace(build, builder=certificate.builder or certificate.identity)


def local(path: Path, model: Model) -> Build:
    """Describe a run on a person's own machine: the model's name, and the commit that holds its files.

    The commit around `path` is named only when at least one file is in it as it is here; how many are, is said too.
    """
    folder = path if path.is_dir() else path.parent
    commit = _said(folder, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").decode(errors="replace").strip()
    tree = _tree(folder) if commit else {}
    same = sum(1 for file in model.files if file.path in tree and _is_committed(file, tree[file.path]))
    internal = {"files": len(model.files), "filesAsCommitted": same}
    if not same:
        return Build(LOCAL, OWN_MACHINE, {"model": model.name}, internal)
    remote = _said(folder, "config", "--get", "remote.origin.url").decode(errors="replace").strip()
    origin = {"uri": f"git+{_without_secret(remote)}"} if remote else {}
    source = {"name": "source", **origin, "digest": {"gitCommit": commit}}
    return Build(LOCAL, OWN_MACHINE, {"model": model.name}, internal, (source,))


def handed(name: str, count: int) -> Build:
    """Describe a run on a person's own machine that was handed an artifact of `count` files: no commit is known."""
    return Build(LOCAL, OWN_MACHINE, {"model": name}, {"files": count, "filesAsCommitted": 0})


def _tree(folder: Path) -> dict[str, str]:
    """Return path below `folder` to object id, for every file of the commit that is checked out."""
    entries = [
        entry.split(b"\t", 1) for entry in _said(folder, "ls-tree", "-r", "-z", "HEAD", ".").split(b"\0") if entry
    ]
    return {os.fsdecode(path): kind.split()[2].decode() for kind, path in entries}


def _is_committed(file: ModelFile, expected: str) -> bool:
    """Tell whether git's object of that id is this file, or the LFS pointer to it."""
    pointer = f"version https://git-lfs.github.com/spec/v1\noid {file.digest}\nsize {file.size}\n".encode()
    if _object_id(pointer, expected) == expected:
        return True
    if file.size > _BLOB_LIMIT:
        return False
    with file.open() as stream:
        return _object_id(stream.read(), expected) == expected


def _object_id(content: bytes, like: str) -> str:
    """Return git's id of a blob, in the algorithm that the length of `like` tells."""
    algorithm = hashlib.sha256 if len(like) == 64 else hashlib.sha1
    return algorithm(b"blob %d\0" % len(content) + content).hexdigest()


def _said(folder: Path, *words: str) -> bytes:
    return git.say(folder, *words) or b""


def _without_secret(url: str) -> str:
    """Return the URL without user name and password, which people leave in remotes."""
    parts = urlsplit(url)
    if not parts.scheme or not parts.hostname:
        return url
    host = parts.hostname + (f":{parts.port}" if parts.port else "")
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
