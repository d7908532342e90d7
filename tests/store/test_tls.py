"""A real registry over TLS, with an authority of its own and a login."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import certificates
import servers
from artifacts import content, put_blob, put_model, referrer
from commands import weighlock
from fake_registry import FakeRegistry
from releasing import content as files_of
from releasing import make_keys, make_model
from weighlock.errors import StoreError
from weighlock.store import Store
from weighlock.store.targets import Target, open_store
from weighlock.store.wire import answers_tls


@dataclass(frozen=True)
class Guarded:
    """The registry's address, and the environment of one who trusts its authority and may log in."""

    address: str
    environ: dict[str, str]

    def store(self, **environ: str) -> Store:
        target = Target.parse(f"{self.address}/tests/{secrets.token_hex(8)}")
        return open_store(target, environ={**self.environ, **environ})


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    certificate = certificates.make(folder)
    with servers.docker_registry(folder, tls=certificate) as address:
        auth = base64.b64encode(b"ada:engine").decode()
        (folder / "config.json").write_text(json.dumps({"auths": {address: {"auth": auth}}}))
        yield Guarded(address, {"SSL_CERT_FILE": str(certificate.authority), "DOCKER_CONFIG": str(folder)})


def test_everything_works_over_tls_with_a_login(guarded: Guarded) -> None:
    store = guarded.store()
    model = put_model(store, secrets.token_bytes(3_000_000))
    store.attach(model, [referrer(store, model, "evidence")])
    store.tag(model, "v1")
    assert store.resolve("v1") == model
    assert len(store.referrers(model.digest)) == 1
    blob = put_blob(store, b"layer")
    assert content(store, blob) == b"layer"


def test_an_authority_that_nobody_named_is_not_trusted(guarded: Guarded) -> None:
    with pytest.raises(StoreError, match="no TLS connection") as caught:
        guarded.store(SSL_CERT_FILE="").resolve("v1")
    assert "SSL_CERT_FILE" in caught.value.remedy


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_other_names_of_the_variable_count_too(guarded: Guarded, name: str) -> None:
    authority = guarded.environ["SSL_CERT_FILE"]
    assert guarded.store(**{"SSL_CERT_FILE": "/nonexistent", name: authority}).resolve("v1") is None


def test_without_a_login_it_says_which_one_is_missing(guarded: Guarded) -> None:
    with pytest.raises(StoreError, match="401") as caught:
        guarded.store(DOCKER_CONFIG="/nonexistent").probe()
    assert f"docker login {guarded.address}" in caught.value.remedy


def test_a_whole_release_and_pull_on_the_command_line(guarded: Guarded, tmp_path: Path) -> None:
    keys, model = make_keys(tmp_path), make_model(tmp_path / "tiny")
    target = f"{guarded.address}/tests/release:v1"
    done = weighlock("release", model, "--to", target, "--key", keys.private, **guarded.environ)
    assert done.code == 0, done.err
    done = weighlock("pull", target, tmp_path / "there", "--key", keys.public, **guarded.environ)
    assert done.code == 0, done.err
    assert files_of(tmp_path / "there") == files_of(model)


def test_a_server_is_asked_whether_it_speaks_tls(guarded: Guarded, fake_registry: FakeRegistry) -> None:
    host, _, port = guarded.address.partition(":")
    assert answers_tls(host, int(port)) is True
    assert answers_tls(host, int(fake_registry.address.partition(":")[2])) is False
    assert answers_tls(host, 1) is False
    assert fake_registry.seen == []
