"""Sign and attest, stage by stage: nothing is signed that did not pass, and nothing twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands import Keys
from weighlock.errors import InputError, NotFoundError, RefusedError
from weighlock.predicates import TEST_RESULT
from weighlock.signing.key import KeySigner, write_pair
from weighlock.stages import Context, attest, package, scan, sign, verify


@pytest.fixture
def packed(model: Path, tmp_path: Path) -> str:
    outputs = package.run(package.Inputs(model, f"oci:{tmp_path}/out"), Context())
    return outputs.reference


@pytest.fixture
def result(model: Path, tmp_path: Path) -> Path:
    scan.run(scan.Inputs(model, predicate=tmp_path / "scan.json"), Context())
    return tmp_path / "scan.json"


def test_stage_by_stage_gives_all_but_the_provenance(packed: str, result: Path, keys: Keys) -> None:
    attest.run(attest.Inputs(packed, TEST_RESULT, result, key=keys.private), Context())
    signed = sign.run(sign.Inputs(packed, key=keys.private), Context())
    assert len(signed.attached) == 2
    outputs = verify.run(verify.Inputs(packed, key=keys.public), Context())
    assert [check.name for check in outputs.verification.checks if not check.ok] == ["provenance"]


def test_package_sets_no_tag_and_says_so(model: Path, tmp_path: Path) -> None:
    said: list[str] = []
    package.run(package.Inputs(model, f"oci:{tmp_path}/out:v1"), Context(say=said.append))
    assert any("tag 'v1' not set" in words for words in said)
    with pytest.raises(NotFoundError):
        verify.run(verify.Inputs(f"oci:{tmp_path}/out:v1", key=_public(tmp_path)), Context())


def _public(folder: Path) -> Path:
    write_pair(KeySigner.generate(), folder / "x.key", folder / "x.pub", None)
    return folder / "x.pub"


def test_nothing_is_signed_without_a_passed_scan_by_the_same_key(
    packed: str, result: Path, keys: Keys, other_keys: Keys
) -> None:
    with pytest.raises(RefusedError, match="not signed: no scan result"):
        sign.run(sign.Inputs(packed, key=keys.private), Context())
    attest.run(attest.Inputs(packed, TEST_RESULT, result, key=other_keys.private), Context())
    with pytest.raises(RefusedError, match="not signed: no scan result"):
        sign.run(sign.Inputs(packed, key=keys.private), Context())


def test_a_scan_of_other_files_opens_no_door(
    packed: str, model: Path, result: Path, keys: Keys, tmp_path: Path
) -> None:
    (model / "README.md").write_text("# Changed after the scan\n")
    other = package.run(package.Inputs(model, f"oci:{tmp_path}/out"), Context()).reference
    attest.run(attest.Inputs(other, TEST_RESULT, result, key=keys.private), Context())
    with pytest.raises(RefusedError, match=r"differ: 'README\.md'"):
        sign.run(sign.Inputs(other, key=keys.private), Context())
    assert packed != other


def test_a_failed_scan_stays_unsigned(packed: str, keys: Keys, model: Path, tmp_path: Path) -> None:
    (model / "mystery").write_bytes(bytes(range(256)))
    outputs = scan.run(scan.Inputs(model, predicate=tmp_path / "failed.json"), Context())
    assert not outputs.passed
    with pytest.raises(RefusedError, match="'FAILED'"):
        attest.run(attest.Inputs(packed, TEST_RESULT, tmp_path / "failed.json", key=keys.private), Context())


def test_the_same_twice_is_attached_once(packed: str, result: Path, keys: Keys) -> None:
    inputs = attest.Inputs(packed, TEST_RESULT, result, key=keys.private)
    assert len(attest.run(inputs, Context()).attached) == 1
    again = attest.run(inputs, Context())
    assert again.attached == ()
    assert "nothing to do" in again.text()
    sign.run(sign.Inputs(packed, key=keys.private), Context())
    assert sign.run(sign.Inputs(packed, key=keys.private), Context()).attached == ()


@pytest.mark.parametrize("content", ["[]", "{", "", '{"a": 1, "a": 2}', " " * 8_000_000])
def test_a_file_that_is_no_predicate_is_an_input_error(packed: str, keys: Keys, tmp_path: Path, content: str) -> None:
    (tmp_path / "p.json").write_text(content)
    with pytest.raises(InputError):
        attest.run(attest.Inputs(packed, "https://example.org/p", tmp_path / "p.json", key=keys.private), Context())


def test_a_predicate_type_has_to_be_a_uri(packed: str, keys: Keys, tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(json.dumps({}))
    with pytest.raises(InputError, match="no URI"):
        attest.run(attest.Inputs(packed, "slsa", tmp_path / "p.json", key=keys.private), Context())


def test_an_encrypted_key_takes_its_password_from_the_environment(packed: str, tmp_path: Path) -> None:
    write_pair(KeySigner.generate(), tmp_path / "k.key", tmp_path / "k.pub", "secret")
    (tmp_path / "p.json").write_text("{}")
    inputs = attest.Inputs(packed, "https://example.org/p", tmp_path / "p.json", key=tmp_path / "k.key")
    with pytest.raises(InputError, match="encrypted"):
        attest.run(inputs, Context(environ={}))
    assert attest.run(inputs, Context(environ={"WEIGHLOCK_KEY_PASSWORD": "secret"})).attached
