"""GitHub's own store of attestations: where ``gh attestation verify`` looks when it is given no bundle.

A bundle that is there already, by its signature, is not sent again, so a rerun repairs. Source: GitHub's REST API,
"Attestations" (``/repos/{owner}/{repo}/attestations``); it takes bundles of certificates only.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weighlock import jsonio
from weighlock.errors import InputError, MalformedError, StoreError
from weighlock.evidence import Attached
from weighlock.jsonio import Json
from weighlock.oci import Digest
from weighlock.retries import PassingError, Retries, retry_after
from weighlock.signing import BUNDLE_LIMIT
from weighlock.text import counted, printable

if TYPE_CHECKING:
    from weighlock.store.wire import Wire

_ANSWER_LIMIT = 100 * BUNDLE_LIMIT  # bytes; a page of 100 bundles
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_PERMISSION = "Add to the job:\n      permissions:\n        attestations: write"


class Wanted(enum.Enum):
    """Whether bundles go there too: not at all, as far as that works, or with an error where it does not."""

    OFF = 0
    TRY = 1
    ON = 2


def _wire() -> Wire:
    from weighlock.store.wire import Wire  # noqa: PLC0415 - HTTP comes with the stages that speak it

    return Wire(plain_http=False)


@dataclass(frozen=True, slots=True)
class Attestations:
    """The attestations of one repository."""

    api: str
    repository: str
    token: str = field(repr=False)
    wire: Wire = field(default_factory=_wire)
    retries: Retries = field(default_factory=Retries)

    @classmethod
    def of(cls, environ: Mapping[str, str], *, keyless: bool) -> Attestations:
        """Return those of the repository that a job of GitHub runs for; `InputError` anywhere else, and for a key."""
        if not keyless:
            raise InputError(
                "github-attestations: GitHub takes bundles with certificates only, and a key signs",
                remedy="Sign without a key, or leave it out.",
            )
        api = environ.get("GITHUB_API_URL", "https://api.github.com").rstrip("/")
        repository, token = environ.get("GITHUB_REPOSITORY", ""), environ.get("GITHUB_TOKEN", "")
        if not _REPOSITORY.fullmatch(repository):
            raise InputError(
                "github-attestations: no variable names a repository of GitHub",
                remedy="Leave it out outside of GitHub.",
            )
        if not token:
            raise InputError(
                "github-attestations: there is no GITHUB_TOKEN",
                remedy="Give the step:\n      env:\n        GITHUB_TOKEN: ${{ github.token }}",
            )
        return cls(api, repository, token)

    def add(self, bundles: Sequence[Attached]) -> int:
        """Send those that are not there yet; return how many they were."""
        there: dict[Digest, set[str]] = {}
        sent = 0
        for item in bundles:
            digest = item.statement.subjects[0].digest
            if digest not in there:
                there[digest] = self._signatures(digest)
            document = jsonio.parse(item.bundle.raw, "bundle")
            if _signature(document) not in there[digest]:
                self._ask("POST", "", body={"bundle": document})
                sent += 1
        return sent

    def _signatures(self, digest: Digest) -> set[str]:
        """Return the signatures of the bundles about `digest`, of the newest hundred."""
        answer = self._ask("GET", f"/{digest}?per_page=100")
        held = jsonio.objects(answer, "attestations", "GitHub's answer") if answer else []
        return {_signature(jsonio.optional(item, "bundle", dict, "GitHub's answer") or {}) for item in held}

    def _ask(self, method: str, path: str, body: Json | None = None) -> Json:
        attempts = self.retries.attempts()
        while True:
            try:
                return self._once(method, path, body)
            except PassingError as failure:
                attempts.failed(failure)

    def _once(self, method: str, path: str, body: Json | None) -> Json:
        """Ask once; nothing is there where GitHub says 404 to a question."""
        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        url = f"{self.api}/repos/{self.repository}/attestations{path}"
        raw = None if body is None else json.dumps(body).encode()
        if raw is not None:
            headers["Content-Type"] = "application/json"
        from weighlock.store.wire import Request, host_of  # noqa: PLC0415 - as above

        with self.wire.send(Request(method, url, headers, raw, f"Bearer {self.token}")) as answer:
            content = answer.read(_ANSWER_LIMIT)
            if method == "GET" and answer.status == 404:
                return {}
            if answer.status in {200, 201}:
                return jsonio.parse(content, "GitHub's answer")
            failed = f"{host_of(url)} answered {answer.status} to {method} attestations{_said(content)}"
            error = StoreError(failed, remedy=_PERMISSION if answer.status in {401, 403, 404} else "")
            if answer.status in _PASSING or b"secondary rate limit" in content:
                raise PassingError(error, retry_after(answer.headers.get("Retry-After", "")))
            raise error


def shelves(place: Attestations, wanted: Wanted, say: Callable[[str], None]) -> Callable[[Sequence[Attached]], None]:
    """Return what takes bundles to `place`; with `Wanted.TRY` a failure is only said."""

    def take(bundles: Sequence[Attached]) -> None:
        try:
            say(f"gave GitHub {counted(place.add(bundles), 'attestation')}")
        except StoreError as error:
            if wanted is Wanted.ON:
                raise
            say(f"warning: {error}")

    return take


def _signature(bundle: Json) -> str:
    """Return the signature in a bundle, nothing where it has none; each is made once only, so it names the bundle."""
    envelope = bundle.get("dsseEnvelope")
    signatures = envelope.get("signatures") if isinstance(envelope, dict) else None
    first = signatures[0] if isinstance(signatures, list) and signatures else None
    found = first.get("sig") if isinstance(first, dict) else None
    return found if isinstance(found, str) else ""


def _said(content: bytes) -> str:
    try:
        message = jsonio.parse(content, "answer").get("message")
    except MalformedError:
        return ""
    return f": {printable(message)}" if isinstance(message, str) else ""
