"""A registry that is slow, broken, hostile or gone; and who gets to see credentials."""

from __future__ import annotations

import base64
import io
import json
import re
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qs, urlsplit

import pytest

import fake_registry as fakes
from artifacts import content, opener, put_blob, put_model, referrer
from clock import Clock
from fake_registry import FakeRegistry, Reply, Rule
from weighlock.errors import IntegrityError, MalformedError, NotFoundError, StoreError
from weighlock.oci import MANIFEST, Descriptor, Digest
from weighlock.store.auth import PULL, PUSH, Authorizer
from weighlock.store.registry import Registry, open_registry
from weighlock.store.targets import Repository, Target, open_store
from weighlock.store.wire import Request, Wire

LAYER = Descriptor.of(b"0123456789", "application/octet-stream")
BLOBS, UPLOADS, MANIFESTS = "/blobs/sha256:", "/blobs/uploads/", "/manifests/"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def elsewhere() -> Iterator[FakeRegistry]:
    """Yield a second server, which is another origin."""
    with fakes.fake_registry() as other:
        yield other


def store(fake: FakeRegistry, clock: Clock, environ: dict[str, str] | None = None) -> Registry:
    repository = Repository(fake.address, "acme/model")
    return open_registry(repository, plain_http=False, environ=environ or {}, retries=clock.retries())


def login(fake: FakeRegistry, folder: Path, password: str = "engine", **more: str) -> dict[str, str]:
    """Write a docker configuration for `fake` and return the environment that names it."""
    entry = {"auth": base64.b64encode(f"ada:{password}".encode()).decode(), **more}
    (folder / "config.json").write_text(json.dumps({"auths": {fake.address: entry}}))
    return {"DOCKER_CONFIG": str(folder)}


def authorizations(fake: FakeRegistry) -> set[str]:
    return {seen.headers["authorization"] for seen in fake.seen if "authorization" in seen.headers}


# Who gets to see credentials


def test_nothing_is_shown_before_the_registry_asks(fake_registry: FakeRegistry, clock: Clock, tmp_path: Path) -> None:
    put_blob(store(fake_registry, clock, login(fake_registry, tmp_path)), b"layer")
    assert authorizations(fake_registry) == set()


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_a_whole_release_with_credentials(fake_registry: FakeRegistry, clock: Clock, tmp_path: Path, auth: str) -> None:
    fake_registry.auth = auth
    registry = store(fake_registry, clock, login(fake_registry, tmp_path))
    model = put_model(registry, b"one")
    registry.attach(model, [referrer(registry, model, "e")])
    registry.tag(model, "v1")
    assert registry.resolve("v1") == model
    assert len(fake_registry.requests("GET", "/token")) == (2 if auth == "bearer" else 0)  # pull, then push


def test_a_public_registry_gives_tokens_to_anybody(fake_registry: FakeRegistry, clock: Clock) -> None:
    fake_registry.auth = "bearer"
    put_blob(store(fake_registry, clock), b"layer")
    (asked, *_) = fake_registry.requests("GET", "/token")
    assert "authorization" not in asked.headers
    assert "service=fake" in asked.path
    assert "scope=repository%3Aacme%2Fmodel%3Apull" in asked.path


def test_an_identity_token_is_posted_to_the_token_service(
    fake_registry: FakeRegistry, clock: Clock, tmp_path: Path
) -> None:
    fake_registry.auth = "bearer"
    put_blob(store(fake_registry, clock, login(fake_registry, tmp_path, identitytoken="long/lived")), b"layer")
    (asked, *_) = fake_registry.requests("POST", "/token")
    assert b"grant_type=refresh_token" in asked.body
    assert b"refresh_token=long%2Flived" in asked.body
    assert not any("long" in shown for shown in authorizations(fake_registry))


def test_a_token_that_ran_out_is_replaced_once(fake_registry: FakeRegistry, clock: Clock) -> None:
    fake_registry.auth = "bearer"
    registry = store(fake_registry, clock)
    put_blob(registry, b"first")
    fake_registry.tokens.clear()
    put_blob(registry, b"second")
    fake_registry.tokens.clear()
    assert content(registry, Descriptor.of(b"second", "a/b")) == b"second"


@pytest.mark.parametrize("after", range(6))
def test_a_token_that_runs_out_in_the_middle_of_a_push_is_replaced(
    fake_registry: FakeRegistry, clock: Clock, after: int
) -> None:
    fake_registry.auth = "bearer"
    left = [after]

    def run_out(reply: Reply) -> Reply:
        left[0] -= 1
        if left[0] < 0:
            fake_registry.tokens.clear()
            left[0] = 1_000_000
        return reply

    fake_registry.rules += [Rule(method, "/v2/", change=run_out) for method in ("HEAD", "POST", "PUT", "GET")]
    registry = store(fake_registry, clock)
    model = put_model(registry, b"one", b"two")
    registry.tag(model, "v1")
    assert registry.resolve("v1") == model
    assert left[0] > after, "the token ran out"
    assert clock.waits == []


def test_streams_that_lose_their_token_together_ask_for_one(fake_registry: FakeRegistry) -> None:
    authorizer = Authorizer(f"{fake_registry.address}/acme/model", lambda: None, Wire(plain_http=False))
    url = f"http://{fake_registry.address}"
    challenge = f'Bearer realm="{url}/token",service="fake"'
    assert authorizer.answer(challenge, PUSH, None, url)
    lost, together = authorizer.header(PUSH), threading.Barrier(8, timeout=60)

    def refused(_: int) -> tuple[str, bool] | None:
        together.wait()
        return authorizer.answer(challenge, PUSH, lost, url)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(refused, range(8)))
    new = authorizer.header(PUSH)
    assert new not in {None, lost}
    assert sorted(answers, key=str) == [(new, False)] * 7 + [(new, True)]
    assert len(fake_registry.requests("GET", "/token")) == 2


def test_a_token_that_is_lost_for_reading_first_is_replaced_for_writing_too(fake_registry: FakeRegistry) -> None:
    authorizer = Authorizer(f"{fake_registry.address}/acme/model", lambda: None, Wire(plain_http=False))
    url = f"http://{fake_registry.address}"
    challenge = f'Bearer realm="{url}/token",service="fake"'
    assert authorizer.answer(challenge, PUSH, None, url)
    lost = authorizer.header(PUSH)
    assert authorizer.header(PULL) == lost, "it is good for reading too"
    for actions in (PULL, PUSH):  # two streams that showed it
        assert authorizer.answer(challenge, actions, lost, url) == (authorizer.header(actions), True)
        assert authorizer.header(actions) not in {None, lost}


def test_a_mount_asks_for_the_right_to_read_its_origin(fake_registry: FakeRegistry, clock: Clock) -> None:
    fake_registry.auth = "bearer"
    registry = store(fake_registry, clock)
    origin = open_registry(Repository(fake_registry.address, "acme/base"), plain_http=False, environ={})
    blob = put_blob(origin, b"layer")
    assert registry.mount(blob, origin) is True
    (*_, asked) = fake_registry.requests("GET", "/token")
    query = parse_qs(urlsplit(asked.path).query)
    assert sorted(query["scope"]) == ["repository:acme/base:pull", "repository:acme/model:pull,push"]
    put_blob(registry, b"another")
    assert len(fake_registry.requests("GET", "/token")) == 3, "the token for both is good for one"


def test_a_token_without_the_right_to_push_ends_it_with_what_to_ask_for(
    fake_registry: FakeRegistry, clock: Clock, tmp_path: Path
) -> None:
    fake_registry.auth, fake_registry.granted = "bearer", frozenset({"pull"})
    registry = store(fake_registry, clock, login(fake_registry, tmp_path))
    assert registry.resolve("v1") is None
    with pytest.raises(StoreError, match="asking whether blobs may be stored was answered with 401") as caught:
        registry.probe()
    assert f"the right to push to {fake_registry.address}/acme/model" in caught.value.remedy
    assert "'ada'" in caught.value.remedy


@pytest.mark.parametrize(("actions", "right"), [(PULL, "read"), (PUSH, "write")])
@pytest.mark.parametrize("host", ["ghcr.io", "containers.acme.ghe.com"])
def test_at_github_the_line_of_yaml_and_the_scope_are_named(host: str, actions: str, right: str) -> None:
    words = Authorizer(f"{host}/acme/model", lambda: None, Wire(plain_http=False)).remedy(actions)
    assert f"'permissions: packages: {right}'" in words
    assert f"a classic token of the scope {right}:packages" in words
    elsewhere = Authorizer(f"{host}.example/acme/model", lambda: None, Wire(plain_http=False)).remedy(actions)
    assert "permissions" not in elsewhere


def test_a_registry_that_refuses_its_own_token_is_not_asked_for_ever(fake_registry: FakeRegistry, clock: Clock) -> None:
    fake_registry.auth = "bearer"
    challenge = {"WWW-Authenticate": f'Bearer realm="http://{fake_registry.address}/token",service="fake"'}
    fake_registry.rules.append(Rule("HEAD", BLOBS, instead=Reply(401, challenge)))
    with pytest.raises(StoreError, match="401"):
        put_blob(store(fake_registry, clock), b"layer")
    assert len(fake_registry.requests("HEAD")) == 2


def test_wrong_credentials_are_named_with_their_file_and_not_with_the_password(
    fake_registry: FakeRegistry, clock: Clock, tmp_path: Path
) -> None:
    for fake_registry.auth in ("bearer", "basic"):
        with pytest.raises(StoreError) as caught:
            put_blob(store(fake_registry, clock, login(fake_registry, tmp_path, "n0tth1s")), b"layer")
        assert "'ada'" in caught.value.remedy
        assert str(tmp_path / "config.json") in caught.value.remedy
        assert f"docker login {fake_registry.address}" in caught.value.remedy
        assert "n0tth1s" not in str(caught.value)


def test_missing_credentials_are_said_to_be_missing(fake_registry: FakeRegistry, clock: Clock) -> None:
    fake_registry.auth = "basic"
    with pytest.raises(StoreError) as caught:
        store(fake_registry, clock).resolve("v1")
    assert "no credentials for" in caught.value.remedy
    assert "UNAUTHORIZED: authentication required" in caught.value.what


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_a_download_elsewhere_carries_no_credentials(
    fake_registry: FakeRegistry, elsewhere: FakeRegistry, clock: Clock, tmp_path: Path, auth: str
) -> None:
    fake_registry.auth = auth
    registry = store(fake_registry, clock, login(fake_registry, tmp_path))
    put_blob(registry, b"0123456789")
    elsewhere.blobs = fake_registry.blobs
    there = f"http://{elsewhere.address}/v2/storage{BLOBS}{LAYER.digest.hex}?sig=x"
    fake_registry.rules.append(Rule("GET", BLOBS, change=lambda _: Reply(307, {"Location": there})))
    assert content(registry, LAYER) == b"0123456789"
    assert len(elsewhere.seen) == 1
    assert authorizations(fake_registry)
    assert authorizations(elsewhere) == set()


def test_an_upload_elsewhere_carries_no_credentials(
    fake_registry: FakeRegistry, elsewhere: FakeRegistry, clock: Clock, tmp_path: Path
) -> None:
    fake_registry.auth = "basic"
    elsewhere.uploads.add("u1")
    there = f"http://{elsewhere.address}/v2/storage{UPLOADS}u1?_state=a%2Fb%3D"
    fake_registry.rules.append(
        Rule("POST", UPLOADS, change=lambda reply: Reply(202, {"Location": there}) if reply.status == 202 else reply)
    )
    put_blob(store(fake_registry, clock, login(fake_registry, tmp_path)), b"0123456789")
    assert elsewhere.blobs == {str(LAYER.digest): b"0123456789"}
    assert authorizations(elsewhere) == set()


def test_a_challenge_from_elsewhere_is_not_answered(
    fake_registry: FakeRegistry, elsewhere: FakeRegistry, clock: Clock, tmp_path: Path
) -> None:
    elsewhere.auth = "basic"
    there = f"http://{elsewhere.address}/v2/storage{BLOBS}{LAYER.digest.hex}"
    fake_registry.rules.append(Rule("GET", BLOBS, instead=Reply(307, {"Location": there})))
    environ = login(fake_registry, tmp_path)
    with pytest.raises(StoreError, match=f"by {elsewhere.address} with 401"):
        content(store(fake_registry, clock, environ), LAYER)
    assert authorizations(elsewhere) == set()


def test_a_token_service_elsewhere_gets_the_password_and_the_token_stays_with_the_registry(
    fake_registry: FakeRegistry, elsewhere: FakeRegistry, clock: Clock, tmp_path: Path
) -> None:
    fake_registry.auth, fake_registry.realm = "bearer", f"http://{elsewhere.address}/token"
    fake_registry.tokens = elsewhere.tokens
    put_blob(store(fake_registry, clock, login(fake_registry, tmp_path)), b"layer")
    assert authorizations(elsewhere) == {fake_registry.basic}
    assert authorizations(fake_registry) == {f"Bearer {token}" for token in elsewhere.tokens}


def test_netrc_is_not_read(
    fake_registry: FakeRegistry, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ada password engine\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    put_blob(store(fake_registry, clock), b"layer")
    assert authorizations(fake_registry) == set()


def test_a_proxy_does_not_stand_between_us_and_loopback(
    fake_registry: FakeRegistry, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    put_blob(store(fake_registry, clock), b"layer")
    assert fake_registry.requests("PUT")


# What is passing, and what is not


@pytest.mark.parametrize(("method", "path"), [("HEAD", BLOBS), ("POST", UPLOADS), ("PUT", UPLOADS), ("GET", BLOBS)])
@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_passes_is_tried_again(
    fake_registry: FakeRegistry, clock: Clock, method: str, path: str, status: int
) -> None:
    fake_registry.rules.append(Rule(method, path, instead=Reply(status), times=2))
    registry = store(fake_registry, clock)
    assert registry.push_blob(LAYER, opener(b"0123456789")) is True
    assert content(registry, LAYER) == b"0123456789"
    assert len(clock.waits) == 2


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 413, 416, 501])
def test_what_does_not_pass_is_not_tried_again(fake_registry: FakeRegistry, clock: Clock, status: int) -> None:
    fake_registry.rules.append(Rule("PUT", MANIFESTS, instead=Reply(status)))
    with pytest.raises(StoreError, match=f"storing the manifest sha256:.* was answered with {status}"):
        put_model(store(fake_registry, clock), b"one")
    assert len(fake_registry.requests("PUT", MANIFESTS)) == 1
    assert clock.waits == []


def test_the_registrys_wish_to_wait_is_granted(fake_registry: FakeRegistry, clock: Clock) -> None:
    date = (datetime.now(timezone.utc) + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    for wish in ("7", date, "soon", "-1"):
        fake_registry.rules.append(Rule("POST", UPLOADS, instead=Reply(429, {"Retry-After": wish}), times=1))
    registry = open_registry(
        Repository(fake_registry.address, "m"), plain_http=False, environ={}, retries=clock.retries(1000)
    )
    put_blob(registry, b"layer")
    assert clock.waits[0] == 7
    assert 80 < clock.waits[1] <= 90
    assert clock.waits[2:] == [2, 4]


def test_githubs_rate_limit_passes_although_it_is_403(fake_registry: FakeRegistry, clock: Clock) -> None:
    body = json.dumps({"errors": [{"code": "DENIED", "message": "You have exceeded a secondary rate limit"}]}).encode()
    fake_registry.rules.append(Rule("POST", UPLOADS, instead=Reply(403, {}, body), times=1))
    put_blob(store(fake_registry, clock), b"layer")
    assert len(clock.waits) == 1


def test_trying_ends_with_the_registrys_own_words(fake_registry: FakeRegistry, clock: Clock) -> None:
    body = json.dumps({"errors": [{"code": "TOOMANYREQUESTS", "message": "slow down"}]}).encode()
    fake_registry.rules.append(Rule("POST", UPLOADS, instead=Reply(429, {}, body)))
    with pytest.raises(StoreError, match=r"429 .*TOOMANYREQUESTS: slow down") as caught:
        put_blob(store(fake_registry, clock), b"layer")
    assert "run again later" in caught.value.remedy
    assert sum(clock.waits) <= 120


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        (
            "application/json",
            '{"errors": [{"code": "DENIED", "message": "no", "detail": "quota"}]}',
            "(DENIED: no, quota)",
        ),
        ("application/json", '{"errors": [{"code": "A"}, {"code": "B", "detail": {"a": 1}}]}', "(A: ; B: )"),
        ("application/json", '{"message": "no such owner"}', "(no such owner)"),
        ("application/json", '{"details": "incorrect username or password"}', "(incorrect username or password)"),
        ("application/json", '{"errors": []}', ""),
        ("application/json", '{"errors": "none"}', ""),
        ("text/plain; charset=utf-8", "body too large\nat line 3", "(body too large)"),
        ("text/html", "<html>too large</html>", ""),
        (
            "application/xml",
            "<?xml?><Error><Code>Expired</Code>\n<Message>of today</Message></Error>",
            "(Expired: of today)",
        ),
        ("text/plain", "x" * 1000, f"({'x' * 200}… (800 more characters))"),
        ("text/plain", " \n", ""),
        ("", "\xff", ""),
    ],
)
def test_a_failure_has_the_servers_own_words(
    fake_registry: FakeRegistry, clock: Clock, kind: str, body: str, words: str
) -> None:
    fake_registry.rules.append(Rule("PUT", UPLOADS, instead=Reply(400, {"Content-Type": kind}, body.encode("latin-1"))))
    with pytest.raises(StoreError) as caught:
        store(fake_registry, clock).push_blob(LAYER, opener(b"0123456789"))
    name = f"{fake_registry.address}/acme/model"
    assert caught.value.what == f"{name}: storing {LAYER.digest} was answered with 400{words and f' {words}'}"


def test_a_token_service_that_refuses_is_quoted_too(fake_registry: FakeRegistry, clock: Clock) -> None:
    fake_registry.auth = "bearer"
    body = json.dumps({"errors": [{"code": "DENIED", "message": "requested access is denied"}]}).encode()
    fake_registry.rules += [
        Rule("GET", "/token", instead=Reply(429, {"Retry-After": "9"}, body), times=1),
        Rule("GET", "/token", instead=Reply(403, {}, body)),
    ]
    with pytest.raises(StoreError, match=r"refused '.*' with 403 \(DENIED: requested access is denied\)"):
        store(fake_registry, clock).resolve("v1")
    assert clock.waits == [9]


def test_each_attempt_opens_the_source_again(fake_registry: FakeRegistry, clock: Clock) -> None:
    opened: list[int] = []

    def source() -> BinaryIO:
        opened.append(1)
        return io.BytesIO(b"0123456789")

    fake_registry.rules.append(Rule("PUT", UPLOADS, instead=Reply(503), times=2))
    assert store(fake_registry, clock).push_blob(LAYER, source) is True
    assert len(opened) == 3


def test_a_blob_that_arrived_although_the_answer_failed_is_not_sent_again(
    fake_registry: FakeRegistry, clock: Clock
) -> None:
    fake_registry.rules.append(Rule("PUT", UPLOADS, change=lambda _: Reply(504), times=1))
    assert store(fake_registry, clock).push_blob(LAYER, opener(b"0123456789")) is True
    assert len(fake_registry.requests("PUT")) == 1


def test_a_registry_that_never_answered_is_given_up_soon(clock: Clock) -> None:
    with fakes.fake_registry() as gone:
        pass
    with pytest.raises(StoreError, match=f"{gone.address} cannot be reached: Connection refused") as caught:
        put_blob(store(gone, clock), b"layer")
    assert "does it run?" in caught.value.remedy
    assert sum(clock.waits) <= 5


def test_tls_with_a_server_in_plain_http_names_the_flag(fake_registry: FakeRegistry) -> None:
    wire = Wire(plain_http=False)
    with pytest.raises(StoreError) as caught, wire.send(Request("GET", f"https://{fake_registry.address}/v2/")):
        pass
    assert "--plain-http" in caught.value.remedy


# What comes back is not what was asked for


def test_a_download_that_breaks_off_goes_on_where_it_stopped(fake_registry: FakeRegistry, clock: Clock) -> None:
    registry = store(fake_registry, clock)
    put_blob(registry, b"0123456789")
    fake_registry.rules.append(Rule("GET", BLOBS, change=lambda reply: replace(reply, cut=3), times=2))
    assert content(registry, LAYER) == b"0123456789"
    assert [seen.headers.get("range") for seen in fake_registry.requests("GET")] == [None, "bytes=3-9", "bytes=6-9"]


def test_a_registry_without_ranges_starts_over(fake_registry: FakeRegistry, clock: Clock) -> None:
    registry = store(fake_registry, clock)
    put_blob(registry, b"0123456789")
    fake_registry.rules += [
        Rule("GET", BLOBS, change=lambda reply: replace(reply, cut=3), times=1),
        Rule("GET", BLOBS, instead=Reply(200, {}, b"0123456789")),
    ]
    assert content(registry, LAYER) == b"0123456789"


def test_another_range_than_asked_for_is_refused(fake_registry: FakeRegistry, clock: Clock) -> None:
    registry = store(fake_registry, clock)
    put_blob(registry, b"0123456789")
    fake_registry.rules += [
        Rule("GET", BLOBS, change=lambda reply: replace(reply, cut=3), times=1),
        Rule("GET", BLOBS, instead=Reply(206, {"Content-Range": "bytes 0-9/10"}, b"0123456789")),
    ]
    with pytest.raises(StoreError, match="another range"):
        content(registry, LAYER)


def test_a_download_that_never_gets_further_is_given_up(fake_registry: FakeRegistry, clock: Clock) -> None:
    registry = store(fake_registry, clock)
    put_blob(registry, b"0123456789")
    fake_registry.rules.append(Rule("GET", BLOBS, change=lambda reply: replace(reply, cut=0)))
    with pytest.raises(StoreError, match="broke off"):
        content(registry, LAYER)


def test_a_download_without_end_is_cut_off(fake_registry: FakeRegistry, clock: Clock) -> None:
    fake_registry.rules.append(Rule("GET", BLOBS, instead=Reply(200, {}, b"0123456789" * 1_000_000)))
    with pytest.raises(IntegrityError, match="longer than the 10 bytes"):
        content(store(fake_registry, clock), LAYER)


def test_an_empty_blob_is_not_fetched(fake_registry: FakeRegistry, clock: Clock) -> None:
    assert content(store(fake_registry, clock), Descriptor.of(b"", "a/b")) == b""
    assert fake_registry.seen == []
    with pytest.raises(IntegrityError):
        content(store(fake_registry, clock), replace(LAYER, size=0))


def test_a_blob_of_another_size_is_not_as_described(fake_registry: FakeRegistry, clock: Clock) -> None:
    put_blob(store(fake_registry, clock), b"0123456789")
    with pytest.raises(IntegrityError, match="has 10 bytes, described are 11"):
        store(fake_registry, clock).examine(replace(LAYER, size=11))


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_wrong_content_digest_is_refused(fake_registry: FakeRegistry, clock: Clock, method: str) -> None:
    wrong = {"Docker-Content-Digest": str(Digest.of(b"other"))}
    fake_registry.rules.append(
        Rule(method, MANIFESTS, change=lambda reply: replace(reply, headers={**reply.headers, **wrong}))
    )
    registry = store(fake_registry, clock)
    with pytest.raises(IntegrityError, match="the registry calls it"):
        registry.tag(put_model(registry, b"one"), "v1")


def test_a_manifest_that_comes_as_another_type_is_refused(fake_registry: FakeRegistry, clock: Clock) -> None:
    registry = store(fake_registry, clock)
    model = put_model(registry, b"one")
    fake_registry.manifests[str(model.digest)] = (
        "application/vnd.oci.image.index.v1+json",
        fake_registry.manifests[str(model.digest)][1],
    )
    with pytest.raises(MalformedError, match="calls itself"):
        registry.manifest(model.digest)


def test_a_tag_on_something_that_is_not_json_is_refused(fake_registry: FakeRegistry, clock: Clock) -> None:
    fake_registry.rules.append(Rule("GET", MANIFESTS, instead=Reply(200, {"Content-Type": MANIFEST}, b"<html>")))
    with pytest.raises(MalformedError, match="not valid JSON"):
        store(fake_registry, clock).resolve("v1")


def test_a_manifest_without_end_is_not_read(fake_registry: FakeRegistry, clock: Clock) -> None:
    huge = b" " * (4 * 1024 * 1024 + 1)
    fake_registry.rules.append(Rule("GET", MANIFESTS, instead=Reply(200, {"Content-Type": MANIFEST}, huge)))
    with pytest.raises(StoreError, match="more than 4194304 bytes"):
        store(fake_registry, clock).resolve("v1")


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"errors": [{"code": "\x1b[2J", "message": "line\n::error::injected\u202e" * 10_000}]}).encode(),
        b"\xff" * 1_000_000,
        b"<html>" + b"x" * 1_000_000,
        b'{"errors": [' + b"[" * 100_000,
        b'{"errors": [1]}',
        b'{"errors": [{"code": {"a": [1]}, "message": null}]}',
        b"",
    ],
)
def test_an_errors_body_cannot_harm_the_terminal(fake_registry: FakeRegistry, clock: Clock, body: bytes) -> None:
    fake_registry.rules.append(Rule("POST", UPLOADS, instead=Reply(400, {}, body)))
    with pytest.raises(StoreError, match="400") as caught:
        put_blob(store(fake_registry, clock), b"layer")
    assert caught.value.what.isprintable()
    assert len(caught.value.what) < 500


@pytest.mark.parametrize(
    "location",
    [
        "",
        "http://[::1/x",
        "file:///etc/passwd",
        "http://evil.example\\@127.0.0.1/x",
        "http://user:password@127.0.0.1/x",
        "http://127.0.0.1:99999999/x",
    ],
)
def test_a_location_that_is_no_url_is_refused(fake_registry: FakeRegistry, clock: Clock, location: str) -> None:
    fake_registry.rules.append(Rule("POST", UPLOADS, instead=Reply(202, {"Location": location})))
    with pytest.raises(StoreError):
        put_blob(store(fake_registry, clock), b"layer")
    assert fake_registry.requests("PUT") == []


@pytest.mark.parametrize(("method", "path"), [("POST", UPLOADS), ("GET", BLOBS)])
def test_we_are_not_sent_out_of_loopback_in_plain_http(
    fake_registry: FakeRegistry, clock: Clock, method: str, path: str
) -> None:
    status = 202 if method == "POST" else 307
    fake_registry.rules.append(Rule(method, path, instead=Reply(status, {"Location": "http://registry.example/x"})))
    registry = store(fake_registry, clock)
    with pytest.raises(StoreError, match=r"registry\.example would be spoken to in plain HTTP"):
        put_blob(registry, b"layer") if method == "POST" else content(registry, LAYER)


def test_a_redirect_in_circles_ends(fake_registry: FakeRegistry, clock: Clock) -> None:
    fake_registry.rules.append(Rule("GET", BLOBS, instead=Reply(307, {"Location": f"/v2/a{BLOBS}{LAYER.digest.hex}"})))
    with pytest.raises(StoreError, match="more than 5 redirects"):
        content(store(fake_registry, clock), LAYER)


def test_a_query_that_may_hold_a_secret_is_not_shown(
    fake_registry: FakeRegistry, elsewhere: FakeRegistry, clock: Clock
) -> None:
    there = f"http://{elsewhere.address}/v2/storage{BLOBS}{LAYER.digest.hex}?signature=s3cret"
    fake_registry.rules.append(Rule("GET", BLOBS, instead=Reply(307, {"Location": there})))
    elsewhere.rules.append(Rule("GET", BLOBS, instead=Reply(403)))
    with pytest.raises(StoreError, match=f"by {elsewhere.address} with 403") as caught:
        content(store(fake_registry, clock), LAYER)
    assert "s3cret" not in str(caught.value)


def test_the_locations_query_is_kept_as_it_came(fake_registry: FakeRegistry, clock: Clock) -> None:
    put_blob(store(fake_registry, clock), b"0123456789")
    (put,) = fake_registry.requests("PUT")
    assert re.search(r"\?_state=a%2Fb%3D&x=1&digest=sha256%3A[0-9a-f]{64}$", put.path)


def test_a_missing_repository_is_not_found(fake_registry: FakeRegistry, clock: Clock) -> None:
    with pytest.raises(NotFoundError):
        store(fake_registry, clock).manifest(LAYER.digest)


# The real one


class Zeros(io.RawIOBase):
    """So many zero bytes, made as they are read."""

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int = -1, /) -> bytes:
        piece = bytes(min(size, self._left))
        self._left -= len(piece)
        return piece


def test_a_blob_is_never_held_whole(fresh_repository: Callable[[], str]) -> None:
    size = 48 * 1024 * 1024
    # The digest of so many zero bytes; computed by sha256sum.
    digest = Digest("152ba99dbaf6c7dde5955a8484835194ed4fc0f20a0ea774667f148a25cb03c4")
    descriptor = Descriptor("application/octet-stream", digest, size)
    registry = open_store(Target.parse(fresh_repository()), environ={})
    tracemalloc.start()
    try:
        registry.push_blob(descriptor, lambda: Zeros(size))
        for _ in registry.blob(descriptor):
            pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * 1024 * 1024
