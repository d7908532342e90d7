"""What a registry would refuse in the last minute is said in the first second."""

from __future__ import annotations

from pathlib import Path

import pytest

from weighlock.errors import InputError, UnfinishedError
from weighlock.store.limits import check, check_manifest, check_room, least, streams
from weighlock.store.targets import Repository

GITHUB = Repository("ghcr.io", "acme/model")
COMPANY = Repository("containers.acme.ghe.com", "model")  # a company's part of GHE.com
GIGA = 1_000_000_000


@pytest.mark.parametrize("place", [GITHUB, COMPANY])
def test_a_file_that_github_does_not_take_comes_with_the_way_out(place: Repository) -> None:
    with pytest.raises(
        InputError, match=rf"'model\.gguf' has 10\.0 GB, and {place.host} takes 10\.0 GB a file"
    ) as caught:
        check(place, [("model.gguf", 10 * GIGA + 1)])
    assert "max_shard_size='5GB'" in caught.value.remedy


def test_a_file_that_github_may_not_take_in_time_is_a_warning() -> None:
    (warning,) = check(GITHUB, [("big", 6 * GIGA), ("small", 5 * GIGA)])
    assert "needs 10.0 MB/s" in warning


@pytest.mark.parametrize("place", [Path("out"), Repository("registry.example", "m")])
def test_other_places_have_other_limits(place: Path | Repository) -> None:
    assert check(place, [("model.gguf", 100 * GIGA)]) == []


def test_what_modctl_cannot_read_is_a_warning() -> None:
    assert len(check(Path("out"), [("a", 129 * GIGA)])) == 1
    assert len(check(Path("out"), [(str(number), 1) for number in range(2049)])) == 1


def test_a_model_of_too_many_files_is_refused_before_they_are_read() -> None:
    with pytest.raises(InputError, match=r"20000 files make a manifest of .* MB, registries take 4\.2 MB"):
        check(Path("out"), [(str(number), 1) for number in range(20_000)])
    check_manifest(4 * 1024 * 1024, 1)
    with pytest.raises(InputError):
        check_manifest(4 * 1024 * 1024 + 1, 1)


def test_a_disk_without_room_is_refused_before_a_file_is_read(tmp_path: Path) -> None:
    there = tmp_path / "out" / "blobs" / "sha256"
    there.mkdir(parents=True)
    (there / "0").write_bytes(bytes(300))
    for layout, bytes_lacked in ((tmp_path / "out", 1200), (tmp_path / "new" / "folder", 1500)):
        lacked = least(layout, [300, 1000, 200, 1000])
        assert lacked == bytes_lacked, "files of one size may be one blob, and one that is there"
        check_room(layout, lacked, free=lambda _: 1500)
        with pytest.raises(UnfinishedError, match=r"has room for 100 B, and 1\.[25] kB are to come") as caught:
            check_room(layout, lacked, free=lambda folder: 100 if folder.is_dir() else 0)
        assert "a larger disk" in caught.value.remedy


def test_github_gets_few_streams() -> None:
    assert streams("ghcr.io/acme/model").most == 3
    assert streams(str(COMPANY)).most == 3
    assert streams("ghcr.io.example/acme/model").most == 8
    assert streams("oci:out").most == 8
