"""A registry's HTTP API for one repository: challenges answered, redirects followed, passing failures waited out.

Every failure ends in one sentence with the registry's own code and message, and what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from weighlock.errors import StoreError
from weighlock.retries import Attempts, PassingError, Retries, retry_after
from weighlock.store.auth import PULL, Authorizer
from weighlock.store.complaints import said
from weighlock.store.wire import Answer, Body, Request, Wire, host_of, origin

_ERROR_LIMIT = 64 * 1024  # bytes of an error's body that are looked at
_REDIRECTS = 5
_FIRST_CONTACT_SECONDS = 5.0  # a registry that never answered is more likely not there than busy
_PASSING = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Call:
    """A request by its purpose: `what` names it in errors ("storing sha256:…"), `actions` is the right it needs.

    `body` is called again for each attempt. Statuses in `accept` are answers, not errors.
    """

    what: str
    method: str
    url: str
    actions: str = PULL
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Callable[[], bytes | Body] | None = None
    accept: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with its whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    location: str = ""


class Client:
    """Speaks to one registry; what it knows of rights and reachability lasts as long as it does."""

    def __init__(
        self, name: str, find_base: Callable[[], str], wire: Wire, authorizer: Authorizer, retries: Retries
    ) -> None:
        """`name` is ``HOST/REPO`` for messages; `find_base` returns the URL before ``/v2/`` and is asked at first use."""
        self.name = name
        self._find_base = find_base
        self._found_base = ""
        self._wire = wire
        self._authorizer = authorizer
        self.retries = retries
        self._reached = False

    @property
    def _base(self) -> str:
        if not self._found_base:
            self._found_base = self._find_base()
        return self._found_base

    def url(self, path: str) -> str:
        """Return the URL of `path` below the repository: ``manifests/v1``, ``blobs/uploads/``."""
        return f"{self._base}/v2/{self.name.partition('/')[2]}/{path}"

    def attempts(self) -> Attempts:
        """Begin to count the failures of one piece of work."""
        return self.retries.attempts(lambda: self.retries.limit if self._reached else _FIRST_CONTACT_SECONDS)

    def exchange(self, call: Call, limit: int = _ERROR_LIMIT) -> Reply:
        """Return the answer with its body, which may have `limit` bytes; tried again after failures that pass."""
        attempts = self.attempts()
        while True:
            try:
                return self.once(call, limit)
            except PassingError as failure:
                attempts.failed(failure)

    def once(self, call: Call, limit: int = _ERROR_LIMIT) -> Reply:
        """Return the answer of one attempt; a failure that may pass is a `PassingError`."""
        with self.stream(call) as answer:
            body = answer.read(limit + 1)
            if len(body) > limit and answer.status < 400:
                raise StoreError(f"{self.name}: {call.what} failed: the answer has more than {limit} bytes")
            location = answer.location() if answer.status == 202 and "Location" in answer.headers else ""
            return Reply(answer.status, answer.headers, body, answer.url, location)

    @contextmanager
    def stream(self, call: Call) -> Iterator[Answer]:
        """Make one attempt and yield an answer that is no error, its body not yet read."""
        url = call.url
        for _ in range(_REDIRECTS + 1):
            with self._authorized(replace(call, url=url)) as answer:
                if not (answer.status in {301, 302, 303, 307, 308} and call.method in {"GET", "HEAD"}):
                    if not 200 <= answer.status < 300 and answer.status not in call.accept:
                        raise self._error(call, answer)
                    yield answer
                    return
                url = answer.location()
        raise StoreError(f"{self.name}: {call.what} failed: more than {_REDIRECTS} redirects")

    @contextmanager
    def _authorized(self, call: Call) -> Iterator[Answer]:
        """Send with what the registry wants to see, and again after a challenge; nothing goes to other hosts."""
        if origin(call.url) != origin(self._base):
            if origin(call.url)[0] == "http" and origin(self._base)[0] == "https":
                raise StoreError(f"{self.name} sends us to {host_of(call.url)} without TLS; that is refused")
            with self._wire.send(_request(call, None)) as answer:
                yield answer
            return
        shown, fresh = self._authorizer.header(call.actions), False
        while True:
            with self._wire.send(_request(call, shown)) as answer:
                self._reached = True
                better = None
                if answer.status == 401 and not fresh:
                    challenge = answer.headers.get("WWW-Authenticate", "")
                    better = self._authorizer.answer(challenge, call.actions, shown, call.url)
                if better is None:
                    yield answer
                    return
            shown, fresh = better

    def _error(self, call: Call, answer: Answer) -> Exception:
        words = said(answer)
        host = host_of(answer.url)
        elsewhere = "" if origin(answer.url) == origin(self._base) else f" by {host}"
        failed = f"{self.name}: {call.what} was answered{elsewhere} with {answer.status}{words}"
        if answer.status in {401, 403} and not elsewhere and "secondary rate limit" not in words:
            return StoreError(failed, remedy=self._authorizer.remedy(call.actions))
        error = StoreError(failed, remedy=_REMEDIES.get(answer.status, ""))
        if answer.status in _PASSING or "secondary rate limit" in words:
            return PassingError(error, retry_after(answer.headers.get("Retry-After", "")))
        return error


_REMEDIES = {
    404: "Check the name; some registries want the repository created first.",
    413: "The registry's limit is lower than this; split the file (5 GB is a common shard size).",
    429: "The registry limits the rate; run again later, what is there already is not sent again.",
}


def _request(call: Call, authorization: str | None) -> Request:
    return Request(call.method, call.url, call.headers, call.body() if call.body else None, authorization)
