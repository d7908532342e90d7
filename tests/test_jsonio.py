"""JSON at the edges: one byte form out, nothing ambiguous in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighlock import jsonio
from weighlock.errors import MalformedError, WeighlockError

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), VALUES))
def test_what_is_written_is_read_back_and_written_the_same(value: dict[str, Any]) -> None:
    raw = jsonio.canonical(value)
    assert jsonio.parse(raw, "it") == value
    assert jsonio.canonical(jsonio.parse(raw, "it")) == raw


@pytest.mark.parametrize("value", [2**53, -(2**60), float("nan"), float("inf"), "\ud800", {"\udfff": 1}])
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(MalformedError):
        jsonio.canonical({"a": value})


@given(st.binary())
def test_no_bytes_do_more_than_raise_our_error(raw: bytes) -> None:
    try:
        jsonio.parse(raw, "it")
    except WeighlockError as error:
        assert error.what.isprintable()


@pytest.mark.parametrize("value", [None, True, "1", 1.0, [], {}])
def test_an_integer_is_an_integer(value: Any) -> None:
    with pytest.raises(MalformedError, match="'size' is missing or not of type integer"):
        jsonio.field({"size": value}, "size", int, "descriptor")
