"""What hints save, and that a lying one gets nothing wrong signed and no wrong bytes out."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from commands import Keys
from fake_registry import FakeRegistry, Reply, Rule
from weighlock import usercache
from weighlock.errors import IntegrityError, RefusedError, StoreError
from weighlock.hints import LEAST, Weighed
from weighlock.model import walk, weigh
from weighlock.oci import Digest
from weighlock.predicates import TEST_RESULT
from weighlock.stages import Context, attest, package, release, scan, sign

LARGE = "notes.txt"
LIE = b"A" * LEAST
TRUTH = b"B" * LEAST


def later() -> int:
    return time.time_ns() + 10**10


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(environ={"WEIGHLOCK_CACHE_DIR": str(tmp_path / "cache"), "PATH": os.environ["PATH"]})


@pytest.fixture
def model(model: Path) -> Path:
    """Return a model that passes the gate, with one file that is large enough to have its digest kept."""
    (model / LARGE).write_bytes(TRUTH)
    return model


def kept(context: Context) -> Path:
    folder = usercache.folder(context.environ, "digests")
    assert folder
    return folder


def believe(model: Path, context: Context, lie: Digest) -> None:
    """Let the cache say that the large file has the digest `lie`."""
    (found,) = (entry for entry in walk(model) if entry.path == LARGE)
    Weighed(kept(context), now=later).keep([replace(weigh(found), digest=lie)])


def entries(context: Context) -> list[Path]:
    return [path for path in kept(context).rglob("*") if path.is_file()]


def layers(fake: FakeRegistry, digest: str) -> str:
    return fake.manifests[digest][1].decode()


def there(fake: FakeRegistry, content: bytes) -> Digest:
    fake.blobs[str(Digest.of(content))] = content
    return Digest.of(content)


def truth(model: Path) -> str:
    """Return the digest that the artifact has when every byte is read."""
    inputs = package.Inputs(model, f"oci:{model.parent / 'layout'}", dry_run=True, cache=False)
    return package.run(inputs, Context(environ={})).digest


def test_an_unchanged_model_is_one_question_a_blob_and_no_read(
    fake_registry: FakeRegistry, model: Path, context: Context
) -> None:
    inputs = package.Inputs(model, f"{fake_registry.address}/m")
    first = package.run(inputs, context, now=later)
    fake_registry.seen.clear()
    before = _bytes_read()
    again = package.run(replace(inputs, dry_run=True), context)
    assert _bytes_read() - before < LEAST
    assert again.digest == first.digest
    asked = [seen.path for seen in fake_registry.requests("HEAD")]
    assert len(asked) == len(set(asked)) == len(model_files(model)) + 1, "the config is a blob too"
    package.run(inputs, context)
    assert fake_registry.requests("PUT", "/blobs/") == []


def model_files(model: Path) -> list[str]:
    return [entry.path for entry in walk(model)]


def _bytes_read() -> int:
    """Return how many bytes this process has read so far, by whatever way."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("rchar")).split()[1])


@pytest.mark.parametrize(
    ("choice", "environ", "is_used"),
    [(None, {}, True), (None, {"CI": "true"}, False), (True, {"CI": "true"}, True), (False, {}, False)],
)
def test_the_cache_is_used_as_told(
    model: Path, context: Context, choice: bool | None, environ: dict[str, str], is_used: bool
) -> None:
    context = replace(context, environ={**context.environ, **environ})
    inputs = package.Inputs(model, f"oci:{model.parent / 'out'}", cache=choice)
    package.run(inputs, context, now=later)
    assert (entries(context) != []) is is_used
    believe(model, context, Digest.of(LIE))
    assert (package.run(replace(inputs, dry_run=True), context).digest != truth(model)) is is_used


def test_a_cache_that_others_may_write_is_not_used(model: Path, context: Context) -> None:
    believe(model, context, Digest.of(LIE))
    kept(context).chmod(0o777)
    inputs = package.Inputs(model, f"oci:{model.parent / 'out'}")
    assert package.run(inputs, context).digest == truth(model)


@pytest.mark.parametrize("kind", ["registry", "layout"])
def test_a_kept_digest_that_is_wrong_stops_before_the_manifest_and_is_forgotten(
    fake_registry: FakeRegistry, model: Path, context: Context, kind: str
) -> None:
    believe(model, context, Digest.of(LIE))
    to = f"{fake_registry.address}/m" if kind == "registry" else f"oci:{model.parent / 'out'}"
    with pytest.raises(IntegrityError, match="taken from the digest cache") as raised:
        package.run(package.Inputs(model, to), context)
    assert str(Digest.of(LIE)) in raised.value.what
    assert "run again" in raised.value.remedy
    assert fake_registry.manifests == {}
    assert fake_registry.requests("PUT", "/manifests/") == []
    assert str(Digest.of(LIE)) not in fake_registry.blobs
    assert entries(context) == []
    assert package.run(package.Inputs(model, to), context).digest == truth(model)


def test_a_layout_never_gets_a_blob_of_another_digest(model: Path, context: Context) -> None:
    believe(model, context, Digest.of(LIE))
    out = model.parent / "out"
    with pytest.raises(IntegrityError):
        package.run(package.Inputs(model, f"oci:{out}"), context)
    blobs = [path for path in (out / "blobs/sha256").iterdir() if path.is_file()]
    assert [path.name for path in blobs] == [hashlib.sha256(path.read_bytes()).hexdigest() for path in blobs]
    assert Digest.of(LIE).hex not in {path.name for path in blobs}


def test_a_release_reads_every_byte_whatever_the_cache_says(
    fake_registry: FakeRegistry, model: Path, context: Context, keys: Keys
) -> None:
    believe(model, context, there(fake_registry, LIE))
    inputs = release.Inputs(model, f"{fake_registry.address}/m:v1", key=keys.private, cache=True)
    released = release.run(inputs, context)
    assert released.digest == truth(model)
    assert str(Digest.of(LIE)) not in layers(fake_registry, released.digest)
    assert fake_registry.blobs[str(Digest.of(TRUTH))] == TRUTH


def test_what_was_packed_by_a_wrong_digest_is_not_signed(
    fake_registry: FakeRegistry, model: Path, context: Context, keys: Keys, tmp_path: Path
) -> None:
    believe(model, context, there(fake_registry, LIE))
    packed = package.run(package.Inputs(model, f"{fake_registry.address}/m"), context).reference
    assert packed.rpartition("@")[2] != truth(model), "the registry had the old bytes, and nobody read the new ones"
    scan.run(scan.Inputs(model, predicate=tmp_path / "scan.json"), context)
    attest.run(attest.Inputs(packed, TEST_RESULT, tmp_path / "scan.json", key=keys.private), context)
    with pytest.raises(RefusedError, match=r"differ: 'notes\.txt'"):
        sign.run(sign.Inputs(packed, key=keys.private), context)


def test_a_release_asks_once_and_early_for_what_is_known(
    fake_registry: FakeRegistry, model: Path, context: Context, keys: Keys
) -> None:
    inputs = release.Inputs(model, f"{fake_registry.address}/m:v1", key=keys.private, dry_run=True)
    there(fake_registry, TRUTH)
    believe(model, context, Digest.of(TRUTH))
    planned = release.run(inputs, context)
    moves = {move["digest"]: move["move"] for move in planned.data()["plan"]}
    assert moves.pop(str(Digest.of(TRUTH))) == "present"
    assert set(moves.values()) == {"send"}
    asked = [seen.path for seen in fake_registry.requests("HEAD", "/blobs/")]
    assert str(Digest.of(TRUTH)) in asked[0]
    assert len(asked) == len(set(asked))


def point(model: Path, digest: Digest) -> None:
    """Let Git LFS say that the large file has this digest."""
    pointer = f"version https://git-lfs.github.com/spec/v1\noid {digest}\nsize {LEAST}\n"
    (model / LARGE).write_text(pointer)
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run(["git", *who, *words], cwd=model, check=True, capture_output=True)
    (model / LARGE).write_bytes(TRUTH)


def note(model: Path, digest: Digest) -> None:
    """Let Hugging Face's note say so."""
    place = model / f".cache/huggingface/download/{LARGE}.metadata"
    place.parent.mkdir(parents=True)
    place.write_text(f"{'d' * 40}\n{digest.hex}\n1700000000.0\n")


@pytest.mark.parametrize("say", [point, note])
@pytest.mark.parametrize("is_there", [True, False])
def test_a_name_that_lies_changes_nothing(
    fake_registry: FakeRegistry, model: Path, context: Context, say: object, is_there: bool
) -> None:
    assert callable(say)
    say(model, there(fake_registry, LIE) if is_there else Digest.of(LIE))
    inputs = package.Inputs(model, f"{fake_registry.address}/m", cache=False)
    rehearsed = package.run(replace(inputs, dry_run=True), context)
    done = package.run(inputs, context)
    assert rehearsed.digest == done.digest == truth(model)
    assert str(Digest.of(LIE)) not in layers(fake_registry, done.digest)
    assert fake_registry.blobs[str(Digest.of(TRUTH))] == TRUTH


def test_a_name_that_is_right_is_asked_for_once(fake_registry: FakeRegistry, model: Path, context: Context) -> None:
    point(model, there(fake_registry, TRUTH))
    inputs = package.Inputs(model, f"{fake_registry.address}/m", dry_run=True, cache=False)
    moves = {move["digest"]: move["move"] for move in package.run(inputs, context).data()["plan"]}
    assert moves[str(Digest.of(TRUTH))] == "present"
    assert len(fake_registry.requests("HEAD", str(Digest.of(TRUTH)))) == 1


def test_a_size_that_is_not_the_registry_s_makes_nothing_present(
    fake_registry: FakeRegistry, model: Path, context: Context
) -> None:
    fake_registry.blobs[str(Digest.of(TRUTH))] = b"short"
    point(model, Digest.of(TRUTH))
    inputs = package.Inputs(model, f"{fake_registry.address}/m", dry_run=True, cache=False)
    moves = {move["digest"]: move["move"] for move in package.run(inputs, context).data()["plan"]}
    assert moves[str(Digest.of(TRUTH))] == "send"


def test_what_an_early_question_fails_with_is_raised(
    fake_registry: FakeRegistry, model: Path, context: Context
) -> None:
    point(model, Digest.of(TRUTH))
    fake_registry.rules.append(Rule("HEAD", str(Digest.of(TRUTH)), instead=Reply(403)))
    with pytest.raises(StoreError, match="403"):
        package.run(package.Inputs(model, f"{fake_registry.address}/m", cache=False), context)
