"""The side of GitHub and GitLab: identity tokens of jobs, for those who hold a job's request token, and the keys to check them with."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

GITHUB_ISSUER = "https://token.actions.githubusercontent.com"
COMMIT = "1f" * 20
_KEY_ID = "local"

Claims = dict[str, Any]


def github(
    repository: str = "acme/models",
    ref: str = "refs/tags/v1.0.0",
    workflow: str = ".github/workflows/release.yml",
    **others: str | int | None,
) -> Claims:
    """Return the claims of a job's token; `others` replace any of them, and None takes one away.

    ``job_workflow_ref`` is the workflow that signs: another repository's where the job is in a reusable workflow.
    """
    owner = repository.partition("/")[0]
    started = f"{repository}/{workflow}@{ref}"
    claims = {
        "iss": GITHUB_ISSUER,
        "sub": f"repo:{repository}:ref:{ref}",
        "repository": repository,
        "repository_id": "1001",
        "repository_owner": owner,
        "repository_owner_id": "2002",
        "repository_visibility": "public",
        "ref": ref,
        "sha": COMMIT,
        "workflow": "release",
        "workflow_ref": started,
        "workflow_sha": COMMIT,
        "job_workflow_ref": started,
        "job_workflow_sha": COMMIT,
        "event_name": "push",
        "run_id": "3003",
        "run_attempt": "1",
        "runner_environment": "github-hosted",
        "actor": "ada",
    }
    return {claim: value for claim, value in (claims | others).items() if value is not None}


def gitlab(
    project: str = "acme/ml/models",
    ref: str = "refs/tags/v1.0.0",
    server: str = "https://gitlab.example",
    **others: str | int | None,
) -> Claims:
    """Return the claims of the token of a job of GitLab's; `others` replace any of them, and None takes one away.

    Source: docs.gitlab.com "OpenID Connect (OIDC) Authentication Using ID Tokens", "Token payload".
    """
    namespace, name = project.rpartition("/")[0], ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
    kind = "tag" if ref.startswith("refs/tags/") else "branch"
    claims = {
        "iss": server,
        "sub": f"project_path:{project}:ref_type:{kind}:ref:{name}",
        "namespace_id": "72",
        "namespace_path": namespace,
        "project_id": "20",
        "project_path": project,
        "project_visibility": "public",
        "user_id": "1",
        "user_login": "ada",
        "user_email": "ada@example.com",
        "pipeline_id": "574",
        "pipeline_source": "push",
        "job_id": "302",
        "ref": name,
        "ref_type": kind,
        "ref_path": ref,
        "ref_protected": "true",
        "runner_id": 1,
        "runner_environment": "gitlab-hosted",
        "sha": COMMIT,
        "ci_config_ref_uri": f"{server.removeprefix('https://')}/{project}//.gitlab-ci.yml@{ref}",
        "ci_config_sha": COMMIT,
    }
    return {claim: value for claim, value in (claims | others).items() if value is not None}


def person(email: str = "ada@example.com", issuer: str = "https://oauth2.sigstore.dev/auth") -> Claims:
    """Return the claims of somebody who logged in."""
    return {"iss": issuer, "sub": email, "email": email, "email_verified": True}


def identity(claims: Mapping[str, Any]) -> str:
    """Return the subject alternative name that a certificate for these claims has."""
    if "job_workflow_ref" in claims:
        return f"https://github.com/{claims['job_workflow_ref']}"
    return f"https://{claims['ci_config_ref_uri']}" if "ci_config_ref_uri" in claims else str(claims["email"])


@dataclass
class Issuer:
    """The tokens it makes, and who may ask for which."""

    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    grants: dict[str, Claims | Path] = field(default_factory=dict)
    """Request token to the claims that its holder gets, or to a file with them."""

    def token(self, claims: Mapping[str, Any], *, audience: str = "sigstore", now: float | None = None) -> str:
        """Return a signed token (JWT, RS256) that is good for five minutes."""
        now = int(time.time() if now is None else now)
        times = {"aud": audience, "jti": secrets.token_hex(8), "iat": now - 5, "nbf": now - 10, "exp": now + 300}
        header = {"alg": "RS256", "typ": "JWT", "kid": _KEY_ID}
        signed = b".".join(_url64(json.dumps(part).encode()) for part in (header, times | dict(claims)))
        signature = self.key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        return (signed + b"." + _url64(signature)).decode()

    def grant(self, claims: Claims | Path) -> str:
        """Return a new request token for these claims."""
        request_token = secrets.token_hex(8)
        self.grants[request_token] = claims
        return request_token

    def granted(self, request_token: str) -> Claims:
        """Return the claims; `KeyError` where the request token is not one of ours."""
        claims = self.grants[request_token]
        return json.loads(claims.read_bytes()) if isinstance(claims, Path) else claims

    def claims(self, token: str, now: float) -> Claims:
        """Return the claims of a token of ours that Fulcio would take; `ValueError` for any other."""
        signed, _, signature = token.encode().rpartition(b".")
        try:
            self.key.public_key().verify(_unurl64(signature), signed, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            raise ValueError("the token is not this issuer's") from None
        claims: Claims = json.loads(_unurl64(signed.partition(b".")[2]))
        if claims["aud"] != "sigstore" or not claims["nbf"] <= now < claims["exp"]:
            raise ValueError("the token is for another audience or time")
        return claims

    def keys(self) -> dict[str, Any]:
        """Return the JSON Web Key Set."""
        numbers = self.key.public_key().public_numbers()
        key = {"n": _number(numbers.n), "e": _number(numbers.e)}
        return {"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": _KEY_ID, **key}]}


def _number(value: int) -> str:
    return _url64(value.to_bytes((value.bit_length() + 7) // 8, "big")).decode()


def _url64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _unurl64(data: bytes) -> bytes:
    return base64.urlsafe_b64decode(data + b"=" * (-len(data) % 4))
