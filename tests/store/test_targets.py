"""TARGET: what is one, what is not, and what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from weighlock.errors import InputError
from weighlock.oci import Digest
from weighlock.store.targets import Repository, Target, open_store

DIGEST = Digest.of(b"x")


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("oci:out", Target(Path("out"))),
        ("oci:out:v1", Target(Path("out"), "v1")),
        ("oci:/srv/models/out:v1.0_a-b", Target(Path("/srv/models/out"), "v1.0_a-b")),
        (f"oci:out@{DIGEST}", Target(Path("out"), None, DIGEST)),
        ("oci:.", Target(Path())),
        ("oci:a:b/out", Target(Path("a:b/out"))),
        ("oci:a:b/out:v1", Target(Path("a:b/out"), "v1")),
        ("oci:my:dir:v1", Target(Path("my:dir"), "v1")),
        ("oci:user@host/out:v1", Target(Path("user@host/out"), "v1")),
        (r"oci:C:\models\out", Target(Path(r"C:\models\out"))),
        (r"oci:C:\models\out:v1", Target(Path(r"C:\models\out"), "v1")),
        ("oci:C:/models/out", Target(Path("C:/models/out"))),
        ("ghcr.io/acme/model", Target(Repository("ghcr.io", "acme/model"))),
        ("ghcr.io/acme/model:v1", Target(Repository("ghcr.io", "acme/model"), "v1")),
        (f"ghcr.io/acme/model@{DIGEST}", Target(Repository("ghcr.io", "acme/model"), None, DIGEST)),
        ("localhost/m", Target(Repository("localhost", "m"))),
        ("localhost:5000/m:1", Target(Repository("localhost:5000", "m"), "1")),
        ("127.0.0.1:5000/a/b__c/d--e.f:v", Target(Repository("127.0.0.1:5000", "a/b__c/d--e.f"), "v")),
        ("[::1]:5000/m", Target(Repository("[::1]:5000", "m"))),
        ("registry:5000/m", Target(Repository("registry:5000", "m"))),
    ],
)
def test_a_target_is_read_and_written_back(text: str, target: Target) -> None:
    assert Target.parse(text) == target
    assert Target.parse(str(target)) == target


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "registry's host"),
        ("oci:", "no folder"),
        ("oci::v1", "no folder"),
        ("oci:out:", "'' is not a tag"),
        ("oci:out:v 1", "'v 1' is not a tag"),
        ("oci:out:-v1", "'-v1' is not a tag"),
        (f"oci:out:{'v' * 129}", "is not a tag"),
        ("oci:out\0:v1", "NUL"),
        (f"oci:out:v1@{DIGEST}", "a tag and a digest"),
        ("oci:out@sha256:abc", "64 lower-case hex"),
        (f"oci:out@sha256:{DIGEST.hex.upper()}", "64 lower-case hex"),
        ("acme/model", "Put the host first"),
        ("model", "Put the host first"),
        ("./out", "is not a host"),
        ("https://ghcr.io/acme/model", "without a scheme"),
        ("ghcr.io/", "not a repository's name"),
        ("ghcr.io/acme//model", "not a repository's name"),
        ("ghcr.io/acme/../model", "not a repository's name"),
        ("ghcr.io/acme/model:", "'' is not a tag"),
        ("ghcr.io/acme/model:a/b", "is not a tag"),
        ("ghcr.io/acme/model@v1", "not a repository's name"),
        ("ghcr.io:https/m", "is not a host"),
        ("user@ghcr.io/m", "is not a host"),
        (f"ghcr.io/{'a' * 250}", "more than 255"),
        ("ghcr.io/m\n:v1", "not a repository's name"),
    ],
)
def test_what_is_no_target_is_refused_with_the_grammar(text: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        Target.parse(text)
    assert says in str(caught.value)
    assert "oci:DIR[:TAG]" in caught.value.remedy
    assert "\n" not in caught.value.what


def test_a_repository_with_capitals_is_suggested_in_lower_case() -> None:
    with pytest.raises(InputError) as caught:
        Target.parse("ghcr.io/Acme/Model:v1")
    assert "Write ghcr.io/acme/model." in caught.value.remedy


def test_opening_a_target_touches_nothing(tmp_path: Path) -> None:
    assert open_store(Target.parse(f"oci:{tmp_path}/out:v1")).name == f"oci:{tmp_path}/out"
    assert open_store(Target.parse("registry.example/m:v1")).name == "registry.example/m"
    assert list(tmp_path.iterdir()) == []
