"""``weighlock init``: write ``weighlock.yml`` and the workflows that a repository needs, from what lies in it.

Nothing is asked. Nothing that is there is written over, unless `force` says so; what it would have been is shown.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

from weighlock import git, proposing
from weighlock.config import NAME
from weighlock.errors import InputError
from weighlock.git import Repository
from weighlock.inputs import option, output
from weighlock.jsonio import Json
from weighlock.stages import Context, Problem
from weighlock.text import counted, printable

_CHECK = ".github/workflows/check-models.yml"
_PUBLISH = ".github/workflows/publish-models.yml"
_LIMIT = 256 * 1024  # bytes of a card, a Kitfile or a file of DVC; what stands further down is not looked at


@dataclass(frozen=True, slots=True)
class Inputs:
    """What `init` is told."""

    path: Path = option("the repository's top folder", default=Path(), positional=True)
    force: bool = option("write over files that are there", default=False)


@dataclass(frozen=True, slots=True)
class Outputs:
    """What `init` found and wrote."""

    proposal: proposing.Proposal
    kept: Mapping[str, str]
    """Files that are there and stay, each with what would stand in it."""
    written: tuple[str, ...] = output("files that were written")

    passed = True

    def data(self) -> Json:
        """Return the models, and which files were written."""
        return {
            "models": [{"name": model.name, "path": model.path} for model in self.proposal.models],
            "leftOut": list(self.proposal.left_out),
            "written": list(self.written),
            "kept": dict(self.kept),
        }

    def text(self) -> str:
        """Return what was found, what was written, and what to do next."""
        return "\n".join([*self._found(), *self._files(), "", *self._next()]) + "\n"

    def problems(self) -> list[Problem]:
        """Return nothing."""
        return []

    def _found(self) -> list[str]:
        lines = [counted(len(self.proposal.models), "model") + " found"]
        lines += [f"  {model.name}: {printable(model.path)}" for model in self.proposal.models]
        lines += [
            f"  left out: {printable(path)} (a name that other systems could not hold, or would run)"
            for path in self.proposal.left_out
        ]
        return lines

    def _files(self) -> list[str]:
        lines = [f"written: {name}" for name in self.written]
        for name, text in self.kept.items():
            lines.append(f"kept as it is: {name}; --force would write:")
            lines += [f"    {line}" for line in text.splitlines()]
        return lines

    def _next(self) -> list[str]:
        path = next((shlex.quote(model.path) for model in self.proposal.models), "models/NAME")
        return [
            "Next:",
            f"  1. Read {NAME}, and mend what is not so." if self.proposal.models else "  1. Add a model.",
            f"  2. See what the check will say: weighlock scan {path}",
            "  3. Commit the files and open a pull request.",
            "  4. Require the check 'models / model gate' in the ruleset of the default branch.",
            "  5. To publish, push a tag such as v1.0.0."
            if _PUBLISH in (*self.written, *self.kept)
            else f"  5. To publish, give the models a target in {NAME}, and run init again.",
        ]


def run(inputs: Inputs, context: Context) -> Outputs:
    """Look at the repository's files, those that git ignores apart, and write what is not there yet."""
    top = inputs.path.resolve()
    repository = Repository.at(top)
    place = _place(repository)
    name = place.rsplit("/", 1)[-1] if place else top.name
    proposal = proposing.propose(repository.present(), lambda path: _beginning(top, path), name, place)
    wanted = _wanted(proposal)
    there = {path for path in wanted if os.path.lexists(top / path)} if not inputs.force else set()
    for path in wanted.keys() - there:
        _write(top, path, wanted[path])
    context.say(f"looked at {printable(str(top))}")
    kept = {path: wanted[path] for path in sorted(there) if _beginning(top, path) != wanted[path].encode()}
    return Outputs(proposal, kept, tuple(path for path in wanted if path not in there))


def _wanted(proposal: proposing.Proposal) -> dict[str, str]:
    """Return path to text of what belongs into the repository; nothing is published that has no place to go to."""
    files = {NAME: proposing.text(proposal.models), _CHECK: _workflow(_CHECK)}
    placed = [model for model in proposal.models if model.target]
    if placed:
        files[_PUBLISH] = proposing.matrix(_workflow(_PUBLISH), placed)
    return files


def _workflow(path: str) -> str:
    return (resources.files("weighlock") / "workflows" / path.rsplit("/", 1)[-1]).read_text("utf-8")


def _beginning(top: Path, path: str) -> bytes:
    """Return the beginning of a file of the repository, nothing for what is no file or leads out of it."""
    place = top / path
    if not place.is_file() or not place.resolve().is_relative_to(top):
        return b""
    with place.open("rb") as stream:
        return stream.read(_LIMIT)


def _place(repository: Repository) -> str | None:
    """Return where models of a repository at GitHub would go; None where the remote does not say."""
    told = git.say(repository.top, "config", "--get", "remote.origin.url")
    url = (told or b"").decode(errors="replace").strip()
    at = urlsplit(url) if "://" in url else urlsplit(f"ssh://{url.replace(':', '/', 1)}")
    parts = at.path.strip("/").removesuffix(".git").lower().split("/")
    return f"ghcr.io/{parts[0]}/{parts[1]}" if at.hostname == "github.com" and len(parts) == 2 else None


def _write(top: Path, path: str, text: str) -> None:
    """Write a file of the repository; a link on the way, or in its place, is not followed."""
    place = top / path
    if not place.parent.resolve().is_relative_to(top) or place.is_symlink():
        raise InputError(f"{path} would be written through a link", remedy="Remove the link and run again.")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, "utf-8")
