"""The policy as commands of the GitHub CLI (``gh attestation verify``). Pure."""

from __future__ import annotations

from collections.abc import Iterator

from weighlock.errors import InputError
from weighlock.export import GITHUB, Export, head, loses_builder, losses, pins_lost, url
from weighlock.export.shell import script
from weighlock.signing.identity import Identity

_KEPT = {"issuer", "identity", "source", "ref", "builder", "builder-commit", "runner"}


def export(asked: Export) -> str:
    """Return a script; keys are no identities for gh, so a policy of keys alone is an `InputError`."""
    people = [
        (number, item, item.whom)
        for number, item in enumerate(asked.policy.trusted, 1)
        if isinstance(item.whom, Identity)
    ]
    if not people:
        raise InputError(
            "gh verifies certificates only, and this policy trusts keys", remedy="Export it to cosign: --to cosign."
        )
    comments = [*head(asked, "gh"), *losses(asked, ())]
    for number, item in enumerate(asked.policy.trusted, 1):
        comments += [f"  - identity {number}: a key; gh verifies certificates only"] if item.key else []
    for number, item, whom in people:
        comments += [*pins_lost(item, number, _kept(whom)), *_notes(whom, number)]
    comments += [
        "Traps: gh passes when one attestation of a type fits, whatever newer ones say; it needs GH_TOKEN to be set.",
        "usage: sh THIS HOST/REPO@sha256:DIGEST",
    ]
    commands = [
        ["gh", "attestation", "verify", "oci://$model", "--bundle-from-oci", *flags(whom)] for _, _, whom in people
    ]
    return script(asked, comments, [[*command, "--predicate-type", "$1"] for command in commands])


def flags(whom: Identity) -> list[str]:
    """Return the flags that pin an identity; gh knows identities of GitHub's only."""
    words = ["--repo", _path(whom.source)] if whom.source else ["--owner", _owner(whom)]
    words += ["--cert-oidc-issuer", whom.issuer]
    if whom.identity:
        words += ["--cert-identity", whom.identity]
    elif whom.builder:
        words += ["--signer-workflow", _path(whom.builder)]
    if whom.builder_commit:
        words += ["--signer-digest", whom.builder_commit]
    if whom.ref:
        words += ["--source-ref", whom.ref]
    if whom.runner == "github-hosted":
        words += ["--deny-self-hosted-runners"]
    return words


def _kept(whom: Identity) -> set[str]:
    lost = {"builder"} if loses_builder(whom) else set()
    return _KEPT - lost - ({"runner"} if whom.runner == "self-hosted" else set())


def _notes(whom: Identity, number: int) -> Iterator[str]:
    if not whom.source:
        yield f"Note: gh needs an owner, so identity {number} must be of the builder's; a 'source' in the policy says it better."
    elif not whom.identity and not whom.builder:
        yield f"Note: identity {number} names no builder, and gh then wants a workflow of that repository itself."


def _owner(whom: Identity) -> str:
    return _path(whom.identity or whom.builder).partition("/")[0]


def _path(name: str) -> str:
    path = url(name).removeprefix(GITHUB) if name.startswith(GITHUB) or "://" not in name else ""
    if not path or "@" in path.partition("/")[0]:
        raise InputError("gh knows repositories on github.com only", remedy="Export it to cosign: --to cosign.")
    return path
