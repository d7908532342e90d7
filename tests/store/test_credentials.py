"""Where credentials come from, and what must not be taken for them."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from weighlock.errors import InputError, StoreError
from weighlock.store.credentials import Credentials, find


def auth(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "docker").mkdir()
    return {"DOCKER_CONFIG": str(tmp_path / "docker"), "HOME": str(tmp_path)}


def write(environ: Mapping[str, str], document: dict[str, Any]) -> None:
    Path(environ["DOCKER_CONFIG"], "config.json").write_text(json.dumps(document))


def user(host: str, environ: Mapping[str, str], name: str = "acme/model") -> str | None:
    found = find(host, name, environ)
    return found.user if found else None


@pytest.mark.parametrize("key", ["ghcr.io", "https://ghcr.io", "https://ghcr.io/", "https://ghcr.io/v1/", "ghcr.io/v2"])
def test_every_spelling_of_a_host_counts(environ: dict[str, str], key: str) -> None:
    write(environ, {"auths": {key: auth("ada", "a:b")}})
    found = find("ghcr.io", "acme/model", environ)
    assert found is not None
    assert (found.user, found.password) == ("ada", "a:b")
    assert found.basic() == "Basic " + base64.b64encode(b"ada:a:b").decode()


@pytest.mark.parametrize("key", ["ghcr.io.evil.example", "evil.example/ghcr.io", "ghcr.io:443", "ghcr", "*.io", ""])
def test_credentials_of_another_host_are_not_used(environ: dict[str, str], key: str) -> None:
    write(environ, {"auths": {key: auth("ada", "engine")}})
    assert find("ghcr.io", "acme/model", environ) is None


def test_another_port_is_another_registry(environ: dict[str, str]) -> None:
    write(environ, {"auths": {"127.0.0.1:5000": auth("ada", "engine")}})
    assert user("127.0.0.1:5000", environ) == "ada"
    assert user("127.0.0.1:5001", environ) is None


def test_the_most_particular_entry_counts(environ: dict[str, str]) -> None:
    entries = {"q.io": auth("all", "x"), "q.io/acme": auth("team", "x"), "q.io/acme/model": auth("one", "x")}
    write(environ, {"auths": entries})
    assert [user("q.io", environ, name) for name in ("acme/model", "acme/other", "acme2/model")] == [
        "one",
        "team",
        "all",
    ]


def test_an_identity_token_is_not_a_password(environ: dict[str, str]) -> None:
    write(environ, {"auths": {"q.io": {**auth("x", ""), "identitytoken": "secret-token"}}})
    found = find("q.io", "m", environ)
    assert found is not None
    assert (found.identity_token, found.password) == ("secret-token", "")


def test_the_files_count_in_their_order(environ: dict[str, str], tmp_path: Path) -> None:
    named, runtime = tmp_path / "named.json", tmp_path / "run" / "containers" / "auth.json"
    runtime.parent.mkdir(parents=True)
    runtime.write_text(json.dumps({"auths": {"q.io": auth("podman", "x"), "only.io": auth("podman", "x")}}))
    write(environ, {"auths": {"q.io": auth("docker", "x")}})
    environ["XDG_RUNTIME_DIR"] = str(tmp_path / "run")
    assert (user("q.io", environ), user("only.io", environ)) == ("docker", "podman")
    named.write_text(json.dumps({"auths": {"q.io": auth("named", "x")}}))
    environ["REGISTRY_AUTH_FILE"] = str(named)
    assert user("q.io", environ) == "named"


@pytest.mark.parametrize("variable", ["XDG_CONFIG_HOME", ""])
def test_the_file_that_podman_keeps_across_logins_comes_last(
    environ: dict[str, str], tmp_path: Path, variable: str
) -> None:
    settings = tmp_path / "settings" if variable else tmp_path / ".config"
    (settings / "containers").mkdir(parents=True)
    entries = {name: auth("kept", "x") for name in ("q.io", "only.io")}
    (settings / "containers" / "auth.json").write_text(json.dumps({"auths": entries}))
    if variable:
        environ[variable] = str(settings)
    write(environ, {"auths": {"q.io": auth("docker", "x")}})
    assert (user("q.io", environ), user("only.io", environ)) == ("docker", "kept")


def test_without_a_file_and_without_a_home_there_are_none(tmp_path: Path) -> None:
    assert find("q.io", "m", {}) is None
    assert find("q.io", "m", {"HOME": str(tmp_path)}) is None


@pytest.mark.parametrize(
    "written", ["{", "[]", '{"auths": {"q.io": {"auth": "c2VjcmV0"}}}', '{"auths": {"q.io": {"auth": "%"}}}']
)
def test_a_broken_file_is_named_and_not_quoted(environ: dict[str, str], written: str) -> None:
    Path(environ["DOCKER_CONFIG"], "config.json").write_text(written)
    with pytest.raises(InputError, match=r"config\.json") as caught:
        find("q.io", "m", environ)
    assert "secret" not in str(caught.value)
    assert "c2Vj" not in str(caught.value)


def test_secrets_do_not_show_in_a_repr() -> None:
    shown = repr(Credentials("file", "ada", "engine", "token"))
    assert "engine" not in shown
    assert "token=" not in shown


@pytest.fixture
def program(tmp_path: Path, environ: dict[str, str]) -> Path:
    """Put an empty docker-credential-test before the PATH and return it."""
    path = tmp_path / "bin" / "docker-credential-test"
    path.parent.mkdir()
    path.touch(0o755)
    environ["PATH"] = f"{path.parent}{os.pathsep}{os.environ['PATH']}"
    return path


def test_a_program_is_asked_with_the_host_on_standard_input(environ: dict[str, str], program: Path) -> None:
    program.write_text('#!/bin/sh\nread host\necho "{\\"Username\\": \\"$1 $host\\", \\"Secret\\": \\"s\\"}"\n')
    write(environ, {"credHelpers": {"q.io": "test"}, "auths": {"q.io": auth("file", "x")}})
    assert user("q.io", environ) == "get q.io"
    assert user("other.io", environ) is None


@pytest.mark.parametrize("key", ["docker.io", "index.docker.io", "https://index.docker.io/v1/"])
def test_every_spelling_of_docker_hub_counts(environ: dict[str, str], program: Path, key: str) -> None:
    write(environ, {"auths": {key: auth("file", "x")}})
    assert user("docker.io", environ) == "file"
    program.write_text('#!/bin/sh\nread host\necho "{\\"Username\\": \\"$host\\", \\"Secret\\": \\"s\\"}"\n')
    write(environ, {"credHelpers": {key: "test"}})
    assert user("docker.io", environ) == "https://index.docker.io/v1/"


def test_a_program_that_is_switched_off_for_a_host_leaves_it_to_the_file(
    environ: dict[str, str], program: Path
) -> None:
    program.write_text('#!/bin/sh\necho \'{"Username": "program", "Secret": "s"}\'\n')
    write(environ, {"credsStore": "test", "credHelpers": {"q.io": ""}, "auths": {"q.io": auth("file", "x")}})
    assert (user("q.io", environ), user("other.io", environ)) == ("file", "program")


def test_the_program_for_all_hosts_may_give_an_identity_token(environ: dict[str, str], program: Path) -> None:
    program.write_text('#!/bin/sh\necho \'{"Username": "<token>", "Secret": "s"}\'\n')
    write(environ, {"credsStore": "test"})
    found = find("q.io", "m", environ)
    assert found is not None
    assert (found.user, found.identity_token) == ("", "s")


def test_a_program_that_knows_nothing_leaves_it_to_the_file(environ: dict[str, str], program: Path) -> None:
    program.write_text("#!/bin/sh\necho credentials not found in native keychain\nexit 1\n")
    write(environ, {"credsStore": "test", "auths": {"q.io": auth("file", "x")}})
    assert user("q.io", environ) == "file"


def test_a_program_that_fails_is_an_error(environ: dict[str, str], program: Path) -> None:
    program.write_text("#!/bin/sh\necho the keychain is locked >&2\nexit 1\n")
    write(environ, {"credsStore": "test"})
    with pytest.raises(StoreError, match="the keychain is locked"):
        find("q.io", "m", environ)


def test_a_program_that_is_missing_is_an_error(environ: dict[str, str]) -> None:
    write(environ, {"credsStore": "test"})
    with pytest.raises(StoreError, match="docker-credential-test"):
        find("q.io", "m", environ)


@pytest.mark.parametrize("name", ["../../bin/sh", "a b", "a;b", "a/b"])
def test_a_program_is_a_plain_name(environ: dict[str, str], name: str) -> None:
    write(environ, {"credsStore": name})
    with pytest.raises(InputError, match="cannot be one"):
        find("q.io", "m", environ)


JOB = {"GITHUB_TOKEN": "s3cret", "GITHUB_ACTOR": "ada"}


def test_a_github_job_has_credentials_for_githubs_registry() -> None:
    assert find("ghcr.io", "acme/model", JOB) == Credentials("GITHUB_TOKEN", "ada", "s3cret")
    company = {**JOB, "GITHUB_SERVER_URL": "https://acme.ghe.com"}
    assert find("containers.acme.ghe.com", "acme/model", company) == Credentials("GITHUB_TOKEN", "ada", "s3cret")


@pytest.mark.parametrize(
    ("host", "server"),
    [
        ("docker.io", "https://github.com"),
        ("ghcr.io.evil.example", "https://github.com"),
        ("containers.acme.ghe.com", "https://github.com"),
        ("ghcr.io", "https://acme.ghe.com"),
        ("containers.other.ghe.com", "https://acme.ghe.com"),
        ("containers.github.acme.example", "https://github.acme.example"),
        ("ghcr.io", "https://github.acme.example"),
        ("", "https://github.acme.example"),
    ],
)
def test_a_jobs_token_is_for_no_other_registry(host: str, server: str) -> None:
    assert find(host, "acme/model", {**JOB, "GITHUB_SERVER_URL": server}) is None


def test_a_login_beats_the_jobs_token(environ: dict[str, str]) -> None:
    write(environ, {"auths": {"ghcr.io": auth("robot", "x")}})
    assert user("ghcr.io", {**environ, **JOB}) == "robot"


def test_an_empty_token_is_none() -> None:
    assert find("ghcr.io", "acme/model", {"GITHUB_TOKEN": ""}) is None
