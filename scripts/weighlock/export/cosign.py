"""The policy as commands of cosign v3 (``cosign verify-attestation``). Pure."""

from __future__ import annotations

from pathlib import Path

from weighlock.export import GITHUB, Export, head, loses_builder, losses, pins_lost, subject
from weighlock.export.shell import script
from weighlock.signing.identity import Identity

_KEPT = {"issuer", "identity", "source", "ref", "trigger", "builder"}


def export(asked: Export) -> str:
    """Return a script."""
    comments = [*head(asked, "cosign"), *losses(asked, ())]
    for number, item in enumerate(asked.policy.trusted, 1):
        comments += pins_lost(item, number, _kept(item.whom))
    comments += [
        "Traps: `cosign verify` takes any statement for a signature, a failed scan too, so the types are asked for here;",
        "  cosign passes when one attestation of a type fits, whatever newer ones say. Needs cosign 3.",
        "usage: sh THIS HOST/REPO@sha256:DIGEST",
    ]
    return script(
        asked,
        comments,
        [
            ["cosign", "verify-attestation", *flags(item.whom), "--type", "$1", "$model"]
            for item in asked.policy.trusted
        ],
    )


def flags(whom: Path | Identity) -> list[str]:
    """Return the flags that pin an identity."""
    if isinstance(whom, Path):
        return ["--key", str(whom), "--insecure-ignore-tlog=true"]
    exact, pattern = subject(whom)
    words = ["--certificate-oidc-issuer", whom.issuer]
    words += ["--certificate-identity", exact] if exact else ["--certificate-identity-regexp", pattern]
    given = {"repository": _path(whom.source), "ref": whom.ref, "trigger": whom.trigger}
    for name, value in given.items():
        words += [f"--certificate-github-workflow-{name}", value] if value else []
    return words


def _kept(whom: Path | Identity) -> set[str]:
    if isinstance(whom, Path):
        return set()
    return _KEPT - ({"builder"} if loses_builder(whom) else set()) - (set() if _path(whom.source) else {"source"})


def _path(source: str) -> str:
    """Return OWNER/REPO, empty where the source is not on GitHub."""
    return source.removeprefix(GITHUB) if source.startswith(GITHUB) or "://" not in source else ""
