"""Release, from a folder to a tag: the order, the refusals, and what a rerun does."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from commands import SCRIPTS, Keys, weighlock
from weighlock import oms
from weighlock.predicates import PROVENANCE, SIGNATURE, TEST_RESULT, VULNERABILITIES

EVIDENCE = {SIGNATURE, oms.PREDICATE_TYPE, PROVENANCE, TEST_RESULT}


class Evil:
    """What runs a command when it is unpickled; the tests write it and never read it."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch pwned",)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_model_goes_from_a_folder_to_a_verified_release(model: Path, keys: Keys, tmp_path: Path) -> None:
    out = f"oci:{tmp_path}/out:v1"
    released = weighlock("release", model, "--to", out, "--key", keys.private, "--json")
    assert released.code == 0, released.err
    assert set(released.json) >= {"digest", "reference", "tag", "evidence"}
    assert released.json["reference"] == f"oci:{tmp_path}/out@{released.json['digest']}"
    assert released.json["tag"] == "v1"
    assert {item["predicateType"] for item in released.json["evidence"]} == EVIDENCE
    verified = weighlock("verify", out, "--key", keys.public, "--json")
    assert verified.code == 0
    assert verified.json["verdict"] == "pass"
    assert verified.json["digest"] == released.json["digest"]


def test_a_dry_run_of_package_names_the_digest_that_release_gives(model: Path, keys: Keys, tmp_path: Path) -> None:
    planned = weighlock("package", model, "--to", f"oci:{tmp_path}/out", "--dry-run")
    assert not (tmp_path / "out").exists()
    released = weighlock("release", model, "--to", f"oci:{tmp_path}/out:v1", "--key", keys.private, "--json")
    assert planned.out.strip() == released.json["digest"]


def test_a_second_run_changes_nothing_and_says_so(model: Path, keys: Keys, tmp_path: Path) -> None:
    words = ("release", model, "--to", f"oci:{tmp_path}/out:v1", "--key", keys.private)
    assert "released" in weighlock(*words).out
    before = content(tmp_path / "out")
    second = weighlock(*words)
    assert second.code == 0
    assert "nothing to do" in second.out
    assert content(tmp_path / "out") == before


def test_the_models_entry_says_where_it_goes_and_what_it_needs(
    model: Path, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nothing.txt").write_text("# asks for no package\n")
    entry = f"{{name: tiny, path: {model.name}, target: 'oci:out', requirements: nothing.txt}}"
    (tmp_path / "weighlock.yml").write_text(f"version: 1\nmodels:\n- {entry}\n")
    released = weighlock("release", model, "--to", ":v1", "--key", keys.private, "--json")
    assert released.code == 0, released.err
    assert released.json["reference"].startswith("oci:out@")
    assert VULNERABILITIES in {item["predicateType"] for item in released.json["evidence"]}
    assert weighlock("verify", "oci:out:v1", "--key", keys.public).code == 0


def test_another_model_under_the_same_tag_moves_it_and_says_from_where(model: Path, keys: Keys, tmp_path: Path) -> None:
    words = ("release", model, "--to", f"oci:{tmp_path}/out:v1", "--key", keys.private, "--json")
    first = weighlock(*words).json["digest"]
    (model / "README.md").write_text("# Changed\n")
    second = weighlock(*words)
    assert second.json["digest"] != first
    assert first in second.err
    assert weighlock("verify", f"oci:{tmp_path}/out@{first}", "--key", keys.public).code == 0


HOSTILE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a pickle that calls os.system": ("model.pkl", lambda: pickle.dumps(Evil())),
    "a gzip'd pickle named .bin": ("weights.bin", lambda: gzip.compress(pickle.dumps(Evil()))),
    "a pickle without an extension": ("weights", lambda: pickle.dumps(Evil(), protocol=0)),
    "a pickle named .safetensors": ("evil.safetensors", lambda: pickle.dumps(Evil())),
    "an LFS pointer": (
        "big.safetensors",
        lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n",
    ),
    "a file that no one understands": ("mystery.dat", lambda: bytes(range(256)) * 8),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_model_that_fails_the_gate_leaves_the_target_untouched(
    model: Path, keys: Keys, tmp_path: Path, case: str
) -> None:
    name, make = HOSTILE[case]
    (model / name).write_bytes(make())
    refused = weighlock(
        "release", model, "--to", f"oci:{tmp_path}/out:v1", "--key", keys.private, "--report", tmp_path / "r"
    )
    assert refused.code == 1
    assert not (tmp_path / "out").exists()
    assert name in refused.out
    assert (tmp_path / "r").exists(), "the failed report is a file, unsigned"
    assert not (model / "pwned").exists()


def test_the_pointer_of_a_file_in_lfs_comes_with_the_command_that_fetches_it(
    model: Path, keys: Keys, tmp_path: Path
) -> None:
    name, make = HOSTILE["an LFS pointer"]
    (model / name).write_bytes(make())
    refused = weighlock("release", model, "--to", f"oci:{tmp_path}/out:v1", "--key", keys.private)
    assert "git lfs pull" in refused.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["release", "missing", "--to", "oci:out:v1", "--key", "KEY"], "missing"),
        (["release", "empty", "--to", "oci:out:v1", "--key", "KEY"], "holds no files"),
        (["release", "tiny", "--to", "oci:out:v1"], "nothing says who signs"),
        (["release", "tiny", "--to", "oci:out:v1", "--key", "nokey"], "cannot be read"),
        (["release", "tiny", "--to", "acme/model:v1", "--key", "KEY"], "host"),
        (["release", "tiny", "--to", "oci:out:v 1", "--key", "KEY"], "tag"),
        (["release", "tiny", "--to", "oci:out@sha256:" + "0" * 64, "--key", "KEY"], "digest"),
        (["release", "tiny", "--key", "KEY"], "to is missing"),
        (["release", "--to", "oci:out:v1", "--key", "KEY"], "path is missing"),
        (["release", "tiny", "--to", "oci:out:v1", "--key", "KEY", "--fail-on", "worst"], "not one of"),
        (["release", "tiny", "--to", ":v1", "--key", "KEY"], "no target for this model"),
        (["release", "tiny", "--to", "oci:full:v1", "--key", "KEY"], "full"),
        (["verify", "oci:out:v1"], "no identity is pinned"),
        (["verify", "oci:out:v1", "--key", "PUB"], "out"),
        (["pull", "oci:out:v1", "there"], "no identity is pinned"),
    ],
)
def test_wrong_inputs_end_in_exit_code_2_and_one_clear_sentence(
    model: Path, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(model.parent)
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.doc").write_text("not a layout")
    places = {"KEY": str(keys.private), "PUB": str(keys.public)}
    done = weighlock(*(places.get(word, word) for word in words))
    assert done.code == 2, done.err
    assert message in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "out").exists()


def test_an_unreachable_registry_is_exit_code_3_before_the_work(model: Path, keys: Keys) -> None:
    done = weighlock("release", model, "--to", "127.0.0.1:9/m:v1", "--key", keys.private)
    assert done.code == 3
    assert "127.0.0.1:9" in done.err
    assert "scanning" not in done.err


def test_a_full_disk_is_exit_code_3_and_no_tag(model: Path, keys: Keys, tmp_path: Path) -> None:
    (model / "big.txt").write_text("x" * 500_000)
    program = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
    program += "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
    program += "sys.argv[0] = 'weighlock'; runpy.run_module('weighlock', run_name='__main__')"
    words: list[str | Path] = ["release", model, "--to", f"oci:{tmp_path}/out:v1", "--key", keys.private]
    environ = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, words)], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    verified = weighlock("verify", f"oci:{tmp_path}/out:v1", "--key", keys.public)
    assert verified.code == 2
    assert weighlock("release", *words[1:]).code == 0


@pytest.mark.parametrize("place", ["layout", "registry"])
def test_a_release_killed_at_any_step_is_finished_by_a_rerun(
    model: Path, keys: Keys, tmp_path: Path, place: str, request: pytest.FixtureRequest
) -> None:
    to = f"oci:{tmp_path}/out" if place == "layout" else request.getfixturevalue("fresh_repository")()
    whole = weighlock("release", model, "--to", f"oci:{tmp_path}/whole:v1", "--key", keys.private, "--json").json
    driver = Path(__file__).with_name("killed_release.py")
    done = subprocess.run(
        [sys.executable, driver, model, to, keys.private],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        text=True,
        check=True,
    )
    *killed, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(killed) > 10
    assert all(step["killed"] for step in killed)
    assert last["status"] == 0
    for step in [*killed, last]:
        assert step["complete"] or not step["tag"], f"a tag without its evidence: {step}"
        assert step["digest"] == whole["digest"]
        assert step["passed"], step
        assert sorted(step["kinds"]) == sorted(EVIDENCE), f"something twice or missing: {step}"


def test_an_earlier_release_spares_the_scan_of_what_is_the_same(model: Path, keys: Keys, tmp_path: Path) -> None:
    first, second = f"oci:{tmp_path}/out:v1", f"oci:{tmp_path}/out:v2"
    assert weighlock("release", model, "--to", first, "--key", keys.private).code == 0
    (model / "README.md").write_text("# A tiny model, again\n")
    words = ("release", model, "--to", second, "--key", keys.private, "--no-cache")
    released = weighlock(*words, "--previous", first)
    assert released.code == 0, released.err
    assert "2 files of 3 taken from the earlier scan result" in released.err
    assert weighlock("verify", second, "--key", keys.public).code == 0


def test_an_earlier_release_makes_no_hostile_file_safe(model: Path, keys: Keys, tmp_path: Path) -> None:
    first = f"oci:{tmp_path}/out:v1"
    assert weighlock("release", model, "--to", first, "--key", keys.private).code == 0
    (model / "config.json").write_bytes(pickle.dumps(Evil()))
    released = weighlock("release", model, "--to", f"{first}2", "--key", keys.private, "--previous", first)
    assert released.code == 1
    assert "config.json" in released.out


def test_an_earlier_release_by_somebody_else_is_not_believed(
    model: Path, keys: Keys, other_keys: Keys, tmp_path: Path
) -> None:
    first = f"oci:{tmp_path}/out:v1"
    assert weighlock("release", model, "--to", first, "--key", other_keys.private).code == 0
    scanned = weighlock("scan", model, "--no-cache", "--previous", first, "--key", keys.public)
    assert scanned.code == 0
    assert "does not verify" in scanned.err
    assert "taken" not in scanned.err
    mine = weighlock("scan", model, "--no-cache", "--previous", first, "--key", other_keys.public)
    assert "3 files of 3 taken from the earlier scan result" in mine.err


def test_an_earlier_release_is_not_believed_without_an_identity(model: Path, tmp_path: Path) -> None:
    scanned = weighlock("scan", model, "--previous", f"oci:{tmp_path}/out:v1")
    assert scanned.code == 2
    assert "--key" in scanned.err


def test_where_there_is_no_earlier_release_everything_is_scanned(model: Path, keys: Keys, tmp_path: Path) -> None:
    words = ("release", model, "--to", f"oci:{tmp_path}/out:v1", "--key", keys.private)
    released = weighlock(*words, "--previous", f"oci:{tmp_path}/out:v1")
    assert released.code == 0
    assert "no earlier scan result is used" in released.err
