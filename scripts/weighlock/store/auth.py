"""Answering a registry's challenge: Basic, or Bearer with a token from the realm that it names.

Sources: distribution-spec 1.1.1, RFC 9110 section 11, and the "token" and "oauth" pages of the Distribution project.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode

from weighlock import jsonio
from weighlock.errors import MalformedError, StoreError
from weighlock.retries import PassingError, retry_after
from weighlock.store.complaints import said
from weighlock.store.credentials import Credentials
from weighlock.store.targets import at_github
from weighlock.store.wire import Request, Wire, host_of, origin
from weighlock.text import printable

PULL = "pull"
PUSH = "pull,push"

_ANSWER_LIMIT = 1024 * 1024  # bytes of a token service's answer
_PARAMETER = re.compile(r'([a-zA-Z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_TOKEN = re.compile(r"[!-~]+")  # anything else has no place in a header


_ELSEWHERE = "for packages of other repositories log in with a classic token of the scope"
_GITHUB = {
    PULL: f" A GitHub job needs 'permissions: packages: read'; {_ELSEWHERE} read:packages.",
    PUSH: f" A GitHub job needs 'permissions: packages: write'; {_ELSEWHERE} write:packages.",
}


@dataclass(frozen=True, slots=True)
class Challenge:
    """One scheme of a ``WWW-Authenticate`` header, in lower case, with its parameters."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, header: str) -> Challenge | None:
        """Return the Bearer challenge in `header`, else the Basic one, else None."""
        found: dict[str, Challenge] = {}
        starts = list(re.finditer(r"(?:^|,)\s*(bearer|basic)(?=\s|$)", header, re.IGNORECASE))
        ends = [*(start.start() for start in starts[1:]), len(header)]
        for start, end in zip(starts, ends, strict=False):  # without a start there is still an end
            pairs = {
                name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(header, start.end(), end)
            }
            found.setdefault(start[1].lower(), cls(start[1].lower(), pairs))
        return found.get("bearer") or found.get("basic")


class Authorizer:
    """Credentials and tokens for one repository, given to nobody but its registry and the realm that it names."""

    def __init__(self, repository: str, find: Callable[[], Credentials | None], wire: Wire) -> None:
        """`find` looks the credentials up; it is asked once, and not before the registry wants them."""
        self._repository = repository
        self._find = find
        self._wire = wire
        self._lock = threading.Lock()
        self._asked = False
        self._credentials: Credentials | None = None
        self._values: dict[str, str] = {}

    def header(self, actions: str) -> str | None:
        """Return the ``Authorization`` to send for `actions`, None as long as the registry has not asked for one."""
        return self._values.get(PUSH) or self._values.get(actions)

    def answer(self, header: str, actions: str, refused: str | None, url: str) -> tuple[str, bool] | None:
        """Take a challenge from `url`; return what is better to send than `refused`, and whether it was got just now.

        What another thread got before may have run out since; what was got just now and is refused is refused for good.
        """
        challenge = Challenge.parse(header)
        if challenge is None:
            return None
        with self._lock:
            known = self.header(actions)
            if known is not None and known != refused:
                return known, False
            self._values.pop(PUSH, None)
            self._values.pop(actions, None)
            credentials = self._known()
            if challenge.scheme == "bearer":
                value = f"Bearer {self._token(challenge, credentials, actions, url)}"
            elif credentials is not None and not credentials.identity_token:
                value = credentials.basic()
            else:
                return None
            self._values[actions] = value
            return (value, True) if value != refused else None

    def remedy(self, actions: str) -> str:
        """Return what a person can do when the registry refuses `actions`."""
        host = self._repository.partition("/")[0]
        right = "push to" if actions == PUSH else "pull from"
        used = self._credentials
        if used is None:
            known = f"no credentials for {host} were found" if self._asked else "it asked for no credentials"
        else:
            known = (
                f"{f'user {printable(used.user)!r}' if used.user else 'an identity token'} of {used.source} was used"
            )
        log_in = f"Log in (docker login {host}) with the right to {right} {self._repository}; {known}."
        return f"{log_in}{_GITHUB[actions] if at_github(host) else ''}"

    def _known(self) -> Credentials | None:
        if not self._asked:
            self._credentials = self._find()
            self._asked = True
        return self._credentials

    def _token(self, challenge: Challenge, credentials: Credentials | None, actions: str, url: str) -> str:
        realm = challenge.parameters.get("realm", "")
        if origin(realm)[0] == "http" and origin(url)[0] == "https":
            raise StoreError(f"{host_of(url)} wants credentials sent to {host_of(realm)} without TLS; that is refused")
        scope = challenge.parameters.get("scope") or f"repository:{self._repository.partition('/')[2]}:{actions}"
        asked = {"service": challenge.parameters.get("service", ""), "scope": scope}
        with self._wire.send(_token_request(realm, asked, credentials)) as answer:
            if answer.status == 200:
                return _read_token(answer.read(_ANSWER_LIMIT), host_of(realm))
            words = said(answer)
        if answer.status in {408, 429} or answer.status >= 500:
            error = StoreError(f"the token service {host_of(realm)} answered {answer.status}{words}")
            raise PassingError(error, retry_after(answer.headers.get("Retry-After", "")))
        raise StoreError(
            f"the token service {host_of(realm)} refused '{printable(scope)}' with {answer.status}{words}",
            remedy=self.remedy(actions),
        )


def _token_request(realm: str, asked: dict[str, str], credentials: Credentials | None) -> Request:
    asked = {name: value for name, value in asked.items() if value}
    if credentials is not None and credentials.identity_token:
        form = {"grant_type": "refresh_token", "client_id": "weighlock", **asked}
        body = urlencode({**form, "refresh_token": credentials.identity_token}).encode()
        return Request("POST", realm, {"Content-Type": "application/x-www-form-urlencoded"}, body)
    # A mount needs two scopes; in a query each has a parameter of its own.
    query = urlencode({name: value.split() if name == "scope" else value for name, value in asked.items()}, doseq=True)
    url = f"{realm}{'&' if '?' in realm else '?'}{query}"
    return Request("GET", url, authorization=credentials.basic() if credentials else None)


def _read_token(raw: bytes, host: str) -> str:
    what = f"the answer of the token service {host}"
    try:
        document = jsonio.parse(raw, what)
        token = jsonio.optional(document, "token", str, what) or jsonio.optional(document, "access_token", str, what)
    except MalformedError as error:
        raise StoreError(error.what) from None
    if not token or not _TOKEN.fullmatch(token):
        raise StoreError(f"{what} holds no token")
    return token
