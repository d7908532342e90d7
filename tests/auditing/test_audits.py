from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from weighlock.auditing import (
    Answers,
    Auditor,
    AuditResult,
    Dependency,
    Package,
    Resolver,
    Unresolved,
    Vulnerability,
    wording,
)
from weighlock.auditing.audit import Tools, audit_requirements
from weighlock.errors import InputError
from weighlock.oci import Digest

A, B, C = Dependency("a", "1.0"), Dependency("b", "1.0"), Dependency("c", "1.0")
CHAIN = (Package(A, ("b",)), Package(B, ("c", "a")), Package(C))
FLAW = Vulnerability("CVE-1", ("GHSA-1",), ("0.9", "1.2", "2.0"), "It breaks.")


class Fixed:
    """Resolver and auditor in one, with ready answers."""

    service = "osv"
    engine = ("pip-audit", "2.10.0")

    def __init__(
        self,
        packages: tuple[Package, ...] = CHAIN,
        found: Mapping[Dependency, tuple[Vulnerability, ...]] | None = None,
        unknown: Mapping[Dependency, str] | None = None,
    ) -> None:
        self.packages = packages
        self.answers = Answers(
            "https://osv.example/v1/query", {A: (), B: (), C: ()} if found is None else found, unknown or {}
        )
        self.asked: list[Dependency] = []

    def resolve(self, requirements: Sequence[str], constraints: Sequence[str]) -> tuple[Package, ...] | Unresolved:
        return self.packages

    def audit(self, dependencies: Sequence[Dependency]) -> Answers:
        self.asked += dependencies
        return self.answers


def audit(folder: Path, content: str, using: Fixed) -> AuditResult:
    path = folder / "requirements.txt"
    path.write_text(content)
    resolver: Resolver = using
    auditor: Auditor = using
    return audit_requirements(path, using=Tools(resolver, auditor))


def test_everything_known_and_nothing_found_is_clean(tmp_path: Path) -> None:
    result = audit(tmp_path, "a", Fixed())
    assert result.passed
    assert result.verdict == "clean"
    assert [item.dependency for item in result.dependencies] == [A, B, C]
    assert [(item.path, item.digest) for item in result.files] == [("requirements.txt", Digest.of(b"a"))]
    assert wording.text(result) == (
        "clean: requirements.txt needs 3 packages: 0 known vulnerabilities, 0 unaudited (pip-audit 2.10.0, service osv)\n"
    )


def test_an_empty_file_is_clean_and_asks_nobody(tmp_path: Path) -> None:
    using = Fixed()
    result = audit(tmp_path, "", using)
    assert result.passed
    assert not using.asked
    assert result.service_url is None
    assert wording.text(result) == "clean: requirements.txt asks for no package, so there is nothing to audit\n"


def test_a_vulnerability_is_led_back_to_the_line(tmp_path: Path) -> None:
    result = audit(tmp_path, "# first\na\n", Fixed(found={A: (), B: (), C: (FLAW,)}))
    assert result.verdict == "vulnerable"
    assert not result.passed
    assert "  requirements.txt:2: c 1.0, needed by a > b\n    CVE-1 (GHSA-1), fixed in 0.9, 1.2, 2.0: It breaks.\n" in (
        wording.text(result)
    )
    assert "-> Add c>=1.2 in requirements.txt." in wording.text(result)


@pytest.mark.parametrize(
    ("fixes", "words"),
    [
        ((("1.5",), ("1.10", "0.1")), "Require a>=1.10 in requirements.txt."),
        ((("1.5",), ()), "No fixed version of a is known for all of it: replace it."),
        ((("0.5",),), "No fixed version of a is known for all of it: replace it."),
    ],
)
def test_the_remedy_is_the_lowest_version_that_mends_all(
    tmp_path: Path, fixes: tuple[tuple[str, ...], ...], words: str
) -> None:
    flaws = tuple(Vulnerability(f"X-{number}", (), fixed) for number, fixed in enumerate(fixes))
    result = audit(tmp_path, "a", Fixed((Package(A),), {A: flaws}))
    assert wording.remedy(result.vulnerable[0]) == words


def test_what_the_service_does_not_know_fails(tmp_path: Path) -> None:
    result = audit(tmp_path, "a", Fixed(unknown={B: "the service does not know it"}))
    assert result.verdict == "unaudited"
    assert not result.passed
    assert [(gap.requirement, gap.reason, str(gap.origin)) for gap in result.unaudited] == [
        ("b 1.0", "the service does not know it", "requirements.txt:1")
    ]


def test_a_service_that_forgets_a_question_is_noticed(tmp_path: Path) -> None:
    result = audit(tmp_path, "a", Fixed(found={A: (), C: ()}))
    assert [gap.requirement for gap in result.unaudited] == ["b 1.0"]


def test_a_vulnerability_outranks_a_gap_and_hides_none(tmp_path: Path) -> None:
    result = audit(tmp_path, "a\n-e .\nb ; python_version < '3'", Fixed(found={A: (FLAW,), B: (), C: ()}))
    assert result.verdict == "vulnerable"
    assert result.count == 1
    words = wording.text(result)
    assert "requirements.txt:2: -e ." in words
    assert "requirements.txt:3: b ; python_version < '3'" in words
    assert result.to_json()["excluded"] == ["b ; python_version < '3'"]


def test_gaps_with_one_reason_are_told_together(tmp_path: Path) -> None:
    words = wording.text(audit(tmp_path, "a", Fixed(unknown={A: "not known", C: "odd", B: "not known"})))
    assert "  not known\n    requirements.txt:1: a 1.0\n    requirements.txt:1: b 1.0\n  odd\n" in words


def test_an_unknown_service_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'mine' is not one of pypi, osv"):
        audit_requirements(tmp_path / "r.txt", service="mine")


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        audit_requirements(tmp_path / "r.txt", using=Tools(Fixed(), Fixed()))
