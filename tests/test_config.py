"""weighlock.yml: defaults, what it may say, and errors that name the line."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighlock.config import Config, ScanPolicy, load, parse
from weighlock.errors import InputError
from weighlock.scanners import Severity

DIGEST = "a" * 64
WAIVER = f"""\
    - rule: pickle.global
      sha256: {DIGEST}
      reason: trained by us
      owner: team-ml
      expires: 2027-01-31
"""


def test_a_file_that_says_nothing_is_all_defaults() -> None:
    assert parse(b"version: 1\n") == Config(ScanPolicy())


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
        ("version: 1\nscan:\n  waivers:\n" + WAIVER.replace("2027-01-31", "2027-02-31"), 4, "not a day"),
        ("version: 1\nscan:\n  waivers:\n" + WAIVER.replace("      owner: team-ml\n", ""), 4, "owner"),
        ("version: 1\nscan:\n  waivers:\n" + WAIVER.replace("trained by us", "''"), 6, "reason"),
        ("version: 1\nscan:\n  waivers:\n" + WAIVER + WAIVER, 9, "stands here again"),
        ("a: " + "[" * 3000, 1, ""),
        ("{" * 60, 1, ""),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text.encode())
    assert caught.value.what.startswith(f"weighlock.yml:{line}: ")
    assert words in caught.value.what
    assert caught.value.what.isprintable()


@given(st.binary() | st.text().map(str.encode))
def test_no_bytes_do_more_than_raise_our_error(raw: bytes) -> None:
    try:
        parse(raw)
    except InputError as error:
        assert error.what.startswith("weighlock.yml:")


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path / "weighlock.yml")
