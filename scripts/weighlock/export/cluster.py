"""What the exports for clusters share. Reads nothing but the public keys that a policy names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from weighlock.config.document import write
from weighlock.errors import InputError
from weighlock.export import subject
from weighlock.jsonio import Json
from weighlock.predicates import LABELS
from weighlock.signing.identity import Identity
from weighlock.signing.key import KeyVerifier
from weighlock.text import printable

TEMPLATES = {"apps": ("deployments", "statefulsets", "daemonsets", "replicasets"), "batch": ("jobs",)}


def manifest(comments: Sequence[str], documents: Sequence[Json]) -> str:
    """Return the documents as YAML, with the comments before them."""
    return "".join(f"# {line}\n" for line in comments) + "---\n".join(write(document) for document in documents)


def public_key(path: Path) -> str:
    """Return the public key in a file as PEM; what is none is an `InputError`."""
    return KeyVerifier.load(path).pem().decode()


def named(kinds: Sequence[str]) -> dict[str, str]:
    """Return the predicate types, each under a name of its own that Kubernetes and CEL take."""
    others = (f"evidence{number}" for number in range(1, len(kinds) + 1))
    return {LABELS[kind].replace(" ", "") if kind in LABELS else next(others): kind for kind in kinds}


def name_of(whom: Identity, tool: str) -> Json:
    """Return issuer and subject of an identity; one without either name would let everybody on its issuer in."""
    if not whom.identity and not whom.builder:
        raise InputError(
            f"{tool} cannot pin a source, and this policy trusts whatever ran for {printable(whom.source)}",
            remedy="Pin the builder (or the identity) in the policy too.",
        )
    exact, pattern = subject(whom)
    return {"issuer": whom.issuer, **({"subject": exact} if exact else {"subjectRegExp": pattern})}


def resources(group: str, version: str, *names: str) -> Json:
    """Return the constraint that matches resources when they are created or changed."""
    rule = {
        "apiGroups": [group],
        "apiVersions": [version],
        "operations": ["CREATE", "UPDATE"],
        "resources": list(names),
    }
    return {"resourceRules": [rule]}
