"""One HTTP request and its answer: where it may go, what it may carry, and what its failures mean.

The only module that uses `requests`. Redirects are not followed here, nothing is sent twice, and no more of an answer is
held than was asked for. Proxies come from the environment as usual; ``.netrc`` is not read.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urljoin

import requests
import urllib3.exceptions
from requests.auth import AuthBase

from weighlock import __version__
from weighlock.errors import StoreError
from weighlock.retries import PassingError
from weighlock.store import CHUNK
from weighlock.text import printable

_CONNECT_SECONDS = 15
_PROBE_SECONDS = 5
_ANSWER_SECONDS = 300  # a registry may move a large blob to its place before it answers
# Stricter than RFC 3986: what two URL parsers could read as two different hosts does not match.
_HOST = r"([a-zA-Z0-9._-]+|\[[0-9a-fA-F:.]+\])(?::([0-9]{1,5}))?"
_URL = re.compile(rf"(https?)://{_HOST}(?=[/?]|$)[!-\[\]-~]*")
_PROXY = re.compile(rf"(?:https?://(?:[^@/?#\s]*@)?)?({_HOST})/?")

Origin = tuple[str, str, int]  # scheme, host in lower case, port


class Body(Protocol):
    """A body that is sent in pieces; its length in bytes is known before."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class Request:
    """What to send; `authorization` is the header's value, or None for none."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Body | None = None
    authorization: str | None = field(default=None, repr=False)


class Answer:
    """Status and headers of an answer whose body is still on the wire."""

    def __init__(self, response: requests.Response, url: str) -> None:
        """Wrap the response to a request for `url`."""
        self._response = response
        self.url = url
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers

    def read(self, limit: int) -> bytes:
        """Return the body's first `limit` bytes."""
        held = bytearray()
        for piece in self.pieces():
            held += piece
            if len(held) >= limit:
                break
        return bytes(held[:limit])

    def pieces(self) -> Iterator[bytes]:
        """Yield the body as it was sent; one that is cut off ends in a `PassingError`."""
        try:
            yield from self._response.raw.stream(CHUNK, decode_content=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise PassingError(StoreError(f"the answer of {host_of(self.url)} broke off: {_reason(error)}")) from error

    def location(self) -> str:
        """Return the URL that ``Location`` names, its query as it came."""
        location = self.headers.get("Location", "")
        if not location:
            raise StoreError(f"{host_of(self.url)} answered {self.status} without a Location")
        try:
            return urljoin(self.url, location)
        except ValueError:
            raise _not_a_url(location) from None


class Wire:
    """Sends requests: over TLS, or in plain HTTP to loopback and, where `plain_http` allows it, to others."""

    def __init__(self, *, plain_http: bool, authorities: str = "", patience: float = _ANSWER_SECONDS) -> None:
        """Open nothing yet.

        `authorities` is a file of certificates (PEM) to trust instead of the public ones; `patience` the seconds after
        which a server that says nothing is taken for gone.
        """
        self._plain_http = plain_http
        self._patience = patience
        self._authorities = authorities
        self._session = requests.Session()

    @contextmanager
    def send(self, request: Request) -> Iterator[Answer]:
        """Send once; a failure that may pass is a `PassingError`, any other a `StoreError`."""
        scheme, host, _ = origin(request.url)
        if scheme == "http" and not (self._plain_http or is_loopback(host)):
            raise StoreError(
                f"{host} would be spoken to in plain HTTP",
                remedy="Use a registry with TLS, or --plain-http where the network is trusted.",
            )
        direct = is_loopback(host)  # as with Go's clients: nobody's proxy knows this machine
        if not direct:
            _check_proxy(request.url)
        try:
            response = self._session.request(
                request.method,
                request.url,
                data=request.body,
                headers={"User-Agent": f"weighlock/{__version__}", "Accept-Encoding": "identity", **request.headers},
                auth=_Authorization(request.authorization),
                timeout=(_CONNECT_SECONDS, self._patience),
                allow_redirects=False,
                stream=True,
                verify=self._authorities or True,
                proxies={"no_proxy": host.strip("[]")} if direct else None,
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError, UnicodeError) as error:
            raise _failure(error, request.url) from error
        with response:
            if response.status_code == 407:  # asked for TLS, it says so before the request
                raise _not_through_proxy(request.url, "407 Proxy Authentication Required")
            yield Answer(response, request.url)


def origin(url: str) -> Origin:
    """Return whom `url` speaks to; credentials are for one origin only."""
    parts = _URL.fullmatch(url)
    if not parts:
        raise _not_a_url(url)
    scheme, host, port = parts.groups()
    return scheme, host.lower(), int(port or (443 if scheme == "https" else 80))


def host_of(url: str) -> str:
    """Return host and port as they stand in `url`, for messages: a query may hold a secret."""
    return re.sub(r"[/?#].*", "", url.partition("://")[2])


def answers_tls(host: str, port: int) -> bool:
    """Tell whether a server begins with TLS; by whose certificate is not looked at, and nothing is said to it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection((host, port), _PROBE_SECONDS) as plain, context.wrap_socket(plain):
            return True
    except OSError:
        return False


def is_loopback(host: str) -> bool:
    """Tell whether `host` (without port) is this machine by its name or number."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


class _Authorization(AuthBase):
    """Sets the header, or nothing: with an `auth` at hand, `requests` looks neither into ``.netrc`` nor into the URL."""

    def __init__(self, value: str | None) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._value is not None:
            request.headers["Authorization"] = self._value
        return request


def _failure(error: Exception, url: str) -> Exception:
    host, reason = host_of(url), _reason(error)
    if isinstance(error, requests.exceptions.SSLError):
        return StoreError(
            f"no TLS connection to {host}: {reason}",
            remedy="For a private authority set SSL_CERT_FILE to its certificate; for a registry in plain HTTP use --plain-http.",
        )
    if isinstance(error, requests.exceptions.ProxyError):
        proxied = _not_through_proxy(url, reason)
        return proxied if " 407 " in reason else PassingError(proxied)
    unreached = StoreError(f"{host} cannot be reached: {reason}", remedy=f"Is {host} right, and does it run?")
    if isinstance(error, (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)):
        return PassingError(unreached)
    return unreached


def _check_proxy(url: str) -> None:
    """Refuse a proxy that could not be used before a library quotes its login in an error."""
    named = _proxy(url)
    if named and not _PROXY.fullmatch(named):
        raise StoreError(
            f"{host_of(url)} cannot be reached: the environment names a proxy for it that cannot be used",
            remedy="Write HTTPS_PROXY as http://HOST:PORT; in a login, '%23' stands for '#', '%2F' for '/', '%40' for '@'.",
        )


def _not_through_proxy(url: str, reason: str) -> StoreError:
    proxy = _PROXY.fullmatch(_proxy(url))
    return StoreError(
        f"{host_of(url)} cannot be reached through the proxy {proxy[1] if proxy else ''}: {reason}",
        remedy="Mend HTTPS_PROXY or HTTP_PROXY, or name the host in NO_PROXY.",
    )


def _proxy(url: str) -> str:
    """Return what the environment names as the proxy for `url`, with its login, which is nobody's business."""
    return requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url)) or ""


def _reason(error: BaseException) -> str:
    """Return the innermost words of a failure; the outer ones are the libraries' own objects."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError) and inner.strerror:
            return printable(inner.strerror)
        error, inner = inner, _inside(inner)
    return printable(str(error) or type(error).__name__)


def _inside(error: BaseException) -> BaseException | None:
    candidates = (error.__cause__, getattr(error, "reason", None), error.__context__, *error.args)
    return next((candidate for candidate in candidates if isinstance(candidate, BaseException)), None)


def _not_a_url(text: str) -> StoreError:
    return StoreError(f"the registry named a URL that is none: '{printable(text.partition('?')[0])}'")
