"""What a changed policy says otherwise: each rule, in both directions, what lets more pass first."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighlock.config import Config, parse
from weighlock.config.effects import Effect, read
from weighlock.config.revision import between
from weighlock.config.verify import AuditRules, EvaluationRules, ProvenanceRules, Rules, ScanRules
from weighlock.errors import MalformedError

DIGEST = "a" * 64
KEY = "{key: keys/a.pub}"


def policy(text: str) -> Config:
    return parse(f"version: 1\n{text}\n".encode())


def waiver(expires: str = "2027-01-31", reason: str = "ours", owner: str = "ml") -> str:
    said = f"reason: {reason}, owner: {owner}, expires: {expires}"
    return f"scan: {{waivers: [{{rule: pickle.global, sha256: {DIGEST}, {said}}}]}}"


def vulnerable(expires: str = "2027-01-31") -> str:
    said = f"reason: ours, owner: ml, expires: {expires}"
    return f"audit: {{waivers: [{{vulnerability: CVE-2026-1, package: n, {said}}}]}}"


def verify(rules: str = "", trusted: str = KEY) -> str:
    return f"verify: {{trusted: [{trusted}]{', ' + rules if rules else ''}}}"


@pytest.mark.parametrize(
    ("stricter", "looser", "words"),
    [
        ("", waiver(), "scan.waivers: pickle.global in sha256:aaaa"),
        (waiver(), waiver("2027-02-01"), "scan.waivers: pickle.global"),
        ("", vulnerable(), "audit.waivers: CVE-2026-1 in n"),
        (vulnerable(), vulnerable("2028-01-01"), "audit.waivers: CVE-2026-1 in n"),
        ("", "scan: {fail-on: high}", "scan.fail-on: low → high"),
        ("", "scan: {review: pass}", "scan.review passes: no → yes"),
        ("scan: {profiles: [numpy]}", "scan: {profiles: [numpy, torch-nn]}", "scan.profiles: torch-nn"),
        ("scan: {profiles: []}", "scan: {profiles: [numpy]}", "scan.profiles: numpy"),
        (
            "",
            "scan: {profiles: [python, numpy, scipy, joblib, skops, sklearn, sklearn-internals, pandas, torch, x]}",
            "x",
        ),
        ("", "scan: {globals: [acme.scale]}", "scan.globals: acme.scale"),
        (verify(), "", "verify"),
        (verify(), verify(trusted=f"{KEY}, {{issuer: 'https://i', source: a/b}}"), "verify.trusted: issuer https://i"),
        (verify("scan: {fail-on: low}"), verify(), "verify.scan.fail-on: low → not said"),
        (verify("scan: {fail-on: low}"), verify("scan: {fail-on: high}"), "verify.scan.fail-on: low → high"),
        (verify("scan: {waived: refuse}"), verify(), "verify.scan.waived: refuse → accept"),
        (verify("scan: {waived: refuse}"), verify("scan: {waived: unexpired}"), "refuse → unexpired"),
        (verify("scan: {engines: {a: 1.2}}"), verify(), "verify.scan.engines: a"),
        (
            verify("scan: {engines: {a: 1.10}}"),
            verify("scan: {engines: {a: 1.9}}"),
            "verify.scan.engines: a: 1.10 → 1.9",
        ),
        (verify("max-age: 3"), verify(), "verify.provenance.max-age: 3 days → any"),
        (
            verify("evaluation: {max-age: 3}"),
            verify("evaluation: {max-age: 4}"),
            "verify.evaluation.max-age: 3 days → 4",
        ),
        (verify("audit: {required: true}"), verify(), "verify.audit.required: yes → no"),
        (verify("audit: {waived: refuse}"), verify(), "verify.audit.waived passes: no → yes"),
        (
            verify(),
            verify("audit: {allow: [{id: CVE-1, reason: r, expires: '2027-01-01'}]}"),
            "verify.audit.allow: CVE-1",
        ),
        (verify("provenance: {build-types: ['x:a']}"), verify(), "verify.provenance.build-types: x:a → any"),
        (verify("licences: [MIT]"), verify("licences: [MIT, GPL-3.0-only]"), "verify.licences: GPL-3.0-only"),
        (verify("licences: [MIT]"), verify(), "verify.licences: MIT → any"),
        (verify("evaluation: {thresholds: [auc>=0.9]}"), verify(), "verify.evaluation.thresholds: auc>=0.9"),
        (verify("evidence: ['x:a']"), verify(), "verify.evidence: x:a"),
        (verify(f"follow: {{base-model: {{trusted: [{KEY}]}}}}"), verify(), "verify.follow: base-model"),
        (
            verify(f"follow: {{base-model: {{depth: 2, trusted: [{KEY}]}}}}"),
            verify(f"follow: {{base-model: {{trusted: [{KEY}]}}}}"),
            "verify.follow.base-model.depth: 2 → 1",
        ),
    ],
)
def test_what_lets_more_pass_is_looser_and_its_way_back_stricter(stricter: str, looser: str, words: str) -> None:
    there, back = between(policy(stricter), policy(looser)), between(policy(looser), policy(stricter))
    assert any(words in change.what for change in there)
    assert {change.effect for change in there} == {Effect.LOOSER}
    assert {change.effect for change in back} == {Effect.STRICTER}


def test_each_rule_of_a_verification_is_compared() -> None:
    """A rule that is added to the policy has to be added here, and above."""
    assert [
        field.name
        for kind in (Rules, ScanRules, AuditRules, ProvenanceRules, EvaluationRules)
        for field in fields(kind)
    ] == [
        *("scan", "audit", "provenance", "evaluation", "licences", "evidence"),
        *("engines", "fail_on", "waived", "max_age"),
        *("required", "allowed", "max_age", "waived"),
        *("build_types", "max_age"),
        *("thresholds", "max_age"),
    ]


def test_a_waiver_says_its_day_its_owner_and_its_reason() -> None:
    (change,) = between(Config(), policy(waiver()))
    assert change.detail == "new, until 2027-01-31, ml: ours"
    (other,) = between(policy(waiver()), policy(waiver(reason="theirs")))
    assert (other.effect, other.detail) == (
        Effect.DIFFERENT,
        "was until 2027-01-31, ml: ours; is until 2027-01-31, ml: theirs",
    )
    (owner,) = between(policy(waiver()), policy(waiver(owner="eve")))
    assert owner.effect is Effect.DIFFERENT


def test_an_identity_that_asks_for_less_comes_first() -> None:
    strict = "{issuer: 'https://i', source: a/b, ref: refs/heads/main}"
    came, went = between(policy(verify(trusted=strict)), policy(verify(trusted="{issuer: 'https://i', source: a/b}")))
    assert (came.effect, came.detail) == (Effect.LOOSER, "new")
    assert (went.effect, went.what.endswith("ref refs/heads/main")) == (Effect.STRICTER, True)


def test_another_key_under_the_same_name_is_looser() -> None:
    same = policy(verify())
    assert between(same, same, ["weighlock.yml", "keys/b.pub"]) == ()
    (change,) = between(same, same, ["keys/a.pub"])
    assert (change.effect, change.what) == (Effect.LOOSER, "the trusted key keys/a.pub")


def test_models_that_are_no_longer_listed_come_before_what_an_entry_says() -> None:
    before = policy("models: [{name: a, path: m/a, licence: MIT}, {name: b, path: m/b}]")
    after = policy("models: [{name: a, path: m/a, base-model: x/y, licence: MIT}, {name: c, path: m/c}]")
    changes = between(before, after)
    assert [(change.effect.name, change.what, change.detail) for change in changes] == [
        ("LOOSER", "models: b", "gone, was m/b"),
        ("DIFFERENT", "models: a: base_models", "not said → x/y"),
        ("DIFFERENT", "models: c", "new, m/c"),
    ]


def test_what_only_looks_different_is_the_same() -> None:
    assert between(policy(waiver()), policy("\n# words\n" + waiver())) == ()
    assert (
        between(policy(verify("licences: [MIT, BSD-2-Clause]")), policy(verify("licences: [BSD-2-Clause, MIT]"))) == ()
    )


@given(st.fixed_dictionaries({}, optional={name: st.text() | st.none() for name in ("effect", "what", "detail")}))
def test_a_change_from_another_job_is_read_strictly(content: dict[str, str | None]) -> None:
    with pytest.raises(MalformedError):
        read(content, "plan.json")


def test_a_change_survives_its_file() -> None:
    for change in between(policy(verify()), policy(waiver())):
        assert read(change.to_json(), "plan.json") == change
