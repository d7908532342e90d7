"""Challenges, and a registry with TLS that tries to get us, or our credentials, out of it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
import requests

from artifacts import opener
from weighlock.errors import NotFoundError, StoreError
from weighlock.oci import Descriptor
from weighlock.retries import Retries
from weighlock.store.auth import Authorizer, Challenge
from weighlock.store.client import Client
from weighlock.store.credentials import Credentials
from weighlock.store.registry import Registry
from weighlock.store.wire import Answer, Request, Wire, is_loopback, origin

LAYER = Descriptor.of(b"0123456789", "application/octet-stream")
BASE = "https://registry.example"
START = f"{BASE}/v2/acme/model"
Answers = Mapping[tuple[str, str], tuple[int, Mapping[str, str]]]


class Scripted(Wire):
    """A wire to nowhere, with an answer for each method and URL (without query); everything else is 404."""

    def __init__(self, answers: Answers) -> None:
        super().__init__(plain_http=True)
        self.answers = answers
        self.sent: list[Request] = []

    @contextmanager
    def send(self, request: Request) -> Iterator[Answer]:
        self.sent.append(request)
        response = requests.Response()
        status, headers = self.answers.get((request.method, request.url.partition("?")[0]), (404, {}))
        response.status_code = status
        response.headers.update(headers)
        response.raw = io.BytesIO()
        yield Silent(response, request.url)


class Silent(Answer):
    def pieces(self) -> Iterator[bytes]:
        return iter(())


def registry(answers: Answers) -> tuple[Registry, Scripted]:
    wire = Scripted(answers)
    authorizer = Authorizer("registry.example/acme/model", lambda: Credentials("file", "ada", "engine"), wire)
    return Registry(Client("registry.example/acme/model", lambda: BASE, wire, authorizer, Retries(0))), wire


@pytest.mark.parametrize("there", ["http://registry.example/x", "http://127.0.0.1/x", "http://storage.example/x"])
def test_a_download_is_not_redirected_out_of_tls(there: str) -> None:
    store, wire = registry({("GET", f"{START}/blobs/{LAYER.digest}"): (307, {"Location": there})})
    with pytest.raises(StoreError, match="without TLS; that is refused"):
        list(store.blob(LAYER))
    assert [request.url for request in wire.sent] == [f"{START}/blobs/{LAYER.digest}"]


@pytest.mark.parametrize("there", ["http://registry.example/x", "http://127.0.0.1/x"])
def test_an_upload_is_not_sent_out_of_tls(there: str) -> None:
    store, wire = registry({("POST", f"{START}/blobs/uploads/"): (202, {"Location": there})})
    with pytest.raises(StoreError, match="without TLS; that is refused"):
        store.push_blob(LAYER, opener(b"0123456789"))
    assert [request.method for request in wire.sent] == ["HEAD", "POST"]


@pytest.mark.parametrize("realm", ["http://registry.example/token", "http://localhost/token", "", "ftp://x", "token"])
def test_credentials_are_not_sent_to_a_realm_without_tls(realm: str) -> None:
    url = f"{START}/blobs/{LAYER.digest}"
    store, wire = registry({("HEAD", url): (401, {"WWW-Authenticate": f'Bearer realm="{realm}"'})})
    with pytest.raises(StoreError):
        store.examine(LAYER)
    assert [request.authorization for request in wire.sent] == [None]


def test_another_port_is_another_origin() -> None:
    url = f"{START}/blobs/{LAYER.digest}"
    there = f"https://registry.example:8443/{LAYER.digest}"
    challenge = {"WWW-Authenticate": "Basic"}
    store, wire = registry({("HEAD", url): (401, challenge), ("GET", url): (307, {"Location": there})})
    with pytest.raises(StoreError, match="401"):
        store.examine(LAYER)
    with pytest.raises(NotFoundError):
        list(store.blob(LAYER))
    shown = {request.url: request.authorization is not None for request in wire.sent}
    assert shown == {url: True, there: False}


@pytest.mark.parametrize(
    ("header", "challenge"),
    [
        ("", None),
        ("Digest realm=x", None),
        ("Basic", Challenge("basic")),
        ('basic realm="a, b"', Challenge("basic", {"realm": "a, b"})),
        (
            'Bearer realm="https://a.example/t",service="s",scope="repository:a/b:pull,push"',
            Challenge("bearer", {"realm": "https://a.example/t", "service": "s", "scope": "repository:a/b:pull,push"}),
        ),
        (
            'Basic realm="x", Bearer realm = "https://a.example/t", service=s',
            Challenge("bearer", {"realm": "https://a.example/t", "service": "s"}),
        ),
        ('Bearer realm="https://a.example/t", Basic realm="x"', Challenge("bearer", {"realm": "https://a.example/t"})),
        ("Bearer " + "," * 10_000, Challenge("bearer")),
        ("BearerX realm=x", None),
    ],
)
def test_a_challenge_is_read(header: str, challenge: Challenge | None) -> None:
    assert Challenge.parse(header) == challenge


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "[::1]", "localhost"])
def test_loopback_is_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["127.0.0.1.example", "localhost.example", "0.0.0.0", "10.0.0.1", "[::]", "1270.0.1", ""]
)
def test_what_only_looks_like_loopback_is_not(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.example", ("https", "a.example", 443)),
        ("https://A.example:443/x?y", ("https", "a.example", 443)),
        ("http://[::1]:5000/v2/", ("http", "[::1]", 5000)),
        ("http://127.0.0.1/", ("http", "127.0.0.1", 80)),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, expected: tuple[str, str, int]) -> None:
    assert origin(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.example",
        "ftp://a.example",
        "https://",
        "https://a.example\\@b.example/",
        "https://a@b.example/",
        "https://a.example/ b",
        "https://a.example/\n",
        "https://a.example#@b.example/",
        "https://a.exämple/",
        "https://[::1",
    ],
)
def test_what_two_parsers_could_read_differently_is_no_url(url: str) -> None:
    with pytest.raises(StoreError):
        origin(url)
