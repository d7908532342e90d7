"""Words for people and for shells: on one line, printable, and still the same."""

from __future__ import annotations

import os
import subprocess

from hypothesis import given, settings
from hypothesis import strategies as st

from weighlock.text import printable, shell_word

NAMES = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from("\n\r\t\x1b\u202e\\'\"$`!#0af\udc80\udcff")), max_size=20
).filter(lambda text: "\0" not in text)


@settings(max_examples=60, deadline=None)  # each starts a shell
@given(words=st.lists(NAMES, min_size=1, max_size=8))
def test_a_word_for_a_shell_is_read_as_it_was_and_prints_on_one_line(words: list[str]) -> None:
    line = " ".join(map(shell_word, words))
    assert len(line.splitlines()) <= 1
    assert "\x1b" not in line
    done = subprocess.run(["bash", "-c", f"printf '%s\\0' {line}"], capture_output=True, check=True)
    assert done.stdout == b"".join(os.fsencode(word) + b"\0" for word in words)


def test_a_plain_word_is_as_people_write_it() -> None:
    assert [shell_word(word) for word in ("a/b-c.txt", "two words", "it's", "é")] == [
        *("a/b-c.txt", "'two words'", """'it'"'"'s'""", "'é'"),
    ]
    assert shell_word("line\nbreak") == r"$'line\x0abreak'"


@given(NAMES)
def test_what_is_printable_is_one_line(text: str) -> None:
    assert len(printable(text).splitlines()) <= 1
