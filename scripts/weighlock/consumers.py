"""What a consumer types to verify a release: one identity, in the words of three programs. Pure.

Each command names the digest and pins the releasing identity as a whole; none of them takes anybody's signature. What a
program cannot do it is not made to say: gh reads registries and GitHub's identities only, cosign reads registries.

Sources: gh 2.103 and cosign 3.1, ``--help``.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from weighlock.signing import Certificate
from weighlock.signing.identity import GITHUB, GITHUB_ISSUER


@dataclass(frozen=True, slots=True)
class Release:
    """What there is to verify: by digest, where, and how it is reached."""

    reference: str
    registry: bool
    plain_http: bool


def by_key(release: Release, public: Path) -> dict[str, str]:
    """Return program to command for a release that was signed with a key."""
    commands = {"weighlock": _weighlock(release, "--key", str(public))}
    if release.registry:
        commands["cosign"] = shlex.join(
            ["cosign", "verify", "--key", str(public), "--insecure-ignore-tlog", *_http(release), release.reference]
        )
    return commands


def by_certificate(release: Release, own: Certificate, trust_config: Path | None) -> dict[str, str]:
    """Return program to command for a release that was signed without a key.

    With a trust configuration, gh and cosign are given the trusted root in it, by a shell that is bash and by jq.
    """
    source = own.source.removeprefix(GITHUB)
    pinned = ["--issuer", own.issuer, "--identity", own.identity, *(["--source", source] if source else [])]
    trust = ["--trust-config", str(trust_config)] if trust_config else []
    commands = {"weighlock": _weighlock(release, *pinned, *trust)}
    if release.registry and own.issuer == GITHUB_ISSUER and own.source.startswith(GITHUB):
        words = ["gh", "attestation", "verify", f"oci://{release.reference}", "--bundle-from-oci", "--repo", source]
        commands["gh"] = shlex.join([*words, "--cert-identity", own.identity]) + _root(
            "--custom-trusted-root", trust_config
        )
    if release.registry:
        words = ["cosign", "verify", release.reference, "--certificate-oidc-issuer", own.issuer, *_http(release)]
        words += ["--certificate-identity", own.identity]
        if own.issuer == GITHUB_ISSUER and source:  # a reusable workflow has the same name in every repository
            words += ["--certificate-github-workflow-repository", source]
        commands["cosign"] = shlex.join(words) + _root("--trusted-root", trust_config)
    return commands


def _weighlock(release: Release, *words: str) -> str:
    http = ["--plain-http"] if release.plain_http else []
    return shlex.join(["weighlock", "verify", release.reference, *words, *http])


def _http(release: Release) -> list[str]:
    return ["--allow-http-registry"] if release.plain_http else []


def _root(flag: str, trust_config: Path | None) -> str:
    return f" {flag} <(jq -c .trustedRoot {shlex.quote(str(trust_config))})" if trust_config else ""
