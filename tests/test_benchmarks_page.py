"""A benchmark replaces its own section of the page and no other."""

from __future__ import annotations

import pytest

from bench.page import replaced

PAGE = "# Page\n\nWords.\n\n## One\n\n1\n\n### Part\n\n## Two\n\n2\n\n## Three\n\n3\n"


@pytest.mark.parametrize(
    ("title", "wanted"),
    [
        ("One", PAGE.replace("1\n\n### Part", "new")),
        ("Two", PAGE.replace("2", "new")),
        ("Three", PAGE.replace("3\n", "new\n")),
        ("Four", f"{PAGE}\n## Four\n\nnew\n"),
    ],
)
def test_only_its_own(title: str, wanted: str) -> None:
    once = replaced(PAGE, title, f"## {title}\n\nnew\n")
    assert once == wanted
    assert replaced(once, title, f"## {title}\n\nnew\n") == wanted
