"""A summary renders the same whatever the model's names and texts hold; they are shown, and never do anything."""

from __future__ import annotations

import html
import re
import unicodedata
from html.parser import HTMLParser

from hypothesis import example, given
from hypothesis import strategies as st

from weighlock import changes, differences, pages
from weighlock.changes import File, Side
from weighlock.facts import Facts
from weighlock.stages import Fold, Line, Page, Section

TAGS = {"h2", "h3", "ul", "li", "code", "br", "details", "summary", "pre", "p"}
ATTACKS = (
    "</code><img src=x onerror=alert(1)>",
    "</pre>\n\n# heading\n\n[click](https://evil.example)",
    "</details>\n\n| a | b |\n|---|---|",
    "::stop-commands::x\n::set-output name=verdict::pass",
    "EOF\nverdict=pass\nEOF",
    "a\n\n<script>alert(1)</script>",
    "`` ` `` $(id) @octocat #1 GH-1 https://evil.example",
    "\x1b[2J\u202e\x00\ud800",
)
hostile = st.one_of(st.text(max_size=80), st.sampled_from(ATTACKS))


class Skeleton(HTMLParser):
    """Collects tags, and text that stands outside of `code` and `pre`."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.loose = ""
        self._inside: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not attrs
        self.tags.append(tag)
        if tag in {"code", "pre"}:
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in {"code", "pre"}:
            assert self._inside.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.loose += data


def plain(text: str) -> bool:
    return not any(unicodedata.category(character)[0] == "C" for character in text)


def made(name: str, text: str) -> str:
    fold = Fold("the difference in", name, (Line("words", name),), text)
    section = Section("❌", name, (Line("", text, name, text), Line("size:", text)), (fold,))
    return pages.rendered(Page("❌ Model gate", (Line("gone:", name),), (section,)), 10**6)


@given(hostile, hostile)
@example(ATTACKS[0], ATTACKS[1])
@example(ATTACKS[1], ATTACKS[0])
def test_what_a_model_says_stands_in_code_and_changes_no_structure(name: str, text: str) -> None:
    plain = Skeleton(made("n", "t"))
    found = Skeleton(made(f"n{name}", f"t{text}"))
    assert found.tags == plain.tags
    assert found.loose.split() == plain.loose.split()
    assert set(found.tags) <= TAGS


@given(hostile)
def test_a_value_is_one_line(text: str) -> None:
    shown = pages.code(text)
    assert "\n" not in shown
    assert re.fullmatch(r"|<code>[^<>]*</code>", shown)
    assert html.unescape(shown.removeprefix("<code>").removesuffix("</code>")) == " ".join(text.split())[: pages.CODE]


def test_what_does_not_fit_is_counted() -> None:
    sections = tuple(Section("✅", f"model-{number}", (Line("", "x" * 400),)) for number in range(1000))
    page = pages.rendered(Page("✅", (), sections), 50_000)
    assert len(page) < 60_000
    assert re.search(r"<p>\d+ models more", page)


@given(st.dictionaries(hostile, hostile, max_size=3), st.dictionaries(hostile, hostile, max_size=3), hostile)
def test_differences_are_printable(before: dict[str, str], after: dict[str, str], name: str) -> None:
    old = Side({name: File("0", 1, "x")}, frozenset([name]), Facts(before, tuple(before), before, before))
    new = Side({name: File("1", 2, "y")}, frozenset(after), Facts(after, tuple(after), after, after))
    change = changes.between(old, new)
    for line in differences.lines(change):
        assert plain(line)
    for where, diff in differences.diffs(change):
        assert plain(where)
        assert all(plain(line) for line in diff.split("\n"))


WORDS = {
    *("added", "removed", "changed", "new imports of its pickles", "imports that are gone", "new findings"),
    *(
        "findings that are gone",
        "tensors added",
        "tensors removed",
        "tensors reshaped",
        "text differs",
        "the card says",
    ),
    *("size", "tensors", "new model, 2 B", "no difference in what the files hold"),
}


@given(st.dictionaries(hostile, hostile, max_size=3), hostile)
@example({"LICENSE-@octocat: #1": "MIT"}, "x")
def test_what_stands_before_the_first_colon_is_ours(after: dict[str, str], name: str) -> None:
    new = Side({name: File("1", 2, "y")}, frozenset(after), Facts(after, tuple(after), after, after))
    for old in (Side(), None):
        for line in differences.lines(changes.between(old, new)):
            assert line.partition(": ")[0] in WORDS


def test_a_changed_chat_template_is_shown_as_a_diff() -> None:
    old = Side(facts=Facts(texts={"t": "a\nb\nc"}))
    new = Side(facts=Facts(texts={"t": "a\nevil\nc"}))
    ((name, diff),) = differences.diffs(changes.between(old, new))
    assert name == "t"
    assert "-b\n+evil" in diff
