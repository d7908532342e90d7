"""What we release goes through the registries of others and comes back whole, with all its evidence."""

from __future__ import annotations

import secrets
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from artifacts import content as bytes_of
from artifacts import opener, put_blob
from clock import Clock
from conformance.registries import COMMANDS, MOUNTING, REFERRERS
from faulty_proxy import Fault, faulty_proxy
from releasing import Released, content, pull, release, verifies
from weighlock.oci import Descriptor, Manifest
from weighlock.stages import Context, copy, package
from weighlock.store.fetching import fetch, workplace
from weighlock.store.progress import Display
from weighlock.store.registry import open_registry
from weighlock.store.targets import Repository, Target, open_store

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Named = Callable[[str], str]

MIB = 1024 * 1024
SIZE = 3 * MIB


@pytest.fixture(params=COMMANDS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def released_there(name: str, repository_in: Named, released: Released) -> str:
    """Return ``HOST/REPO`` in the registry, with the release, tagged v1."""
    place = repository_in(name)
    assert release(released.model, f"{place}:v1", released.keys) == released.digest
    return place


def test_it_has_the_referrers_api_or_not(name: str, released_there: str, released: Released) -> None:
    host, _, repository = released_there.partition("/")
    try:
        with urllib.request.urlopen(f"http://{host}/v2/{repository}/referrers/{released.digest}") as answer:
            has = answer.headers.get_content_type() == "application/vnd.oci.image.index.v1+json"
    except urllib.error.HTTPError:
        has = False
    assert has == (name in REFERRERS)


def test_a_release_verifies_and_comes_back_whole(released_there: str, released: Released, tmp_path: Path) -> None:
    pull(f"{released_there}:v1", tmp_path / "out", tmp_path / "bundle", released.keys)
    assert content(tmp_path / "out") == content(released.model)


def test_a_release_again_sends_nothing(released_there: str, released: Released) -> None:
    outputs = package.run(package.Inputs(released.model, released_there), Context())
    assert outputs.plan.absent() == []
    assert release(released.model, f"{released_there}:v1", released.keys) == released.digest
    assert verifies(f"{released_there}:v1", released.keys)


def test_it_mounts_from_another_repository_or_not(name: str, released_there: str, repository_in: Named) -> None:
    origin = open_store(Target.place_of(released_there), plain_http=True)
    elsewhere = open_store(Target.place_of(f"{repository_in(name)}-mounted"), plain_http=True)
    subject = origin.resolve("v1")
    assert subject is not None
    layers = Manifest.parse(origin.manifest(subject.digest), "the release").layers
    assert {elsewhere.mount(layer, origin) for layer in layers if layer.size} == {name in MOUNTING}
    if name in MOUNTING:
        assert bytes_of(elsewhere, layers[0]) == bytes_of(origin, layers[0])


def test_it_serves_a_file_in_parts(name: str, repository_in: Named, tmp_path: Path) -> None:
    store = open_store(Target.place_of(repository_in(name)), plain_http=True)
    data = secrets.token_bytes(SIZE)
    blob = put_blob(store, data)
    assert store.splits(blob)
    assert b"".join(store.part(blob, MIB, MIB + 10)) == data[MIB : MIB + 10]
    with workplace(tmp_path / "work") as folder:
        fetch(store, [blob], folder, Display(lambda _: None), part=500_000)
        assert (folder / blob.digest.hex).read_bytes() == data


@pytest.mark.parametrize("kind", ["reset", "close"])
def test_a_line_that_breaks_both_ways_costs_no_byte(name: str, repository_in: Named, kind: str) -> None:
    address, _, path = repository_in(name).partition("/")
    with faulty_proxy(address) as proxy:
        repository = Repository(proxy.address, path)
        store = open_registry(repository, plain_http=True, environ={}, retries=Clock().retries())
        data = secrets.token_bytes(SIZE)
        blob = Descriptor.of(data, "application/octet-stream")
        proxy.faults += [Fault(kind, MIB, up=True), Fault(kind, MIB)]
        store.push_blob(blob, opener(data))
        assert bytes_of(store, blob) == data
        assert proxy.faults == []


@pytest.mark.parametrize("same", [True, False], ids=["back", "to another registry"])
def test_it_carries_the_evidence_through_a_folder(
    name: str, released_there: str, released: Released, tmp_path: Path, same: bool, repository_in: Named
) -> None:
    other = name if same else "docker-registry"
    carried, there = f"oci:{tmp_path / 'carried'}:v1", f"{repository_in(other)}-carried:v1"
    assert copy.run(copy.Inputs(f"{released_there}:v1", carried), Context()).referrers == len(released.bundles())
    assert verifies(carried, released.keys)
    assert copy.run(copy.Inputs(carried, there), Context()).digest == released.digest
    assert verifies(there, released.keys)


def test_regctl_sees_the_same_evidence(run: Run, released_there: str, released: Released) -> None:
    host = released_there.partition("/")[0]
    assert run("regctl", "registry", "set", "--tls", "disabled", host).returncode == 0
    assert run("regctl", "manifest", "head", f"{released_there}:v1").stdout.strip() == released.digest
    done = run("regctl", "artifact", "list", "--format", "{{len .Descriptors}}", f"{released_there}:v1")
    assert done.stdout.strip() == str(len(released.bundles())), done.stderr


def test_skopeo_copies_it_with_the_same_digest(
    run: Run, released_there: str, released: Released, tmp_path: Path
) -> None:
    words = ("--src-tls-verify=false", "--insecure-policy")
    done = run("skopeo", "copy", *words, f"docker://{released_there}:v1", f"oci:{tmp_path / 'out'}:v1")
    assert done.returncode == 0, done.stderr
    assert released.digest in (tmp_path / "out/index.json").read_text()
