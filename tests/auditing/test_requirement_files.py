from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pip._internal.req.req_file import preprocess

from weighlock.auditing.lines import logical
from weighlock.auditing.requirements import FILE_LIMIT, FILES_LIMIT, LINES_LIMIT, Reading, read
from weighlock.errors import InputError
from weighlock.oci import Digest

DIGEST = "sha256:" + "a" * 64


def reading(folder: Path, content: str | bytes, **more: str) -> Reading:
    for name, text in more.items():
        (folder / f"{name}.txt").write_text(text)
    path = folder / "requirements.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read(path)


def texts(found: Reading) -> list[str]:
    return [item.text for item in found.requirements]


def reasons(found: Reading) -> str:
    return "\n".join(item.reason for item in found.unaudited)


@pytest.mark.parametrize(
    ("line", "text", "name", "pin"),
    [
        ("torch", "torch", "torch", None),
        ("Torch_Vision == 1.0", "Torch_Vision==1.0", "torch-vision", "1.0"),
        ("requests[socks, security]>=2,<3  # why", "requests[security,socks]<3,>=2", "requests", None),
        ("a==1.*", "a==1.*", "a", None),
        ("a===1.0", "a===1.0", "a", "1.0"),
        ("torch==2.1.0+cpu", "torch==2.1.0+cpu", "torch", "2.1.0+cpu"),
        ("a ; python_version >= '3'", "a", "a", None),
        (f"a==1 --hash={DIGEST} --hash {DIGEST}", "a==1", "a", "1"),
        (f"a==1 \\\n    --hash={DIGEST} \\\n    --hash={DIGEST}\n    # via b", "a==1", "a", "1"),
        ("--require-hashes\na", "a", "a", None),
    ],
)
def test_plain_lines_are_rewritten(tmp_path: Path, line: str, text: str, name: str, pin: str | None) -> None:
    found = reading(tmp_path, line)
    assert [(item.text, item.name, item.pin) for item in found.requirements] == [(text, name, pin)]
    assert not found.unaudited


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("https://example.org/a-1.0.tar.gz", "a URL or a path"),
        ("a @ https://example.org/a-1.0-py3-none-any.whl", "a URL or a path"),
        ("a @ file:/etc", "a URL or a path"),
        ("git+ssh:git@example.org/a", "a URL or a path"),
        ("git+https://example.org/a.git@main#egg=a", "a URL or a path"),
        ("./a", "a URL or a path"),
        ("../a-1.0-py3-none-any.whl", "a URL or a path"),
        ("a-1.0-py3-none-any.whl", "a URL or a path"),
        ("innocent.zip", "a URL or a path"),
        ("innocent.ZIP[extra] ; python_version > '3'", "a URL or a path"),
        ("C:\\a", "a URL or a path"),
        ("-e .", "is an option"),
        ("--editable=.", "is an option"),
        ("--index-url https://example.org/simple", "is an option"),
        ("-i https://example.org/simple", "is an option"),
        ("--extra-index-url=https://example.org/simple", "is an option"),
        ("--find-links .", "is an option"),
        ("--no-binary :all:", "is an option"),
        ("--no-binary=:all:", "is an option"),
        ("--pre", "is an option"),
        ("--trusted-host example.org", "is an option"),
        ("--req other.txt", "is an option"),
        ("-r one.txt -r two.txt", "is an option"),
        ("-r 'unfinished", "is an option"),
        ("a --config-settings=x=y", "carries an option"),
        ("a --hash=md5:00", "carries an option"),
        (f"a --hash={DIGEST} --global-option=build", "carries an option"),
        ("a == ", "not of the form"),
        ("a==1==2 b", "not of the form"),
        ("a b", "not of the form"),
        ("a===1#${HOME}", "characters that no version has"),
        ("${EVIL}", "not of the form"),
        ("a ; nonsense == 'x'", "not of the form"),
        ("a ; python_version ~= 'x'", "makes no sense"),
        pytest.param("a==" + "9" * 60_000, "longer than", id="a number of 60,000 digits"),
        pytest.param("a;" + "(" * 3_000, "nested too deeply", id="3,000 parentheses"),
    ],
)
def test_everything_else_is_unaudited(tmp_path: Path, line: str, reason: str) -> None:
    found = reading(tmp_path, f"before\n{line}\nafter\n")
    assert texts(found) == ["before", "after"]
    (gap,) = found.unaudited
    assert reason in gap.reason
    assert str(gap.origin) == "requirements.txt:2"


def test_a_backslash_cannot_join_what_is_handed_on(tmp_path: Path) -> None:
    found = reading(tmp_path, "a===1\\ \nb\n")
    assert texts(found) == ["b"]
    assert len(found.unaudited) == 1


def test_a_marker_that_is_false_here_is_told(tmp_path: Path) -> None:
    found = reading(tmp_path, 'a ; python_version < "3"\nb ; extra == "x"\nc\n')
    assert texts(found) == ["c"]
    assert [str(item.origin) for item in found.excluded] == ["requirements.txt:1", "requirements.txt:2"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"# -*- coding: utf-7 -*-\n# +AAo-evil\n", "another encoding"),
        (b"\n# vim: coding=latin-1\n", "another encoding"),
        (b"# coding: \xc3\xa9\n# coding: no-such-codec", "another encoding"),
        ("a\n".encode("utf-16"), "not UTF-8"),
        (b"a\xff\n", "not UTF-8"),
        (b"# harmless\x0bevil\n", "do not print"),
        ("# harmless\u2028evil\n".encode(), "do not print"),
        ("# harmless \u202e evil\n".encode(), "do not print"),
        (b"a\x00\n", "do not print"),
    ],
)
def test_a_file_that_readers_could_read_differently_is_unaudited(tmp_path: Path, content: bytes, reason: str) -> None:
    found = reading(tmp_path, content)
    assert not found.requirements
    assert reason in reasons(found)
    assert found.files[0].digest == Digest.of(content)


def test_utf8_with_a_mark_or_a_declaration_is_fine(tmp_path: Path) -> None:
    found = reading(tmp_path, b"\xef\xbb\xbf# -*- coding: utf-8 -*-\r\na\r\n")
    assert texts(found) == ["a"]
    assert texts(reading(tmp_path, "# caf\u00e9\u00a0\u2713 \U0001f469\u200d\U0001f4bb\na\u00a0# why\n")) == ["a"]


def test_a_line_of_a_megabyte(tmp_path: Path) -> None:
    found = reading(tmp_path, "a" * 1_000_000 + "\nb\n")
    assert texts(found) == ["b"]
    assert "longer than" in reasons(found)
    assert len(found.unaudited[0].requirement) < 300


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="larger than"):
        reading(tmp_path, b"#" * (FILE_LIMIT + 1))
    assert "larger than" in reasons(reading(tmp_path, "-r more.txt", more="#" * (FILE_LIMIT + 1)))


def test_too_many_lines_end_in_one_gap(tmp_path: Path) -> None:
    found = reading(tmp_path, "a\n" * (LINES_LIMIT + 3))
    assert len(found.requirements) == LINES_LIMIT
    assert len(found.unaudited) == 1


@pytest.mark.parametrize("spelling", ["-r {}", "-r{}", "--requirement {}", "--requirement={}", "-r './{}'"])
def test_includes_are_read(tmp_path: Path, spelling: str) -> None:
    found = reading(tmp_path, f"a\n{spelling.format('more.txt')}\n", more="b\n")
    assert [(item.text, str(item.origin)) for item in found.requirements] == [
        ("a", "requirements.txt:1"),
        ("b", "more.txt:1"),
    ]
    assert [(item.path, item.digest) for item in found.files][1] == ("more.txt", Digest.of(b"b\n"))


@pytest.mark.parametrize("spelling", ["-c {}", "-c{}", "--constraint {}", "--constraint={}"])
def test_constraints_limit_and_do_not_require(tmp_path: Path, spelling: str) -> None:
    found = reading(tmp_path, f"a\n{spelling.format('limits.txt')}\n", limits="b<2\nc[x]\n-r more.txt", more="d")
    assert texts(found) == ["a", "d"]
    assert [item.text for item in found.constraints] == ["b<2"]
    assert "cannot have extras" in reasons(found)


def test_an_include_is_relative_to_the_file_that_names_it(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "one.txt").write_text("-r two.txt\n-r ../requirements.txt")
    (inner / "two.txt").write_text("a")
    found = reading(tmp_path, "-r inner/one.txt")
    assert [str(item.origin) for item in found.requirements] == ["inner/two.txt:1"]
    assert "includes itself" in reasons(found)


def test_no_include_leaves_the_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("a")
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link.txt").symlink_to(outside)
    (folder / "up").symlink_to(tmp_path)
    escapes = ["../outside.txt", "link.txt", "up/outside.txt", str(outside), "../../../../../../etc/passwd"]
    found = reading(folder, "".join(f"-r {name}\n" for name in escapes))
    assert not found.requirements
    assert [gap.reason.split(":")[0] for gap in found.unaudited] == [
        "the included file lies outside the folder of the first one"
    ] * len(escapes)


def test_an_include_that_cannot_be_read_is_unaudited(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    found = reading(tmp_path, "-r pipe\n-r folder\n-r missing\n-r https://example.org/r.txt\n-r ${HOME}/x\n")
    assert [gap.reason for gap in found.unaudited[:2]] == ["the included file cannot be read: not a regular file"] * 2
    assert [gap.reason.split(":")[0] for gap in found.unaudited[2:]] == ["the included file is not there"] * 3


def test_a_circle_is_told_once_and_a_diamond_is_not_one(tmp_path: Path) -> None:
    found = reading(tmp_path, "-r x.txt\n-r y.txt", x="-r z.txt\n-r requirements.txt", y="-r z.txt", z="a")
    assert texts(found) == ["a"]
    (gap,) = found.unaudited
    assert str(gap.origin) == "x.txt:2"


def test_a_chain_of_includes_ends(tmp_path: Path) -> None:
    for number in range(FILES_LIMIT + 5):
        (tmp_path / f"{number}.txt").write_text(f"-r {number + 1}.txt\n")
    found = reading(tmp_path, "-r 0.txt")
    assert len(found.files) == FILES_LIMIT
    assert "files are included" in reasons(found)


@pytest.mark.parametrize("name", ["missing.txt", ".", "a\x00b"])
def test_what_is_not_a_file_is_an_input_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / name)


def test_an_empty_file_needs_nothing(tmp_path: Path) -> None:
    found = reading(tmp_path, "# nothing\n\n")
    assert not found.requirements
    assert not found.unaudited


def test_hostile_text_is_escaped(tmp_path: Path) -> None:
    found = reading(tmp_path, "-r \x61\tb")
    assert found.unaudited[0].requirement == "-r a\\x09b"


@given(st.text(alphabet=st.sampled_from("\\\\\n\n# \tab-="), max_size=60))
def test_no_line_that_pip_sees_is_lost(content: str) -> None:
    assert list(logical(content)) == list(preprocess(content))
