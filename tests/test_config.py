"""weighlock.yml: defaults, what it may say, and errors that name the line."""

from __future__ import annotations

import datetime as dt
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighlock.config import Config, Dataset, ModelEntry, entry_at, load, parse
from weighlock.errors import InputError
from weighlock.oci import Digest
from weighlock.scanners import Severity

DIGEST = "a" * 64
WAIVER = f"""\
    - rule: pickle.global
      sha256: {DIGEST}
      reason: trained by us
      owner: team-ml
      expires: 2027-01-31
"""


AUDIT_WAIVER = """\
    - vulnerability: CVE-2026-1
      package: N_D
      reason: never given foreign arrays
      owner: team-ml
      expires: 2027-01-31
"""
MODELS = f"""\
version: 1
models:
- name: churn
  path: models/churn/
  target: ghcr.io/acme/churn
  requirements: models/churn.txt
  metrics: metrics/churn.json
  licence: Apache-2.0 OR (MIT AND LicenseRef-acme)
  base-model: acme/base@main
  datasets:
  - name: train
    uri: s3://bucket/train.csv
    sha256: {DIGEST}
  - name: ü b
- name: plain
  path: model.onnx
  base-model: [a/b, c/d]
"""


def test_a_file_that_says_nothing_is_all_defaults() -> None:
    assert parse(b"version: 1\n") == Config()


def test_everything_it_may_say() -> None:
    text = (
        "version: 1\nscan:\n  fail-on: high\n  review: pass\n  profiles: [torch]\n  globals: [acme.Model]\n  waivers:\n"
    )
    policy = parse((text + WAIVER).encode()).scan
    assert (policy.fail_on, policy.review_passes) == (Severity.HIGH, True)
    assert (policy.profiles, policy.globals) == (("torch",), ("acme.Model",))
    (waiver,) = policy.waivers
    assert (waiver.rule, waiver.digest.hex, waiver.expires) == ("pickle.global", DIGEST, dt.date(2027, 1, 31))
    assert waiver.line == 8


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "version"),
        ("[]", 1, "not a mapping"),
        ("version: 2\n", 1, "version"),
        ("version: 1\nscna: {}\n", 1, "scna"),
        ("version: 1\nscan:\n  fail-on: worst\n", 3, "worst"),
        ("version: 1\nscan:\n  globals: [os]\n", 3, "os"),
        ("version: 1\nscan:\n  globals: ['os.*']\n", 3, "os"),
        ("version: 1\nversion: 1\n", 2, "stands twice"),
        ("version: 1\nscan: &a {}\nb: *a\n", 3, "aliases"),
        ("version: 1\nscan:\n\t- x\n", 3, "not YAML"),
        ("version: 1\nscan: !!python/object/apply:os.system [id]\n", 2, "scan"),
        ("version: 1\nscan:\n  waivers:\n" + WAIVER.replace("2027-01-31", "2027-02-31"), 8, "not a day"),
        ("version: 1\nscan:\n  waivers:\n" + WAIVER.replace("      owner: team-ml\n", ""), 4, "owner"),
        ("version: 1\nscan:\n  waivers:\n" + WAIVER.replace("trained by us", "''"), 6, "reason"),
        ("version: 1\nscan:\n  waivers:\n" + WAIVER + WAIVER, 9, "stands here again"),
        ("version: 1\nmodels:\n- name: churn\n", 3, "path"),
        ("version: 1\nmodels:\n- {name: churn, path: a, wheels: 4}\n", 3, "wheels"),
        ("version: 1\nmodels:\n- name: Churn\n  path: a\n", 3, "Churn"),
        ('version: 1\nmodels:\n- name: "churn\\n"\n  path: a\n', 3, "churn"),
        ("version: 1\nmodels:\n- name: true\n  path: a\n", 3, "name"),
        ("version: 1\nmodels:\n- name: a\n  path: /etc\n", 4, "path"),
        ("version: 1\nmodels:\n- name: a\n  path: a/../../etc\n", 4, "path"),
        ("version: 1\nmodels:\n- name: a\n  path: ./a\n", 4, "models/churn"),
        ('version: 1\nmodels:\n- name: a\n  path: "a\\nb"\n', 4, "does not print"),
        ("version: 1\nmodels:\n- name: a\n  path: a\n  requirements: ../r.txt\n", 5, "requirements"),
        ("version: 1\nmodels:\n- name: a\n  path: a\n  metrics: ../m.json\n", 5, "metrics"),
        ("version: 1\nmodels:\n- name: a\n  path: a\n  target: ghcr.io/a/b:v1\n", 5, "ghcr.io/a/b"),
        ("version: 1\nmodels:\n- name: a\n  path: a\n  target: https://ghcr.io/a\n", 5, "https"),
        ("version: 1\nmodels:\n- name: a\n  path: a\n  licence: see file\n", 5, "SPDX"),
        ("version: 1\nmodels:\n- name: a\n  path: a\n  datasets:\n  - uri: s3://b/c\n", 6, "name"),
        ("version: 1\nmodels:\n- name: a\n  path: a\n  datasets:\n  - name: t\n    sha256: 12\n", 7, "sha256"),
        ("version: 1\nmodels:\n- {name: a, path: a}\n- {name: a, path: b}\n", 4, "weighlock.yml:3"),
        ("version: 1\nmodels:\n- {name: a, path: a}\n- {name: b, path: a/}\n", 4, "weighlock.yml:3"),
        (
            "version: 1\nmodels:\n- {name: a, path: a, target: 'oci:o'}\n- {name: b, path: b, target: 'oci:o'}\n",
            4,
            "weighlock.yml:3",
        ),
        ("version: 1\naudit:\n  waivers:\n" + AUDIT_WAIVER.replace("2027-01-31", "2027-13-31"), 8, "not a day"),
        (
            "version: 1\naudit:\n  waivers:\n" + AUDIT_WAIVER + AUDIT_WAIVER.replace("N_D", "n-d"),
            9,
            "stands here again",
        ),
        ("version: 1\naudit:\n  waivers:\n" + AUDIT_WAIVER.replace("      owner: team-ml\n", ""), 4, "owner"),
        ("a: " + "[" * 3000, 1, ""),
        ("{" * 60, 1, ""),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text.encode())
    assert caught.value.what.startswith(f"weighlock.yml:{line}: ")
    assert words in str(caught.value)
    assert caught.value.what.isprintable()


def test_models_are_what_their_entries_say() -> None:
    churn, plain = parse(MODELS.encode()).models
    assert churn == ModelEntry(
        name="churn",
        path="models/churn",
        where="weighlock.yml:3",
        target="ghcr.io/acme/churn",
        requirements="models/churn.txt",
        metrics="metrics/churn.json",
        licence="Apache-2.0 OR (MIT AND LicenseRef-acme)",
        base_models=("acme/base@main",),
        datasets=(Dataset("train", "s3://bucket/train.csv", Digest(DIGEST)), Dataset("ü b")),
    )
    assert plain == ModelEntry("plain", "model.onnx", "weighlock.yml:15", base_models=("a/b", "c/d"))


def test_an_audit_waiver_is_about_a_package_however_it_is_spelled() -> None:
    (waiver,) = parse(f"version: 1\naudit:\n  waivers:\n{AUDIT_WAIVER}".encode()).audit.waivers
    assert (waiver.vulnerability, waiver.package, waiver.owner) == ("CVE-2026-1", "n-d", "team-ml")
    assert (waiver.expires, waiver.line) == (dt.date(2027, 1, 31), 4)


def test_a_models_paths_start_at_the_file(tmp_path: Path) -> None:
    (tmp_path / "weighlock.yml").write_text(MODELS)
    config = load(tmp_path / "weighlock.yml")
    churn, plain = config.models
    assert churn.locate(config.root) == tmp_path / "models/churn"
    assert churn.locate_requirements(config.root) == tmp_path / "models/churn.txt"
    assert churn.locate_metrics(config.root) == tmp_path / "metrics/churn.json"
    assert plain.locate_metrics(config.root) is None
    assert entry_at(config.models, config.root, tmp_path / "models/../models/churn") == churn
    assert entry_at(config.models, config.root, tmp_path / "models") is None


def test_a_link_leads_nowhere_but_into_the_repository(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    (root / "models").mkdir(parents=True)
    (root / "there").mkdir()
    churn, _ = parse(MODELS.encode(), root=root).models
    link = root / "models/churn"
    link.symlink_to("../there")
    assert churn.locate(root).resolve() == root / "there"
    for outside in (tmp_path, Path("/etc"), Path("../../.."), Path("churn")):
        link.unlink()
        link.symlink_to(outside)
        with pytest.raises(InputError, match=r"weighlock\.yml:3: .* leads out"):
            churn.locate(root)


def test_editors_are_told_what_everything_is() -> None:
    schema = json.loads((files("weighlock") / "schemas" / "weighlock.json").read_text("utf-8"))

    def undescribed(part: dict[str, Any], at: str) -> list[str]:
        own = [] if "description" in part or "$ref" in part else [at]
        below = [*part.get("properties", {}).items(), *[("[]", part[key]) for key in ("items",) if key in part]]
        return own + [missing for key, value in below for missing in undescribed(value, f"{at}.{key}")]

    assert [at for at in undescribed(schema, "") if not at.endswith(("reason", "[]"))] == []


@given(st.binary() | st.text().map(str.encode))
def test_no_bytes_do_more_than_raise_our_error(raw: bytes) -> None:
    try:
        parse(raw)
    except InputError as error:
        assert error.what.startswith("weighlock.yml:")


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path / "weighlock.yml")
