"""A second opinion: the GitHub CLI verifies the same bundles for the same identity, and has to come to the same end.

It shares no line with our verification (Go, sigstore-go), so a mistake in one of them shows. From a registry it reads by
itself; for a layout it is given the manifest and the bundles as files. Source: gh 2.103, ``gh attestation verify --help``.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from weighlock import jsonio
from weighlock.config.verify import Trusted
from weighlock.errors import InputError, MalformedError, RefusedError, UnfinishedError
from weighlock.export.gh import flags
from weighlock.oci import Digest
from weighlock.predicates import LABELS, PROVENANCE, SIGNATURE, TEST_RESULT
from weighlock.signing.identity import Identity
from weighlock.store import Store
from weighlock.text import printable
from weighlock.verification import Verification

_SECONDS = 120
_LIMIT = 4_000_000  # bytes of a trust configuration
_INSTALL = "Install the GitHub CLI, version 2.83 or later: https://cli.github.com"


def by_gh(
    store: Store,
    verification: Verification,
    trusted: Sequence[Trusted],
    trust_config: Path | None,
    environ: Mapping[str, str],
) -> str:
    """Return what gh agreed on; `RefusedError` where it did not, `UnfinishedError` where it could not be asked."""
    people = [item.whom for item in trusted if isinstance(item.whom, Identity)]
    if not people:
        raise InputError("gh verifies certificates only, and a key is pinned", remedy="Leave out --engine gh.")
    found = {
        item.statement.predicate_type
        for item in verification.collected.trusted
        if item.certificate and item.statement.covers(verification.descriptor.digest)
    }
    with tempfile.TemporaryDirectory(prefix="weighlock-gh-") as name:
        folder = Path(name)
        artifact = _artifact(store, verification, folder)
        root = _root(trust_config, folder)
        for kind in [SIGNATURE, PROVENANCE, TEST_RESULT, *sorted(found - {SIGNATURE, PROVENANCE, TEST_RESULT})]:
            words = [[*artifact, *flags(item), *root, "--predicate-type", kind] for item in people]
            answers = [_ask(item, environ) for item in words]
            _compare(kind, kind in found, answers, people)
    return f"gh agrees on {len(found)} kinds of evidence"


def _compare(kind: str, ours: bool, answers: Sequence[str], people: Sequence[Identity]) -> None:  # noqa: FBT001 - the verdict itself
    name = LABELS.get(kind, printable(kind))
    theirs = "" in answers
    if ours and not theirs:
        raise RefusedError(f"gh does not accept the {name} that we accept: {printable(answers[0])}")
    weaker = any(item.trigger or item.runner == "self-hosted" for item in people)  # which gh cannot pin
    if theirs and not ours and not weaker:
        raise RefusedError(f"gh accepts a {name} that we do not accept")


def _artifact(store: Store, verification: Verification, folder: Path) -> list[str]:
    """Return the words that name the artifact to gh, and where it finds the bundles."""
    digest: Digest = verification.descriptor.digest
    if not store.name.startswith("oci:"):
        return [f"oci://{store.name}@{digest}", "--bundle-from-oci"]
    (folder / "manifest.json").write_bytes(store.manifest(digest))
    bundles = [jsonio.parse(item.bundle.raw, "bundle") for item in verification.collected.trusted if item.certificate]
    lines = "".join(json.dumps(bundle) + "\n" for bundle in bundles)
    (folder / "bundles.jsonl").write_text(lines, encoding="utf-8")
    return [str(folder / "manifest.json"), "--bundle", str(folder / "bundles.jsonl")]


def _root(trust_config: Path | None, folder: Path) -> list[str]:
    """Return the words for another trusted root than the public one; gh wants it on a line of its own."""
    if trust_config is None:
        return []
    with trust_config.open("rb") as stream:
        raw = stream.read(_LIMIT)
    try:
        document = jsonio.parse(raw, printable(trust_config.name))
        root = jsonio.optional(document, "trustedRoot", dict, "trust configuration") or document
    except MalformedError as error:
        raise InputError(error.what) from None
    (folder / "root.jsonl").write_text(json.dumps(root) + "\n", encoding="utf-8")
    return ["--custom-trusted-root", str(folder / "root.jsonl")]


def _ask(words: Sequence[str], environ: Mapping[str, str]) -> str:
    """Ask gh; return nothing where it says yes, else its own words."""
    quiet = {"GH_NO_UPDATE_NOTIFIER": "1", "GH_PROMPT_DISABLED": "1", "GH_TOKEN": environ.get("GITHUB_TOKEN") or "none"}
    command = ["gh", "attestation", "verify", *words]
    try:
        done = subprocess.run(
            command, env={**quiet, **environ}, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except FileNotFoundError:
        raise UnfinishedError("gh is not installed, and --engine gh asks for it", remedy=_INSTALL) from None
    except subprocess.TimeoutExpired:
        raise UnfinishedError(f"gh gave no answer within {_SECONDS} seconds", remedy="Run again.") from None
    if done.returncode not in {0, 1}:
        raise UnfinishedError(f"gh could not be asked: {printable(_last(done.stderr))}", remedy=_INSTALL)
    return "" if done.returncode == 0 else _last(done.stderr) or "it says no"


def _last(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
