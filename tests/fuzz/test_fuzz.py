"""No parser of hostile bytes crashes, hangs or takes memory without bound, and no broken file is safe.

The long version is `run.py`; what it finds is kept below ``regressions/`` and replayed here.
"""

from __future__ import annotations

import functools
import random
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz import defects, limits, mutations, targets
from weighlock.model import walk, weigh
from weighlock.scanners import Severity, Status, Verdict, rounds
from weighlock.scanners.files import Weighed
from weighlock.scanners.isolation import Engine, Isolated, Limits
from weighlock.scanners.sniff import Sniffer
from weighlock.scanners.strict import Strict

QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
EXACT = frozenset(
    {"safetensors", "zip", "gzip", "bzip2", "xz", "zlib", "pickle", "npy", "png", "gif", "jpeg", "webp", "gguf"}
)
"""Formats that say where they end."""
SHORTEST = 12  # bytes; fewer need not show what they were

MUTATIONS = st.lists(
    st.builds(
        mutations.Mutation,
        st.sampled_from(mutations.KINDS),
        st.floats(0, 1, exclude_max=True),
        st.integers(1, 512),
        st.integers(0, 65535),
    ),
    min_size=1,
    max_size=5,
)


@functools.cache
def target(name: str) -> targets.Target:
    return targets.target(name)


@functools.cache
def endings() -> tuple[tuple[str, bytes], ...]:
    """Return the honest files that say where they end and are safe."""
    found = []
    for name, content in targets.honest().items():
        if len(content) <= SHORTEST:
            continue
        witness = targets.Witness.new()
        plain = targets.scanned(content, witness=witness).verdict is Verdict.SAFE
        form = witness.blobs[0][0] if plain else ""
        # without its magic a pickle that is cut short is text, which no loader runs
        if form in EXACT and (form != "pickle" or content[:1] == b"\x80") and not name.startswith("two"):
            found.append((name, content))
    return tuple(found)


def kept() -> dict[str, tuple[str, bytes]]:
    """Return what fuzzing found: name to target and content."""
    return {path.stem: defects.load(path) for path in sorted(defects.REGRESSIONS.glob("*.hex"))}


@pytest.mark.parametrize("name", targets.names())
@given(data=st.data(), changes=MUTATIONS)
@settings(max_examples=30, deadline=None, suppress_health_check=QUIET)
def test_survives_mutations(name: str, data: st.DataObject, changes: list[mutations.Mutation]) -> None:
    seeds = target(name).seeds
    content = mutations.mutated(seeds[data.draw(st.integers(0, len(seeds) - 1))], changes, seeds)
    assert defects.find(target(name), content) is None


def test_survives_what_fuzzing_found() -> None:
    found = {
        stem: defects.find(target(name), content)
        for stem, (name, content) in kept().items()
        if name.removeprefix("format ") not in targets.NATIVE
    }
    assert {stem: defect.signature for stem, defect in found.items() if defect} == {}


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's limits differ elsewhere")
def test_a_library_that_never_returns_is_ended(tmp_path: Path) -> None:
    for stem, (name, content) in kept().items():
        if name.removeprefix("format ") in targets.NATIVE:
            (tmp_path / stem).write_bytes(content)
    files = []
    for entry in walk(tmp_path):
        sniffer = Sniffer()
        files.append(Weighed(weigh(entry, [sniffer]), sniffer.text))
    sizes = {item.file.path: item.file.size for item in files}
    with Isolated([Engine.of(Strict)], Severity.LOW, sizes, limits=Limits(seconds=1, patience=60)) as examiner:
        found = [rounds.examined(item, examiner) for item in rounds.recognised(files, examiner)]
    assert {(item.verdict, item.reports[0].status) for item in found} == {(Verdict.UNSCANNED, Status.ERROR)}


@given(st.data(), st.floats(0, 1, exclude_max=True))
@settings(max_examples=150, deadline=None, suppress_health_check=QUIET)
def test_what_was_cut_short_is_not_safe(data: st.DataObject, share: float) -> None:
    name, content = data.draw(st.sampled_from(endings()), label="file")
    cut = content[: SHORTEST + int(share * (len(content) - SHORTEST))]
    assert targets.scanned(cut).verdict is not Verdict.SAFE, name


@given(st.data(), st.binary(max_size=40))
@settings(max_examples=150, deadline=None, suppress_health_check=QUIET)
def test_what_goes_on_behind_its_end_is_not_safe(data: st.DataObject, tail: bytes) -> None:
    name, content = data.draw(st.sampled_from(endings()), label="file")
    assert targets.scanned(content + b"\xff" + tail).verdict is not Verdict.SAFE, name


def test_there_are_endings_of_each_kind() -> None:
    forms = {name.rsplit(".", 1)[-1] for name, _ in endings()}
    assert forms >= {"safetensors", "pt", "npy", "npz", "pkl", "gz", "png", "gif", "jpg", "webp"}


def test_most_formats_have_honest_seeds() -> None:
    bare = [name for name in targets.names() if target(name).seeds == (bytes(16),)]
    assert len(bare) < len(targets.names()) / 4, bare


def test_a_call_that_never_ends_is_a_defect() -> None:
    def forever(_content: bytes) -> None:
        while True:
            pass

    with pytest.raises(limits.TooSlowError), limits.limited(seconds=0.05):
        forever(b"")


def test_a_call_that_takes_memory_is_a_defect() -> None:
    greedy = targets.Target("greedy", lambda _content: bytearray(2 * limits.MEMORY), (b"",))
    defect = defects.find(greedy, b"")
    assert defect
    assert defect.signature.startswith("MemoryError")


def test_a_defect_is_made_small_and_kept(tmp_path: Path) -> None:
    def crash(content: bytes) -> None:
        if b"bad" in content:
            raise ValueError(f"at byte {content.index(b'bad')}")

    fragile = targets.Target("fragile thing", crash, (b"",))
    first = defects.find(fragile, b"x" * 300 + b"bad" + b"y" * 700)
    assert first
    small = defects.shrink(first, lambda content: defects.find(fragile, content))
    assert small.content == b"bad"
    assert defects.load(small.save(tmp_path)) == ("fragile thing", b"bad")


def test_a_parser_may_refuse() -> None:
    assert defects.find(target("manifest"), b"no JSON") is None


def test_mutations_never_grow_beyond_the_limit() -> None:
    source = random.Random(3)
    for _ in range(300):
        changes = [mutations.drawn(source) for _ in range(5)]
        assert len(mutations.mutated(b"0123456789" * 50, changes, [b"abc"])) <= mutations.LIMIT
