"""The verification's policy as a file: what it may say, and every way to write one that would let strangers in."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighlock.config import load, parse
from weighlock.config.verify import Allowed, Rules, Threshold, Trusted, VerifyPolicy
from weighlock.errors import InputError
from weighlock.gate import Case, judge, require_passed
from weighlock.intoto import Statement, Subject
from weighlock.oci import Digest
from weighlock.predicates import PROVENANCE, TEST_RESULT, Build
from weighlock.predicates import provenance as provenance_of
from weighlock.scanners import Severity

ISSUER = "https://token.actions.githubusercontent.com"
WHOLE = f"""\
version: 1
verify:
  trusted:
  - issuer: {ISSUER}
    identity: https://github.com/acme/ml/.github/workflows/release.yml@refs/heads/main
    source: acme/models
    ref: refs/heads/main
    trigger: push
    runner: github-hosted
    builder: acme/ml/.github/workflows/release.yml
    builder-commit: {"a1" * 20}
    slsa-level: 3
  - key: keys/release.pub
  max-age: 90
  scan:
    engines: {{strict: 0.1.0, modelscan: 0.8}}
    fail-on: medium
    waived: refuse
    max-age: 30
  audit:
    required: true
    allow:
    - {{id: PYSEC-2024-1, reason: not reachable, expires: 2027-01-31}}
    max-age: 7
  provenance:
    build-types: ["https://actions.github.io/buildtypes/workflow/v1"]
  evaluation:
    thresholds: ["auc>=0.90", "recall[region=EU] > 0.7", "loss<1e-2"]
  licences: [Apache-2.0]
  evidence: ["https://cyclonedx.org/bom"]
  follow:
    base-model:
      trusted: [{{key: upstream.pub}}]
      depth: 3
      scan: {{max-age: 365}}
"""


def policy(text: str) -> VerifyPolicy:
    found = parse(text.encode()).verify
    assert found is not None
    return found


def test_everything_it_may_say() -> None:
    found = policy(WHOLE)
    keyless, key = found.trusted
    assert (keyless.level, key) == (3, Trusted(Path("keys/release.pub")))
    assert keyless.pins() == {
        "issuer": ISSUER,
        "identity": "https://github.com/acme/ml/.github/workflows/release.yml@refs/heads/main",
        "source": "acme/models",
        "ref": "refs/heads/main",
        "trigger": "push",
        "runner": "github-hosted",
        "builder": "acme/ml/.github/workflows/release.yml",
        "builder-commit": "a1" * 20,
    }
    rules = found.rules
    assert rules.scan.engines == {"strict": "0.1.0", "modelscan": "0.8"}
    assert (rules.scan.fail_on, rules.scan.waived, rules.scan.max_age) == (Severity.MEDIUM, "refuse", 30)
    assert (rules.audit.required, rules.audit.max_age) == (True, 7)
    assert rules.audit.allowed == (Allowed("PYSEC-2024-1", "not reachable", dt.date(2027, 1, 31)),)
    assert (rules.provenance.max_age, rules.evaluation.max_age) == (90, 90)
    assert rules.evaluation.thresholds == (
        Threshold("auc", ">=", 0.9),
        Threshold("recall[region=EU]", ">", 0.7),
        Threshold("loss", "<", 0.01),
    )
    assert (rules.licences, rules.evidence) == (("Apache-2.0",), ("https://cyclonedx.org/bom",))
    base = found.follow["base-model"]
    assert (base.trusted, base.depth, base.rules.scan.max_age) == ((Trusted(Path("upstream.pub")),), 3, 365)


def test_it_is_cited_by_the_digest_of_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "policy.yml"
    file.write_bytes(WHOLE.encode())
    found = load(file).verify
    assert found is not None
    assert (found.name, found.digest) == ("policy.yml", Digest.of(WHOLE.encode()))
    assert found.trusted[1].key == tmp_path / "keys" / "release.pub", "keys lie beside the policy"


def test_what_is_not_said_is_what_a_verification_without_a_policy_asks() -> None:
    assert policy("version: 1\nverify: {trusted: [{key: k.pub}]}\n").rules == Rules()


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("version: 1\nverify: {}\n", 2, "trusted"),
        ("version: 1\nverify: {trusted: []}\n", 2, "trusted"),
        ("version: 1\nverify:\n  trusted:\n  - {}\n", 4, "trusted"),
        (f"version: 1\nverify:\n  trusted:\n  - issuer: {ISSUER}\n", 4, "strangers"),
        ("version: 1\nverify:\n  trusted:\n  - source: acme/models\n", 4, "strangers"),
        (f"version: 1\nverify:\n  trusted:\n  - {{issuer: {ISSUER}, ref: refs/heads/main}}\n", 4, "strangers"),
        ("version: 1\nverify:\n  trusted:\n  - {key: k.pub, source: acme/models}\n", 4, "a key has no"),
        (WHOLE.replace("a1" * 20, "a1b2c3"), 11, "a1b2c3"),
        (WHOLE.replace("builder: acme", "builder: x@acme"), 10, "x@acme"),
        (WHOLE.replace("auc>=0.90", "auc"), 28, "no threshold"),
        (WHOLE.replace("auc>=0.90", "auc>=nan"), 28, "no threshold"),
        (WHOLE.replace("auc>=0.90", "auc=>0.9"), 28, "no threshold"),
        (WHOLE.replace("2027-01-31", "2027-02-31"), 23, "not a day"),
        (WHOLE.replace("reason: not reachable, ", ""), 23, "reason"),
        (WHOLE.replace("max-age: 30", "max-age: 0"), 19, "0"),
        (WHOLE.replace("max-age: 30", "max-age: yes"), 19, "True"),
        (WHOLE.replace("fail-on: medium", "fail-on: none"), 17, "none"),
        (WHOLE.replace("strict: 0.1.0", "strict: 0.1rc1"), 16, "0.1rc1"),
        (WHOLE.replace("depth: 3", "depth: 99"), 34, "99"),
        (WHOLE.replace("licences: [Apache-2.0]", "licences: []"), 29, "licences"),
        (WHOLE.replace("  evidence:", "  evidense:"), 2, "evidense"),
    ],
)
def test_what_would_let_strangers_in_is_named_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text.encode())
    assert caught.value.what.startswith(f"weighlock.yml:{line}: ")
    assert words in caught.value.what
    assert caught.value.what.isprintable()


@given(st.sampled_from([">=", "<=", ">", "<"]), st.floats() | st.integers() | st.booleans() | st.none() | st.text())
def test_only_a_finite_number_meets_a_threshold(sign: str, value: object) -> None:
    met = Threshold("x", sign, 0.0).met(value)
    assert isinstance(met, bool)
    if isinstance(value, (str, bool)) or value is None or str(value) in {"inf", "-inf", "nan"}:
        assert not met


PAGE = (Path(__file__).parents[1] / "docs" / "policy.md").read_text()


def test_the_page_shows_a_policy_that_is_one() -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    found = policy(shown)
    assert len(found.trusted) == 2
    assert found.follow["base-model"].depth == 2


def test_the_page_shows_metrics_that_reach_the_policy() -> None:
    """The example of an evaluation passes the example of a threshold, as `verify` would judge it."""
    (shown,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    evaluation = json.loads(shown)
    require_passed(TEST_RESULT, evaluation)
    assert Threshold("auc", ">=", 0.9).met(evaluation["metrics"]["auc"])


def test_the_page_names_every_check_that_is_made_without_a_policy() -> None:
    named = set(re.findall(r"^\| `([a-z-]+)` \|", PAGE.partition("## With a policy")[0], re.MULTILINE))
    provenance = Build("https://example.org/build", "https://example.org/builder", {})
    origin = provenance_of(provenance, started="", finished="")
    statement = Statement((Subject("m", Digest.of(b"m")),), PROVENANCE, origin)
    case = Case(Digest.of(b"m"), {}, [By(statement)])
    assert {item.name for item in judge(case)} == named - {"manifest", "content", "bundles"}


class By(NamedTuple):
    """Evidence by a key."""

    statement: Statement
    certificate: None = None
