"""Proxies from the environment: what goes through them, what never does, and what they get to see.

The registry's name means something to the proxy alone, so whatever arrives there went through it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import certificates
import servers
from commands import weighlock
from forward_proxy import ForwardProxy, forward_proxy
from releasing import content, make_keys, make_model

NAME = "registry.example"


@dataclass(frozen=True)
class Company:
    """A registry with TLS and a login that is reached through its proxy only, and the environment of who may."""

    address: str
    environ: dict[str, str]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    folder = tmp_path_factory.mktemp("company")
    certificate = certificates.make(folder, NAME)
    with servers.docker_registry(folder, tls=certificate) as address:
        login = {"auth": base64.b64encode(b"ada:engine").decode()}
        (folder / "config.json").write_text(json.dumps({"auths": {NAME: login}}))
        yield Company(address, {"SSL_CERT_FILE": str(certificate.authority), "DOCKER_CONFIG": str(folder)})


@pytest.fixture
def proxy(company: Company) -> Iterator[ForwardProxy]:
    with forward_proxy(company.address) as proxy:
        yield proxy


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
def test_a_release_and_a_pull_go_through_it(
    company: Company, proxy: ForwardProxy, tmp_path: Path, variable: str
) -> None:
    keys, model = make_keys(tmp_path), make_model(tmp_path / "tiny")
    target, environ = f"{NAME}/tests/{variable.lower()}:v1", {**company.environ, variable: f"http://{proxy.address}"}
    done = weighlock("release", model, "--to", target, "--key", keys.private, **environ)
    assert done.code == 0, done.err
    done = weighlock("pull", target, tmp_path / "there", "--key", keys.public, **environ)
    assert done.code == 0, done.err
    assert content(tmp_path / "there") == content(model)
    assert proxy.targets() == {f"CONNECT {NAME}:443"}
    assert "authorization" not in "".join(proxy.seen).lower()


@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
def test_what_is_excepted_does_not(company: Company, proxy: ForwardProxy, tmp_path: Path, variable: str) -> None:
    environ = {**company.environ, "HTTPS_PROXY": f"http://{proxy.address}", variable: f"other.example,{NAME}"}
    done = weighlock("package", make_model(tmp_path / "tiny"), "--to", f"{NAME}/tests/none", **environ)
    assert done.code == 3, done.err
    assert f"{NAME} cannot be reached" in done.err
    assert proxy.seen == []


def test_loopback_never_does(registry: str, proxy: ForwardProxy, tmp_path: Path) -> None:
    environ = {"HTTP_PROXY": f"http://{proxy.address}", "HTTPS_PROXY": f"http://{proxy.address}"}
    done = weighlock("package", make_model(tmp_path / "tiny"), "--to", f"{registry}/tests/direct", **environ)
    assert done.code == 0, done.err
    assert proxy.seen == []


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy"])
def test_plain_http_goes_through_it_too_where_it_is_allowed(registry: str, tmp_path: Path, variable: str) -> None:
    with forward_proxy(registry) as proxy:
        environ = {variable: f"http://{proxy.address}"}
        words = ("package", make_model(tmp_path / "tiny"), "--plain-http", "--to", f"{NAME}:5000/tests/plain")
        done = weighlock(*words, **environ)
        assert done.code == 0, done.err
        assert {target.split()[1] for target in proxy.targets()} == {f"{NAME}:5000"}


def test_its_login_is_sent_to_it_and_said_to_nobody(company: Company, tmp_path: Path) -> None:
    with forward_proxy(company.address, "eve:apple") as proxy:
        model, target = make_model(tmp_path / "tiny"), f"{NAME}/tests/login"
        right = {**company.environ, "HTTPS_PROXY": f"http://eve:apple@{proxy.address}"}
        done = weighlock("package", model, "--to", target, **right)
        assert done.code == 0, done.err
        wrong = {**company.environ, "HTTPS_PROXY": f"http://eve:pear@{proxy.address}"}
        done = weighlock("package", model, "--to", target, **wrong)
        assert done.code == 3, done.err
        assert "proxy" in done.err.lower()
        assert "407" in done.err
        assert "pear" not in done.err + done.out


def test_a_login_that_plain_http_lacks_is_said_too(registry: str, tmp_path: Path) -> None:
    with forward_proxy(registry, "eve:p@le") as proxy:
        words = ("package", make_model(tmp_path / "tiny"), "--plain-http", "--to", f"{NAME}:5000/tests/login")
        done = weighlock(*words, HTTP_PROXY=f"http://eve:pear@{proxy.address}")
        assert done.code == 3, done.err
        assert f"{NAME}:5000 cannot be reached through the proxy {proxy.address}: 407" in done.err
        assert "pear" not in done.err + done.out
        done = weighlock(*words, HTTP_PROXY=f"http://eve:p%40le@{proxy.address}")
        assert done.code == 0, done.err


@pytest.mark.parametrize(
    "named",
    [
        "http://eve:zeb#ra@127.0.0.1:1",
        "http://eve:zeb/ra@127.0.0.1:1",
        "http://eve:zeb?ra@127.0.0.1:1",
        "http://eve:zebra@127.0.0.1:port",
        "http://eve:zebra@",
        "http://",
        "eve:zebra@127.0.0.1:1",
        "socks5://eve:zebra@127.0.0.1:1",
    ],
)
def test_one_that_cannot_be_used_is_refused_without_being_quoted(company: Company, tmp_path: Path, named: str) -> None:
    words = ("package", "--verbose", make_model(tmp_path / "tiny"), "--to", f"{NAME}/tests/none")
    done = weighlock(*words, **{**company.environ, "HTTPS_PROXY": named})
    assert done.code == 3, done.err
    assert f"{NAME} cannot be reached: the environment names a proxy for it that cannot be used" in done.err
    assert "zeb" not in done.err + done.out


def test_one_that_is_not_there_is_named(company: Company, tmp_path: Path) -> None:
    environ = {**company.environ, "HTTPS_PROXY": "http://eve:apple@127.0.0.1:1"}
    done = weighlock("package", make_model(tmp_path / "tiny"), "--to", f"{NAME}/tests/none", **environ)
    assert done.code == 3, done.err
    assert "proxy" in done.err.lower()
    assert "127.0.0.1:1" in done.err
    assert "apple" not in done.err + done.out
