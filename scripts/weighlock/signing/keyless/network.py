"""What can go wrong on the way to Fulcio, the timestamp authority and Rekor, and which of it passes by itself.

sigstore-python waits without end and never tries again, so its sessions are given an adapter that knows the time left
and turns every failure into an error with the service's own words. What is worth another attempt is a `PassingError`.
"""

from __future__ import annotations

import contextlib
import email.utils
import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from weighlock.errors import UnfinishedError
from weighlock.retries import PassingError, retry_after
from weighlock.text import printable

CONNECT = 5.0  # seconds
READ = 60.0  # seconds; a log of version 2 answers once the entry is in it
SKEW = 10.0  # seconds that clocks may differ; Sigstore's own leeway is 5
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class Budget:
    """The time that signing may take, attempts and waits included."""

    def __init__(self, limit: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin now, with `limit` seconds."""
        self.limit = limit
        self._clock = clock
        self.restart()

    def restart(self) -> None:
        """Begin anew."""
        self._end = self._clock() + self.limit

    def end(self) -> None:
        """Leave no time."""
        self._end = self._clock()

    def left(self) -> float:
        """Return the seconds left, 0 where there are none."""
        return max(0.0, self._end - self._clock())


class Service(HTTPAdapter):
    """The way to one service, with an end to every wait."""

    def __init__(
        self, name: str, budget: Budget, *, passing: frozenset[int] = frozenset(), optional: bool = False
    ) -> None:
        """Take what people call it; `passing` are statuses that pass by themselves there, too.

        The failures of an `optional` service are left to the library, which goes on without it.
        """
        super().__init__()
        self.name = name
        self.skew = 0.0
        """Seconds that this machine's clock was ahead of the service's at its last answer."""
        self._budget = budget
        self._passing = _PASSING | passing
        self._optional = optional

    def mount(self, session: requests.Session) -> None:
        """Let the session go this way, and no other."""
        session.mount("https://", self)
        session.mount("http://", self)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: FBT001, FBT002
        timeout: Any = None,
        verify: bool | str = True,  # noqa: FBT001, FBT002
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send the request and read the answer; a failure or an error status is an error of ours."""
        host = urlsplit(request.url or "").netloc
        left = max(0.1, self._budget.left())
        longest = timeout if isinstance(timeout, (int, float)) else READ
        try:
            response = super().send(request, stream, (min(CONNECT, left), min(longest, left)), verify, cert, proxies)
            response.content  # noqa: B018 - reads it, so that what fails does so here
        except requests.RequestException as error:
            if self._optional:
                raise
            what = "did not answer in time" if isinstance(error, requests.Timeout) else "cannot be reached"
            reason = printable(str(error))
            raise PassingError(
                UnfinishedError(f"{self.name} ({printable(host)}) {what}: {reason}", remedy="Run again later.")
            ) from error
        self.skew = _skew(response)
        if response.status_code >= 400 and not self._optional:
            raise self._refusal(host, response)
        return response

    def _refusal(self, host: str, response: requests.Response) -> Exception:
        status = response.status_code
        what = f"{self.name} ({printable(host)}) answered {status}: {_said(response)}"
        if status in self._passing:
            error = UnfinishedError(what, remedy="Run again later; what is attached already is not signed again.")
            return PassingError(error, retry_after(response.headers.get("Retry-After", "")))
        return UnfinishedError(what, remedy=skewed(self.skew, host))


def skew(url: str, service: Service) -> float:
    """Ask for the time there, and return the seconds that this machine's clock is ahead of it."""
    with requests.Session() as session:
        service.mount(session)
        with contextlib.suppress(UnfinishedError, PassingError):  # whatever it answers, it says when
            session.get(url)
    return service.skew


def skewed(seconds: float, host: str) -> str:
    """Return what to do about clocks that differ, nothing where they agree."""
    if abs(seconds) < SKEW:
        return ""
    side = "ahead of" if seconds > 0 else "behind"
    return f"This machine's clock is {abs(seconds):.0f} s {side} that of {printable(host)}: set it (timedatectl, NTP)."


def _skew(response: requests.Response) -> float:
    try:
        there = email.utils.parsedate_to_datetime(response.headers.get("Date", ""))
    except ValueError:
        return 0.0
    if not there.tzinfo:
        return 0.0
    return (datetime.now(timezone.utc) - there).total_seconds() - 0.5  # a date is cut to whole seconds


def _said(response: requests.Response) -> str:
    """Return the message of a service's error, or whatever else it said."""
    try:
        message = json.loads(response.content)["message"]
    except (ValueError, KeyError, TypeError):
        message = response.content[:1000].decode(errors="replace").strip() or response.reason
    return printable(str(message), 300)
